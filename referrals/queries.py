"""Reads of referrals: what runs, who may take part, who brought whom."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Count, F, Q, QuerySet, Sum

from common.sql import fetch_all
from members.models import Member
from members.queries import get_programme
from referrals.definition import Definition, Known, parse
from referrals.enums import ProgrammeState, ReferralState
from referrals.models import Advocate, Programme, ProgrammeVersion, Referral, ThanksGiven
from rewards.enums import OfferState
from rewards.models import MembershipPlan, Offer, Tier


def known() -> Known:
    """What a definition may refer to now."""
    return Known(
        currency=get_programme().currency,
        offers=frozenset(Offer.objects.exclude(state=OfferState.ENDED).values_list("pk", flat=True)),
        tiers=frozenset(Tier.objects.values_list("pk", flat=True)),
        plans=frozenset(MembershipPlan.objects.filter(active=True).values_list("pk", flat=True)),
    )


class _Anything(frozenset):
    """Of what was published: what it named then is there still, or is found missing when it is given."""

    def __contains__(self, _item: object) -> bool:
        return True


@lru_cache(maxsize=256)
def _read(version_id: int, currency: str) -> Definition:
    raw = ProgrammeVersion.objects.values_list("definition", flat=True).get(pk=version_id)
    there = _Anything()
    return parse(raw, Known(currency=currency, offers=there, tiers=there, plans=there))


def reading(version_id: int) -> Definition:
    """A published version, read; it never changes."""
    return _read(version_id, get_programme().currency)


def running(at: datetime) -> QuerySet[Programme]:
    """Programmes that take in friends, first things first."""
    return Programme.objects.filter(
        Q(starts_at=None) | Q(starts_at__lte=at), Q(ends_at=None) | Q(ends_at__gt=at), state=ProgrammeState.LIVE
    ).order_by("position", "pk")


def may_still_say(member: Member, at: datetime) -> bool:
    """Whether a member is new enough to say who brought them, as some programme that runs has it, and has not."""
    newest = ProgrammeVersion.objects.filter(programme__in=running(at).order_by(), number=F("programme__number"))
    days = max([reading(pk).claim_days for pk in newest.values_list("pk", flat=True)], default=0)
    return member.joined_at > at - timedelta(days=days) and not Referral.objects.filter(friend=member).exists()


RUNNING = """programme.state = 'live'
  AND (programme.starts_at IS NULL OR programme.starts_at <= %(at)s::timestamptz)
  AND (programme.ends_at IS NULL OR programme.ends_at > %(at)s::timestamptz)"""
# The first programme that each of some members takes part in, with its newest version. `members` is to be filled in.
OPEN_TO = f"""
SELECT DISTINCT ON (member.id) member.id, programme.id, version.id
FROM referrals_programme AS programme
JOIN referrals_programmeversion AS version ON version.programme_id = programme.id AND version.number = programme.number
CROSS JOIN unnest({{members}}::bigint[]) AS member (id)
LEFT JOIN rewards_membertier AS held ON held.member_id = member.id
WHERE {RUNNING}
  AND (programme.segment_id IS NULL OR EXISTS (
      SELECT FROM members_segmentmember AS inside
      WHERE inside.segment_id = programme.segment_id AND inside.member_id = member.id))
  AND (NOT EXISTS (SELECT FROM referrals_programme_tiers AS gate WHERE gate.programme_id = programme.id)
       OR EXISTS (SELECT FROM referrals_programme_tiers AS gate
                  WHERE gate.programme_id = programme.id AND gate.tier_id = coalesce(
                      held.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0))))
ORDER BY member.id, programme.position, programme.id
"""


def open_to(member_ids: Iterable[int], at: datetime) -> dict[int, tuple[int, int]]:
    """(programme, version) that each of these members brings friends to, if any."""
    rows = fetch_all(OPEN_TO.format(members="%(members)s"), {"members": list(member_ids), "at": at})
    return {member: (programme, version) for member, programme, version in rows}


def find_advocates(codes: Iterable[str]) -> dict[str, Advocate]:
    """Advocates by code; who was merged, as who they are now."""
    found = Advocate.objects.filter(code__in=list(codes)).select_related("member__merged_into")
    return {advocate.code: advocate for advocate in found}


ABOVE = """
WITH RECURSIVE above (id) AS (
    SELECT giver_id FROM referrals_referral WHERE friend_id = %(member)s
    UNION SELECT referral.giver_id FROM above JOIN referrals_referral AS referral ON referral.friend_id = above.id
)
SELECT EXISTS (SELECT FROM above WHERE id = %(other)s)
"""


def is_above(other_id: int, member_id: int) -> bool:
    """Whether `other` brought `member`, or who brought them, and so on. A chain of any length is one statement."""
    return bool(fetch_all(ABOVE, {"member": member_id, "other": other_id})[0][0])


_BELOW = """
WITH RECURSIVE below (id, giver_id, depth) AS (
    SELECT friend_id, giver_id, 1 FROM referrals_referral WHERE giver_id = %(member)s
    UNION ALL
    SELECT referral.friend_id, referral.giver_id, below.depth + 1
    FROM below JOIN referrals_referral AS referral ON referral.giver_id = below.id WHERE below.depth < %(depth)s
)
SELECT below.id, below.giver_id, below.depth, (
    SELECT count(*) FROM referrals_referral AS next WHERE next.giver_id = below.id
) FROM below ORDER BY depth, giver_id, id LIMIT %(most)s
"""


def tree(member_id: int, *, depth: int = 3, most: int = 200) -> list[tuple[int, int, int, int]]:
    """(friend, who brought them, level from 1, how many they brought) below a member, nearest first."""
    return [tuple(row) for row in fetch_all(_BELOW, {"member": member_id, "depth": depth, "most": most})]


def made_by(member_id: int) -> QuerySet[Referral]:
    """What a member brought, the newest first."""
    return Referral.objects.filter(giver=member_id).select_related("friend", "version").order_by("-joined_at", "-pk")


def brought(member_id: int, programme_id: int) -> int:
    """How many friends of a member count for milestones."""
    return Referral.objects.filter(
        giver=member_id, programme=programme_id, state=ReferralState.REWARDED, is_capped=False
    ).count()


class Leader(NamedTuple):
    """Somebody on the leaderboard, under the name that they chose."""

    nickname: str
    friends: int


def leaderboard(*, limit: int = 10) -> list[Leader]:
    """Who brought most friends that counted, of those who want to be listed."""
    listed = (
        Advocate.objects.filter(is_listed=True)
        .annotate(friends=Count("member__referrals_made", filter=Q(member__referrals_made__state="rewarded")))
        .filter(friends__gt=0)
        .order_by("-friends", "created_at")
    )
    return [Leader(one.nickname, one.friends) for one in listed[:limit]]


def thanks_of(member_id: int) -> list[dict[str, Any]]:
    """What a member got for bringing friends and stands, by what it is: points and credit summed, the rest counted."""
    given = ThanksGiven.objects.filter(member=member_id, taken_at=None).exclude(role="friend")
    rows = given.values("what").annotate(n=Count("pk"), amount=Sum("amount")).order_by("what")
    return [dict(row) for row in rows]
