"""What the member page says of points."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.panels import register
from rewards import panels_tiers
from rewards.queries import amount_text, explain, history
from rewards.queries_grants import waiting_grants, waits_text

if TYPE_CHECKING:
    from members.models import Member

MOVEMENTS = 6


def _points(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    rows = history(member.pk)[:MOVEMENTS]
    return {"movements": [{"transfer": row, "change": row.change, "sentence": explain(row)} for row in rows]}  # type: ignore[attr-defined]


def _gifts(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any] | None:
    """Gifts that wait for another person; no panel where none does."""
    waiting = waiting_grants().filter(member=member).select_related("requested_by")
    gifts = [
        {"asked": asked, "amount": amount_text(asked.amount, asked.unit), "why": waits_text(asked.why)}
        for asked in waiting
    ]
    return {"gifts": gifts} if gifts else None


def register_all() -> None:
    """Called once, when the app is ready."""
    panels_tiers.register_all()
    register("points", _("Points"), 30, "admin/member/points.html", _points, "rewards.view_transfer", lasting=True)
    register(
        "gifts", _("Gifts waiting for approval"), 29, "admin/member/gifts.html", _gifts, "rewards.view_grantrequest"
    )
