"""Points that staff give by hand: at once as far as one person may, else as soon as another agrees. docs/grants.md.

Every gift of a person is a GrantRequest, also the one that needed nobody: what one person gave today is their sum.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_CEILING
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext_noop

from common.doorbell import ring
from common.money import minor_digits
from common.sql import lock
from members.events import record
from members.models import PRESENT, Member
from members.queries import get_programme
from members.queries_segments import segment_audience
from members.services.profile import MemberGone
from members.services.purchases import KeyReused
from rewards.enums import AccountKind, GrantState, TransferKind, Unit
from rewards.events import GRANT_ASKED, GRANT_REFUSED, GRANT_WITHDRAWN, told_unit
from rewards.models import GrantRequest, Transfer
from rewards.queries import reward_settings
from rewards.services.adjustments import adjust_points

NOTE = gettext_noop("A gift from us")
COUNTS = (GrantState.FREE, GrantState.WAITING, GrantState.APPROVED)


class OwnRequest(Exception):
    """Nobody decides about what they asked for themselves; and nobody withdraws what another asked for."""


class AlreadyDecided(Exception):
    """The request waits no longer. `state` is what became of it."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class TooLate(Exception):
    """What is asked for would have expired by now."""


class OverLimit(Exception):
    """Another person would have to agree; `why` says why (see why_it_waits)."""

    def __init__(self, why: Mapping[str, Any]) -> None:
        super().__init__(why["code"])
        self.why = why


class NobodyThere(Exception):
    """There is nobody in the segment."""


@transaction.atomic
def grant_points(
    *,
    member_id: int,
    amount: int,
    reason: str,
    key: str,
    at: datetime,
    actor_id: int,
    unit: Unit = Unit.POINTS,
    note: str = "",
    expires_at: datetime | None = None,
    most: int | None = None,
) -> Transfer | GrantRequest:
    """Gives a member points (or credit, in minor units): the transfer, or the request that waits for another person.

    `reason` is for staff, `note` for the member. More than `most` waits, too, whatever the settings allow. The same key
    with the same content gives the same answer, KeyReused with another. MemberGone; TooLate; ValueError for less than 1
    or no reason.
    """
    _check(amount, reason)
    lock(f"grants.{actor_id}")  # two tabs of one person, one after the other
    if known := _known(key, amount, reason, unit, member_id=member_id, expires_at=expires_at):
        return known.transfer or known
    member = Member.objects.filter(PRESENT, pk=member_id).first()
    if member is None:
        raise MemberGone
    asked = _ask(key, amount, 1, reason, note, unit, at, actor_id, expires_at)
    if asked.state == GrantState.FREE and most is not None and amount > most:
        asked.state, asked.why = GrantState.WAITING, {"code": "role", "limit": most, "points": amount}
    asked.member = member
    asked.save()
    if asked.state == GrantState.WAITING:
        _tell(asked, GRANT_ASKED, at, actor_id)
        return asked
    asked.transfer = _give(asked, at)
    asked.save(update_fields=["transfer"])
    return asked.transfer


@transaction.atomic
def grant_segment(
    *,
    segment_id: int,
    amount: int,
    reason: str,
    key: str,
    at: datetime,
    actor_id: int,
    unit: Unit = Unit.POINTS,
    note: str = "",
    expires_at: datetime | None = None,
) -> GrantRequest:
    """The same for everybody who is in a segment, `amount` for each: it counts with its sum, and a worker gives it.

    members.queries_segments.SegmentNotReady; NobodyThere; as grant_points.
    """
    _check(amount, reason)
    lock(f"grants.{actor_id}")
    if known := _known(key, amount, reason, unit, segment_id=segment_id, expires_at=expires_at):
        return known
    members = segment_audience(segment_id, at=at).count()
    if not members:
        raise NobodyThere
    asked = _ask(key, amount, members, reason, note, unit, at, actor_id, expires_at)
    asked.segment_id = segment_id
    asked.save()
    if asked.state == GrantState.FREE:
        ring("rewards.tasks.give_grants")
    return asked


@transaction.atomic
def approve_grant(*, request_id: int, at: datetime, actor_id: int, remark: str = "") -> GrantRequest:
    """Another person agrees: a member gets it now, a segment as soon as a worker is there.

    OwnRequest; AlreadyDecided; TooLate; MemberGone.
    """
    asked = _waiting(request_id)
    if asked.requested_by_id == actor_id:
        raise OwnRequest
    if asked.expires_at is not None and asked.expires_at <= at:
        raise TooLate
    if asked.member_id is not None:
        asked.transfer = _give(asked, at)
    else:
        ring("rewards.tasks.give_grants")
    _decide(asked, GrantState.APPROVED, at, actor_id, remark)
    return asked


@transaction.atomic
def refuse_grant(*, request_id: int, at: datetime, actor_id: int, remark: str) -> GrantRequest:
    """Another person says no, and why. OwnRequest; AlreadyDecided; ValueError without a remark."""
    if not remark.strip():
        raise ValueError("who is refused reads why")
    asked = _waiting(request_id)
    if asked.requested_by_id == actor_id:
        raise OwnRequest
    _decide(asked, GrantState.REFUSED, at, actor_id, remark)
    _tell(asked, GRANT_REFUSED, at, actor_id)
    return asked


