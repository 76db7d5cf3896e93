"""A case that staff write down, and what opens one by itself."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from members.models import PRESENT, Member
from members.queries import search
from surveys.definition import said
from surveys.enums import NUMERIC
from surveys.enums_cases import CaseChannel, CaseKind, Severity
from surveys.models import Category, Survey, SurveyVersion
from surveys.services.cases.opening import MOST


class NewCaseForm(forms.Form):
    who = forms.CharField(
        label=_("Member"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget,
        help_text=_("A name, phone, card number or e-mail that only one member has."),
    )  # fmt: skip
    contact = forms.EmailField(
        label=_("E-mail, if it is no member"), required=False, widget=UnfoldAdminEmailInputWidget
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=CaseKind.choices, widget=UnfoldAdminSelectWidget)
    severity = forms.ChoiceField(
        label=_("Severity"), choices=Severity.choices, initial=Severity.NORMAL, widget=UnfoldAdminSelectWidget
    )
    category: forms.ModelChoiceField = forms.ModelChoiceField(
        Category.objects.filter(archived_at=None), label=_("Category"), required=False, widget=UnfoldAdminSelectWidget
    )
    channel = forms.ChoiceField(
        label=_("How they told us"),
        choices=[(one.value, one.label) for one in (CaseChannel.PERSON, CaseChannel.PHONE, CaseChannel.EMAIL)],
        widget=UnfoldAdminSelectWidget,
    )
    text = forms.CharField(label=_("What they said"), max_length=MOST, widget=UnfoldAdminTextareaWidget)

    def clean_who(self) -> Member | None:
        told = self.cleaned_data["who"].strip()
        if not told:
            return None
        if told.startswith("#") and told[1:].isdecimal():
            return Member.objects.filter(PRESENT, pk=int(told[1:])).first()
        found = list(search(told)[:2])
        if len(found) != 1:
            raise ValidationError(
                _("Nobody, or more than one, is found by this. Please take a card number or a phone.")
            )
        return found[0]

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        if not told.get("who") and not told.get("contact") and "who" not in self.errors:
            self.add_error("who", _("Who is it?"))
        return told


def _asked() -> list[tuple[str, Any]]:
    """What a rule can look at: "3:q1" is a question of a survey, "3:" all its scales, ":" those of every survey."""
    found: list[tuple[str, Any]] = [(":", _("every survey: NPS of at most 6, CSAT of at most 2, CES of at most 3"))]
    language = get_language() or "en"
    newest = SurveyVersion.objects.filter(survey=OuterRef("pk"), number=OuterRef("number"))
    surveys = Survey.objects.filter(anonymous=False).annotate(asked=Subquery(newest.values("definition")))
    for survey in surveys.order_by("-changed_at", "pk"):
        scales: Any = _("unhappy by its scale: NPS of at most 6, CSAT of at most 2, CES of at most 3")
        rows = [
            (f"{survey.pk}:{question['id']}", said(question.get("title") or {}, language)[:90])
            for question in _numeric(survey.asked or survey.draft)
        ]
        found.append((survey.name, [(f"{survey.pk}:", scales), *rows]))
    return found


def _numeric(definition: Any) -> list[dict[str, Any]]:
    """The questions that are answered by a number, of a draft, too, which may hold anything."""
    try:
        questions = [question for section in definition["sections"] for question in section["questions"]]
        return [one for one in questions if one["kind"] in NUMERIC and isinstance(one["id"], str)]
    except (KeyError, TypeError):
        return []


class CaseRuleForm(forms.ModelForm):
    asked = forms.ChoiceField(label=_("which answers"), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = f"{self.instance.survey_id or ''}:{self.instance.question}"
        choices = _asked()
        known = {key for key, rows in choices for key, *_label in (rows if isinstance(rows, list) else [(key,)])}
        if own not in known:  # of a survey that does not ask it any more
            choices.append((own, f"{self.instance.survey or ''}: {self.instance.question}"))
        asked = self.fields["asked"]
        asked.choices, asked.initial = choices, own  # type: ignore[attr-defined]

    def clean_asked(self) -> tuple[int | None, str]:
        survey, _colon, question = self.cleaned_data["asked"].partition(":")
        return int(survey) if survey else None, question

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        if "asked" in told and "at_most" not in self.errors:
            one = bool(told["asked"][1])
            if one and told.get("at_most") is None:
                self.add_error("at_most", _("Please say up to which answer."))
            if not one and told.get("at_most") is not None:
                self.add_error("at_most", _("This goes with a single question."))
        return told
