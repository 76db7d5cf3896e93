"""Settings of a survey: how, when and by whom it is answered, what it gives; and how many answers of which kind."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.timezone import now
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from members.enums import Language
from members.models import Segment
from rewards.models import Tier
from surveys.admin import tabs
from surveys.definition import BadSurvey, said
from surveys.enums import SCALES, QuestionKind, Way
from surveys.models import Quota, Response, Survey
from surveys.services.publishing import Locked, read_draft, remove_quota, save_draft, save_quota

_MOMENT = "%Y-%m-%dT%H:%M"


def _number(label: Any, low: int, high: int, *, required: bool = False, help_text: Any = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=low, max_value=high, required=required, help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget,
    )  # fmt: skip


def _moment(label: Any) -> forms.DateTimeField:
    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"})
    widget.format_value = lambda value: value.strftime(_MOMENT) if hasattr(value, "strftime") else value  # type: ignore[method-assign]
    return forms.DateTimeField(label=label, required=False, input_formats=[_MOMENT, "%Y-%m-%d %H:%M"], widget=widget)


class SettingsForm(forms.Form):
    ways = forms.MultipleChoiceField(
        label=_("Ways to answer"),
        choices=Way.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    languages = forms.MultipleChoiceField(
        label=_("Languages"),
        choices=Language.choices,
        help_text=_("Every text is needed in each of them."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    anonymous = forms.BooleanField(
        label=_("Anonymous"),
        required=False,
        help_text=_("Answers cannot be joined to whoever gave them, by anyone. Fixed once somebody has answered."),
        widget=UnfoldBooleanSwitchWidget,
    )
    smallest_group = _number(
        _("Smallest group shown"),
        3,
        100,
        required=True,
        help_text=_("Reports of anonymous surveys show no smaller one."),
    )
    opens_at = _moment(_("Opens"))
    closes_at = _moment(_("Closes"))
    response_limit = _number(
        _("Answers at most"), 1, 10**8, help_text=_("Empty: without limit. Not one more is counted.")
    )
    ask_every_days = _number(
        _("Days between two invitations"), 1, 3650, required=True, help_text=_("Nobody is asked this again before.")
    )
    thanks_points = _number(
        _("Points as thanks"), 0, 10**6, required=True, help_text=_("Given once, whatever is answered. 0: none.")
    )
    thanks_days = _number(_("They expire after (days)"), 1, 3650, help_text=_("Empty: as points usually do."))

    parts = (
        (_("Who answers, and how"), ("ways", "languages", "anonymous", "smallest_group")),
        (_("When"), ("opens_at", "closes_at", "response_limit", "ask_every_days")),
        (_("Thanks"), ("thanks_points", "thanks_days")),
    )

    def __init__(self, *args: Any, survey: Survey, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(survey, name) for name in self.base_fields}
        super().__init__(*args, **kwargs)
        self.survey = survey
        self.answered = Response.objects.filter(survey=survey)
        if self.answered.exists():
            self.fields["anonymous"].disabled = True

    def sections(self) -> list[tuple[Any, list[Any]]]:
        return [(title, [self[name] for name in names]) for title, names in self.parts]

    def clean_response_limit(self) -> int | None:
        limit = self.cleaned_data["response_limit"]
        done = self.answered.filter(state="complete").count()
        if limit is not None and limit < done:
            raise forms.ValidationError(_("There are %(n)d answers already."), params={"n": done})
        return limit

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        opens, closes = given.get("opens_at"), given.get("closes_at")
        if opens and closes and closes <= opens:
            self.add_error("closes_at", _("It has to close after it opens."))
        return given


def settings(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    may = model_admin.has_change_permission(request)
    form = SettingsForm(request.POST if request.method == "POST" else None, survey=survey)
    if request.method == "POST":
        if not may:
            raise PermissionDenied
        if form.is_valid():
            try:
                save_draft(survey_id=survey.pk, at=now(), **form.cleaned_data)
            except Locked:
                form.add_error("anonymous", _("Somebody has answered meanwhile, so this is fixed."))
            else:
                messages.success(request, gettext("The settings of “%(name)s” are saved.") % {"name": survey})
                return redirect("admin:surveys_survey_settings", survey.pk)
    return tabs.draw(
        model_admin, request, survey, "surveys/admin/settings.html", tab="settings", form=form, may=may,
    )  # fmt: skip


# --- Quotas -------------------------------------------------------------------------------------------------------
class QuotaForm(forms.Form):
    who = forms.ChoiceField(label=_("Of those who answered"), required=False, widget=UnfoldAdminSelectWidget)
    tier: forms.ModelChoiceField = forms.ModelChoiceField(
        Tier.objects.order_by("rank"), label=_("Only members of the tier"), required=False,
        empty_label=_("all"), widget=UnfoldAdminSelectWidget,
    )  # fmt: skip
    segment: forms.ModelChoiceField = forms.ModelChoiceField(
        Segment.objects.filter(archived_at=None).order_by("name"), label=_("Only members in the segment"),
        required=False, empty_label=_("all"), widget=UnfoldAdminSelectWidget,
    )  # fmt: skip
    age_from = _number(_("From the age of"), 0, 150)
    age_to = _number(_("Up to the age of"), 0, 150)
    city = forms.CharField(
        label=_("Only from the city"), max_length=100, required=False, widget=UnfoldAdminTextInputWidget
    )
    most = _number(_("Answers at most"), 1, 10**8, required=True)
    of_members = ("tier", "segment", "age_from", "age_to", "city")

    def __init__(self, *args: Any, offered: list[tuple[str, Any, Any]], anonymous: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered
        if anonymous:
            for name in self.of_members:
                del self.fields[name]
        choices: list[tuple[str, Any]] = [("", _("all"))]
        choices += [(str(n), f"{title} – {words}") for n, (title, words, _condition) in enumerate(offered)]
        self.fields["who"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not given["who"] and not self._told(given):
            self.add_error("who", _("Please say of which answers, or of which members."))
        return given

    def _told(self, given: dict[str, Any]) -> list[str]:
        return [name for name in self.of_members if given.get(name) not in (None, "")]

    @property
    def condition(self) -> Any:
        """On the answers; None: all of them."""
        return self.offered[int(self.cleaned_data["who"])][2] if self.cleaned_data["who"] else None

    @property
    def members(self) -> dict[str, Any] | None:
        """A tree of members.segments; None: everybody."""
        told = self.cleaned_data
        leaves = {
            "tier": lambda tier: {"trait": "tier", "op": "any_of", "value": [tier.pk]},
            "segment": lambda segment: {"trait": "segment", "op": "any_of", "value": [segment.pk]},
            "age_from": lambda age: {"trait": "age", "op": "at_least", "value": age},
            "age_to": lambda age: {"trait": "age", "op": "at_most", "value": age},
            "city": lambda city: {"trait": "city", "op": "any_of", "value": [city]},
        }
        nodes = [leaves[name](told[name]) for name in self._told(told)]
        return {"all": nodes} if nodes else None

    @property
    def words(self) -> str:
        """What it is of, as its name."""
        told = self.cleaned_data
        words = []
        if told["who"]:
            title, said_so, _condition = self.offered[int(told["who"])]
            words.append(f"{title[:50]} – {said_so}")
        words += [f"{self.fields[name].label}: {told[name]}" for name in self._told(told)]
        return ", ".join(words)[:80]


def kinds_of_answers(survey: Survey) -> list[tuple[str, Any, Any]]:
    """The answers that a quota may be of: (question, in words, condition)."""
    language = get_language() or "en"
    try:
        read = read_draft(survey)
    except BadSurvey:
        return []
    found: list[tuple[str, Any, Any]] = []
    for question in read.questions():
        title = said(question.title, language)[:60]

        def one(op: str, value: Any, key: str = question.id) -> dict[str, Any]:
            return {"answer": key, "op": op, "value": value}

        if question.kind == QuestionKind.NPS:
            found += [
                (title, _("promoters (9–10)"), one("at_least", 9)),
                (title, _("passives (7–8)"), {"all": [one("at_least", 7), one("at_most", 8)]}),
                (title, _("detractors (0–6)"), one("at_most", 6)),
            ]
        elif question.kind in SCALES:
            low, high = question.low or 1, question.high or 5
            found += [(title, str(value), one("is", value)) for value in range(low, high + 1)]
        elif question.kind in (QuestionKind.SINGLE, QuestionKind.PICTURE, QuestionKind.MULTIPLE):
            op = "includes" if question.kind == QuestionKind.MULTIPLE else "is"
            found += [(title, said(choice.title, language), one(op, choice.id)) for choice in question.choices]
        elif question.kind == QuestionKind.CONSENT:
            found += [(title, _("Yes, I agree"), one("is", "yes")), (title, _("No"), one("is", "no"))]
    return found


def quotas(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """How many answers of which kind are wanted, and how many there are."""
    may = model_admin.has_change_permission(request)
    offered = kinds_of_answers(survey)
    anonymous = survey.anonymous
    adding = request.method == "POST" and "remove" not in request.POST
    form = QuotaForm(request.POST if adding else None, offered=offered, anonymous=anonymous)
    if request.method == "POST":
        if not may:
            raise PermissionDenied
        if not adding:
            told = request.POST["remove"]
            if told.isdecimal():
                remove_quota(survey_id=survey.pk, quota_id=int(told))
                messages.success(request, gettext("The quota is gone; answers are counted as before."))
            return redirect("admin:surveys_survey_quotas", survey.pk)
        if form.is_valid():
            try:
                made = save_quota(
                    survey_id=survey.pk, name=form.words, condition=form.condition, who=form.members,
                    most=form.cleaned_data["most"], at=now(),
                )  # fmt: skip
            except BadSurvey as bad:
                form.add_error(None, [problem.sentence for problem in bad.problems])
            else:
                messages.success(request, gettext("“%(name)s”: at most %(n)d.") % {"name": made, "n": made.most})
                return redirect("admin:surveys_survey_quotas", survey.pk)
    rows = [
        {"quota": quota, "full": quota.taken >= quota.most, "left": quota.most - quota.taken}
        for quota in Quota.objects.filter(survey=survey).order_by("pk")
    ]
    return tabs.draw(
        model_admin, request, survey, "surveys/admin/quotas.html", tab="quotas", form=form, rows=rows, may=may,
        offered=bool(offered) or not anonymous,
    )  # fmt: skip


tabs.register_page("settings/", settings, "settings", tab=_("Settings"), order=20)
tabs.register_page("quotas/", quotas, "quotas", tab=_("Quotas"), order=70)
