"""What a member has taken, and what becomes of it."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST, require_safe

from common.moments import format_day, format_moment
from common.money import format_money
from members.queries import get_programme
from portal.views.access import MemberRequest, members_only
from rewards.catalogue_words import address_words, paid_words
from rewards.codes import shown
from rewards.enums import Fulfilment, RedemptionState, RewardKind
from rewards.models import Redemption
from rewards.queries import balance, points_text
from rewards.queries_catalogue import redemptions_of
from rewards.services.redemptions import RedemptionSettled, cancel_redemption

PAGE = 20
STEPS = (Fulfilment.TO_SHIP, Fulfilment.SHIPPED, Fulfilment.DELIVERED)


@require_safe
@members_only
def redemptions(request: MemberRequest) -> HttpResponse:
    page = Paginator(redemptions_of(request.member.pk), PAGE).get_page(request.GET.get("page"))
    currency, at = get_programme().currency, timezone.now()
    rows = [
        {
            "one": one,
            "picture": next(iter(one.reward.pictures.all()), None),
            "paid": paid_words(one, currency),
            "status": status(one),
            "is_open": is_open(one, at),
        }
        for one in page
    ]
    return render(request, "portal/redemptions.html", {"rows": rows, "page": page})


def is_open(one: Redemption, at: Any) -> bool:
    """Whether something is still to happen: it is set aside, to be collected, or on its way."""
    if one.state == RedemptionState.RESERVED:
        return one.expires_at > at
    waits = one.fulfilment in (Fulfilment.TO_COLLECT, Fulfilment.TO_SHIP, Fulfilment.SHIPPED)
    return one.state == RedemptionState.CONFIRMED and waits and (one.collect_until is None or one.collect_until > at)


def status(one: Redemption) -> str:
    """How a redemption stands, in a few words."""
    at = timezone.now()
    match one.state:
        case RedemptionState.RESERVED if one.expires_at > at:
            return _("Set aside until %(when)s") % {"when": format_moment(one.expires_at)}
        case RedemptionState.RESERVED | RedemptionState.LAPSED:
            return _("Not taken in time: your points came back")
        case RedemptionState.CANCELLED:
            return _("Cancelled: your points came back")
        case RedemptionState.REFUNDED:
            return _("Given back: your points came back")
    match one.fulfilment:
        case Fulfilment.TO_COLLECT if one.collect_until and one.collect_until <= at:
            return _("Not collected by %(day)s") % {"day": format_day(one.collect_until)}
        case Fulfilment.TO_COLLECT if one.session:
            return _("Your ticket for %(when)s") % {"when": format_moment(one.session.starts_at)}
        case Fulfilment.TO_COLLECT if one.collect_until:
            return _("Ready: collect it by %(day)s") % {"day": format_day(one.collect_until)}
        case Fulfilment.TO_COLLECT:
            return _("Ready to be collected")
        case Fulfilment.COLLECTED if one.session:
            return _("You were there on %(day)s") % {"day": format_day(one.session.starts_at)}
        case Fulfilment.COLLECTED:
            return _("Collected on %(day)s") % {"day": format_day(one.fulfilled_at)}
        case Fulfilment.TO_SHIP:
            return _("We are packing it")
        case Fulfilment.SHIPPED:
            return pgettext("parcel", "On its way")
        case Fulfilment.DELIVERED:
            return pgettext("parcel", "Delivered")
    if one.reward.kind in (RewardKind.DONATION, RewardKind.TREE):
        return _("Given on %(day)s: thank you") % {"day": format_day(one.confirmed_at)}
    return _("Yours since %(day)s") % {"day": format_day(one.confirmed_at)}


@require_safe
@members_only
def redemption(request: MemberRequest, pk: int) -> HttpResponse:
    one = get_object_or_404(redemptions_of(request.member.pk).select_related("coupon__offer"), pk=pk)
    return render(request, "portal/redemption.html", _about(request, one))


def _about(request: MemberRequest, one: Redemption) -> dict[str, Any]:
    at, currency = timezone.now(), get_programme().currency
    open_ = is_open(one, at)
    stands = one.state == RedemptionState.CONFIRMED
    parcel = stands and one.fulfilment in STEPS
    return {
        "one": one,
        "picture": next(iter(one.reward.pictures.all()), None),
        "paid": paid_words(one, currency),
        "status": status(one),
        "code": shown(one.code) if one.code and open_ else "",
        "coupon": one.coupon if stands else None,
        "reserved": open_ and one.state == RedemptionState.RESERVED,
        "due": format_money(one.money_minor, currency) if one.money_minor else "",
        "back": points_text(one.points),
        "steps": [(step.label, STEPS.index(step) <= STEPS.index(one.fulfilment)) for step in STEPS] if parcel else [],
        "address": address_words(one),
        "credit": format_money(one.reward.credit_minor, currency) if stands and one.reward.credit_minor else "",
    }


@require_POST
@members_only
def cancel(request: MemberRequest, pk: int) -> HttpResponse:
    """Gives up what is only set aside. The page that asks says what comes back."""
    one = get_object_or_404(Redemption, pk=pk, member=request.member)
    try:
        cancel_redemption(redemption_id=one.pk, at=timezone.now(), actor_id=request.user.pk)
    except RedemptionSettled:
        messages.error(request, _("It is no longer set aside: nothing was changed."))
    else:
        words = {"left": points_text(balance(request.member.pk))}
        messages.success(request, _("Cancelled. You have %(left)s.") % words)
    return redirect("portal:redemption", pk=pk)
