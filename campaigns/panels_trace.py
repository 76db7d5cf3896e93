"""What the member page says of the newest campaigns: which of them this member got, each with its whole story."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, Q, Subquery
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from campaigns.enums import CampaignKind, CampaignState, MessageState, SkipReason
from campaigns.models import Campaign, Message
from members.panels import SIDE, register

if TYPE_CHECKING:
    from members.models import Member

NEWEST = 8


def _campaigns(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    last = Message.objects.filter(campaign=OuterRef("pk"), member=member).order_by("-due_at", "-id")
    begun = ~Q(kind=CampaignKind.SERVICE) & ~Q(state__in=[CampaignState.DRAFT, CampaignState.WAITING])
    rows = Campaign.objects.filter(begun).annotate(
        last_state=Subquery(last.values("state")[:1]),
        last_reason=Subquery(last.values("reason")[:1]),
        last_due=Subquery(last.values("due_at")[:1]),
    )
    told = []
    for row in rows.order_by("-created_at", "-id")[:NEWEST]:
        said = str(MessageState(row.last_state).label) if row.last_state else ""
        why = str(SkipReason(row.last_reason).label) if row.last_reason else ""
        if row.last_reason == SkipReason.HOLDOUT:  # which says the same at more length
            said, why = capfirst(why), ""
        told.append((row, said, why, row.last_due))
    return {"rows": told}


def register_all() -> None:
    register(
        "campaigns",
        _("Did they get…"),
        46,
        "campaigns/admin/results/panel.html",
        _campaigns,
        permission="campaigns.view_campaign",
        column=SIDE,
        lasting=True,
    )
