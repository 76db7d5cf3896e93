"""What analytics tell a member of the scores they were given, and how those go."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from analytics.models import MemberScore
from members.privacy import register_eraser, register_export


def _scores(member_id: int) -> dict[str, Any] | None:
    score = MemberScore.objects.filter(member_id=member_id).first()
    if score is None:
        return None
    fields = ("recency", "frequency", "monetary", "since")
    return {**{name: getattr(score, name) for name in fields}, "group": str(score.group.label)}


def _erase(member_ids: Sequence[int], at: datetime) -> None:
    MemberScore.objects.filter(member_id__in=list(member_ids)).delete()


def register_all() -> None:
    register_export("scores", _("Scores"), _scores, models=["analytics.MemberScore"], order=60)
    register_eraser("analytics", _erase)
