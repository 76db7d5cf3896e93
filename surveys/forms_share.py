"""A link to a report: which part of it, for how long; and the same in words."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.timezone import localdate, make_aware
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from members.models import Segment
from surveys.enums import Way
from surveys.forms_report import SCOPES, TRAITS, ReportForm
from surveys.models import Survey

KEPT_DAYS, MOST_DAYS = 30, 366
OWN = ("title", "expires_on", "verbatims")


class ShareForm(ReportForm):
    of_anonymous = frozenset({"by", *OWN})
    title = forms.CharField(label=_("Title on the page"), max_length=120)
    expires_on = forms.DateField(
        label=_("Can be opened until"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("That day included."),
    )
    verbatims = forms.BooleanField(
        label=_("With what people wrote"),
        required=False,
        help_text=_(
            "Without who wrote it, e-mail addresses and long numbers; but people may name others. Please read it first."
        ),
    )
    field_order = (*OWN, "by")

    def __init__(self, *args: Any, survey: Survey, **kwargs: Any) -> None:
        today = localdate()
        first = {"title": survey.name, "expires_on": today + timedelta(days=KEPT_DAYS)}
        kwargs["initial"] = first | dict(kwargs.get("initial") or {})
        super().__init__(*args, survey=survey, **kwargs)
        self.fields["verbatims"].widget.attrs["class"] = "desk-check"

    def clean_expires_on(self) -> date:
        day, today = self.cleaned_data["expires_on"], localdate()
        if not today <= day <= today + timedelta(days=MOST_DAYS):
            raise ValidationError(gettext("Please choose a day from today on, within a year."))
        return day

    @property
    def own(self) -> list[Any]:
        return [self[name] for name in OWN]

    @property
    def part(self) -> list[Any]:
        return [field for field in self if field.name not in OWN]

    @property
    def expires_at(self) -> datetime:
        """The end of that day."""
        return make_aware(datetime.combine(self.cleaned_data["expires_on"] + timedelta(days=1), time.min))

    @property
    def chosen(self) -> dict[str, str]:
        """What is kept with the link, as read() takes it."""
        told = {name: value for name, value in self.cleaned_data.items() if name not in OWN and value}
        return {name: value.isoformat() if isinstance(value, date) else str(value) for name, value in told.items()}


def read(chosen: Mapping[str, str]) -> dict[str, Any]:
    """What a link keeps, as surveys.forms_report.asked_for takes it."""
    dates = {name: date.fromisoformat(chosen[name]) for name in ("since", "until") if name in chosen}
    return {**chosen, **dates}


def part_words(chosen: Mapping[str, str]) -> list[str]:
    """Which part of the answers it is, in words; none where it is all of them."""
    told = read(chosen)
    words = []
    if "since" in told:
        words.append(gettext("from %(when)s") % {"when": date_format(told["since"])})
    if "until" in told:
        words.append(gettext("until %(when)s") % {"when": date_format(told["until"])})
    if "segment" in told:
        segment = Segment.objects.filter(pk=told["segment"]).first()
        words.append(gettext("only “%(group)s”") % {"group": segment.name if segment else "–"})
    names = dict(SCOPES)
    words += [f"{names[trait]}: {told[trait]}" for trait in (*TRAITS, "version") if trait in told]
    if "way" in told:
        words.append(f"{names['way']}: {Way(told['way']).label}")
    return words


def by_words(chosen: Mapping[str, str]) -> str:
    """What it is broken down by, in words."""
    by = chosen.get("by", "")
    return str(dict(SCOPES).get(by, "")) or (pgettext("survey", "a segment") if by else "")
