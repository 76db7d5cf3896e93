"""Who brought whom: from a visit, a code, an invitation, or what is said later. docs/referrals.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from common.sql import fetch_all
from members.events import record
from members.models import PRESENT, Member
from referrals.codes import readings
from referrals.definition import Definition
from referrals.enums import Refusal, Source, Touch
from referrals.events import REFERRAL_CAME, REFERRAL_JOINED
from referrals.marks import mail_mark, phone_mark
from referrals.models import Advocate, Invite, Referral, ReferralStep
from referrals.queries import ABOVE, find_advocates, open_to, reading, running
from referrals.services.blocks import is_blocked, is_network_blocked
from referrals.services.qualifying import consider
from referrals.services.thanking import welcome

INVITE_DAYS = 90  # how long the hash of an invited address is kept


class NotReferred(Exception):
    """The friend does not count as brought by somebody; `reason` says why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Came:
    """A sign that a member's code brought somebody. `code` as it was typed, or stood in a link."""

    code: str
    source: Source
    at: datetime
    channel: str = ""


@transaction.atomic
def attribute(
    *,
    friend_id: int,
    came: Sequence[Came],
    at: datetime,
    actor_id: int | None = None,
    friend_shows_name: bool = False,
    address: str = "",
) -> Referral:
    """Notes who brought a member. Of several signs, a code that was typed goes before links and invitations; of these,
    the first or the last, as the programme says. Who was attributed stays so: the same giver again is answered as
    before. `address` is the IP address from which the friend says so, where there is one.
    NotReferred, and nothing is written."""
    # NO KEY: a purchase that is being posted goes on.
    friend = Member.objects.select_for_update(no_key=True).get(pk=friend_id)
    signs = [*came, *_invited(friend, at)]
    found = find_advocates({code for sign in signs for code in readings(sign.code)})
    known = [(sign, one) for sign in signs if (one := _advocate(sign.code, found)) is not None]
    if not known:
        raise NotReferred(Refusal.UNKNOWN)
    sign, advocate = _choose(known, at)
    giver = advocate.member.merged_into or advocate.member
    if giver.erased_at is not None:
        raise NotReferred(Refusal.GIVER_GONE)
    if before := Referral.objects.filter(friend=friend).first():
        if before.giver_id == giver.pk:
            return before
        raise NotReferred(Refusal.TAKEN)
    programme = open_to([giver.pk], at).get(giver.pk)
    if programme is None:
        raise NotReferred(Refusal.GIVER_OUTSIDE if running(at).exists() else Refusal.NOT_RUNNING)
    definition = reading(programme[1])
    if reason := _refusal(friend, giver, sign, definition, at):
        raise NotReferred(reason)
    if is_network_blocked(address):
        raise NotReferred(Refusal.BLOCKED)
    referral = Referral.objects.create(
        programme_id=programme[0],
        version_id=programme[1],
        giver=giver,
        friend=friend,
        source=sign.source,
        channel=sign.channel,
        touched_at=min(sign.at, at),
        joined_at=at,
        due_at=at + timedelta(days=definition.window_days),
        friend_shows_name=friend_shows_name,
    )
    ReferralStep.objects.create(referral=referral, state=referral.state, at=at, actor_id=actor_id)
    record(member_id=giver.pk, kind=REFERRAL_JOINED, at=at, data={"referral": referral.pk}, actor_id=actor_id)
    record(member_id=friend.pk, kind=REFERRAL_CAME, at=at, data={"referral": referral.pk}, actor_id=actor_id)
    welcome(referral=referral, definition=definition, at=at)
    consider(friend_ids=[friend.pk], at=at)  # signing up may be enough, and there may be a purchase already
    referral.refresh_from_db()
    return referral


