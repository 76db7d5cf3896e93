"""The editor of a reward: money as people write it, a picture, and what a kind needs."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from common.money import to_major, to_minor
from members.models import Segment
from members.queries import get_programme
from rewards.enums import RewardKind
from rewards.models import Redemption, Reward, RewardPrice, RewardSession
from rewards.queries_catalogue import BY_CODE
from rewards.services.pictures import PictureRefused, encode


class MoneyField(forms.DecimalField):
    """Minor units in the model, major units on the page. The currency is the programme's."""

    def __init__(self, **kwargs: Any) -> None:
        self.currency = get_programme().currency
        kwargs.setdefault("min_value", Decimal(0))
        kwargs.setdefault("max_digits", 12)
        kwargs.setdefault("widget", UnfoldAdminDecimalFieldWidget)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return to_major(value, self.currency) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        major = super().clean(value)
        if major is None:
            return None
        try:
            return to_minor(major, self.currency)
        except ValueError as error:
            words = {"currency": self.currency}
            raise ValidationError(gettext("%(currency)s has no such fraction.") % words) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PriceForm(forms.ModelForm):
    class Meta:
        model = RewardPrice
        fields = ("tier", "points", "money_minor")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _money(self, "money_minor", _("plus money"))

    def clean_money_minor(self) -> int:
        return self.cleaned_data.get("money_minor") or 0


def _money(form: forms.ModelForm, name: str, label: Any, help_text: Any = "") -> None:
    if name in form.fields:
        form.fields[name] = MoneyField(label=capfirst(str(label)), required=False, help_text=help_text)


class SessionForm(forms.ModelForm):
    class Meta:
        model = RewardSession
        fields = ("starts_at", "place", "capacity", "closes_at")

    def clean_capacity(self) -> int:
        capacity = self.cleaned_data["capacity"]
        booked = RewardSession.objects.filter(pk=self.instance.pk).values_list("booked", flat=True).first() or 0
        if capacity < booked:
            raise ValidationError(gettext("%(n)d places are taken already.") % {"n": booked})
        return capacity

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        starts, closes = told.get("starts_at"), told.get("closes_at")
        if starts and closes and closes > starts:
            self.add_error("closes_at", _("Booking ends before the date begins."))
        return told


class RewardForm(forms.ModelForm):
    picture = forms.FileField(
        label=_("Add a picture"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text=_(
            "JPEG, PNG or WebP up to 12 MB. It is made small, and what the file says of place and camera goes."
        ),
    )
    picture_alt_en = forms.CharField(
        label=_("What it shows (English)"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget
    )
    picture_alt_zh_hans = forms.CharField(
        label=_("What it shows (Simplified Chinese)"),
        max_length=120,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        widgets = {
            f"{field}_{language}": UnfoldAdminTextareaWidget(attrs={"rows": 4})
            for field in ("description", "terms")
            for language in ("en", "zh_hans")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _money(self, "money_minor", _("plus money"))
        _money(self, "unit_cost_minor", _("cost to the shop"), _("For reports; members never see it."))
        _money(self, "credit_minor", _("store credit"), _("For store credit: how much the member gets."))
        if "stock" in self.fields:  # what somebody redeems meanwhile is not written over: rewards.services.catalogue
            self.fields["stock"].show_hidden_initial = True
        if "segment" in self.fields:
            own = self.instance.segment_id
            live = Segment.objects.filter(archived_at=None) | Segment.objects.filter(pk=own)
            self.fields["segment"].queryset = live  # type: ignore[attr-defined]
        if "kind" in self.fields and self.instance.pk and Redemption.objects.filter(reward=self.instance).exists():
            self.fields["kind"].disabled = True
            self.fields["kind"].help_text = _("It was redeemed already: another kind is another reward.")

    def stock_before(self) -> int | None:
        """What the person saw before they wrote the stock."""
        seen = self.data.get(self.add_initial_prefix("stock"), "")
        return int(seen) if seen.isdigit() else None

    def clean_money_minor(self) -> int:
        return self.cleaned_data.get("money_minor") or 0

    def clean_picture(self) -> Any:
        file = self.cleaned_data.get("picture")
        if file:
            try:
                encode(file)
            except PictureRefused as refused:
                raise ValidationError(str(refused.args[0])) from refused
            file.seek(0)
        return file

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        kind = told.get("kind") or self.instance.kind
        if kind == RewardKind.CREDIT and not told.get("credit_minor"):
            self.add_error("credit_minor", _("Please say how much credit it gives."))
        if kind in BY_CODE:
            if told.get("offer") is None:
                self.add_error("offer", _("Please choose the offer whose codes it gives."))
            elif told["offer"].shared_code:
                self.add_error("offer", _("This offer has one code for everybody. A reward needs codes of its own."))
        for first, last in (("visible_from", "visible_until"), ("redeemable_from", "redeemable_until")):
            if told.get(first) and told.get(last) and told[last] <= told[first]:
                self.add_error(last, _("This is before it begins."))
        total = told.get("limit_total")
        if total is not None and self.instance.pk:
            taken = Reward.objects.values_list("redeemed", flat=True).get(pk=self.instance.pk)
            if total < taken:
                self.add_error("limit_total", gettext("It was had %(n)d times already.") % {"n": taken})
        return told
