"""What the member page says of coupons; staff issue and withdraw them there."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.panels import SIDE, register
from rewards.codes import shown
from rewards.enums import IssuedBy, OfferState
from rewards.models import Coupon, Offer
from rewards.queries_coupons import coupons_of
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes, issue_coupons, void_coupons

if TYPE_CHECKING:
    from members.models import Member

_SHOWN = 8


def _coupons(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    """The open ones first, then what became of the others. Two queries."""
    rows: list[Any] = list(coupons_of(member.pk, at)[: 4 * _SHOWN])
    rows.sort(key=lambda coupon: coupon.stands not in ("issued", "reserved"))
    for coupon in rows:
        coupon.shown = shown(coupon.code)
        ends = [moment for moment in (coupon.expires_at, coupon.offer.ends_at) if moment]
        coupon.ends = min(ends, default=None)
    running = Offer.objects.filter(state=OfferState.LIVE, shared_code=None).exclude(ends_at__lte=at)
    return {
        "coupons": rows[:_SHOWN],
        "offers": running.order_by("name"),
        "more": len(rows) > _SHOWN,
        "key": uuid4(),  # a form that is sent twice issues once
    }


def _issue(member: "Member", at: datetime, request: HttpRequest) -> None:
    offer, key = request.POST.get("offer", ""), request.POST.get("key", "")[:60]
    if not offer.isdecimal() or not Offer.objects.filter(pk=int(offer)).exists():
        raise ValidationError(_("Please choose an offer."))
    try:
        issued = issue_coupons(
            offer_id=int(offer),
            member_ids=[member.pk],
            keys=[f"staff:{member.pk}:{key}"],
            issued_by=IssuedBy.STAFF,
            at=at,
            actor_id=request.user.pk,
        )
    except OfferNotRunning as error:
        raise ValidationError(_("Nothing can be issued of this offer now.")) from error
    except OutOfCodes as error:
        raise ValidationError(_("No code is left of this offer.")) from error
    if not issued:
        raise ValidationError(_("The offer is for a segment, and this member is not in it."))


def _withdraw(member: "Member", at: datetime, request: HttpRequest) -> None:
    coupon, reason = request.POST.get("coupon", ""), request.POST.get("reason", "").strip()
    if not reason:
        raise ValidationError(_("Please say why."))
    found = Coupon.objects.filter(pk=int(coupon) if coupon.isdecimal() else 0, member=member).first()
    ids = [found.pk] if found else []
    if not void_coupons(coupon_ids=ids, reason=reason, at=at, actor_id=request.user.pk):
        raise ValidationError(_("It was used or withdrawn meanwhile."))


def register_all() -> None:
    """Called once, when the app is ready."""
    register(
        "coupons",
        _("Coupons"),
        32,
        "admin/member/coupons.html",
        _coupons,
        "rewards.view_coupon",
        column=SIDE,
        acts={"issue": _issue, "withdraw": _withdraw},
        act_permission="rewards.change_coupon",
    )
