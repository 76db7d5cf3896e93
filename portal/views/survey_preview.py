"""A survey tried out by staff, as its draft stands: walked through like by a member, and nothing is written.

What was answered so far travels in the page itself. The page may stand in a frame of this site, unlike any other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext, override
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe

from portal.forms_surveys import raw_values
from portal.survey_visit import Visit
from portal.views.surveys import page_of, show
from surveys import piping
from surveys.answers import Given, Refused, clean
from surveys.definition import BadSurvey, said
from surveys.definition import Survey as Definition
from surveys.enums import QuestionKind, Way
from surveys.logic import screens
from surveys.models import Survey, SurveyPicture
from surveys.services.publishing import read_draft

_SENT = Given(upload=0)  # a photo is never taken here, only passed over


@dataclass
class Rehearsal(Visit):
    """A visit of nobody; `answered` is what the page brought along."""

    definition: Definition = field(default_factory=lambda: Definition(()))
    answered: dict[str, Given] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def read(self) -> Definition:
        return self.definition

    @property
    def known(self) -> dict[str, Given]:
        return self.answered

    @property
    def name(self) -> str:
        return "" if self.survey.anonymous else gettext("Anna")

    @cached_property
    def profile(self) -> Mapping[str, str]:
        return {} if self.survey.anonymous else piping.samples()

    def fits(self) -> list[bool]:
        return ["fits" in self.request.GET] * len(self.definition.trees)

    @property
    def kept(self) -> str:
        """What the next page brings along."""
        return json.dumps(self.raw)


@never_cache
@xframe_options_sameorigin
@csp_replace({"frame-ancestors": [SELF]})  # type: ignore[arg-type]
@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The screens of a draft. PermissionDenied for who may not see surveys."""
    if not request.user.has_perm("surveys.view_survey"):
        raise PermissionDenied
    survey = get_object_or_404(Survey, pk=pk)
    look = "look-dark" if request.GET.get("look") == "dark" else "look-light"
    try:
        visit = Rehearsal(request, survey, Way.LINK, definition=read_draft(survey))
    except BadSurvey:
        return render(request, "portal/surveys/rehearsed.html", {"wrong": True, "look": look})
    with override(visit.language):
        wrong: dict[str, str] = {}
        if request.method == "POST":
            wrong = _go_on(visit)
        found = screens(visit.read, visit.known, visit.fits(), visit.seed)
        if found and (wrong or any(question.id not in visit.known for question in found[-1])):
            context = page_of(visit, found, len(found) - 1, {}, wrong)
            return show(request, context | {"back": None, "rehearsal": visit.kept, "look": look}, wrong)
        texts = visit.read.thanks_title, visit.read.thanks_text
        title, text = (said(each, visit.language) for each in texts)
        return render(request, "portal/surveys/rehearsed.html", {"title": title, "text": text, "look": look})


def _go_on(visit: Rehearsal) -> dict[str, str]:
    """Takes what was sent; what is wrong with it, by question."""
    try:
        told = json.loads(visit.request.POST.get("kept", "") or "{}")
    except (ValueError, RecursionError):
        told = {}
    told = told if isinstance(told, dict) else {}
    for key, raw in told.items():
        question = visit.read.question(key)
        if question is not None:
            try:
                visit.answered[key] = _SENT if question.kind == QuestionKind.PHOTO else clean(question, raw)
                visit.raw[key] = raw
            except Refused:
                continue
    found = screens(visit.read, visit.answered, visit.fits(), visit.seed)
    wrong: dict[str, str] = {}
    screen = found[-1] if found else []
    values = raw_values(screen, visit.request.POST)
    for question in screen:
        try:
            given = _SENT if question.kind == QuestionKind.PHOTO else clean(question, values[question.id])
        except Refused as refused:
            wrong[question.id] = str(refused)
            continue
        visit.answered[question.id] = given
        visit.raw[question.id] = values.get(question.id)
    if wrong:  # the screen is shown again, whole
        for question in screen:
            visit.answered.pop(question.id, None)
            visit.raw.pop(question.id, None)
    return wrong


@require_safe
def picture(request: HttpRequest, pk: int) -> FileResponse:
    """A picture to choose. Http404."""
    found = get_object_or_404(SurveyPicture, pk=pk)
    try:
        file = found.picture.open()
    except FileNotFoundError as error:
        raise Http404 from error
    kind = "image/png" if str(found.picture.name).endswith(".png") else "image/jpeg"
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return FileResponse(file, content_type=kind, headers=headers)
