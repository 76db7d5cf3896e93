"""Answering a survey: its screens, by whichever door one comes (portal.views.survey_doors).

A page that is opened writes nothing: mail services open every link before a person does. What is chosen in a mail
("?q1=9") is shown as chosen, and counts when it is sent. Who is in the middle of it is known by a cookie of this page.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, override

from portal.forms_surveys import raw_values
from portal.limits import address_of, within
from portal.survey_visit import COOKIE, KEPT, TooMany, Visit
from rewards.services.pictures import PictureRefused
from surveys.answers import NOTHING, Given, Refused, clean
from surveys.definition import Question, said
from surveys.enums import InvitationState, QuestionKind, ResponseState, Way
from surveys.logic import choices_for, piped, screens
from surveys.models import Invitation, Response
from surveys.queries import given_in
from surveys.services.answering import (
    AlreadyAnswered,
    BadAnswers,
    NotOpen,
    answer,
    begin,
    check_open,
    complete,
    decline,
)
from surveys.services.uploads import add_upload

MOST_BEGUN, A_WHILE = 40, 600  # begun from one network in so many seconds: a full café behind one address is fewer


def visit_of(visit: Visit) -> HttpResponse:
    """The page of a visit, or what comes of what it sends."""
    with override(visit.language):
        try:
            if visit.invitation and visit.request.method == "POST" and "decline" in visit.request.POST:
                decline(invitation=visit.invitation.uid, at=timezone.now())
                return _over(visit, "declined")
            if visit.invitation and visit.invitation.state == InvitationState.ANSWERED:
                raise AlreadyAnswered
            if visit.response and visit.response.state != ResponseState.STARTED:
                raise AlreadyAnswered
            if visit.invitation and (until := visit.invitation.expires_at) and until <= timezone.now():
                raise NotOpen("expired")
            check_open(visit.survey, way=visit.way, at=timezone.now())
            reply = _send(visit) if visit.request.method == "POST" else _show(visit)
        except AlreadyAnswered:
            reply = _over(visit, "answered")
        except NotOpen as closed:
            reply = _over(visit, closed.reason)
        except TooMany:
            reply = _over(visit, "too_many")
            reply.status_code = 429
        if "new" in visit.request.GET and visit.request.method != "POST":
            reply.delete_cookie(COOKIE, path=visit.request.path)
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
        "again": visit.again,
        "tablet": visit.tablet,
        "refresh": 15 if visit.tablet else 0,
    }
    reply = render(visit.request, "portal/surveys/over.html", context)
    if reason == "answered" and visit.again:
        reply.delete_cookie(COOKIE, path=visit.request.path)
    return reply


def _show(
    visit: Visit, *, at: int | None = None, given: dict[str, Given] | None = None, wrong: dict[str, str] | None = None
) -> HttpResponse:
    known = visit.known
    found = screens(visit.read, known, visit.fits(), visit.seed)
    if not found:
        return _finish(visit)
    asked_for = visit.request.GET.get("at", "")
    if at is None:
        at = int(asked_for) if asked_for.isdecimal() and len(asked_for) < 4 else len(found) - 1
    at = min(at, len(found) - 1)
    context = page_of(visit, found, at, given or {}, wrong or {}, known)
    return show(visit.request, context, wrong)


def show(request: HttpRequest, context: dict[str, Any], wrong: Mapping[str, str] | None) -> HttpResponse:
    return render(request, "portal/surveys/screen.html", context, status=422 if wrong else 200)


def page_of(
    visit: Visit,
    found: list[list[Question]],
    at: int,
    given: Mapping[str, Given],
    wrong: Mapping[str, str],
    known: Mapping[str, Given] | None = None,
) -> dict[str, Any]:
    """What the template of a screen is given."""
    known = visit.known if known is None else known
    shown = {**known, **_chosen_in_mail(visit, found[at]), **given}
    last = list(visit.read.questions())[-1].id in {question.id for question in found[at]}
    total = max(1, sum(1 for _ in visit.read.questions()))
    return {
        "survey": visit.survey,
        "questions": [_asked(visit, question, shown.get(question.id, NOTHING), wrong, known) for question in found[at]],
        "at": at,
        "visit": visit.signed,
        "back": at - 1 if at else None,
        "last": last,
        "wrong": wrong,
        "section": _section(visit, found[at][0]),
        "percent": round(100 * sum(len(screen) for screen in found[:at]) / total),
        "chosen": at == 0 and not known and any(shown.values()) and not wrong,
        "tablet": visit.tablet,
        "again": visit.again,
        "sheet": visit.sheet,
        "idle": visit.place.idle_seconds if visit.place and visit.tablet else 0,
        "may_decline": visit.invitation is not None and visit.way == Way.LINK,
        "has_photo": any(question.kind == QuestionKind.PHOTO for question in found[at]),
    }


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


def _asked(
    visit: Visit, question: Question, given: Given, wrong: Mapping[str, str], known: Mapping[str, Given]
) -> dict[str, Any]:
    """A question as its template shows it."""
    language = visit.language

    def words(texts: Any) -> str:
        text, about = said(texts, language), lambda: visit.profile
        return piped(text, visit.read, known, language=language, name=visit.name, profile=about)

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
        visit.response = _begin(visit, at)
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


def _begin(visit: Visit, at: datetime) -> Response:
    if visit.way in (Way.PUBLIC, Way.KIOSK) and not within(f"survey:{address_of(visit.request)}", MOST_BEGUN, A_WHILE):
        raise TooMany
    response = begin(
        survey_id=visit.survey.pk,
        way=visit.way,
        language=visit.language,
        at=at,
        invitation=visit.invitation.uid if visit.invitation else None,
        member_id=visit.member.pk if visit.member and not visit.invitation else None,
        asked_for=visit.asked_for,
        key=f"paper:{visit.sheet}" if visit.sheet else "",
        traits=visit.place.told if visit.place else None,
        uid=visit.uid,
    )
    if visit.member and not visit.invitation:
        visit.invitation = Invitation.objects.select_related("member", "survey").get(
            survey=visit.survey, member=visit.member, key=visit.asked_for
        )
    return response


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
        "too_many": gettext("Many answers come from your network just now. Please try again in ten minutes."),
        "declined": gettext("All right, we will not ask again. Should you think better of it, the link works still."),
        "full": gettext("We have all the answers we asked for. Thank you for coming."),
    }.get(reason, gettext("This survey cannot be answered here."))
