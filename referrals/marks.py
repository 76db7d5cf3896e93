"""Keyed hashes of what says who somebody is: they can be compared, and not read."""

from django.conf import settings
from django.utils.crypto import salted_hmac

from common.networks import network_of
from members.similarity import mailbox


def mark(kind: str, value: str) -> str:
    """HMAC-SHA-256 under the site's oldest secret, 64 hexadecimal digits: what was marked once is known for ever."""
    secret = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)[-1]
    return salted_hmac(f"referrals.{kind}", value, secret=secret, algorithm="sha256").hexdigest()


def mail_mark(address: str) -> str:
    """Of the mailbox: case, dots and +tags that its provider ignores do not count."""
    return mark("mail", mailbox(address))


def phone_mark(number: str) -> str:
    return mark("phone", number)


def network_mark(address: str) -> str:
    """Of the /24 or /48 that an IP address is in; "" for none."""
    network = network_of(address)
    return mark("network", network) if network else ""
