"""What staff give by hand: points and store credit, some alone, some with another's word, and a tier."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from members.models import PRESENT, Member, User
from rewards.enums import Unit
from rewards.models import GrantRequest, MemberTier, Tier
from rewards.services.grants import approve_grant, grant_points, refuse_grant
from rewards.services.settings import save_reward_settings
from rewards.services.tier_lifts import lift_tier

LIMIT, LIMIT_DAY = 300, 1_000
LIFTED_DAYS = 90
# Points, what staff wrote, what the member reads, and how many days ago.
GIFTS = (
    (500, "Espresso machine down all morning, waited an hour", "Sorry for the long wait", 9, "approved"),
    (2_500, "Asked for it very loudly", "", 6, "refused"),
    (120, "Found a wallet and brought it in", "Thank you for your honesty", 3, ""),
    (800, "Organised the reading evening", "Thank you for a wonderful evening", 1, ""),
    (450, "Cake order was wrong twice", "Sorry about the cake", 0, ""),
)


def give(guests: Sequence[Any], at: datetime, staff: dict[str, User]) -> None:
    """Gifts of the last days, asked for by the marketer and decided by the manager."""
    marketer, manager = staff["Marketer"], staff["Manager"]
    limits = {"grant_limit": LIMIT, "grant_limit_day": LIMIT_DAY, "till_confirm_points": 300}
    save_reward_settings(values=limits, at=at - timedelta(days=60), actor_id=manager.pk)
    grant_points(
        member_id=guests[-2].member.pk,
        unit=Unit.CREDIT,
        amount=250,
        reason="Paid for a cake that was sold out",
        note="For the cake that we had not",
        key="demo-credit",
        at=at - timedelta(days=10),
        actor_id=marketer.pk,
    )
    for n, (amount, reason, note, days, then) in enumerate(GIFTS):
        moment = at - timedelta(days=days, hours=2)
        asked = grant_points(
            member_id=guests[7 * n].member.pk,
            amount=amount,
            reason=reason,
            note=note,
            key=f"demo-{n}",
            at=moment,
            actor_id=marketer.pk,
        )
        if not isinstance(asked, GrantRequest):
            continue
        decided: dict[str, Any] = {"request_id": asked.pk, "at": moment + timedelta(hours=1), "actor_id": manager.pk}
        if then == "approved":
            approve_grant(**decided, remark="It was our fault")
        elif then == "refused":
            refuse_grant(**decided, remark="Being loud is no merit. Let us offer a coffee instead.")
    _lift([guest.member.pk for guest in guests[:-2]], at - timedelta(days=4), manager)


def _lift(members: list[int], at: datetime, manager: User) -> None:
    """The first who stands on no tier that is reached is given one above."""
    reached = MemberTier.objects.filter(tier__rank__gt=0).values("member")
    stands_low = Member.objects.filter(PRESENT, pk__in=members).exclude(pk__in=reached).order_by("pk")
    lift_tier(
        member_id=stands_low[0].pk,
        tier_id=Tier.objects.get(rank=1).pk,
        last_day=(at + timedelta(days=LIFTED_DAYS)).date(),
        reason="Writes about cafés for the city paper",
        key="demo-lift",
        at=at,
        actor_id=manager.pk,
    )
