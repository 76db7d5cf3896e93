"""Which answers a report is of."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.timezone import make_aware
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from surveys.enums import Way
from surveys.models import Survey
from surveys.queries_figures import segments_for, traits_in
from surveys.queries_report import Asked
from surveys.reaching import channel_names

SCOPES: tuple[tuple[str, Any], ...] = (
    ("month", _("month")),
    ("wave", _("wave")),
    ("way", _("way to answer")),
    ("language", _("language")),
    ("version", _("version")),
    ("tier", _("tier")),
    ("store", _("store")),
    ("product", _("product")),
    ("channel", _("channel of the invitation")),
)
CALENDAR = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31)))
TRAITS = ("tier", "store", "product", "channel")


def trait_words(trait: str, value: str) -> str:
    """A trait kept with an answer, as people call it."""
    return channel_names().get(value, value) if trait == "channel" else value


class ReportForm(forms.Form):
    """What to break down by, and which part to look at. Of an anonymous survey there are no parts: two that differ by
    one person would tell that one's answer."""

    of_anonymous = frozenset({"by"})  # what can be chosen there
    always: tuple[str, ...] = ("by", "since", "until")  # what is shown unfolded
    by = forms.ChoiceField(label=_("Break down by"), required=False)
    since = forms.DateField(
        label=pgettext_lazy("dates", "From"),
        required=False,
        validators=CALENDAR,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    until = forms.DateField(
        label=pgettext_lazy("dates", "To"),
        required=False,
        validators=CALENDAR,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    version = forms.ChoiceField(label=_("Version"), required=False)
    way = forms.ChoiceField(label=pgettext_lazy("survey", "Way"), required=False)
    tier = forms.ChoiceField(label=_("Tier"), required=False)
    store = forms.ChoiceField(label=_("Store"), required=False)
    product = forms.ChoiceField(label=_("Product"), required=False)
    channel = forms.ChoiceField(label=_("Channel of the invitation"), required=False)
    segment = forms.ChoiceField(label=_("Segment"), required=False)

    def __init__(self, *args: Any, survey: Survey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {} if survey.anonymous else traits_in(survey)
        segments = segments_for(survey)
        scopes = [(key, name) for key, name in SCOPES if key not in TRAITS or key in known]
        if survey.anonymous:
            scopes = [(key, name) for key, name in scopes if key != "wave"]
        scopes += [(f"segment:{pk}", name) for pk, name in segments]
        self._choices("by", scopes, _("nothing"))
        self._choices("version", [(str(n), str(n)) for n in range(survey.number, 0, -1)])
        self._choices("way", Way.choices)
        for trait in TRAITS:
            self._choices(trait, [(value, trait_words(trait, value)) for value in known.get(trait, ())])
        self._choices("segment", [(str(pk), name) for pk, name in segments])
        for name in list(self.fields):
            if (survey.anonymous and name not in self.of_anonymous) or (name in TRAITS and name not in known):
                del self.fields[name]
        for field in self.fields.values():
            field.widget.attrs["class"] = "desk-input"

    def _choices(self, name: str, choices: Any, empty: Any = None) -> None:
        self.fields[name].choices = [("", empty or _("all")), *choices]  # type: ignore[attr-defined]

    @property
    def first(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name in self.always]

    @property
    def more(self) -> list[forms.BoundField]:
        """What is folded away until something of it is chosen."""
        return [field for field in self.visible_fields() if field.name not in self.always]

    @property
    def more_chosen(self) -> bool:
        return any(field.value() or field.errors for field in self.more)

    @property
    def told(self) -> dict[str, Any]:
        """What was chosen and can be read."""
        if not self.is_bound:
            return {}
        self.full_clean()
        return self.cleaned_data

    @property
    def chosen_by(self) -> str:
        return self.told.get("by") or ""


def asked_by(survey: Survey, form: ReportForm) -> Asked:
    return asked_for(survey.pk, form.told)


def asked_for(survey_id: int, told: Mapping[str, Any]) -> Asked:
    """What was chosen in the form, by its fields."""
    since, until = told.get("since"), told.get("until")
    return Asked(
        survey_id,
        since=make_aware(datetime.combine(since, time.min)) if since else None,
        until=make_aware(datetime.combine(until + timedelta(days=1), time.min)) if until else None,
        version=int(told["version"]) if told.get("version") else None,
        way=told.get("way") or "",
        segment=int(told["segment"]) if told.get("segment") else None,
        traits=tuple((trait, told[trait]) for trait in TRAITS if told.get(trait)),
    )