@transaction.atomic
def withdraw_grant(*, request_id: int, at: datetime, actor_id: int) -> GrantRequest:
    """Who asked thinks better of it. OwnRequest where another asked; AlreadyDecided."""
    asked = _waiting(request_id)
    if asked.requested_by_id != actor_id:
        raise OwnRequest
    _decide(asked, GrantState.WITHDRAWN, at, actor_id, "")
    _tell(asked, GRANT_WITHDRAWN, at, actor_id)
    return asked


def why_it_waits(*, amount: int, unit: Unit, actor_id: int, at: datetime) -> dict[str, Any] | None:
    """Whether this much of one person has to wait for another: {"code": "once" or "day", "limit", "given"}, in
    points. None where it need not. Store credit counts as the points that cost as much."""
    settings = reward_settings()
    points = _in_points(amount, unit, settings.point_cost)
    if settings.grant_limit is not None and points > settings.grant_limit:
        return {"code": "once", "limit": settings.grant_limit, "points": points}
    if settings.grant_limit_day is None:
        return None
    start = at.astimezone(ZoneInfo(get_programme().time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    today = GrantRequest.objects.filter(requested_by=actor_id, requested_at__gte=start, state__in=COUNTS)
    sums = today.values("unit").annotate(n=Sum(F("amount") * F("members"))).values_list("unit", "n")
    given = sum(_in_points(int(n), Unit(own), settings.point_cost) for own, n in sums)
    given += _in_points(_on_cards(actor_id, start), Unit.CREDIT, settings.point_cost)
    if given + points > settings.grant_limit_day:
        return {"code": "day", "limit": settings.grant_limit_day, "given": given, "points": points}
    return None


def check_cards(*, amount: int, actor_id: int, at: datetime) -> None:
    """Gift cards given by hand are credit given by hand: beyond what one person may give (`amount` minor units on all
    of them), OverLimit. To be asked in the transaction that issues them."""
    lock(f"grants.{actor_id}")
    if why := why_it_waits(amount=amount, unit=Unit.CREDIT, actor_id=actor_id, at=at):
        raise OverLimit(why)


def _on_cards(actor_id: int, since: datetime) -> int:
    """What a person put on gift cards of members since then, in minor units. What is sold from stock has no member."""
    put = Transfer.objects.filter(at__gte=since, kind=TransferKind.GIFT, actor=actor_id, credit__kind=AccountKind.CARD)
    return put.exclude(credit__coupon__member=None).aggregate(n=Sum("amount", default=0))["n"]


def _in_points(amount: int, unit: Unit, point_cost: Any) -> int:
    if unit == Unit.POINTS or not point_cost:
        return amount
    cost_minor = point_cost.scaleb(minor_digits(get_programme().currency))
    return int((amount / cost_minor).to_integral_value(ROUND_CEILING))


def _check(amount: int, reason: str) -> None:
    if amount < 1 or not reason.strip():
        raise ValueError("a gift is of something, for a reason")


def _known(key: str, amount: int, reason: str, unit: Unit, **others: Any) -> GrantRequest | None:
    known = GrantRequest.objects.select_related("transfer").filter(key=key).first()
    if known is None:
        return None
    told = {"amount": amount, "reason": reason, "unit": unit, **others}
    if any(getattr(known, name) != value for name, value in told.items()):
        raise KeyReused(key)
    return known


def _ask(
    key: str,
    amount: int,
    members: int,
    reason: str,
    note: str,
    unit: Unit,
    at: datetime,
    actor_id: int,
    expires_at: datetime | None,
) -> GrantRequest:
    if expires_at is not None and expires_at <= at:
        raise TooLate
    why = why_it_waits(amount=amount * members, unit=unit, actor_id=actor_id, at=at)
    return GrantRequest(
        key=key,
        unit=unit,
        amount=amount,
        members=members,
        reason=reason,
        note=note,
        expires_at=expires_at,
        why=why or {},
        state=GrantState.WAITING if why else GrantState.FREE,
        requested_by_id=actor_id,
        requested_at=at,
    )


def _waiting(request_id: int) -> GrantRequest:
    asked = GrantRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=request_id)
    if asked.state != GrantState.WAITING:
        raise AlreadyDecided(asked.state)
    return asked


def _give(asked: GrantRequest, at: datetime) -> Transfer:
    """To who the member is now. In the ledger it is a gift of who asked; who agreed stands in the request."""
    member = asked.member
    member = member and (member.merged_into or member)
    if member is None or member.erased_at is not None:
        raise MemberGone
    return adjust_points(
        member_id=member.pk,
        amount=asked.amount,
        reason=asked.reason,
        note=asked.note or NOTE,
        unit=Unit(asked.unit),
        key=f"grant:{asked.pk}",
        at=at,
        actor_id=asked.requested_by_id,
        expires_at=asked.expires_at,
    )


def _decide(asked: GrantRequest, state: GrantState, at: datetime, actor_id: int, remark: str) -> None:
    asked.state, asked.decided_at, asked.decided_by_id, asked.decision = state, at, actor_id, remark.strip()
    asked.save(update_fields=["state", "decided_at", "decided_by", "decision", "transfer"])


def _tell(asked: GrantRequest, kind: str, at: datetime, actor_id: int) -> None:
    if asked.member_id is not None:
        data = {"points": asked.amount, **told_unit(asked.unit)}
        record(member_id=asked.member_id, kind=kind, at=at, data=data, actor_id=actor_id)
