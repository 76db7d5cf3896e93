"""Forms of the calendar of occasions."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.enums import OccasionKind, OccasionRule
from campaigns.models import Occasion
from campaigns.occasions import LAST, countries, days_of
from members.rules import country_name

OWN_RULES = (OccasionRule.SOLAR, OccasionRule.LUNAR, OccasionRule.WEEKDAY, OccasionRule.EASTER, OccasionRule.DATED)
_NTH = [(1, _("first")), (2, _("second")), (3, _("third")), (4, _("fourth")), (LAST, _("last"))]
_WEEKDAYS = list(
    enumerate((_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday")))
)
_NEEDS = {
    OccasionRule.SOLAR: ("month", "day"),
    OccasionRule.LUNAR: ("month", "day"),
    OccasionRule.WEEKDAY: ("month", "nth"),
    OccasionRule.EASTER: (),
    OccasionRule.DATED: (),
}


class CountriesForm(forms.Form):
    """The countries whose days the shop keeps."""

    codes = forms.MultipleChoiceField(
        label=_("Countries"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        choices=lambda: sorted(((code, country_name(code)) for code in countries()), key=lambda pair: pair[1]),
    )


class MoveForm(forms.Form):
    """Where a coming of an occasion falls instead, and why."""

    day = forms.DateField(label=_("Falls on"), widget=UnfoldAdminDateWidget)
    takes_place = forms.BooleanField(
        label=_("Takes place"),
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Off: this once, nothing is sent for it."),
    )
    note = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)


class OwnDayForm(forms.ModelForm):
    """A day of the shop's own: its names and when it comes. Which numbers count depends on the rule."""

    on = forms.DateField(
        label=_("Day"),
        required=False,
        widget=UnfoldAdminDateWidget,
        help_text=_("For single days. More can be added later, one at a time."),
    )

    class Meta:
        model = Occasion
        fields = ("name_en", "name_zh_hans", "rule", "month", "day", "nth", "weekday", "offset", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = dict(OccasionRule.choices)
        choices: dict[str, list] = {
            "rule": [(rule.value, labels[rule]) for rule in OWN_RULES],
            "nth": _NTH,
            "weekday": _WEEKDAYS,
        }
        for name, pairs in choices.items():
            number = {} if name == "rule" else {"coerce": int, "empty_value": 0}
            kind: Any = forms.ChoiceField if name == "rule" else forms.TypedChoiceField
            old = self.fields[name]
            self.fields[name] = kind(
                label=old.label, choices=pairs, required=name == "rule", widget=UnfoldAdminSelectWidget, **number
            )
        for name in ("month", "day", "offset"):
            self.fields[name].required = False
        self.fields["day"].label = _("Day of the month")
        self.fields["day"].help_text = _("30 in a short lunar month means its last day.")
        self.fields["offset"].help_text = _("Days after that weekday or Easter Sunday; negative: before.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in ("month", "day", "nth", "weekday", "offset"):
            cleaned[name] = cleaned.get(name) or 0
        rule = OccasionRule(cleaned.get("rule") or OccasionRule.SOLAR)
        for name in ("month", "day"):
            if name in _NEEDS[rule] and not cleaned[name] and name not in self.errors:
                self.add_error(name, _("Please give a number."))
        if rule == OccasionRule.DATED and not cleaned.get("on") and not self.instance.pk:
            self.add_error("on", _("Please choose a day."))
        if rule == OccasionRule.WEEKDAY and not cleaned["nth"]:
            cleaned["nth"] = 1
        if not self.errors:
            self._try(rule, cleaned)
        return cleaned

    def _try(self, rule: OccasionRule, cleaned: dict[str, Any]) -> None:
        """Refuses a day that no year has, such as 31 April."""
        self.instance.kind = OccasionKind.OWN
        for name in ("rule", "month", "day", "nth", "weekday", "offset"):
            setattr(self.instance, name, cleaned[name])
        try:
            for year in (2024, 2025):
                days_of(self.instance.as_rule(), year)
        except ValueError:
            self.add_error("day", _("There is no such day."))
