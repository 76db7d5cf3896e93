"""The catalogue: what points buy, what is missing, and taking it."""

from typing import Any, NamedTuple
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from members.queries import get_programme
from members.services.purchases import KeyReused
from portal.forms_rewards import AddressForm
from portal.views.access import MemberRequest, members_only, too_often
from rewards.catalogue_words import price_words
from rewards.enums import RedemptionState, RewardKind
from rewards.models import Redemption, Reward, RewardSession
from rewards.queries import balance, points_text
from rewards.queries_catalogue import Shelf, catalogue, for_session, look_at
from rewards.services.places import CannotWait, join_waiting, leave_waiting
from rewards.services.redemptions import RedemptionRefused, RedemptionSettled, redeem_by_member

SOURCE = "portal"
A_MINUTE = 10  # redemptions that one member may try


class Chip(NamedTuple):
    """A filter as a link."""

    label: str
    url: str
    on: bool


@require_safe
@members_only
def rewards(request: MemberRequest) -> HttpResponse:
    at = timezone.now()
    everything = catalogue(member_id=request.member.pk, at=at)
    wanted = {name: request.GET[name] for name in ("now", "green", "kind") if request.GET.get(name)}
    kinds = {shelf.reward.kind for shelf in everything}
    if wanted.get("kind") not in kinds:
        wanted.pop("kind", None)
    found = [
        shelf
        for shelf in everything
        if not ("now" in wanted and shelf.reasons)
        and not ("green" in wanted and not shelf.reward.green)
        and shelf.reward.kind == wanted.get("kind", shelf.reward.kind)
    ]
    has_green = any(shelf.reward.green for shelf in everything)
    context = {
        "balance": balance(request.member.pk, at),
        "tiles": tiles(found),
        "chips": _chips(wanted, kinds, has_green),
        "is_filtered": bool(wanted),
    }
    return render(request, "portal/rewards.html", context)


def tiles(shelves: list[Shelf]) -> list[dict[str, Any]]:
    """Rewards as the grid shows them: price, and the first thing that stands in the way."""
    currency = get_programme().currency
    return [
        {
            "shelf": shelf,
            "reward": shelf.reward,
            "picture": next(iter(shelf.reward.pictures.all()), None),
            "price": price_words(*shelf.price[:2], currency),
            "why": shelf.reasons[0].sentence if shelf.reasons else "",
            "percent": _percent(shelf),
        }
        for shelf in shelves
    ]


def _percent(shelf: Shelf) -> int | None:
    """How much of its points is there, where nothing else is missing."""
    if not shelf.points_missing or len(shelf.reasons) > 1:
        return None
    return 100 * (shelf.price.points - shelf.points_missing) // shelf.price.points


def _chips(wanted: dict[str, str], kinds: set[str], has_green: bool) -> list[Chip]:
    def chip(label: str, name: str, value: str) -> Chip:
        on = wanted.get(name) == value
        rest = {key: said for key, said in wanted.items() if key != name}
        query = rest if on else {**rest, name: value}
        return Chip(label, reverse("portal:rewards", query=query), on)

    chips = [Chip(_("All rewards"), reverse("portal:rewards"), not wanted), chip(_("I can have now"), "now", "1")]
    if has_green:
        chips.append(chip(_("Green"), "green", "1"))
    return chips + [chip(str(kind.label), "kind", kind) for kind in RewardKind if kind in kinds and len(kinds) > 1]


def _shelf(request: MemberRequest, pk: int) -> Shelf:
    """A reward that this member may see: one that the catalogue shows, or that they have had. Http404."""
    at = timezone.now()
    try:
        shelf = look_at(pk, member_id=request.member.pk, at=at)
    except Reward.DoesNotExist as error:
        raise Http404 from error
    reward = shelf.reward
    invited = not any(reason.code in ("not_in_segment", "segment_not_ready") for reason in shelf.reasons)
    begun = reward.visible_from is None or reward.visible_from <= at + shelf.early
    lasts = reward.visible_until is None or reward.visible_until > at
    if not (reward.state == "live" and begun and lasts and invited):
        raise Http404
    return shelf


@require_safe
@members_only
def reward(request: MemberRequest, pk: int) -> HttpResponse:
    shelf = _shelf(request, pk)
    return render(request, "portal/reward.html", _about(request, shelf))


