"""How often one network may do something that needs no account."""

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """The visitor's address, behind as many proxies as the settings trust."""
    return str(get_adapter().get_client_ip(request) or "")


def within(key: str, most: int, seconds: int) -> bool:
    """Counts once more; whether it is still within so many in so many seconds. A cache that was wiped forgives."""
    key = f"within:{key}"
    cache.add(key, 0, seconds)
    try:
        return cache.incr(key) <= most
    except ValueError:  # it ran out in between
        return True
