"""Looking codes up; who tries many is slowed down, whoever they are."""

from datetime import datetime

from django.core.cache import cache
from django.db import transaction

from common.sql import lock
from referrals.codes import readings
from referrals.models import Advocate
from referrals.queries import find_advocates

MISSES = 10  # in a minute
_MINUTE = 60


class TooManyGuesses(Exception):
    """Too many codes that there are not. `retry_after`: seconds until it may be tried again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


def guess(*, who: str, code: str, at: datetime) -> Advocate | None:
    """Whose code it is. `who` names the guesser ("ip:…", "member:5", "key:7"). TooManyGuesses, for codes that there
    are as well: else it would tell them apart."""
    key = f"referral-misses:{who}:{int(at.timestamp()) // _MINUTE}"
    if cache.get(key, 0) >= MISSES:
        raise TooManyGuesses(_MINUTE - int(at.timestamp()) % _MINUTE)
    found = find_advocates(readings(code))
    advocate = next((found[one] for one in readings(code) if one in found), None)
    if advocate is None:
        with transaction.atomic():
            lock(key)  # a hundred at once are counted one by one
            cache.set(key, cache.get(key, 0) + 1, 2 * _MINUTE)
    return advocate
