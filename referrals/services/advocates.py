"""Members' codes, and what is counted of their links."""

from collections.abc import Iterable
from datetime import date, datetime

from django.db import IntegrityError, transaction

from common.sql import execute
from members.models import PRESENT, Member
from referrals.codes import new_code
from referrals.enums import ShareChannel
from referrals.models import Advocate


class NicknameNeeded(Exception):
    """Nobody stands on the leaderboard without a name that they chose."""


def advocate_of(*, member_id: int, at: datetime) -> Advocate:
    """The member's code; made when it is first asked for. Member.DoesNotExist for who is merged or erased."""
    for _attempt in range(5):
        if known := Advocate.objects.filter(member=member_id).first():
            return known
        member = Member.objects.get(PRESENT, pk=member_id)
        try:
            with transaction.atomic():
                return Advocate.objects.create(member=member, code=new_code(), created_at=at)
        except IntegrityError:  # another request was quicker, or the code is somebody's
            continue
    raise RuntimeError("no code is free")


@transaction.atomic
def set_wishes(*, member_id: int, shows_name: bool, nickname: str, is_listed: bool, at: datetime) -> Advocate:
    """What the member lets friends, and everybody, see. NicknameNeeded."""
    nickname = " ".join(nickname.split())[:40]
    if is_listed and not nickname:
        raise NicknameNeeded
    advocate = advocate_of(member_id=member_id, at=at)
    advocate.shows_name, advocate.nickname, advocate.is_listed = shows_name, nickname, is_listed
    advocate.save(update_fields=["shows_name", "nickname", "is_listed"])
    return advocate


_COUNT = """
INSERT INTO referrals_traffic (advocate_id, day, channel, {what})
SELECT advocate_id, %(day)s, %(channel)s, 1 FROM unnest(%(advocates)s::bigint[]) AS advocate (advocate_id)
ON CONFLICT (advocate_id, day, channel) DO UPDATE SET {what} = least(referrals_traffic.{what} + 1, 2000000000)
"""


def count(*, what: str, advocate_ids: Iterable[int], channel: ShareChannel | str, day: date) -> None:
    """Counts one of "shares", "visits", "taken" on a day: a row for each way, however often it happens."""
    if what not in ("shares", "visits", "taken"):
        raise ValueError(what)
    execute(_COUNT.format(what=what), {"advocates": list(advocate_ids), "channel": str(channel), "day": day})
