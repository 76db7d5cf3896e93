"""Bringing friends: the member's own page, and the page that a friend sees first."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import touches
from portal.forms_friends import CameForm, InviteForm, ObjectionForm, WishesForm
from portal.limits import address_of
from portal.views.access import MemberRequest, members_only, too_often
from referrals.codes import readings, shown
from referrals.definition import Definition
from referrals.enums import ReferralState, Source
from referrals.models import Advocate, Referral
from referrals.queries import (
    brought,
    find_advocates,
    leaderboard,
    made_by,
    open_to,
    reading,
    thanks_of,
)
from referrals.services.advocates import NicknameNeeded, advocate_of, count, set_wishes
from referrals.services.attribution import Came, NotReferred, attribute
from referrals.services.finding import TooManyGuesses, guess
from referrals.services.inviting import NoProgramme, TooManyInvites, invite, refuse_invites, wants_invites
from referrals.services.qualifying import NotOpen, ObjectedBefore, object_to
from referrals.words import (
    asked_of,
    first_name,
    gift_of,
    in_words,
    share_links,
    share_text,
    standing,
    text,
)

SHOWN = 50  # friends on one page


def _link(advocate: Advocate) -> str:
    return settings.SITE_URL + reverse("portal:referral", args=[advocate.code])


def _running(member_id: int) -> tuple[int, Definition] | None:
    programme = open_to([member_id], timezone.now()).get(member_id)
    return (programme[0], reading(programme[1])) if programme else None


def _progress(definition: Definition, friends: int) -> dict[str, Any] | None:
    """The next milestone, and how far it is."""
    ahead = sorted((one for one in definition.milestones if one.friends > friends), key=lambda one: one.friends)
    if not ahead:
        return None
    return {"friends": friends, "goal": ahead[0].friends, "gift": in_words(ahead[0].thanks)}


@require_http_methods(["GET", "POST"])
@members_only
def friends(request: MemberRequest) -> HttpResponse:
    """My link, who is on the way, what is earned; and what friends may see of me."""
    at, member = timezone.now(), request.member
    advocate = Advocate.objects.filter(member=member).first()
    running = _running(member.pk)
    shown_now = {
        "shows_name": bool(advocate and advocate.shows_name),
        "is_listed": bool(advocate and advocate.is_listed),
        "nickname": advocate.nickname if advocate else "",
    }
    wishes = WishesForm(request.POST or None, initial=shown_now)
    if request.method == "POST" and wishes.is_valid():
        try:
            set_wishes(member_id=member.pk, at=at, **wishes.cleaned_data)
        except NicknameNeeded:
            wishes.add_error("nickname", _("Please choose a nickname: only that is shown."))
        else:
            messages.success(request, _("Saved."))
            return redirect("portal:friends")
    context: dict[str, Any] = {"advocate": advocate, "wishes": wishes, "invite": InviteForm(), "came": CameForm()}
    context["mine"] = [
        {
            "one": one,
            "name": first_name(one.friend.name) if one.friend_shows_name else "",
            "standing": standing(one),
            "may_object": one.state == ReferralState.REFUSED and one.objected_at is None,
        }
        for one in made_by(member.pk)[:SHOWN]
    ]
    context["earned"] = thanks_of(member.pk)
    is_new = running is not None and member.joined_at > at - timedelta(days=running[1].claim_days)
    context["may_claim"] = is_new and not Referral.objects.filter(friend=member).exists()
    if running:
        programme, definition = running
        context |= {
            "definition": definition,
            "headline": text(definition, "headline"),
            "text": text(definition, "text"),
            "terms": text(definition, "terms"),
            "gift": gift_of(definition),
            "mine_gets": in_words(definition.giver),
            "asked": asked_of(definition),
            "progress": _progress(definition, brought(member.pk, programme)),
            "leaders": leaderboard(limit=10),
        }
        if advocate:
            name, link = first_name(member.name), _link(advocate)
            said = name if advocate.shows_name else _("A friend")
            context |= {
                "link": link,
                "code": shown(advocate.code),
                "ready": share_text(definition, name=said, link=f"{link}?c=copy"),
                "services": list(share_links(definition, name=said, link=link)),
            }
    return render(request, "portal/friends.html", context)


@require_POST
@members_only
def start(request: MemberRequest) -> HttpResponse:
    """The member wants a code."""
    at, response = timezone.now(), redirect("portal:friends")
    advocate_of(member_id=request.member.pk, at=at)
    touches.note(request, response, member_id=request.member.pk, at=at)
    return response


@require_GET
@members_only
def printed(request: MemberRequest, paper: str) -> HttpResponse:
    """My code to show or print: as a sheet of eight cards, or as a poster. Who comes by it is told apart by `paper`."""
    advocate = get_object_or_404(Advocate, member=request.member)
    running = _running(request.member.pk)
    if running is None:
        raise Http404
    definition = running[1]
    context = {
        "paper": paper,
        "link": f"{_link(advocate)}?c={paper}",
        "code": shown(advocate.code),
        "headline": text(definition, "headline"),
        "gift": gift_of(definition),
        "name": first_name(request.member.name) if advocate.shows_name else "",
    }
    return render(request, "portal/friends_card.html", context)


@require_POST
@members_only
def shared(request: MemberRequest) -> HttpResponse:
    """Counts that the link was shared by a way; told by the page's script."""
    advocate = Advocate.objects.filter(member=request.member).first()
    channel, at = touches.channel_of(request.POST.get("channel", "")), timezone.now()
    response = HttpResponse(status=204)
    if advocate and channel and not too_often("shared", request.member.pk, 20, at):
        count(what="shares", advocate_ids=[advocate.pk], channel=channel, day=timezone.localdate(at))
        touches.note(request, response, member_id=request.member.pk, at=at)
    return response


