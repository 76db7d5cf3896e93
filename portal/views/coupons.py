"""A member's coupons, and the codes for all that they may use."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.views.access import MemberRequest, members_only
from rewards.codes import shown
from rewards.queries_coupons import Usable, coupons_of, usable_coupons
from rewards.services.coupons.issuing import mark_seen

BEFORE = 10  # of those that are over


@require_safe
@members_only
def coupons(request: MemberRequest) -> HttpResponse:
    at = timezone.now()
    usable = usable_coupons(request.member.pk, at)
    mine = {one.coupon.pk for one in usable if one.coupon}
    past = [coupon for coupon in coupons_of(request.member.pk, at)[: BEFORE + len(mine)] if coupon.pk not in mine]
    context = {
        "usable": usable,
        "past": [_past(one) for one in past[:BEFORE]],
        "new": any(one.is_new for one in usable),
    }
    return render(request, "portal/coupons.html", context)


@require_POST
@members_only
def seen(request: MemberRequest) -> HttpResponse:
    """Told by the list of coupons once it is open: what is new in it is new no more."""
    mark_seen(member_id=request.member.pk, at=timezone.now())
    return HttpResponse(status=204)


def _past(coupon: Any) -> dict[str, Any]:
    words = {
        "expired": _("Expired"),
        "used": _("Used"),
        "void": _("Withdrawn"),
        "reserved": _("In a basket just now"),
        "issued": _("Not to be used just now"),
    }
    return {"coupon": coupon, "status": words[coupon.stands]}


@require_safe
@members_only
def coupon(request: MemberRequest, pk: int) -> HttpResponse:
    """One's own coupon, full-screen, to be scanned."""
    at = timezone.now()
    for one in usable_coupons(request.member.pk, at):
        if one.coupon and one.coupon.pk == pk:
            return render(request, "portal/coupon.html", _about(one))
    over = coupons_of(request.member.pk, at).filter(pk=pk).first()
    if over is None:
        raise Http404
    return render(request, "portal/coupon.html", {**_past(over), "over": over, "code": shown(over.code)})


@require_safe
@members_only
def offer(request: MemberRequest, pk: int) -> HttpResponse:
    """An offer with a code for all, full-screen."""
    for one in usable_coupons(request.member.pk, timezone.now()):
        if one.coupon is None and one.offer.pk == pk:
            return render(request, "portal/coupon.html", _about(one))
    raise Http404


def _about(one: Usable) -> dict[str, Any]:
    return {"one": one, "code": one.code_shown}
