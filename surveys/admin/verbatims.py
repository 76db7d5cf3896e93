"""What people wrote in a survey in their own words: to be read, narrowed down, taken along, and made into cases."""

from typing import Any
from urllib.parse import urlencode

import tablib
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.timezone import localtime, now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.cells import plain_cell
from surveys.admin.report import FORMATS
from surveys.admin.tabs import draw, register_page
from surveys.enums import TEXTS
from surveys.enums_cases import CaseChannel, CaseKind, CaseSource
from surveys.forms_report import TRAITS, ReportForm, asked_by, trait_words
from surveys.models import Answer, Case, Survey
from surveys.queries_figures import main_of, questions_of
from surveys.queries_report import Asked
from surveys.queries_verbatims import LEVELS, verbatims
from surveys.queries_words import themes_now
from surveys.report import title_of
from surveys.services.cases.opening import MOST, NobodyThere, open_case

PAGE = 50
IN_FILE = 20_000  # lines
LANGUAGES = dict(settings.LANGUAGES)
LEVEL_NAMES = {"high": _("content"), "middle": _("in between"), "low": _("not content")}


class VerbatimsForm(ReportForm):
    """Which of them; of an anonymous survey by question, and by what each says itself."""

    of_anonymous = frozenset({"by", "question", "theme", "word"})
    always = ("question", "theme", "words", "level")
    question = forms.ChoiceField(label=_("Question"), required=False)
    theme = forms.ChoiceField(label=_("Theme"), required=False)
    word = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)
    words = forms.CharField(label=_("Words"), required=False, max_length=100)
    level = forms.ChoiceField(label=_("Score"), required=False)
    language = forms.ChoiceField(label=_("Language"), required=False)
    field_order = ("question", "theme", "words", "level", "since", "until")

    def __init__(self, *args: Any, survey: Survey, **kwargs: Any) -> None:
        super().__init__(*args, survey=survey, **kwargs)
        del self.fields["by"]
        questions = questions_of(survey)
        self.main = main_of(questions)
        self.titles = {one.id: title_of(one) for one in questions}
        open_ones = [one for one in questions if one.kind in TEXTS or one.other]
        self._choices("question", [(one.id, self.titles[one.id]) for one in open_ones])
        self.themes = themes_now()
        self._choices("theme", [(str(pk), str(theme)) for pk, theme in self.themes.items()])
        if not self.themes:
            del self.fields["theme"]
        if "language" in self.fields:
            self._choices("language", [(code, LANGUAGES.get(code, code)) for code in survey.languages])
        if self.main is None:
            self.fields.pop("level", None)
        elif "level" in self.fields:
            ends = LEVELS[self.main.kind]
            self._choices("level", [(key, f"{LEVEL_NAMES[key]}, {low}–{high}") for key, (low, high) in ends.items()])


def page(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """Open answers, fifty a page. A POST makes a case of one."""
    if request.method == "POST":
        return _make_case(request, survey)
    form = VerbatimsForm(request.GET or None, survey=survey)
    told = Paginator(_found(survey, form), PAGE).get_page(request.GET.get("page"))
    may = request.user.has_perm("surveys.add_case") and not survey.anonymous
    cases = {}
    if not survey.anonymous:
        cases = {
            case.response_id: case
            for case in Case.objects.filter(response__in={answer.response_id for answer in told.object_list})
        }
    for answer in told.object_list:
        answer.title = form.titles.get(answer.question, answer.question)
        answer.case = cases.get(answer.response_id)
        answer.about = [form.themes[pk] for pk in answer.themes or () if pk in form.themes]
        answer.who = [
            trait_words(name, answer.response.traits[name]) for name in TRAITS if answer.response.traits.get(name)
        ]
    kept = {key: value for key, value in request.GET.items() if key != "page" and value}
    context = {
        "form": form,
        "word": form.told.get("word") or "",
        "without_word": urlencode({key: value for key, value in kept.items() if key != "word"}),
        "page": told,
        "may": may,
        "query": urlencode(kept),
        "formats": list(FORMATS),
        "most": IN_FILE,
    }
    return draw(model_admin, request, survey, "surveys/admin/verbatims.html", tab="verbatims", **context)


def _found(survey: Survey, form: VerbatimsForm) -> QuerySet[Answer]:
    asked = asked_by(survey, form)
    chosen = {name: form.told.get(name) or "" for name in ("question", "level", "words", "language", "word")}
    theme = int(form.told.get("theme") or 0)
    return verbatims(survey, asked, form.main, **chosen, theme=theme or None)


def _make_case(request: HttpRequest, survey: Survey) -> HttpResponse:
    """A complaint of what was written; the case that there is, where there is one of this person's answers."""
    if survey.anonymous or not request.user.has_perm("surveys.add_case"):
        raise PermissionDenied
    told = request.POST.get("answer", "")
    if not told.isdecimal():
        raise Http404
    answer = get_object_or_404(
        verbatims(survey, Asked(survey.pk), main_of(questions_of(survey))), pk=min(int(told), 2**63 - 1)
    )
    response = answer.response
    case = Case.objects.filter(response=response).first()
    if case is None:
        score = getattr(answer, "score", None)
        try:
            case = open_case(
                kind=CaseKind.COMPLAINT,
                text=answer.text[:MOST],
                source=CaseSource.SURVEY,
                channel=CaseChannel.SURVEY,
                member_id=response.member_id,
                response_id=response.pk,
                score=None if score is None else int(score),
                store=str(response.traits.get("store", ""))[:80],
                key=f"response:{response.pk}",
                at=now(),
                actor_id=request.user.pk,
            )
        except NobodyThere:
            messages.error(request, gettext("This member has left, or was merged with another."))
            return HttpResponseRedirect(reverse("admin:surveys_survey_verbatims", args=[survey.pk]))
    return HttpResponseRedirect(reverse("admin:surveys_case_change", args=[case.pk]))


def as_file(model_admin: Any, request: HttpRequest, survey: Survey, kind: str) -> HttpResponse:
    """Those of the page, newest first, at most IN_FILE; nothing tells who wrote them. Of an anonymous survey it is
    the question, the words, and their themes."""
    if kind not in FORMATS:
        raise Http404
    form = VerbatimsForm(request.GET or None, survey=survey)
    heads = ["question", "text", "themes"]
    if not survey.anonymous:
        heads += ["score", "language", "way", "answered", *TRAITS]
    book = tablib.Dataset(headers=heads, title="verbatims")
    for answer in _found(survey, form)[:IN_FILE]:
        about = "; ".join(str(form.themes[pk]) for pk in answer.themes or () if pk in form.themes)
        line: list[Any] = [form.titles.get(answer.question, answer.question), answer.text, about]
        if not survey.anonymous:
            response, score = answer.response, getattr(answer, "score", None)
            line += [None if score is None else float(score), response.language, response.way]
            line += [localtime(response.completed_at).isoformat(timespec="minutes")]
            line += [response.traits.get(name, "") for name in TRAITS]
        book.append([plain_cell(cell) for cell in line])
    content = book.export(kind)
    body = content.encode("utf-8-sig" if kind == "csv" else "utf-8") if isinstance(content, str) else content
    told = HttpResponse(body, content_type=FORMATS[kind])
    told["Content-Disposition"] = f'attachment; filename="{survey.code}-verbatims-{now():%Y-%m-%d}.{kind}"'
    return told


register_page("verbatims/", page, "verbatims", tab=_("In their words"), order=35)
register_page("verbatims/<str:kind>/", as_file, "verbatims_file")
