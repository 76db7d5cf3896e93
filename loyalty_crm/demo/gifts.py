"""What one person may give alone, a gift that waits for another, one that was refused, and one that was approved."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from members.models import User
from rewards.models import GrantRequest
from rewards.services.grants import approve_grant, grant_points, refuse_grant
from rewards.services.settings import save_reward_settings

LIMIT, LIMIT_DAY = 300, 1_000
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
