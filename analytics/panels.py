"""The panel of scores on a member's page."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from analytics.enums import Lifecycle
from analytics.lifecycle import state_of
from analytics.models import MemberScore
from analytics.rules import ADVICE
from members.models import Member
from members.panels import SIDE, register


def scores(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any] | None:
    """Where the member stands; None where they never bought or want no personal treatment."""
    state = state_of(member.pk, at)
    if state == Lifecycle.NEVER or not member.personalised:
        return None
    score = MemberScore.objects.filter(member=member).first()
    who, advice = ADVICE[score.group] if score else ("", "")
    measures = [
        (field.verbose_name, getattr(score, field.name))
        for field in MemberScore._meta.fields
        if score and field.name in ("recency", "frequency", "monetary")
    ]
    return {"state": state, "score": score, "who": who, "advice": advice, "measures": measures}


def register_all() -> None:
    register("scores", _("As a customer"), 40, "admin/figures/panel.html", scores, "analytics.view_memberscore", SIDE)
