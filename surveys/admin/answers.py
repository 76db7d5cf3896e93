"""Who answered what: a line for each person, one's answers on a page of their own, and all of them as a file. Nothing
can be changed; what is no honest answer is taken out of the figures. Of anonymous surveys there is none of it."""

from collections.abc import Iterator
from typing import Any

import tablib
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.timezone import localtime, now
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from common.cells import plain_cell
from surveys.admin.report import FORMATS
from surveys.admin.tabs import draw, register_page
from surveys.definition import Question, said
from surveys.enums import ResponseState
from surveys.forms_report import TRAITS
from surveys.logic import in_words
from surveys.models import Answer, Response, Survey
from surveys.queries import given_of, reading
from surveys.queries_figures import questions_of
from surveys.report import title_of
from surveys.services.answering import CannotVoid, NotOpen, put_back, void

PAGE = 50
IN_FILE = 50_000  # lines
VOID = "surveys.change_response"
STATES = (ResponseState.COMPLETE, ResponseState.OVER_QUOTA, ResponseState.VOID, ResponseState.STARTED)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=200)


def page(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """Newest first, fifty a page, by state."""
    state = request.GET.get("state", "")
    state = state if state in ResponseState.values else ResponseState.COMPLETE.value
    told = Paginator(_of(survey, state), PAGE).get_page(request.GET.get("page"))
    language, questions = get_language() or "en", [one for one in questions_of(survey) if one.kind != "statement"][:3]
    for response in told.object_list:
        given = {answer.question: answer for answer in response.answers.all()}
        response.first = [_cell(response, one, given, language) for one in questions]
    context = {
        "page": told,
        "state": state,
        "states": [(one.value, one.label) for one in STATES],
        "heads": [title_of(one) for one in questions],
        "formats": list(FORMATS),
        "most": IN_FILE,
    }
    return draw(model_admin, request, survey, "surveys/admin/answers.html", tab="answers", **context)


def _of(survey: Survey, state: str) -> QuerySet[Any]:
    found = Response.objects.filter(survey=survey, state=state).select_related("version", "member")
    found = found.none() if survey.anonymous else found
    return found.prefetch_related("answers").order_by("-completed_at", "-pk")


def _cell(response: Response, question: Question, given: dict[str, Answer], language: str) -> Any:
    """What was answered, in the words of the version that was asked: a number where it is one, "" for nothing."""
    answer = given.get(question.id)
    asked = reading(response.version_id).question(question.id) if answer else None
    if answer is None or asked is None:
        return ""
    if answer.upload_id:
        return gettext("picture")
    return float(answer.number) if answer.number is not None else in_words(asked, given_of(answer), language)


def one(model_admin: Any, request: HttpRequest, survey: Survey, pk: int) -> HttpResponse:
    """All that one person answered; a POST takes it out of the figures, or puts it back, with a reason."""
    response = get_object_or_404(
        Response.objects.select_related("version", "member", "invitation"), pk=pk, survey=survey
    )
    if survey.anonymous:
        raise Http404
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not request.user.has_perm(VOID):
            raise PermissionDenied
        if form.is_valid():
            return _decided(model_admin, request, survey, response, form.cleaned_data["reason"])
    language = get_language() or "en"
    given = {answer.question: answer for answer in response.answers.all()}
    rows = [
        (said(question.title, language), _cell(response, question, given, language))
        for question in reading(response.version_id).questions()
        if question.id in given and question.kind != "statement"
    ]
    context = {
        "response": response,
        "rows": rows,
        "form": form,
        "may": request.user.has_perm(VOID) and response.state in (ResponseState.COMPLETE, ResponseState.VOID),
        "changes": response.changes.select_related("actor").order_by("pk"),
    }
    return draw(model_admin, request, survey, "surveys/admin/answer.html", tab="answers", **context)


def _decided(model_admin: Any, request: HttpRequest, survey: Survey, response: Response, reason: str) -> HttpResponse:
    """As the button said that was pressed, whatever somebody else did meanwhile."""
    act = put_back if "back" in request.POST else void
    try:
        act(response_id=response.pk, reason=reason, at=now(), actor_id=request.user.pk)
    except CannotVoid:
        messages.error(request, gettext("This is so already, or cannot be."))
    except NotOpen:
        messages.error(request, gettext("Its place was taken by somebody else: the limit or a quota is full."))
    else:
        words = {"answer": f"#{response.pk}", "reason": reason}
        if act is void:
            said_so = gettext("Answer %(answer)s taken out of the figures: %(reason)s")
        else:
            said_so = gettext("Answer %(answer)s put back into the figures: %(reason)s")
        model_admin.log_change(request, survey, said_so % words)
        messages.success(request, said_so % words)
    return redirect(request.path)


def as_file(model_admin: Any, request: HttpRequest, survey: Survey, kind: str) -> HttpResponse:
    """A line for each complete answer, newest first, at most IN_FILE, a column for each question; nobody is named. 404
    for an anonymous survey: lines would join what mixing took apart."""
    if kind not in FORMATS or survey.anonymous:
        raise Http404
    questions = [question for question in questions_of(survey) if question.kind != "statement"]
    heads = ["answer", "answered", "version", "way", "language", *TRAITS]
    heads += [f"{question.id}: {title_of(question)}" for question in questions]
    book = tablib.Dataset(headers=[plain_cell(head) for head in heads], title="answers")
    for line in _lines(survey, questions):
        book.append([plain_cell(cell) for cell in line])
    content = book.export(kind)
    body = content.encode("utf-8-sig" if kind == "csv" else "utf-8") if isinstance(content, str) else content
    told = HttpResponse(body, content_type=FORMATS[kind])
    told["Content-Disposition"] = f'attachment; filename="{survey.code}-answers-{now():%Y-%m-%d}.{kind}"'
    return told


def _lines(survey: Survey, questions: list[Question]) -> Iterator[list[Any]]:
    language = get_language() or "en"
    for response in _of(survey, ResponseState.COMPLETE)[:IN_FILE].iterator(chunk_size=2000):
        given = {answer.question: answer for answer in response.answers.all()}
        line = [response.pk, localtime(response.completed_at).isoformat(timespec="minutes"), response.version.number]
        line += [response.way, response.language, *(str(response.traits.get(name) or "") for name in TRAITS)]
        yield [*line, *(_cell(response, question, given, language) for question in questions)]


register_page("answers/", page, "answers", tab=_("Answers"), order=35)
register_page("answers/<int:pk>/", one, "answer")
register_page("answers/<str:kind>/", as_file, "answers_file")
