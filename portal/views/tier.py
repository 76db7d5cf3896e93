"""Where a member stands, what that brings, and memberships that can be bought."""

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from common.moments import format_day, format_last_day
from members.queries import get_programme
from members.services.purchases import KeyReused
from portal.views.access import MemberRequest, members_only, too_often
from rewards.models import Tier
from rewards.queries import balance, points_text
from rewards.queries_benefits import Entitlement, active_memberships, entitlements, plans_on_sale, value_words
from rewards.queries_tiers import (
    TierStanding,
    amount_words,
    counts_words,
    keep_words,
    missing_words,
    step_words,
    tier_history,
    tier_standing,
)
from rewards.services.ledger import InsufficientPoints
from rewards.services.plans import NotOnSale, buy_plan

CHANGES = 10
A_MINUTE = 5


@require_safe
@members_only
def tier(request: MemberRequest) -> HttpResponse:
    at, member = timezone.now(), request.member
    standing = tier_standing(member.pk, at)
    has = balance(member.pk, at)
    held = active_memberships(member.pk, at)
    plans = [plan for plan in plans_on_sale().prefetch_related("benefits") if plan.price_points]
    context = {
        "standing": standing,
        "criteria": criteria(standing),
        "to_next": missing_words(standing.to_next, standing.next_any, standing.currency),
        "counts": counts_words(standing.window),
        "keep": keep_words(standing),
        "benefits": [benefit(one) for one in entitlements(member.pk, at)],
        "changes": tier_history(member.pk)[:CHANGES],
        "ladder": [(one, step_words(one, standing.currency)) for one in Tier.objects.order_by("rank")],
        "held": held,
        "plans": [(plan, has >= (plan.price_points or 0), (plan.price_points or 0) - has) for plan in plans],
        "at": at,
    }
    return render(request, "portal/tier_page.html", context)


def criteria(standing: TierStanding) -> list[dict[str, Any]]:
    """What the next tier asks for, one by one, in words."""
    return [
        {
            "words": _("%(has)s of %(needs)s")
            % {
                "has": amount_words(one.kind, one.has, standing.currency),
                "needs": amount_words(one.kind, one.needs, standing.currency),
            },
            "percent": round(100 * one.share),
            "is_met": not one.missing,
        }
        for one in standing.to_next
    ]


def benefit(one: Entitlement) -> dict[str, Any]:
    """A benefit with what is used of it and left, in words."""
    words: dict[str, Any] = {"used": one.used, "left": one.left, "until": format_last_day(one.period_end)}
    left = ""
    if one.left is not None:
        left = ngettext("%(left)s left", "%(left)s left", one.left) % words
        if one.used:
            left = _("%(left)s left, %(used)s used") % words
        if one.period_end:
            left = _("%(some)s, until %(until)s") % {**words, "some": left}
    elif one.is_used and one.used:
        left = _("used %(used)s times, as often as you like") % words
    elif one.is_used:
        left = _("as often as you like")
    return {
        "benefit": one.benefit,
        "value": value_words(one.benefit),
        "left": left,
        "is_gone": one.left == 0,
        "from_what": ", ".join(one.from_what),
    }


@require_http_methods(["GET", "POST"])
@members_only
def plan(request: MemberRequest, pk: int) -> HttpResponse:
    """Buying a membership with points: asked once, with the balance before and after."""
    member, at = request.member, timezone.now()
    found = plans_on_sale().prefetch_related("benefits").filter(pk=pk, price_points__gt=0).first()
    if found is None or found.price_points is None:
        raise Http404
    has = balance(member.pk, at)
    if request.method == "POST":
        if too_often("plan", member.pk, A_MINUTE, at):
            messages.error(request, _("That was a little fast. Please wait a minute, then try again."))
            return redirect("portal:tier")
        try:
            bought = buy_plan(
                member_id=member.pk,
                plan_id=pk,
                source="portal",
                key=f"{member.pk}:{request.POST.get('key', '')[:60] or uuid4()}",
                at=at,
                with_points=True,
                actor_id=request.user.pk,
            )
        except InsufficientPoints as short:
            words = {"missing": points_text(short.asked - short.available)}
            messages.error(request, _("%(missing)s are missing for it.") % words)
        except (NotOnSale, KeyReused):
            messages.error(request, _("It cannot be had now."))
        else:
            words = {"plan": found.name, "day": format_day(bought.ends_at), "left": points_text(balance(member.pk))}
            messages.success(request, _("%(plan)s is yours until %(day)s. You have %(left)s left.") % words)
        return redirect("portal:tier")
    running = [one for one in active_memberships(member.pk, at) if one.plan_id == pk]
    context = {
        "plan": found,
        "balance": has,
        "after": has - found.price_points,
        "key": uuid4(),
        "begins": running[-1].ends_at if running else None,
        "currency": get_programme().currency,
    }
    return render(request, "portal/plan.html", context)
