"""Codes that are said with a purchase: taken down with it in one statement, looked at after it. docs/referrals.md."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from common.sql import fetch_prepared
from members.events import record
from referrals.codes import readings
from referrals.definition import CLAIM_DAYS
from referrals.enums import Refusal, Source
from referrals.events import REFERRAL_UNCOUNTED
from referrals.models import Said
from referrals.queries import OPEN_TO, RUNNING
from referrals.services.attribution import Came, NotReferred, attribute
from referrals.services.finding import COUNT_MISS, MISSES, TooManyGuesses, guesser

NOTED = "noted"


class Heard(NamedTuple):
    """What is known of a code at once: why it cannot count, if so; else what became of the referral so far."""

    refusal: Refusal | None
    state: str = ""


# Whose code it is, a row for it where the buyer came by nobody yet, or a miss; and what is known of both at once.
_SAY = f"""
WITH guess (misses) AS (
    SELECT coalesce((SELECT misses FROM referrals_guess
                     WHERE who = %(who)s AND minute = %(minute)s::timestamptz), 0)
),
known AS (
    SELECT advocate.id, giver.id AS giver_id, giver.erased_at, giver.household_id
    FROM referrals_advocate AS advocate
    JOIN members_member AS shared ON shared.id = advocate.member_id
    JOIN members_member AS giver ON giver.id = coalesce(shared.merged_into_id, shared.id)
    WHERE advocate.code = ANY(%(codes)s::text[]) AND (SELECT misses FROM guess) < {MISSES}
    ORDER BY array_position(%(codes)s::text[], advocate.code::text) LIMIT 1
),
before AS (SELECT giver_id, state FROM referrals_referral WHERE friend_id = %(member)s::bigint),
said AS (
    INSERT INTO referrals_said (purchase_id, advocate_id, at)
    SELECT %(purchase)s::bigint, id, %(at)s::timestamptz FROM known WHERE NOT EXISTS (SELECT FROM before)
),
missed AS (
    {COUNT_MISS.format(select="SELECT %(who)s, %(minute)s::timestamptz, 1 WHERE NOT EXISTS (SELECT FROM known)")}
)
SELECT guess.misses, known.giver_id, known.erased_at IS NOT NULL, known.household_id = friend.household_id,
       before.giver_id, before.state, friend.joined_at, version.id, version.definition->>'claim_days',
       EXISTS (SELECT FROM referrals_programme AS programme WHERE {RUNNING})
FROM members_member AS friend CROSS JOIN guess LEFT JOIN known ON true LEFT JOIN before ON true
LEFT JOIN ({OPEN_TO.format(members="ARRAY(SELECT giver_id FROM known)")}) AS open (member_id, programme_id, version_id)
    ON true
LEFT JOIN referrals_programmeversion AS version ON version.id = open.version_id
WHERE friend.id = %(member)s::bigint
"""


def say(*, purchase_id: int, member_id: int, code: str, who: str, at: datetime) -> Heard:
    """Takes down whose code a member says with a new purchase: one statement, in the caller's transaction. What its
    answer can know is told; whether it counts, a reaction to the purchase finds out. `who` as in guess; TooManyGuesses.
    """
    own = guesser(who, at)
    told = {"purchase": purchase_id, "member": member_id, "codes": readings(code), "at": at}
    ((misses, giver, is_gone, is_home, other, state, joined_at, version, days, runs),) = fetch_prepared(
        _SAY, told | own
    )
    if misses >= MISSES:
        raise TooManyGuesses(at)
    if giver is None:
        return Heard(Refusal.UNKNOWN)
    if is_gone:
        return Heard(Refusal.GIVER_GONE)
    if other:
        return Heard(None, state) if other == giver else Heard(Refusal.TAKEN)
    if version is None:
        return Heard(Refusal.GIVER_OUTSIDE if runs else Refusal.NOT_RUNNING)
    if giver == member_id:
        return Heard(Refusal.SELF)
    if is_home:
        return Heard(Refusal.HOUSEHOLD)
    is_late = joined_at < at - timedelta(days=int(days or CLAIM_DAYS), hours=1)
    return Heard(Refusal.TOO_LATE) if is_late else Heard(None, NOTED)


def hear(*, purchase_ids: Iterable[int]) -> list[int]:
    """Attributes what was said with these purchases, as of the moment when it was said; the friends. What does not
    count stands in the buyer's timeline, and why. In the caller's transaction."""
    waiting = Said.objects.filter(purchase__in=list(purchase_ids)).select_related("purchase__member", "advocate")
    friends = []
    for said in waiting.order_by("purchase__member", "pk").select_for_update(of=("self",)):
        buyer = said.purchase.member
        friend_id = buyer.merged_into_id or buyer.pk
        came = [Came(said.advocate.code, Source.API, said.at)]
        try:
            with transaction.atomic():
                attribute(friend_id=friend_id, came=came, at=said.at)
            friends.append(friend_id)
        except NotReferred as refused:
            record(member_id=friend_id, kind=REFERRAL_UNCOUNTED, at=said.at, data={"reason": str(refused.reason)})
        said.delete()
    return friends
