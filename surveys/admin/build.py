"""The builder: what to begin from, the questions, and what it asks while somebody edits."""

import json
from copy import deepcopy
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from surveys.admin import acts, tabs
from surveys.definition import BadSurvey, Problem
from surveys.models import Survey
from surveys.parser import parse
from surveys.ready import READY
from surveys.services.publishing import known_for, make_survey, save_draft

EMPTY: dict[str, Any] = {"sections": [{"id": "s1", "questions": []}]}


class BuildForm(forms.Form):
    name = forms.CharField(label=_("Name in the office"), max_length=120, widget=UnfoldAdminTextInputWidget)
    definition = forms.CharField(
        label=_("Survey as JSON"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 24, "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean_definition(self) -> Any:
        try:
            return json.loads(self.cleaned_data["definition"])
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is not readable as JSON.")) from None


def problems_of(survey: Survey, definition: Any) -> list[Problem]:
    """What is to be mended before it can be published."""
    try:
        parse(definition, known_for(survey))
    except BadSurvey as bad:
        return bad.problems
    return []


def start(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """What to begin from; an empty survey by POST."""
    if request.method == "POST":
        made = make_survey(name=gettext("New survey"), definition=deepcopy(EMPTY), at=now())
        return redirect("admin:surveys_survey_change", made.pk)
    title = gettext("New survey")
    return tabs.draw(model_admin, request, None, "surveys/admin/start.html", title=title, ready=list(READY.values()))


def take(model_admin: Any, request: HttpRequest, key: str) -> HttpResponse:
    """Takes a ready survey: a draft that nobody is asked yet."""
    if key not in READY:
        raise Http404
    if request.method != "POST":
        return redirect("admin:surveys_survey_add")
    ready = READY[key]
    made = make_survey(name=str(ready.name), definition=deepcopy(ready.definition), at=now(), **ready.settings)
    messages.success(request, gettext("“%(name)s” is yours now. Nobody is asked before you open it.") % {"name": made})
    return redirect("admin:surveys_survey_change", made.pk)


def build(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """The questions of a survey, to be changed by those who may."""
    may = model_admin.has_change_permission(request)
    initial = {"name": survey.name, "definition": json.dumps(survey.draft, ensure_ascii=False, indent=1)}
    form = BuildForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST":
        if not may:
            raise PermissionDenied
        if form.is_valid():
            given = form.cleaned_data
            save_draft(survey_id=survey.pk, name=given["name"], definition=given["definition"], at=now())
            if problems_of(survey, given["definition"]):
                messages.warning(
                    request, gettext("Saved as a draft. Something has to be mended before it can be asked.")
                )
            else:
                messages.success(request, gettext("“%(name)s” is saved as a draft.") % {"name": given["name"]})
            return redirect("admin:surveys_survey_change", survey.pk)
    definition = form.cleaned_data.get("definition") if form.is_bound else survey.draft
    return tabs.draw(
        model_admin,
        request,
        survey,
        "surveys/admin/build.html",
        tab="change",
        form=form,
        may=may,
        problems=problems_of(survey, definition),
        acts=acts.offered(survey, changed=_changed(survey)) if may else [],
        is_changed=bool(survey.number) and _changed(survey),
        back_url=reverse("admin:surveys_survey_changelist"),
    )


def _changed(survey: Survey) -> bool:
    """Whether the draft is another than what is asked."""
    newest = survey.versions.filter(number=survey.number).first()
    return newest is not None and newest.definition != survey.draft


def check(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """In a blink: what is wrong with a survey that is being edited."""
    try:
        given = json.loads(request.body or b"null")
    except (ValueError, RecursionError):
        given = None
    given = given if isinstance(given, dict) else {}
    survey = Survey.objects.filter(pk=given["survey"]).first() if isinstance(given.get("survey"), int) else None
    found = problems_of(survey or Survey(languages=["en", "zh-hans"]), given.get("definition"))
    return JsonResponse({"problems": [{"path": one.path, "sentence": one.sentence} for one in found]})
