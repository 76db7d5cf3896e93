"""What is typed at the till."""

import re
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.money import to_major, to_minor
from rewards.codes import candidates
from rewards.earning.basket import Basket, BasketLine, gross_minor
from rewards.enums import OfferKind
from rewards.queries_coupons import Usable
from till.services.acts import SOURCE
from till.services.proof import CODE, PIN, Word

MOST_DIGITS = 9  # before the decimals: what is longer was scanned into the wrong field
LINES, MOST_LINES = 3, 60


def new_key() -> str:
    """The name of an act: whatever is sent again with it has one effect."""
    return str(uuid4())


class NumberField(forms.CharField):
    """A number as people type it, with a comma or a point; empty is None."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "max_length": 20, **kwargs})
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}

    def clean(self, value: Any) -> Decimal | None:
        text = re.sub(r"\s", "", super().clean(value)).replace(",", ".")
        if not text:
            return None
        try:
            number = Decimal(text) if re.fullmatch(r"[0-9.]+", text) else None
        except InvalidOperation:
            number = None
        if number is None:
            raise ValidationError(_("Please type a number, as 12.50."))
        if number >= 10**MOST_DIGITS:
            raise ValidationError(_("That is too long for an amount."))
        return number


class LineForm(forms.Form):
    """One article of a purchase. What is left empty does not count."""

    article = forms.CharField(label=_("Article"), required=False, max_length=80)
    category = forms.CharField(label=_("Kind"), required=False, max_length=80)
    quantity = NumberField(label=_("Quantity"))
    price = NumberField(label=_("Price each"))

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not self.errors and data["price"] is None and any(data[name] for name in ("article", "category")):
            self.add_error("price", _("What does it cost?"))
        return data

    def line(self) -> BasketLine | None:
        data = self.cleaned_data
        if data.get("price") is None:
            return None
        quantity = Decimal(1) if data["quantity"] is None else data["quantity"]
        article = data["article"].strip()
        return BasketLine(
            unit_price=data["price"],
            quantity=quantity,
            sku=article,
            name=article,
            category=data["category"].strip(),
        )


LineFormSet = forms.formset_factory(LineForm, extra=LINES, max_num=MOST_LINES, absolute_max=MOST_LINES)


class ActForm(forms.Form):
    """What every act carries: its key, and the member's word where it is asked for."""

    key = forms.RegexField(r"^[0-9a-f-]{36}$", widget=forms.HiddenInput)
    by = forms.ChoiceField(choices=[(PIN, PIN), (CODE, CODE)], required=False, widget=forms.HiddenInput)
    proof = forms.CharField(required=False, max_length=12)

    def word(self) -> Word:
        return Word(self.cleaned_data["by"], self.cleaned_data["proof"])


class PurchaseForm(ActForm):
    """A purchase: an amount, or articles (a LineFormSet), less coupons, paid with points and credit if they like."""

    amount = NumberField(label=_("Amount"))
    receipt = forms.CharField(label=_("Receipt number"), required=False, max_length=40)
    coupons = forms.MultipleChoiceField(label=_("Coupons"), required=False)
    code = forms.CharField(label=_("Another coupon code"), required=False, max_length=40)
    pay_points = NumberField(label=_("Pay with points"))
    pay_credit = NumberField(label=_("Pay with credit"))
    member_price = forms.BooleanField(required=False)
    seen = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, usable: list[Usable], currency: str, percent: Decimal = Decimal(0), **kwargs: Any
    ) -> None:
        """`percent`: what the member's own price takes off."""
        super().__init__(*args, **kwargs)
        self.currency, self.percent, self.usable = currency, percent, usable
        self.lines = LineFormSet(self.data or None, prefix="line")
        self.fields["coupons"].choices = [(one.code, one.code) for one in usable]  # type: ignore[attr-defined]

    @property
    def tapped(self) -> list[str]:
        """The coupons that are chosen, in a form that was sent or is new."""
        return self["coupons"].value() or []

    @property
    def free_shipping(self) -> list[str]:
        """Of the chosen coupons the names of those that take nothing off here."""
        chosen = set(candidates(self["code"].value() or "")) | set(self.tapped)
        return [
            one.offer.name
            for one in self.usable
            if one.definition.kind == OfferKind.FREE_SHIPPING and one.code in chosen
        ]

    def clean_pay_points(self) -> int:
        points = self.cleaned_data["pay_points"] or Decimal(0)
        if points != points.to_integral_value():
            raise ValidationError(_("Points are whole numbers."))
        return int(points)

    def clean_pay_credit(self) -> int:
        """In minor units."""
        try:
            return to_minor(self.cleaned_data["pay_credit"] or Decimal(0), self.currency)
        except ValueError as error:
            raise ValidationError(_("Please type a number, as 12.50.")) from error

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not self.lines.is_valid():
            raise ValidationError(_("Please look at the articles."))
        lines = tuple(line for line in (form.line() for form in self.lines) if line)
        if "amount" in self.errors:
            return data
        if lines and data["amount"] is not None:
            self.add_error("amount", _("Either an amount or articles, not both."))
        elif not lines and data["amount"] is None:
            self.add_error("amount", ValidationError(_("What does it come to?"), code="missing"))
        lines = lines or (BasketLine(unit_price=data.get("amount") or Decimal(0)),)
        data["lines"] = tuple(map(self._at_member_price, lines)) if data.get("member_price") else lines
        return data

    def _at_member_price(self, line: BasketLine) -> BasketLine:
        off = gross_minor(line.quantity, line.unit_price, self.currency) * self.percent / 100
        return replace(line, discount=to_major(int(off.to_integral_value(ROUND_HALF_UP)), self.currency))

    def basket(self, *, member_id: int, store: str) -> Basket:
        """As the checkout takes it. A receipt number stands before the key, where it is found again."""
        data = self.cleaned_data
        receipt = data["receipt"].strip()
        codes = dict.fromkeys([*data["coupons"], *([data["code"].strip()] if data["code"].strip() else [])])
        return Basket(
            member_id=member_id,
            source=SOURCE,
            key=f"{receipt} · {data['key']}" if receipt else data["key"],
            currency=self.currency,
            lines=data["lines"],
            store=store,
            coupons=tuple(codes),
            pay_points=data["pay_points"],
            pay_credit_minor=data["pay_credit"],
        )


class RewardForm(ActForm):
    """A reward, for an experience with its date."""

    session = forms.TypedChoiceField(label=_("Date"), required=False, coerce=int, empty_value=None)
    hand_over = forms.BooleanField(label=_("Hand it over now"), required=False)

    def __init__(self, *args: Any, sessions: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["session"].choices = [("", _("Choose a date")), *sessions]  # type: ignore[attr-defined]


class PlanForm(ActForm):
    """A membership, for money or points."""

    plan = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    pay = forms.ChoiceField(choices=[("money", "money"), ("points", "points")])  # the two are forms of their own


class BenefitForm(ActForm):
    benefit = forms.IntegerField(min_value=1, max_value=2**63 - 1)


class StoreForm(forms.Form):
    """Where this till stands."""

    store = forms.CharField(label=_("Shop"), max_length=80)
