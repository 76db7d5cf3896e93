"""The pages behind the link in every mail: GET asks, POST acts (RFC 8058). No sign-in: the signed link says who."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.services import unsubscribe as service
from members.enums import Channel, Language, Purpose


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
            step, subscription = "ask", service.read_token(token)
        elif "undo" in request.POST:
            step, subscription = "undone", service.resubscribe(token=token, at=timezone.now())
        else:
            step, subscription = "done", service.unsubscribe(token=token, at=timezone.now())
    except service.BadLink:
        return render(request, "campaigns/unsubscribe.html", {"step": "bad"}, status=404)
    with override(language := language_of(request, subscription)):
        context = {"step": step, "greetings": subscription.purpose == Purpose.GREETINGS, "token": token}
        response = render(request, "campaigns/unsubscribe.html", context)
        response["Content-Language"] = language
        return response


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def choices(request: HttpRequest, token: str) -> HttpResponse:
    """All that the link's member can stop, without signing in; `stop` is "channel.purpose" or "everything"."""
    try:
        subscription = service.read_token(token)
        if request.method == "POST":
            pressed = request.POST.get("stop", "")
            channel, _dot, purpose = pressed.partition(".")
            what = None if pressed == "everything" else (channel, purpose)
            subscription = service.stop(token=token, what=what, at=timezone.now())
    except service.BadLink:
        return render(request, "campaigns/unsubscribe.html", {"step": "bad"}, status=404)
    with override(language := language_of(request, subscription)):
        on = [
            {"key": f"{channel}.{purpose}", "purpose": Purpose(purpose), "channel": channel and Channel(channel).label}
            for channel, purpose in service.what_is_on(subscription)
        ]
        context = {"on": on, "token": token, "stopped": request.method == "POST"}
        response = render(request, "campaigns/choices.html", context)
        response["Content-Language"] = language
        return response