def attribute_invited(*, member_ids: Iterable[int], at: datetime) -> int:
    """Notes who brought those new members that somebody invited by mail, and nobody else brought; how many."""
    new = Member.objects.filter(PRESENT, pk__in=list(member_ids), referral=None).exclude(email="")
    marks = {mail_mark(member.email): member.pk for member in new}
    invited = Invite.objects.filter(mark__in=list(marks)).values_list("mark", flat=True)
    done = 0
    for mark in sorted(set(invited)):
        try:
            with transaction.atomic():
                attribute(friend_id=marks[mark], came=[], at=at)
        except NotReferred:
            continue
        done += 1
    return done


def _advocate(typed: str, found: dict[str, Advocate]) -> Advocate | None:
    return next((found[code] for code in readings(typed) if code in found), None)


def _invited(friend: Member, at: datetime) -> list[Came]:
    """Who invited this mailbox by mail."""
    if not friend.email:
        return []
    since = at - timedelta(days=INVITE_DAYS)
    invites = Invite.objects.filter(mark=mail_mark(friend.email), created_at__gt=since).select_related("advocate")
    return [Came(one.advocate.code, Source.INVITE, one.created_at, "invite") for one in invites]


_SAID = (Source.CODE, Source.TILL, Source.CLAIM, Source.API)


def _choose(known: list[tuple[Came, Advocate]], at: datetime) -> tuple[Came, Advocate]:
    """The sign that counts. What the friend said themselves goes first."""
    if said := [one for one in known if one[0].source in _SAID]:
        return said[0]
    in_order = sorted(known, key=lambda one: one[0].at)
    programmes = open_to({advocate.member_id for _sign, advocate in known}, at)
    first = next(iter(sorted(programmes.values())), None)
    takes_first = first is not None and reading(first[1]).touch == Touch.FIRST
    return in_order[0] if takes_first else in_order[-1]


# What giver and friend have in common, who is above whom, the friend's first purchase, whether they were here before.
_FACTS = f"""
SELECT EXISTS (
           SELECT FROM referrals_trace AS own JOIN referrals_trace AS other USING (kind, mark)
           WHERE own.member_id = %(member)s AND other.member_id = %(other)s AND own.kind IN ('device', 'payment')),
       ({ABOVE}),
       (SELECT min(purchased_at) FROM members_purchase WHERE member_id IN (
           SELECT id FROM members_member WHERE id = %(other)s OR merged_into_id = %(other)s)),
       EXISTS (SELECT FROM referrals_former WHERE mark = ANY(%(marks)s))
"""


def _refusal(friend: Member, giver: Member, sign: Came, definition: Definition, at: datetime) -> Refusal | None:
    """Why this friend cannot be brought by this giver."""
    if friend.pk in (giver.pk, giver.merged_into_id):
        return Refusal.SELF
    own, others = _marks(giver), _marks(friend)
    facts = fetch_all(_FACTS, {"member": giver.pk, "other": friend.pk, "marks": others})
    ((is_same, is_circle, first, is_former),) = facts
    if is_same or set(own) & set(others):
        return Refusal.SELF
    if giver.household_id and giver.household_id == friend.household_id:
        return Refusal.HOUSEHOLD
    if is_blocked([giver, friend]):
        return Refusal.BLOCKED
    if is_circle:
        return Refusal.CIRCLE
    new_since = at - timedelta(days=definition.claim_days, hours=1)
    if friend.joined_at < new_since:
        return Refusal.TOO_LATE if sign.source in _SAID else Refusal.CUSTOMER
    if sign.source == Source.LINK and sign.at < at - timedelta(days=definition.cookie_days):
        return Refusal.TOO_LATE
    if first is not None and first < friend.joined_at - timedelta(days=1):
        return Refusal.CUSTOMER
    return Refusal.FORMER if is_former else None


def _marks(member: Member) -> list[str]:
    """The member's mailbox and phone, as keyed hashes."""
    marks = [mail_mark(member.email)] if member.email else []
    return [*marks, phone_mark(str(member.phone))] if member.phone else marks
