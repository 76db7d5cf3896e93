"""Mail addresses that are made to be thrown away."""


def is_throwaway(address: str) -> bool:
    """Whether its domain, or one above it, is known to hand out such addresses."""
    from disposable_email_domains import blocklist  # 5 MB, which only who judges a referral needs

    parts = address.rpartition("@")[2].lower().split(".")
    return any(".".join(parts[n:]) in blocklist for n in range(len(parts) - 1))