@require_POST
@members_only
def send(request: MemberRequest) -> HttpResponse:
    """Invites a friend by mail. Whether the address is known here is not told."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, _("Please check the address: %(email)s") % {"email": request.POST.get("email", "")[:80]}
        )
        return redirect("portal:friends")
    at = timezone.now()
    advocate = advocate_of(member_id=request.member.pk, at=at)
    try:
        invite(advocate=advocate, address=form.cleaned_data["email"], language=get_language() or "en", at=at)
    except TooManyInvites:
        messages.error(request, _("That is as many as we send a day. Please share your link, or go on tomorrow."))
    except NoProgramme:
        messages.error(request, _("Nobody is thanked for bringing friends at the moment."))
    except ValidationError as wrong:
        messages.error(request, " ".join(wrong.messages))
    else:
        count(what="shares", advocate_ids=[advocate.pk], channel="invite", day=timezone.localdate(at))
        messages.success(request, _("If we may write there, your friend gets one message from you."))
    return redirect("portal:friends")


@require_POST
@members_only
def came(request: MemberRequest) -> HttpResponse:
    """Tells later by whose code somebody came."""
    form, at = CameForm(request.POST), timezone.now()
    if not form.is_valid():
        messages.error(request, _("Please type your friend's code."))
        return redirect("portal:friends")
    try:
        guess(who=f"member:{request.member.pk}", code=form.cleaned_data["code"], at=at)
        attribute(
            friend_id=request.member.pk,
            came=[Came(form.cleaned_data["code"], Source.CLAIM, at)],
            at=at,
            friend_shows_name=form.cleaned_data["shows_name"],
            address=address_of(request),
        )
    except TooManyGuesses:
        messages.error(request, _("Those were many codes. Please wait a minute."))
    except NotReferred as refused:
        messages.error(request, str(refused.reason.label))
    else:
        messages.success(request, _("Thank you: your friend is thanked as soon as it counts."))
    return redirect("portal:friends")


@require_http_methods(["GET", "POST"])
@members_only
def objection(request: MemberRequest, pk: int) -> HttpResponse:
    """Says once why a refusal is wrong."""
    referral = get_object_or_404(made_by(request.member.pk), pk=pk)
    form = ObjectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            object_to(referral_id=pk, giver_id=request.member.pk, text=form.cleaned_data["text"], at=timezone.now())
        except (ObjectedBefore, NotOpen):
            messages.error(request, _("This has been decided. You can object once."))
        else:
            messages.success(request, _("Thank you. A person looks at it again."))
        return redirect("portal:friends")
    return render(
        request, "portal/friends_objection.html", {"form": form, "one": referral, "standing": standing(referral)}
    )


def _met(request: HttpRequest, code: str) -> tuple[Advocate, Definition]:
    """Whose link it is, and what it brings. Who tries many codes waits. 404."""
    at = timezone.now()
    advocate = guess(who=f"ip:{address_of(request)}", code=code, at=at)
    if advocate is None:
        raise Http404
    giver = advocate.member.merged_into_id or advocate.member_id
    running = _running(giver)
    if running is None:
        raise Http404
    return advocate, running[1]


@never_cache
@require_http_methods(["GET", "HEAD"])
def referral(request: HttpRequest, code: str) -> HttpResponse:
    """What a friend sees who opens a link. Looking writes nothing and keeps nothing of them."""
    try:
        advocate, definition = _met(request, code)
    except TooManyGuesses:
        return render(request, "429.html", status=429)
    except Http404:
        return render(request, "portal/referral_over.html", status=404)
    context = {
        "code": advocate.code,
        "name": first_name(advocate.member.name) if advocate.shows_name else "",
        "channel": touches.channel_of(request.GET.get("c", "")),
        "headline": text(definition, "headline"),
        "text": text(definition, "welcome"),
        "terms": text(definition, "terms"),
        "gift": gift_of(definition),
        "days": definition.cookie_days,
    }
    return render(request, "portal/referral.html", context)


@require_POST
def seen(request: HttpRequest, code: str) -> HttpResponse:
    """Counts a visit; told by the page's script, which what fetches links does not run."""
    found = find_advocates(readings(code))
    channel = touches.channel_of(request.POST.get("c", "")) or "copy"
    for advocate in found.values():
        count(what="visits", advocate_ids=[advocate.pk], channel=channel, day=timezone.localdate())
    return HttpResponse(status=204)


@never_cache
@require_POST
def take(request: HttpRequest, code: str) -> HttpResponse:
    """The friend takes the gift: from here on their browser knows by whose link they came."""
    try:
        advocate, _definition = _met(request, code)
    except TooManyGuesses:
        return render(request, "429.html", status=429)
    at = timezone.now()
    channel = touches.channel_of(request.POST.get("c", ""))
    count(what="taken", advocate_ids=[advocate.pk], channel=channel or "copy", day=timezone.localdate(at))
    response = redirect("portal:home" if request.user.is_authenticated else "account_signup")
    touches.remember(request, response, code=advocate.code, channel=channel, at=at)
    return response


@never_cache
@require_http_methods(["GET", "POST"])
def invites_refuse(request: HttpRequest, token: str) -> HttpResponse:
    """No invitations from anybody, for ever: pressed, not opened."""
    try:
        if request.method == "POST":
            refuse_invites(token=token, at=timezone.now())
        done = not wants_invites(token)
    except BadSignature:
        return render(request, "portal/invites_refuse.html", {"broken": True}, status=404)
    return render(request, "portal/invites_refuse.html", {"done": done})
