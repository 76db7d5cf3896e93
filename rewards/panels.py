"""What the member page says of points."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.panels import register
from members.queries import get_programme
from rewards import panels_tiers
from rewards.catalogue_words import paid_words
from rewards.enums import Fulfilment, RedemptionState
from rewards.queries import amount_text, explain, history
from rewards.queries_catalogue import catalogue, redemptions_of
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


def _redemptions(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    currency = get_programme().currency
    rows = [
        {
            "pk": one.pk,
            "at": one.created_at,
            "name": one.reward.name,
            "price": paid_words(one, currency),
            "state": one.get_fulfilment_display()
            if one.state == RedemptionState.CONFIRMED and one.fulfilment != Fulfilment.NONE
            else one.get_state_display(),
        }
        for one in redemptions_of(member.pk)[:MOVEMENTS]
    ]
    can = [shelf.reward.name for shelf in catalogue(member_id=member.pk, at=at, affordable=True)[:MOVEMENTS]]
    return {"rows": rows, "can": can}


def register_all() -> None:
    """Called once, when the app is ready."""
    panels_tiers.register_all()
    register("points", _("Points"), 30, "admin/member/points.html", _points, "rewards.view_transfer", lasting=True)
    register(
        "gifts", _("Gifts waiting for approval"), 29, "admin/member/gifts.html", _gifts, "rewards.view_grantrequest"
    )
    register(
        "redemptions",
        _("Rewards"),
        35,
        "admin/member/redemptions.html",
        _redemptions,
        "rewards.view_redemption",
        lasting=True,
    )
