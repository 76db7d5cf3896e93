"""Answering a survey: by the link of an invitation, by the survey's own address, or on a tablet.

A page that is opened writes nothing: mail services open every link before a person does. What is chosen in a mail
("?q1=9") is shown as chosen, and counts when it is sent. Who is in the middle of it is known by a cookie of this page.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from members.models import PRESENT
from portal.forms_surveys import raw_values
from rewards.services.pictures import PictureRefused
from surveys.answers import NOTHING, Given, Refused, clean
from surveys.definition import Question, said
from surveys.definition import Survey as Definition
from surveys.enums import InvitationState, QuestionKind, ResponseState, SurveyState, Way
from surveys.logic import choices_for, piped, screens
from surveys.models import Invitation, Response, Survey
from surveys.queries import fitting, given_in, reading
from surveys.services.answering import (
    AlreadyAnswered,
    BadAnswers,
    NotOpen,
    answer,
    begin,
    check_open,
    complete,
)
from surveys.services.uploads import add_upload

COOKIE, KEPT = "survey", 30 * 24 * 3600  # seconds


@dataclass
class Visit:
    """Somebody at a survey: by which way, whose invitation, and what they have begun."""

    request: HttpRequest
    survey: Survey
    way: Way
    invitation: Invitation | None = None
    response: Response | None = None

    @property
    def version_id(self) -> int:
        if self.response:
            return self.response.version_id
        return self.survey.versions.get(number=self.survey.number).pk

    @property
    def read(self) -> Definition:
        return reading(self.version_id)

    @property
    def seed(self) -> str:
        """Of what is in random order: from the first page on, before there is a response."""
        if self.response:
            return str(self.response.uid)
        return ""

    def fits(self) -> list[bool]:
        if self.response:
            return self.response.fits
        member_id = self.invitation.member_id if self.invitation and not self.survey.anonymous else None
        return fitting(self.read.trees, member_id=member_id, at=timezone.now())

    @property
    def language(self) -> str:
        asked = self.request.GET.get("language") or (self.response.language if self.response else "")
        if not asked and self.invitation:
            asked = self.invitation.member.language
        asked = asked or getattr(self.request, "LANGUAGE_CODE", "en")
        return asked if asked in self.survey.languages else self.survey.languages[0]

    @property
    def name(self) -> str:
        return self.invitation.member.name if self.invitation and not self.survey.anonymous else ""


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def public(request: HttpRequest, code: str) -> HttpResponse:
    """A survey's own address, for everybody; with ?tablet on the counter, where the next one begins anew."""
    way = Way.KIOSK if "tablet" in request.GET else Way.PUBLIC
    survey = Survey.objects.filter(code=code).exclude(state=SurveyState.DRAFT).first()
    if survey is None:
        raise Http404
    return _visit(Visit(request, survey, way, response=_begun(request, survey)))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invited(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The link of one invitation: answered once, by whoever has it, and gone on with on any device."""
    found = Invitation.objects.select_related("member", "survey").filter(uid=uid).first()
    if found is None or not type(found.member).objects.filter(PRESENT, pk=found.member_id).exists():
        return render(request, "portal/surveys/over.html", {"reason": "unknown"}, status=404)
    if found.survey.anonymous:
        response = _begun(request, found.survey)
    else:
        response = Response.objects.filter(invitation=found).first()
    return _visit(Visit(request, found.survey, Way.LINK, found, response))


def _begun(request: HttpRequest, survey: Survey) -> Response | None:
    """What this browser has begun, of which nothing but its cookie tells."""
    told = request.get_signed_cookie(COOKIE, default="", max_age=KEPT)
    try:
        return Response.objects.filter(survey=survey, uid=UUID(told)).first()
    except ValueError:
        return None


def _visit(visit: Visit) -> HttpResponse:
    with override(visit.language):
        try:
            if visit.invitation and visit.invitation.state == InvitationState.ANSWERED:
                raise AlreadyAnswered
            if visit.response and visit.response.state != ResponseState.STARTED:
                raise AlreadyAnswered
            check_open(visit.survey, way=visit.way, at=timezone.now())
            reply = _send(visit) if visit.request.method == "POST" else _show(visit)
        except AlreadyAnswered:
            reply = _over(visit, "answered")
        except NotOpen as closed:
            reply = _over(visit, closed.reason)
        reply["Content-Language"] = visit.language
        return reply


def _over(visit: Visit, reason: str) -> HttpResponse:
    context = {
        "survey": visit.survey,
        "reason": reason,
        "words": closed_words(reason),
        "title": said(visit.read.thanks_title, visit.language),
        "text": said(visit.read.thanks_text, visit.language),
        "points": visit.survey.thanks_points if visit.invitation else 0,
        "again": visit.way == Way.KIOSK,
        "refresh": 15 if visit.way == Way.KIOSK and reason == "answered" else 0,
    }
    reply = render(visit.request, "portal/surveys/over.html", context)
    if reason == "answered" and visit.way == Way.KIOSK:
        reply.delete_cookie(COOKIE, path=visit.request.path)
    return reply


def _show(
    visit: Visit, *, at: int | None = None, given: dict[str, Given] | None = None, wrong: dict[str, str] | None = None
) -> HttpResponse:
    known = given_in(visit.response) if visit.response else {}
    found = screens(visit.read, known, visit.fits(), visit.seed)
    if not found:
        return _finish(visit)
    asked_for = visit.request.GET.get("at", "")
    if at is None:
        at = int(asked_for) if asked_for.isdecimal() and len(asked_for) < 4 else len(found) - 1
    at = min(at, len(found) - 1)
    shown = known | _chosen_in_mail(visit, found[at]) | (given or {})
    last = list(visit.read.questions())[-1].id in {question.id for question in found[at]}
    total = max(1, sum(1 for _ in visit.read.questions()))
    context = {
        "survey": visit.survey,
        "questions": [_asked(visit, question, shown.get(question.id, NOTHING), wrong or {}) for question in found[at]],
        "at": at,
        "back": at - 1 if at else None,
        "last": last,
        "wrong": wrong,
        "section": _section(visit, found[at][0]),
        "percent": round(100 * sum(len(screen) for screen in found[:at]) / total),
        "chosen": at == 0 and not known and any(shown.values()) and not wrong,
        "tablet": visit.way == Way.KIOSK,
        "has_photo": any(question.kind == QuestionKind.PHOTO for question in found[at]),
    }
    return render(visit.request, "portal/surveys/screen.html", context, status=422 if wrong else 200)


def _section(visit: Visit, first: Question) -> str:
    section = next(section for section in visit.read.sections if first in section.questions)
    return said(section.title, visit.language)


def _chosen_in_mail(visit: Visit, screen: list[Question]) -> dict[str, Given]:
    chosen = {}
    for question in screen:
        if question.id in visit.request.GET:
            try:
                chosen[question.id] = clean(question, visit.request.GET[question.id])
            except Refused:
                continue
    return chosen


def _asked(visit: Visit, question: Question, given: Given, wrong: dict[str, str]) -> dict[str, Any]:
    """A question as its template shows it."""
    language = visit.language
    known = given_in(visit.response) if visit.response else {}

    def words(texts: Any) -> str:
        return piped(said(texts, language), visit.read, known, language=language, name=visit.name)

    chosen = set(given.choices)
    choices = [
        {
            "key": choice.id,
            "title": said(choice.title, language),
            "chosen": choice.id in chosen,
            "picture": choice.picture,
            "place": given.choices.index(choice.id) + 1 if choice.id in chosen else "",
        }
        for choice in choices_for(question, visit.seed)
    ]
    return {
        "id": question.id,
        "kind": question.kind,
        "title": words(question.title),
        "help": words(question.help),
        "required": question.required,
        "choices": choices,
        "rows": [
            {"key": row.id, "title": said(row.title, language), "chosen": given.rows.get(row.id, "")}
            for row in question.rows
        ],
        "other": question.other,
        "other_chosen": "other" in chosen,
        "other_text": given.text if "other" in chosen else "",
        "values": range(question.low, question.high + 1) if question.low is not None and question.high is not None
        and question.high - question.low <= 20 else (),
        "places": range(1, len(choices) + 1),
        "low": question.low,
        "high": question.high,
        "step": question.step,
        "ends": [said(texts, language) for texts in question.ends],
        "number": given.number,
        "text": given.text,
        "day": given.day.isoformat() if given.day else "",
        "consent": given.choices[0] if given.choices else "",
        "upload": given.upload,
        "error": wrong.get(question.id, ""),
    }  # fmt: skip


def _send(visit: Visit) -> HttpResponse:
    at = timezone.now()
    if visit.response is None:
        known, found = {}, screens(visit.read, {}, visit.fits(), visit.seed)
    else:
        known = given_in(visit.response)
        found = screens(visit.read, known, visit.response.fits, visit.seed)
    told = visit.request.POST.get("at", "")
    here = int(told) if told.isdecimal() and len(told) < 4 else len(found) - 1
    if not found or here >= len(found):
        return redirect(visit.request.path)
    screen = found[here]
    values = raw_values(screen, visit.request.POST)
    sentences: dict[str, str] = {}
    read: dict[str, Given] = {}
    for question in screen:
        if question.kind == QuestionKind.PHOTO:
            continue
        try:
            read[question.id] = clean(question, values[question.id])
        except Refused as refused:
            sentences[question.id] = str(refused)
    if sentences:  # before anything is begun
        return _show(visit, at=here, given=read, wrong=sentences)
    if visit.response is None:
        visit.response = begin(
            survey_id=visit.survey.pk,
            way=visit.way,
            language=visit.language,
            at=at,
            invitation=visit.invitation.uid if visit.invitation else None,
        )
    for question in screen:
        if question.kind != QuestionKind.PHOTO:
            continue
        file = visit.request.FILES.get(question.id)
        try:
            kept = known.get(question.id, NOTHING).upload
            values[question.id] = (
                add_upload(response_id=visit.response.pk, file=file.file, at=at).pk if file and file.file else kept
            )
            clean(question, values[question.id])
        except (PictureRefused, Refused) as refused:
            sentences[question.id] = str(refused.args[0])
    if sentences:
        return _kept(visit, _show(visit, at=here, given=read, wrong=sentences))
    try:
        given = answer(response_id=visit.response.pk, values=values, at=at)
    except BadAnswers as bad:
        return _kept(visit, _show(visit, at=here, given=read, wrong=dict(bad.sentences)))
    left = screens(visit.read, given, visit.response.fits, visit.seed)
    if left and any(question.id not in given for question in left[-1]):
        follows = here + 1 if here + 1 < len(left) else len(left) - 1
        return _kept(visit, redirect(f"{visit.request.path}{_query(visit, follows)}"))
    if here + 1 < len(left):  # gone back, and on again
        return _kept(visit, redirect(f"{visit.request.path}{_query(visit, here + 1)}"))
    return _finish(visit)


def _finish(visit: Visit) -> HttpResponse:
    if visit.response is None or visit.request.method != "POST":
        return _over(visit, "nothing")
    complete(
        response_id=visit.response.pk,
        at=timezone.now(),
        invitation=visit.invitation.uid if visit.invitation else None,
    )
    return _kept(visit, redirect(f"{visit.request.path}{_query(visit)}"))


def _query(visit: Visit, at: int | None = None) -> str:
    parts = [f"at={at}"] if at is not None else []
    if visit.way == Way.KIOSK:
        parts.append("tablet")
    if language := visit.request.GET.get("language"):
        parts.append(f"language={language}" if language in visit.survey.languages else "")
    return "?" + "&".join(part for part in parts if part) if parts else ""


def _kept(visit: Visit, reply: HttpResponse) -> HttpResponse:
    """With the cookie by which this browser goes on."""
    if visit.response:
        reply.set_signed_cookie(
            COOKIE, str(visit.response.uid), max_age=KEPT, path=visit.request.path, httponly=True, samesite="Lax",
            secure=visit.request.is_secure(),
        )  # fmt: skip
    return reply


def closed_words(reason: str) -> str:
    """Why no answers are taken."""
    return {
        "paused": gettext("This survey takes a break. Please come back later."),
        "closed": gettext("This survey is over. Thank you for coming."),
        "archived": gettext("This survey is over. Thank you for coming."),
        "not_yet": gettext("This survey has not begun yet."),
        "expired": gettext("The time to answer is over. Thank you for coming."),
        "full": gettext("We have all the answers we asked for. Thank you for coming."),
    }.get(reason, gettext("This survey cannot be answered here."))
