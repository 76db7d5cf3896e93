"""Networks, told as coarsely as they may be kept."""

from ipaddress import ip_address, ip_network


def network_of(address: str) -> str:
    """The network of an address: /24, or /48; "" for what is none."""
    try:
        version = ip_address(address).version
    except ValueError:
        return ""
    return str(ip_network(f"{address}/{24 if version == 4 else 48}", strict=False))