def _about(request: MemberRequest, shelf: Shelf) -> dict[str, Any]:
    at, currency = timezone.now(), get_programme().currency
    has = balance(request.member.pk, at)
    dated = shelf.reward.kind == RewardKind.EXPERIENCE
    whole = [reason for reason in shelf.reasons if reason.code not in ("session_full", "no_session")]
    better = [
        (price.tier, price_words(price.points, price.money_minor, currency))
        for price in sorted(shelf.reward.prices.all(), key=lambda price: price.tier.rank)
        if price.points < shelf.price.points
        or (price.points == shelf.price.points and price.money_minor < shelf.price.money_minor)
    ]
    return {
        **tiles([shelf])[0],
        "balance": has,
        "after": has - shelf.price.points,
        "reasons": whole if dated and shelf.sessions else shelf.reasons,
        "dates": shelf.sessions,
        "dated": dated,
        "better": better,
        "before_others": shelf.reward.redeemable_from if not shelf.reasons and shelf.early else None,
        "only": ", ".join(tier.name for tier in sorted(shelf.reward.tiers.all(), key=lambda tier: tier.rank)),
        # Points may come until a place does: who lacks only them may wait.
        "may_wait": not [reason for reason in whole if reason.code != "points_missing"],
    }


@require_http_methods(["GET", "POST"])
@members_only
def redeem(request: MemberRequest, pk: int) -> HttpResponse:
    """Asks once, with the balance before and after; then takes it."""
    told = request.POST if request.method == "POST" else request.GET
    shelf = _shelf(request, pk)
    number = told.get("date", "")
    date_id = int(number) if number.isdecimal() and len(number) < 19 else None
    dated = shelf.reward.kind == RewardKind.EXPERIENCE
    form = None
    if shelf.reward.kind == RewardKind.GOODS and shelf.reward.ships:
        form = AddressForm(request.POST if request.method == "POST" else None, member=request.member)
    if request.method == "POST" and (form is None or form.is_valid()):
        at = timezone.now()
        if too_often("redeem", request.member.pk, A_MINUTE, at):
            messages.error(request, _("That was a little fast. Please wait a minute, then try again."))
            return redirect("portal:reward", pk=pk)
        try:
            taken = redeem_by_member(
                member_id=request.member.pk,
                reward_id=pk,
                source=SOURCE,
                key=f"{request.member.pk}:{told.get('key', '')[:60] or uuid4()}",
                at=at,
                session_id=date_id if dated else None,
                actor_id=request.user.pk,
                address=form.address() if form else None,
            )
        except (RedemptionRefused, RedemptionSettled, KeyReused) as error:
            reasons = error.reasons if isinstance(error, RedemptionRefused) else ()
            messages.error(request, " ".join(why.sentence for why in reasons) or _("It cannot be had now."))
            return redirect("portal:reward", pk=pk)
        messages.success(request, _done(taken))
        return redirect("portal:redemption", pk=taken.pk)
    if dated and date_id is None:
        return redirect("portal:reward", pk=pk)
    reasons = for_session(shelf, date_id) if dated else shelf.reasons
    if reasons:
        return render(request, "portal/reward.html", {**_about(request, shelf), "refused": reasons})
    context = {
        **_about(request, shelf),
        "form": form,
        "date": next((one.session for one in shelf.sessions if one.session.pk == date_id), None),
        "key": told.get("key") or uuid4(),
    }
    return render(request, "portal/redeem.html", context)


def _done(taken: Redemption) -> str:
    """What just happened, said where it happened."""
    words = {"reward": taken.reward.name, "left": points_text(balance(taken.member_id))}
    if taken.state == RedemptionState.RESERVED:
        return _("%(reward)s is set aside for you. You have %(left)s left.") % words
    if taken.reward.kind in (RewardKind.DONATION, RewardKind.TREE):
        return _("Thank you: %(reward)s, given in your name. You have %(left)s left.") % words
    return _("%(reward)s is yours. You have %(left)s left.") % words


@require_POST
@members_only
def wait(request: MemberRequest, pk: int, date: int) -> HttpResponse:
    """Into the waiting list of a date, or out of it."""
    _shelf(request, pk)
    at = timezone.now()
    if not RewardSession.objects.filter(pk=date, reward=pk).exists():
        raise Http404
    if request.POST.get("leave"):
        leave_waiting(member_id=request.member.pk, session_id=date, at=at)
        messages.success(request, _("You no longer wait for this date."))
        return redirect("portal:reward", pk=pk)
    try:
        join_waiting(member_id=request.member.pk, session_id=date, at=at)
    except CannotWait as error:
        messages.error(request, " ".join(reason.sentence for reason in error.reasons))
    else:
        messages.success(request, _("You are on the list. A place that comes free is kept for you for a day, here."))
    return redirect("portal:reward", pk=pk)
