"""What the member page says of a member's cases."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.panels import MAIN, register
from surveys.enums_cases import UNDONE, CaseState
from surveys.models import Case

if TYPE_CHECKING:
    from members.models import Member

NEWEST = 5


def _cases(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    cases = Case.objects.filter(member=member).exclude(state=CaseState.MERGED)
    counted = cases.aggregate(n=Count("pk"), undone=Count("pk", filter=Q(state__in=UNDONE)))
    return {"cases": list(cases.select_related("owner").order_by("-opened_at")[:NEWEST]), **counted}


def register_all() -> None:
    """Called once, when the app is ready."""
    register("cases", _("Cases"), 34, "surveys/admin/cases/panel.html", _cases, "surveys.view_case", MAIN, lasting=True)
