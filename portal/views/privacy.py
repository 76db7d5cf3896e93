"""What members decide about their data: what we may do, their data as a file, and leaving."""

from datetime import datetime

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campaigns.enums import Medium, Pace
from campaigns.queries_preferences import pace_name, pace_of, pending_of, read_topic
from campaigns.services.opt_in import NotYet, TooLate, send_again
from campaigns.services.preferences import UnknownTopic, choose_topic, set_first_channel, set_pace
from members.channels import offered
from members.enums import JobState
from members.models import DataExport
from members.services.consent import NoPhone, state_consent, stop_everything
from members.services.data_exports import request_export
from members.services.erasure import WAIT, cancel_erasure, open_request, request_erasure
from portal.preferences import is_anything_on, read_key, topics
from portal.queries import current_wordings
from portal.views.access import MemberRequest, is_surely_them, members_only
from rewards.queries import balance


@require_http_methods(["GET", "POST"])
@members_only
def consents(request: MemberRequest) -> HttpResponse:
    """A switch each; a press says one word. Yes counts only for the words that were on the page."""
    wordings = current_wordings()
    shown = ",".join(f"{purpose}:{wording.version}" for purpose, wording in sorted(wordings.items()))
    error = ""
    if request.method == "POST":
        error = _say(request, request.POST.get("say", ""), is_current=request.POST.get("versions") == shown)
        if not error:
            return redirect(reverse("portal:consents"))
    found, wish = topics(request.member, wordings, timezone.now()), pace_of(request.member.pk)
    context = {
        "topics": found,
        "versions": shown,
        "error": error,
        "something_on": is_anything_on(found),
        "paces": Pace,
        "pace": pace_name(wish),
        "ways": [("", _("No matter which")), *((one.value, one.label) for one in (*offered(), Medium.APP))],
        "first": wish.first_channel if wish else "",
    }
    return render(request, "portal/consents.html", context)


def _say(request: MemberRequest, pressed: str, *, is_current: bool) -> str:
    """Does what was pressed; the sentence that says why not, or nothing."""
    member, at, by = request.member, timezone.now(), request.user.pk
    if pressed == "stop":
        stop_everything(member_id=member.pk, source="portal", at=at, actor_id=by)
        messages.success(request, _("Done. We send you nothing, and treat you like everybody."))
        return ""
    if _said_of_topics(member.pk, pressed, at=at, actor_id=by):
        return ""
    if pressed.startswith("again."):
        return _send_again(member.pk, pressed.removeprefix("again."), at)
    said = read_key(pressed)
    if said is None:
        return _("Please use one of the switches.")
    channel, purpose, yes = said
    if yes and not is_current:
        return _("The wording has just changed. Please read it again.")
    try:
        state_consent(
            member_id=member.pk, channel=channel, purpose=purpose, granted=yes, source="portal", at=at, actor_id=by
        )
    except NoPhone:
        return _("For text messages we need your phone number.")
    return ""


def _said_of_topics(member_id: int, pressed: str, *, at: datetime, actor_id: int) -> bool:
    """Does what "topic.5.email:no", "pace:weekly" or "first:email" says; whether it was one of these."""
    key, _colon, answer = pressed.partition(":")
    if key == "pace" and answer in Pace.values:
        set_pace(member_id=member_id, pace=Pace(answer), source="portal", at=at, actor_id=actor_id)
        return True
    if key == "first" and answer in ("", *offered(), Medium.APP):
        channel = Medium(answer) if answer else None
        set_first_channel(member_id=member_id, channel=channel, source="portal", at=at, actor_id=actor_id)
        return True
    topic = read_topic(key)
    if topic is None or answer not in ("yes", "no"):
        return False
    try:
        choose_topic(
            member_id=member_id,
            topic_id=topic[0],
            channel=topic[1],
            wanted=answer == "yes",
            source="portal",
            at=at,
            actor_id=actor_id,
        )
    except UnknownTopic:
        return False
    return True


def _send_again(member_id: int, key: str, at: datetime) -> str:
    """Another message for a yes that waits; the sentence that says why not."""
    channel, _dot, purpose = key.partition(".")
    waiting = pending_of(member_id, at).get((channel, purpose))
    if waiting is None:
        return _("Nothing waits to be confirmed here any more.")
    try:
        send_again(pending_id=waiting.pk, at=at)
    except (NotYet, TooLate):
        return _("We have just sent it. Please look into your messages, the ones sorted out as spam too.")
    return ""


@require_http_methods(["GET", "POST"])
@members_only
def data(request: MemberRequest) -> HttpResponse:
    """Asks for the file, and shows the files that wait to be fetched."""
    if request.method == "POST":
        request_export(member_id=request.member.pk, at=timezone.now())
        return redirect("portal:data")
    exports = DataExport.objects.filter(member=request.member, actor=None, expires_at__gt=timezone.now())
    context = {
        "exports": exports.order_by("-pk"),
        "is_waiting": exports.filter(state=JobState.QUEUED).exists(),
        "leaving": open_request(request.member.pk),
    }
    return render(request, "portal/data.html", context)


def file_name() -> str:
    """What the file is called in a folder of downloads, in the member's language."""
    return _("my-data-%(day)s.zip") % {"day": timezone.localdate().isoformat()}


@require_safe
@members_only
def export(request: MemberRequest, pk: int) -> FileResponse:
    """The file, for the member alone."""
    found = DataExport.objects.filter(
        pk=pk, member=request.member, actor=None, state=JobState.DONE, expires_at__gt=timezone.now()
    ).first()
    if found is None or not found.file.storage.exists(str(found.file.name)):
        raise Http404
    return FileResponse(found.file.open("rb"), as_attachment=True, filename=file_name())


@require_http_methods(["GET", "POST"])
@members_only
def leave(request: MemberRequest) -> HttpResponseBase:
    """Says what goes and what stays, and asks once. Whoever comes here has just shown again who they are."""
    if not is_surely_them(request):
        if request.method == "POST":  # the proof has grown old while they read
            return redirect("portal:leave")
        raise ReauthenticationRequired
    if request.method == "POST":
        wish = request_erasure(member_id=request.member.pk, at=timezone.now(), actor_id=request.user.pk)
        day = date_format(timezone.localtime(wish.due_at), "DATE_FORMAT")
        messages.success(request, _("Your account will be deleted on %(day)s.") % {"day": day})
        return redirect("portal:me")
    context = {
        "points": balance(request.member.pk),
        "due": timezone.now() + WAIT,
        "days": WAIT.days,
        "leaving": open_request(request.member.pk),
    }
    return render(request, "portal/leave.html", context)


@require_POST
@members_only
def stay(request: MemberRequest) -> HttpResponse:
    if cancel_erasure(member_id=request.member.pk, at=timezone.now(), actor_id=request.user.pk):
        messages.success(request, _("Good that you stay. Nothing was deleted."))
    return redirect("portal:me")
