"""The forms of tiers and of how members qualify."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from common.money import minor_digits, to_major, to_minor
from members.queries import get_programme
from rewards.enums import Combine, Downgrade, TierWindow
from rewards.models import RewardSettings, Tier

MOST = 2_000_000_000


def _number(label: Any, help_text: Any = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=1,
        max_value=MOST,
        required=False,
        help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget,
    )


class TierForm(forms.Form):
    name_en = forms.CharField(label=_("Name, in English"), max_length=40, widget=UnfoldAdminTextInputWidget)
    name_zh_hans = forms.CharField(
        label=_("Name, in Chinese"), max_length=40, required=False, widget=UnfoldAdminTextInputWidget
    )
    description_en = forms.CharField(
        label=_("What it is like, in English"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )
    description_zh_hans = forms.CharField(
        label=_("What it is like, in Chinese"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )
    above: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("Stands above"),
        queryset=Tier.objects.order_by("rank"),
        empty_label=None,
        widget=UnfoldAdminSelectWidget,
    )
    threshold = _number(_("Points earned"), _("Purchases and events; gifts do not count. Empty: not asked for."))
    spend = forms.DecimalField(
        label=_("Spend"),
        min_value=Decimal("0.01"),
        max_digits=12,
        decimal_places=4,
        required=False,
        help_text=_("In the programme's currency, less what was refunded. Empty: not asked for."),
        widget=UnfoldAdminDecimalFieldWidget,
    )
    visits = _number(_("Visits"), _("Days on which the member bought something. Empty: not asked for."))
    tenure_days = _number(_("Days of membership"), _("Since the member joined. Empty: not asked for."))
    combine = forms.ChoiceField(
        label=_("Must reach"), choices=Combine, initial=Combine.ALL, widget=UnfoldAdminRadioSelectWidget
    )
    multiplier = forms.DecimalField(
        label=_("Multiplier"),
        max_digits=4,
        decimal_places=2,
        min_value=Decimal("0.01"),
        help_text=_("What members of this tier earn on purchases: 1.5 is half as much again."),
        widget=UnfoldAdminDecimalFieldWidget,
    )
    color = forms.RegexField(
        label=_("Colour"),
        regex=r"^#[0-9a-fA-F]{6}$",
        required=False,
        help_text=_("Like #b08d57. Empty: none of its own."),
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "#b08d57"}),
    )

    def __init__(self, *args: Any, tier: Tier | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = get_programme().currency
        self.fields["spend"].label = f"{self.fields['spend'].label} ({self.currency})"
        first = tier.rank == 0 if tier else not Tier.objects.exists()
        gone = ["above"] if tier or first else []
        if first:  # everybody's
            gone += ["threshold", "spend", "visits", "tenure_days", "combine"]
        for name in gone:
            del self.fields[name]

    def clean_spend(self) -> int | None:
        """In minor units."""
        spend = self.cleaned_data["spend"]
        if spend is None:
            return None
        if round(spend, minor_digits(self.currency)) != spend:
            raise ValidationError(_("There is no smaller coin than that."))
        return to_minor(spend, self.currency)

    def values(self) -> dict[str, Any]:
        """The fields of the tier that this form sets, by name."""
        told = {name: value for name, value in self.cleaned_data.items() if name not in ("above", "spend")}
        return told | ({"spend_minor": self.cleaned_data["spend"]} if "spend" in self.fields else {})

    @staticmethod
    def initial_of(tier: Tier) -> dict[str, Any]:
        texts = ("name_en", "name_zh_hans", "description_en", "description_zh_hans", "color")
        same = (*texts, "threshold", "visits", "tenure_days", "combine")
        spend = None if tier.spend_minor is None else to_major(tier.spend_minor, get_programme().currency)
        plain = {"multiplier": f"{tier.multiplier.normalize():f}", "spend": spend}
        return plain | {name: getattr(tier, name) for name in same}


class QualifyingForm(forms.Form):
    tier_window = forms.ChoiceField(
        label=_("Members qualify over"),
        choices=TierWindow,
        help_text=_("In windows of a year, a tier that was reached is kept to the end of the next year."),
        widget=UnfoldAdminRadioSelectWidget,
    )
    downgrade = forms.ChoiceField(
        label=_("Members go down"),
        choices=Downgrade,
        help_text=_("One at a time: at most one tier a year."),
        widget=UnfoldAdminRadioSelectWidget,
    )
    grace_days = forms.IntegerField(
        label=_("Days of grace before they go down"),
        min_value=0,
        max_value=366,
        help_text=_("Who no longer reaches the tier keeps it for so long, and may reach it again."),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    notice_days = forms.IntegerField(
        label=_("Days of notice before"),
        min_value=0,
        max_value=180,
        help_text=_("So long before they lose a tier, members are told once. 0: never."),
        widget=UnfoldAdminIntegerFieldWidget,
    )

    @staticmethod
    def initial_of(kept: RewardSettings) -> dict[str, Any]:
        return {name: getattr(kept, name) for name in QualifyingForm.base_fields}
