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
from django.utils.http import urlencode
from django.utils.timezone import now
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from members.enums import Language
from rewards.services.pictures import PictureRefused
from surveys.admin import acts, editor, tabs
from surveys.definition import BadSurvey, Problem
from surveys.models import Survey
from surveys.parser import parse
from surveys.ready import READY
from surveys.services.publishing import known_for, make_survey, read_draft, save_draft
from surveys.services.uploads import add_picture

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
            problems = problems_of(survey, form.cleaned_data["definition"])
            if not any(one.leads_nowhere for one in problems):
                return _saved(request, survey, form.cleaned_data, problems)
            messages.error(
                request,
                gettext("Not saved: somewhere it goes round in circles or leads nowhere. The place is marked; what you "
                        "entered is still here."),
            )  # fmt: skip
    definition = form.cleaned_data.get("definition") if form.is_bound else survey.draft
    problems = problems_of(survey, definition)
    changed = _changed(survey)
    page = tabs.draw(
        model_admin,
        request,
        survey,
        "surveys/admin/build.html",
        tab="change",
        form=form,
        may=may,
        problems=problems,
        acts=acts.offered(survey, changed=changed) if may else [],
        is_changed=changed,
        script_words=editor.script_words(),
        script_settings=editor.settings(survey, may=may, problems=problems),
        back_url=reverse("admin:surveys_survey_changelist"),
    )
    page.status_code = 422 if form.is_bound else 200
    return page


def _saved(request: HttpRequest, survey: Survey, given: dict[str, Any], wrong: list[Problem]) -> HttpResponse:
    save_draft(survey_id=survey.pk, name=given["name"], definition=given["definition"], at=now())
    if wrong:
        words = gettext("Saved as a draft. Something has to be mended before it can be asked.")
        messages.warning(request, words)
    else:
        messages.success(request, gettext("“%(name)s” is saved as a draft.") % {"name": given["name"]})
    if "preview" in request.POST:
        return redirect("admin:surveys_survey_preview", survey.pk)
    if "go" in request.POST and not wrong:
        return redirect(f"admin:surveys_survey_{'publish' if survey.number else 'open'}", survey.pk)
    return redirect("admin:surveys_survey_change", survey.pk)


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
    pk = given.get("survey")
    survey = Survey.objects.filter(pk=pk).first() if isinstance(pk, int) else None
    found = problems_of(survey or Survey(languages=list(Language.values)), given.get("definition"))
    return JsonResponse({"problems": [{"path": one.path, "sentence": one.sentence} for one in found]})


def upload(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """Takes a picture to choose, and says where it is shown."""
    file = request.FILES.get("picture")
    if request.method != "POST":
        return redirect("admin:surveys_survey_change", survey.pk)
    if file is None or file.file is None:
        return JsonResponse({"sentence": gettext("Please choose a picture.")}, status=400)
    try:
        picture = add_picture(survey_id=survey.pk, file=file.file, at=now())
    except PictureRefused as refused:
        return JsonResponse({"sentence": str(refused.args[0])}, status=400)
    return JsonResponse({"id": picture.pk, "url": reverse("portal:survey_picture", args=[picture.pk])})


def preview(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """The draft as members will see it, in a frame; walked through without a trace (portal.views.survey_preview)."""
    asked = request.GET
    language = asked.get("language") or get_language() or ""
    language = language if language in survey.languages else survey.languages[0]
    wide, dark, fits = asked.get("width") == "wide", asked.get("look") == "dark", "fits" in asked
    source = {"language": language, "look": "dark" if dark else "light"} | ({"fits": "1"} if fits else {})
    names = dict(Language.choices)
    return tabs.draw(
        model_admin,
        request,
        survey,
        "surveys/admin/preview.html",
        tab="preview",
        source=f"{reverse('portal:survey_preview', args=[survey.pk])}?{urlencode(source)}",
        languages=[(code, names[Language(code)]) for code in survey.languages],
        language=language,
        wide=wide,
        dark=dark,
        fits=fits,
        asks_who=bool(not problems_of(survey, survey.draft) and read_draft(survey).trees),
    )


tabs.register_page("preview/", preview, "preview", tab=_("Preview"), order=15)
tabs.register_page("upload/", upload, "upload", permission="change")
