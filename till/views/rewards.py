"""Rewards at the till: taken for points, and handed over by their code."""

from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from common.moments import format_moment
from members.models import Member
from members.services.purchases import KeyReused
from rewards.enums import Fulfilment, RedemptionState, RewardKind
from rewards.models import Redemption, Reward
from rewards.queries import balance, points_text
from rewards.queries_catalogue import Shelf, catalogue, look_at
from rewards.services.fulfilment import CodeRefused, redeem_code
from rewards.services.redemptions import RedemptionRefused
from till.forms import RewardForm, new_key
from till.services.acts import Act, WasUndone, redeem
from till.services.proof import Unproven
from till.views.access import LARGEST, TillRequest, done, in_a_store, looked_at, member_or_404, page
from till.views.purchase import asked_code, back_to, proof_about


@require_safe
@in_a_store
def shelves(request: TillRequest, member_id: int) -> HttpResponse:
    """What there is for the member: first what they can have now."""
    member, at = member_or_404(member_id), timezone.now()
    looked_at(request, member, at)
    found = catalogue(member_id=member.pk, at=at)
    context = {
        "member": member,
        "points": balance(member.pk, at),
        "ready": [shelf for shelf in found if not shelf.reasons],
        "others": [shelf for shelf in found if shelf.reasons],
    }
    return page(request, "rewards", context)


@require_http_methods(["GET", "HEAD", "POST"])
@in_a_store
def take(request: TillRequest, member_id: int, reward_id: int) -> HttpResponse:
    """Asks once, with the balance before and after; posted, takes the reward."""
    member, at = member_or_404(member_id), timezone.now()
    try:
        shelf = look_at(min(reward_id, LARGEST), member_id=member.pk, at=at)
    except Reward.DoesNotExist:
        raise Http404 from None
    form = RewardForm(
        request.POST or None, sessions=_dates(shelf), initial={"key": new_key(), "hand_over": _is_here(shelf)}
    )
    if request.method != "POST":
        looked_at(request, member, at)
        return _reward(request, member, shelf, form)
    if not form.is_valid():
        return _reward(request, member, shelf, form)
    if request.POST.get("act") == "send":
        return _reward(request, member, shelf, form, **asked_code(request, member))
    data = form.cleaned_data
    try:
        redemption = redeem(
            member_id=member.pk,
            reward_id=shelf.reward.pk,
            session_id=data["session"],
            key=data["key"],
            store=request.store,
            word=form.word(),
            hand_over=data["hand_over"],
            at=at,
            actor_id=request.user.pk,
        )
    except RedemptionRefused as error:
        return _reward(request, member, shelf, form, problem=" ".join(reason.sentence for reason in error.reasons))
    except WasUndone as error:
        return page(request, "start", {"problem": error.sentence, "member": member})
    except Unproven as error:
        return _reward(request, member, shelf, form, unproven=error.sentence, by=error.by)
    except KeyReused:
        return back_to(member.pk)
    words = f"{redemption.reward} · −{points_text(redemption.points)}" if redemption.points else str(redemption.reward)
    return done(request, Act("redemption", redemption.pk, redemption.member_id, at, words))


def _is_here(shelf: Shelf) -> bool:
    """Whether it can be given out over the counter at once."""
    return shelf.reward.kind == RewardKind.GOODS and not shelf.reward.ships


def _dates(shelf: Shelf) -> list[tuple[int, str]]:
    return [(one.session.pk, format_moment(one.session.starts_at)) for one in shelf.sessions if not one.reasons]


def _reward(request: TillRequest, member: Member, shelf: Shelf, form: RewardForm, **more: Any) -> HttpResponse:
    points = balance(member.pk, timezone.now())
    context = {
        "member": member,
        "focus": "record",
        "shelf": shelf,
        "form": form,
        "dated": shelf.reward.kind == RewardKind.EXPERIENCE,
        "is_here": _is_here(shelf),
        "points": points,
        "after": points - shelf.price.points,
        **proof_about(member.pk, shelf.price.points),
        **more,
    }
    return page(request, "reward", context)


@require_http_methods(["GET", "HEAD", "POST"])
@in_a_store
def hand_over(request: TillRequest, redemption_id: int) -> HttpResponse:
    """What a code stands for; posted, it is handed over, once."""
    found = Redemption.objects.select_related("reward", "member", "session").filter(pk=min(redemption_id, LARGEST))
    redemption, at = found.first(), timezone.now()
    if redemption is None or not redemption.code:
        raise Http404
    member = member_or_404(redemption.member_id)
    if request.method != "POST":
        looked_at(request, member, at)
        return _waiting(request, redemption)
    try:
        redeem_code(code=redemption.code, at=at, store=request.store, actor_id=request.user.pk)
    except CodeRefused as refused:
        return _waiting(request, redemption, problem=refused.reason.sentence)
    return done(request, Act("collected", redemption.pk, member.pk, at, str(redemption.reward)))


def _waiting(request: TillRequest, redemption: Redemption, problem: str = "") -> HttpResponse:
    until, at = redemption.collect_until, timezone.now()
    open_ = redemption.state == RedemptionState.CONFIRMED and redemption.fulfilment == Fulfilment.TO_COLLECT
    if not problem and redemption.fulfilment == Fulfilment.COLLECTED:
        when = {"when": format_moment(redemption.fulfilled_at), "store": redemption.store}
        problem = _("Handed over already: %(when)s %(store)s") % when
    elif not problem and not open_:
        problem = _("Given back: nothing is to be handed over.")
    elif not problem and until and until <= at:
        problem = _("Too late: it could be collected until %(when)s.") % {"when": format_moment(until)}
    context = {"redemption": redemption, "member": redemption.member, "problem": problem, "open": open_ and not problem}
    context["focus"] = "record" if context["open"] else "scan"
    return page(request, "redemption", context)
