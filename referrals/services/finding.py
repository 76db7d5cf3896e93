"""Looking codes up; who tries many is slowed down, whoever they are."""

from datetime import datetime

from common.sql import execute
from referrals.codes import readings
from referrals.marks import mark
from referrals.models import Advocate, Guess
from referrals.queries import find_advocates

MISSES = 10  # in a minute
_MINUTE = 60


class TooManyGuesses(Exception):
    """Too many codes that there are not. `retry_after`: seconds until it may be tried again."""

    def __init__(self, at: datetime) -> None:
        self.retry_after = _MINUTE - int(at.timestamp()) % _MINUTE
        super().__init__(self.retry_after)


# Begins and ends what counts a miss; in between, of whom.
COUNT_MISS = """
INSERT INTO referrals_guess (who, minute, misses) {select}
ON CONFLICT (who, minute) DO UPDATE SET misses = referrals_guess.misses + 1
"""
_MISSED = COUNT_MISS.format(select="VALUES (%(who)s, %(minute)s, 1)")


def guesser(who: str, at: datetime) -> dict[str, str | datetime]:
    """By what somebody's guesses of this minute are found."""
    return {"who": mark("guesser", who), "minute": at.replace(second=0, microsecond=0)}


def guess(*, who: str, code: str, at: datetime) -> Advocate | None:
    """Whose code it is. `who` names the guesser ("ip:…", "member:5", "key:7"). TooManyGuesses, for codes that there
    are as well: else it would tell them apart."""
    own = guesser(who, at)
    if Guess.objects.filter(**own, misses__gte=MISSES).exists():
        raise TooManyGuesses(at)
    found = find_advocates(readings(code))
    advocate = next((found[one] for one in readings(code) if one in found), None)
    if advocate is None:
        execute(_MISSED, own)
    return advocate
