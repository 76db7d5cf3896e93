"""What staff tell about a journey."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.forms_measures import MeasuresFields
from campaigns.forms_outgoing import SendingFields
from campaigns.journeys.definition import BadJourney, Problem
from campaigns.journeys.parser import parse
from campaigns.models import Topic
from campaigns.services.journeys.definitions import known
from campaigns.services.senders import channel_choices
from members.enums import Purpose


def _other_ways() -> list[tuple[str, Any]]:
    return [("", _("no other way")), *channel_choices()]


class JourneyForm(MeasuresFields, SendingFields):
    name = forms.CharField(label=_("Name"), max_length=120, widget=UnfoldAdminTextInputWidget)
    purpose = forms.ChoiceField(
        label=_("What members agreed to"), choices=Purpose.choices, widget=UnfoldAdminSelectWidget
    )
    holdout_percent = forms.DecimalField(
        label=_("Held out (%)"),
        min_value=0,
        max_value=50,
        max_digits=4,
        decimal_places=1,
        help_text=_("So many get nothing, drawn by lot: beside them it shows what the journey brings. 0: nobody."),
        widget=UnfoldAdminDecimalFieldWidget,
    )
    topic: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("About"),
        required=False,
        queryset=Topic.objects.filter(archived=False),
        widget=UnfoldAdminSelectWidget,
        help_text=_("Who does not want to hear of this topic does not get it."),
    )
    channel = forms.ChoiceField(label=_("Messages go by"), choices=channel_choices, widget=UnfoldAdminSelectWidget)
    otherwise = forms.ChoiceField(
        label=_("otherwise by"),
        choices=_other_ways,
        required=False,
        help_text=_("For members whom the first does not reach, or who did not agree to it."),
        widget=UnfoldAdminSelectWidget,
    )
    last = forms.ChoiceField(
        label=_("and else by"),
        choices=_other_ways,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    definition = forms.CharField(
        label=_("Journey as JSON"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 24, "spellcheck": "false", "autocomplete": "off"}),
    )
    problems: tuple[Problem, ...] = ()

    @property
    def channels(self) -> list[str]:
        """In the order of preference."""
        told = (self.cleaned_data.get(name) for name in ("channel", "otherwise", "last"))
        return list(dict.fromkeys(channel for channel in told if channel))

    def clean_purpose(self) -> str:
        purpose = self.cleaned_data["purpose"]
        if purpose not in ("greetings", "offers"):
            raise forms.ValidationError(_("Please choose greetings or offers."))
        return purpose

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("topic") and data["topic"].purpose != data.get("purpose"):
            self.add_error("topic", _("Members chose this topic for another purpose."))
        return data

    def clean_definition(self) -> Any:
        """A draft may be wrong: its problems are shown, and keep it from being published."""
        try:
            given = json.loads(self.cleaned_data["definition"])
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is not readable as JSON.")) from None
        if not isinstance(given, dict):
            raise forms.ValidationError(_("This is not readable as JSON."))
        try:
            parse(given, known())
        except BadJourney as bad:
            self.problems = tuple(bad.problems)
        return given


class TryForm(forms.Form):
    """Whom to walk through, and what they are assumed to do."""

    card = forms.CharField(
        label=_("Member"), help_text=_("Card number, e-mail or name."), widget=UnfoldAdminTextInputWidget
    )
    buys_after = forms.IntegerField(
        label=_("Buys after (days)"),
        required=False,
        min_value=0,
        max_value=730,
        help_text=_("Empty: never."),
        widget=UnfoldAdminIntegerFieldWidget,
    )


class WhoForm(forms.Form):
    card = forms.CharField(
        label=_("Member"), help_text=_("Card number, e-mail or name."), widget=UnfoldAdminTextInputWidget
    )
