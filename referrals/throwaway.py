"""Mail addresses that are made to be thrown away."""

from disposable_email_domains import blocklist


def is_throwaway(address: str) -> bool:
    """Whether its domain, or one above it, is known to hand out such addresses."""
    parts = address.rpartition("@")[2].lower().split(".")
    return any(".".join(parts[n:]) in blocklist for n in range(len(parts) - 1))
