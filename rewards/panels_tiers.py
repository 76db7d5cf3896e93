"""What the member page says of tier, benefits and memberships; benefits are used and given back there."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.moments import format_last_day
from members.panels import register
from rewards.models import Benefit, BenefitUse, TierLift
from rewards.queries_benefits import active_memberships, entitlements, plans_on_sale, uses, value_words
from rewards.queries_tiers import amount_words, keep_words, tier_history, tier_lifts, tier_standing, window_words
from rewards.services.benefits import AppliesByItself, NotEntitled, NothingLeft, refused_words, undo_use, use_benefit

if TYPE_CHECKING:
    from members.models import Member

CHANGES, USES = 5, 5


def _tier(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any] | None:
    standing = tier_standing(member.pk, at)
    if standing.tier is None:
        return None
    return {
        "standing": standing,
        "window": window_words(standing.window),
        "keep": keep_words(standing),
        "steps": [
            {
                "has": amount_words(one.kind, one.has, standing.currency),
                "needs": amount_words(one.kind, one.needs, standing.currency),
                "percent": round(100 * one.share),
            }
            for one in standing.to_next
        ],
        "changes": list(tier_history(member.pk)[:CHANGES]),
        "lifts": [(lift, _last_day(lift)) for lift in tier_lifts(member.pk)[:CHANGES]],
    }


def _last_day(lift: TierLift) -> str:
    return format_last_day(lift.until)


def _benefits(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    held = entitlements(member.pk, at)
    return {
        "benefits": [{"held": one, "value": value_words(one.benefit), "key": uuid4()} for one in held],
        "uses": list(uses(member.pk)[:USES]),
        "plans": active_memberships(member.pk, at),
        "may_sell": request.user.has_perm("rewards.add_planmembership") and plans_on_sale().exists(),
    }


def _use(member: "Member", at: datetime, request: HttpRequest) -> None:
    try:
        use_benefit(
            member_id=member.pk,
            benefit_id=int(request.POST["benefit"]),
            source="desk",
            key=request.POST["key"][:120],
            at=at,
            note=request.POST.get("note", "").strip()[:200],
            actor_id=request.user.pk,
        )
    except (NotEntitled, NothingLeft, AppliesByItself) as error:
        raise ValidationError(refused_words(error)) from error
    except (KeyError, ValueError, Benefit.DoesNotExist) as error:
        raise _gone() from error


def _undo(member: "Member", at: datetime, request: HttpRequest) -> None:
    try:
        use = BenefitUse.objects.get(pk=int(request.POST["use"]), member=member)
    except (KeyError, ValueError, BenefitUse.DoesNotExist) as error:
        raise _gone() from error
    undo_use(use_id=use.pk, at=at, actor_id=request.user.pk)


def _gone() -> ValidationError:
    return ValidationError(gettext("Somebody else has just changed this. Please look again."))


def register_all() -> None:
    """Called once, when the app is ready."""
    register("tier", _("Tier"), 31, "admin/member/tier.html", _tier, "rewards.view_tier")
    register(
        "benefits",
        _("Benefits and memberships"),
        32,
        "admin/member/benefits.html",
        _benefits,
        "rewards.view_benefit",
        acts={"use": _use, "undo": _undo},
        act_permission="rewards.add_benefituse",
    )
