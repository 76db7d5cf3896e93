"""Selling memberships for a period, and cancelling them. docs/benefits.md."""

from datetime import datetime
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.utils.translation import gettext_noop

from members import events
from members.queries import get_programme, merged_into
from members.services.purchases import KeyReused
from rewards.enums import AccountKind, PlanState, TransferKind
from rewards.events import PLAN_BOUGHT, PLAN_CANCELLED
from rewards.models import MembershipPlan, PlanMembership
from rewards.queries import balance
from rewards.services.ledger import InsufficientPoints, debit, lock_followed
from rewards.services.returns import give_back
from rewards.services.taking_back import settle_returned

MEMBERSHIP = gettext_noop("Membership")


class NotOnSale(Exception):
    """The plan is no longer sold, or not for what it was to be paid with."""


class LaterMembership(Exception):
    """A membership of the same plan begins after this one: that one is to be cancelled first."""


class AlreadyOver(Exception):
    """The membership has ended, or was cancelled before."""


_PAY = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s, %(why)s::jsonb,
       %(actor)s::bigint, NULL::bigint, NULL::bigint
"""


@transaction.atomic
def buy_plan(
    *,
    member_id: int,
    plan_id: int,
    source: str,
    key: str,
    at: datetime,
    with_points: bool = False,
    paid_minor: int | None = None,
    actor_id: int | None = None,
) -> PlanMembership:
    """Sells a membership: for points, which are taken, or for money, which the till has taken already (by default the
    plan's price). It begins now, or where the member holds the plan already, when that ends. A known (source, key) is
    answered as before.

    NotOnSale; InsufficientPoints; KeyReused where the key is known with another member, plan or way to pay;
    MembershipPlan.DoesNotExist.
    """
    plan = MembershipPlan.objects.get(pk=plan_id)
    followed = lock_followed([member_id])[1]
    member_id = followed.get(member_id, member_id)
    if known := PlanMembership.objects.select_related("plan").filter(source=source, key=key).first():
        owner = merged_into([known.member_id]).get(known.member_id, known.member_id)
        if (owner, known.plan_id, known.transfer_id is not None) != (member_id, plan_id, with_points):
            raise KeyReused(key)
        return known
    price = plan.price_points if with_points else plan.price_minor
    if not plan.active or price is None:
        raise NotOnSale(plan)
    transfer_id = _take(plan, price, member_id, source, key, at, actor_id) if with_points else None
    held = PlanMembership.objects.filter(member_id=member_id, plan=plan, state=PlanState.ACTIVE, ends_at__gt=at)
    starts_at = held.order_by("-ends_at").values_list("ends_at", flat=True).first() or at
    local = starts_at.astimezone(ZoneInfo(get_programme().time_zone))
    bought = PlanMembership.objects.create(
        source=source,
        key=key,
        plan=plan,
        member_id=member_id,
        starts_at=starts_at,
        ends_at=local + relativedelta(months=plan.months),
        paid_minor=0 if with_points else (price if paid_minor is None else paid_minor),
        paid_points=price if with_points else 0,
        transfer_id=transfer_id,
        actor_id=actor_id,
        created_at=at,
    )
    events.record(member_id=member_id, kind=PLAN_BOUGHT, at=at, actor_id=actor_id, data=_told(bought))
    return bought


def _take(
    plan: MembershipPlan, price: int, member_id: int, source: str, key: str, at: datetime, actor_id: int | None
) -> int:
    posted = debit(
        kind=TransferKind.REDEEM,
        target=AccountKind.REDEEMED,
        select=_PAY,
        params={
            "key": f"plan:{source}:{key}",
            "member": member_id,
            "amount": price,
            "at": at,
            "reason": MEMBERSHIP,
            "why": f'{{"plan": {plan.pk}}}',
            "actor": actor_id,
        },
    )
    if not posted:
        raise InsufficientPoints(available=balance(member_id, at), asked=price)
    return posted[0].id


@transaction.atomic
def cancel_plan(*, membership_id: int, at: datetime, actor_id: int | None = None) -> PlanMembership:
    """Ends a membership at once and gives the points that it cost back, into the lots they came from. Money is given
    back where it was taken. AlreadyOver; LaterMembership; PlanMembership.DoesNotExist."""
    bought = PlanMembership.objects.select_related("plan", "transfer__debit").get(pk=membership_id)
    paid_by = bought.transfer and bought.transfer.debit.member_id  # the old card's wallet, where members were merged
    lock_followed([bought.member_id, *([paid_by] if paid_by else [])])
    bought.refresh_from_db()
    if bought.state != PlanState.ACTIVE or bought.ends_at <= at:
        raise AlreadyOver
    same = PlanMembership.objects.filter(member_id=bought.member_id, plan=bought.plan_id, state=PlanState.ACTIVE)
    if same.filter(starts_at__gte=bought.ends_at).exists():
        raise LaterMembership
    bought.state, bought.cancelled_at = PlanState.CANCELLED, at
    bought.save(update_fields=["state", "cancelled_at"])
    if bought.transfer_id:
        back = give_back(
            transfer_id=bought.transfer_id,
            amount=bought.paid_points,
            key=f"plan-cancelled:{bought.pk}",
            at=at,
            reason=MEMBERSHIP,
            why={"plan": bought.plan_id, "membership": bought.pk},
            actor_id=actor_id,
        )
        settle_returned(transfer_ids=[back], at=at, actor_id=actor_id)
    events.record(member_id=bought.member_id, kind=PLAN_CANCELLED, at=at, actor_id=actor_id, data=_told(bought))
    return bought


def _told(bought: PlanMembership) -> dict:
    plan = bought.plan
    return {
        "membership": bought.pk,
        "plan": plan.pk,
        "name": {"en": plan.name_en or plan.name, "zh-hans": plan.name_zh_hans or plan.name},  # type: ignore[attr-defined]
        "until": bought.ends_at.astimezone(ZoneInfo(get_programme().time_zone)).date().isoformat(),
        "points": bought.paid_points,
    }
