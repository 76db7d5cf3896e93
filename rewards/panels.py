"""What the member page says of points."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.panels import register
from rewards.queries import explain, history

if TYPE_CHECKING:
    from members.models import Member

MOVEMENTS = 6


def _points(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    rows = history(member.pk)[:MOVEMENTS]
    return {"movements": [{"transfer": row, "change": row.change, "sentence": explain(row)} for row in rows]}  # type: ignore[attr-defined]


def register_all() -> None:
    """Called once, when the app is ready."""
    register("points", _("Points"), 30, "admin/member/points.html", _points, "rewards.view_transfer", lasting=True)
