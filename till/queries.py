"""What a till shows of who stands before it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from members.models import Member, Purchase, PurchaseLine
from rewards.enums import Fulfilment, RedemptionState
from rewards.models import PlanMembership, Redemption
from rewards.queries import Expiring, arrears, expiring_next
from rewards.queries_benefits import Entitlement, active_memberships, entitlements
from rewards.queries_coupons import Usable, usable_coupons
from rewards.services.receipts import Stand, stands_of

SOON = timedelta(days=60)
LOOKED_BACK = 500  # rows: what stores and kinds of goods there are is said by the latest purchases


@dataclass(frozen=True, slots=True)
class Scene:
    """A member as the till sees them. Points are whole numbers; `stand.credit` is in minor units. `waiting` is what is
    to be handed over to them; `expiring` what they lose within SOON."""

    member: Member
    stand: Stand
    expiring: Expiring | None
    owed: int
    birthday: bool
    coupons: list[Usable]
    benefits: list[Entitlement]
    memberships: list[PlanMembership]
    waiting: list[Redemption]


def scene(member: Member, at: datetime) -> Scene:
    """The member at `at`; some fifteen queries, however much they have."""
    expiring = expiring_next(member.pk, at)
    return Scene(
        member=member,
        stand=stands_of({member.pk}, at)[member.pk],
        expiring=expiring if expiring and expiring.at <= at + SOON else None,
        owed=arrears(member.pk),
        birthday=_is_birthday(member, at),
        coupons=usable_coupons(member.pk, at),
        benefits=entitlements(member.pk, at),
        memberships=active_memberships(member.pk, at),
        waiting=list(to_hand_over(member.pk, at)),
    )


def _is_birthday(member: Member, at: datetime) -> bool:
    today = timezone.localtime(at).date()
    return member.birthday is not None and member.birthday.next_on_or_after(today).day == today


def to_hand_over(member_id: int, at: datetime):
    """What the member has redeemed and not collected, the oldest first."""
    in_time = Q(collect_until=None) | Q(collect_until__gt=at)
    own = Redemption.objects.filter(in_time, member=member_id, state=RedemptionState.CONFIRMED)
    return own.filter(fulfilment=Fulfilment.TO_COLLECT).select_related("reward", "session").order_by("confirmed_at")


def stores() -> list[str]:
    """The shops that the latest purchases name."""
    latest = Purchase.objects.order_by("-pk").values_list("store", flat=True)[:LOOKED_BACK]
    return sorted({store for store in latest if store})


def categories() -> list[str]:
    """The kinds of goods that the latest purchases name: rules and coupons may ask for one."""
    latest = PurchaseLine.objects.order_by("-pk").values_list("category", flat=True)[:LOOKED_BACK]
    return sorted({category for category in latest if category})
