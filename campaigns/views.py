"""The pages behind the link in every mail: GET asks, POST acts (RFC 8058). No sign-in: the signed link says who."""

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.enums import Pace
from campaigns.queries_preferences import interests_of, pace_name, pace_of, read_topic
from campaigns.services import opt_in
from campaigns.services import unsubscribe as service
from campaigns.services.preferences import UnknownTopic
from members.enums import Channel, Language, Purpose
from members.services.profile import MemberGone


def language_of(request: HttpRequest, subscription: service.Subscription) -> str:
    """The member's language, unless the page was asked for in the other one."""
    asked = request.GET.get("language", "")
    return asked if asked in Language.values else subscription.member.language


# Mail services post without a cookie; the token is what proves the right to act.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Asks on GET; on POST withdraws the consent, or with `undo` gives it back."""
    try:
        if request.method != "POST":
            subscription = service.read_token(token)
        elif _undoes(request):
            subscription = service.resubscribe(token=token, at=timezone.now())
        else:
            subscription = service.unsubscribe(token=token, at=timezone.now())
        granted, can_undo = service.standing(subscription)
        step = "done" if not granted else "ask" if request.method != "POST" else "undone"
    except service.BadLink:
        return render(request, "campaigns/unsubscribe.html", {"step": "bad"}, status=404)
    except service.Gone:  # their mail service must hear that it is done
        return render(request, "campaigns/unsubscribe.html", {"step": "gone"})
    with override(language := language_of(request, subscription)):
        context = {"step": step, "greetings": subscription.purpose == Purpose.GREETINGS, "token": token}
        response = render(request, "campaigns/unsubscribe.html", {**context, "can_undo": can_undo})
        response["Content-Language"] = language
        return response


def _undoes(request: HttpRequest) -> bool:
    """Whether the page's own button for it was pressed. A body that cannot be read says nothing: the address alone
    withdraws."""
    try:
        return "undo" in request.POST
    except (BadRequest, SuspiciousOperation, MultiPartParserError):
        return False


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def choices(request: HttpRequest, token: str) -> HttpResponse:
    """The preference centre of the link's member, without signing in: what they agreed to, its topics, how often.

    `stop` is "channel.purpose", "everything" or "topic.ID.channel"; `undo` is "topic.ID.channel"; `pace` one of Pace.
    """
    try:
        subscription = service.read_token(token)
        if request.method == "POST":
            _act(request, token)
            subscription = service.read_token(token)
    except service.BadLink:
        return render(request, "campaigns/unsubscribe.html", {"step": "bad"}, status=404)
    except service.Gone:  # their mail service must hear that it is done
        return render(request, "campaigns/unsubscribe.html", {"step": "gone"})
    with override(language := language_of(request, subscription)):
        interests = interests_of(subscription.member.pk)
        on = [
            {
                "key": f"{channel}.{purpose}",
                "purpose": Purpose(purpose),
                "channel": channel and Channel(channel).label,
                "topics": [
                    {"it": each, "can_undo": service.can_undo(each)} for each in interests.get((channel, purpose), [])
                ],
            }
            for channel, purpose in service.what_is_on(subscription)
        ]
        wish = pace_of(subscription.member.pk)
        context = {
            "on": on,
            "written_to": any(choice["channel"] for choice in on),
            "pace": pace_name(wish),
            "paces": service.paces_open(wish),
            "token": token,
            "stopped": request.method == "POST",
        }
        response = render(request, "campaigns/choices.html", context)
        response["Content-Language"] = language
        return response


def _act(request: HttpRequest, token: str) -> None:
    """Does what was pressed; what is none of ours, or no longer offered, does nothing."""
    at, stop, undo = timezone.now(), request.POST.get("stop", ""), request.POST.get("undo", "")
    pace = request.POST.get("pace", "")
    try:
        if topic := read_topic(stop):
            service.stop_topic(token=token, topic_id=topic[0], channel=topic[1], at=at)
        elif topic := read_topic(undo):
            service.undo_topic(token=token, topic_id=topic[0], channel=topic[1], at=at)
        elif pace in Pace.values:
            service.write_less(token=token, pace=Pace(pace), at=at)
        elif stop:
            channel, _dot, purpose = stop.partition(".")
            service.stop(token=token, what=None if stop == "everything" else (channel, purpose), at=at)
    except UnknownTopic:
        return


# No cookie either: who has the link has the address it went to, and that is what a yes has to prove.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Asks on GET, for scanners open links; on POST the yes counts."""
    at, step = timezone.now(), "ask"
    try:
        if request.method == "POST":
            pending, step = opt_in.confirm(token=token, at=at), "done"
        else:
            pending = opt_in.read_confirmation(token=token, at=at)
            step = "done" if pending.confirmed_at else "ask"
    except opt_in.BadLink:
        return render(request, "campaigns/unsubscribe.html", {"step": "bad"}, status=404)
    except (opt_in.TooLate, MemberGone):
        return render(request, "campaigns/confirm.html", {"step": "late"}, status=410)
    asked = request.GET.get("language", "")
    with override(language := asked if asked in Language.values else pending.member.language):
        context = {
            "step": step,
            "purpose": Purpose(pending.purpose).label,
            "channel": Channel(pending.channel).label,
            "wording": pending.wording,
            "address": pending.address,
        }
        response = render(request, "campaigns/confirm.html", context)
        response["Content-Language"] = language
        return response
