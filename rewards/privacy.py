"""What rewards tell a member of their points and their tier."""

from typing import Any

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from members.privacy import register_export
from rewards.models import GrantRequest, Hold, Lot, MemberTier
from rewards.queries import balance, explain, history


def _points(member_id: int) -> dict[str, Any]:
    lots = Lot.objects.filter(account__member_id=member_id).order_by("pk")
    holds = Hold.objects.filter(account__member_id=member_id).order_by("pk")
    return {
        "balance": balance(member_id),
        "movements": [
            {"at": moved.at, "kind": moved.kind, "points": moved.change, "why": explain(moved)}  # type: ignore[attr-defined]
            for moved in history(member_id)
        ],
        "lots": list(lots.values("amount", "remaining", "available_from", "expires_at")),
        "reserved": list(holds.values("amount", "state", "reason", "created_at", "lapses_at", "settled_at")),
    }


def _tier(member_id: int) -> dict[str, Any] | None:
    status = MemberTier.objects.select_related("tier").filter(member_id=member_id).first()
    if status is None:
        return None
    return {"name": status.tier.name, "points_in_12_months": status.qualifying_points, "since": status.since}


def _gifts(member_id: int) -> list[Any]:
    """Gifts that staff asked for by hand, also those that were refused."""
    asked = GrantRequest.objects.filter(member_id=member_id).order_by("pk")
    return list(asked.values("amount", "unit", "state", "reason", "note", at=F("requested_at")))


def register_all() -> None:
    register_export("points", _("Points"), _points, models=["rewards.Account"], order=50)
    register_export("gifts", _("Points given by hand"), _gifts, models=["rewards.GrantRequest"], order=52)
    register_export("tier", _("Tier"), _tier, models=["rewards.MemberTier"], order=55)
