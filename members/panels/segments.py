"""The panel that says in which segments a member is, and how they came in and out."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.models import Member
from members.panels import SIDE, register

MEMBERSHIPS, CHANGES = 30, 5


def _segments(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    held = member.segments.filter(segment__archived_at=None).select_related("segment__persona")
    return {
        "memberships": list(held.order_by("segment__name")[:MEMBERSHIPS]),
        "changes": list(member.segment_changes.select_related("segment").order_by("-at", "-id")[:CHANGES]),
    }


def register_all() -> None:
    """Called once, when the app is ready."""
    register(
        "segments", _("Segments"), 45, "admin/member/segments.html", _segments, "members.view_segment", column=SIDE
    )
