"""What a marketer tells about an offer: a form on one side, an Offer with its definition on the other."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

from common.money import to_major, to_minor
from members.enums import Language, SalesChannel
from members.models import Segment
from members.queries import get_programme
from rewards.admin.rules.fields import Hours, Number, Whole, Words, choice, text_line, ticks
from rewards.coupons.definition import BadOffer, Definition, parse
from rewards.coupons.words import offer_words
from rewards.enums import OfferKind
from rewards.models import Offer

_COLUMNS = ("name_en", "name_zh_hans", "description_en", "description_zh_hans", "terms_en", "terms_zh_hans", "kind",
            "shared_code", "starts_at", "ends_at", "valid_days", "uses_limit", "uses_member", "stackable", "flash",
            "listed")  # fmt: skip
# What the form calls what the definition calls otherwise.
_FIELDS = {
    "exclude.products": "not_products",
    "exclude.categories": "not_categories",
    "exclude.brands": "not_brands",
    "get_items.products": "get_products",
    "get_items.categories": "get_categories",
    "get_items.brands": "get_brands",
    "items": "products",
}
_KINDS = ("products", "categories", "brands")
_CODES = (("own", _("a code of their own for each member")), ("shared", _("one code for everybody")))


def _area(label: Any, **kwargs: Any) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 2, "class": "desk-input"})
    return forms.CharField(label=label, required=False, max_length=2_000, widget=widget, **kwargs)


class Moment(forms.DateTimeField):
    def __init__(self, **kwargs: Any) -> None:
        attrs = {"type": "datetime-local", "class": "desk-input"}
        super().__init__(required=False, widget=forms.DateTimeInput(attrs=attrs, format="%Y-%m-%dT%H:%M"), **kwargs)


def _yes(label: Any, **kwargs: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, **kwargs)


class OfferForm(forms.Form):
    """`sections` says in which order, under which heading and when a field is of use; `values` is what save_offer
    takes, once the form is valid."""

    name_en = text_line(_("Name in English"), 80)
    name_zh_hans = text_line(_("Name in Chinese"), 80, required=False)
    description_en = _area(_("What members read, in English"))
    description_zh_hans = _area(_("What members read, in Chinese"))
    terms_en = _area(_("Small print in English"))
    terms_zh_hans = _area(_("Small print in Chinese"))

    kind = choice(_("Members get"), OfferKind.choices)
    percent = Number(label=_("Percent off"), min_value=Decimal(0))
    most = Number(label=_("At most"), min_value=Decimal(0), help_text=_("Empty: no limit."))
    amount = Number(label=_("Amount"), min_value=Decimal(0), help_text=_("Off the purchase; or on the gift card."))
    free = Whole(label=_("How many are free"))
    buy = Whole(label=_("Buy so many"))
    get = Whole(label=_("Get so many besides"))
    get_percent = Number(label=_("at percent off"), min_value=Decimal(0), help_text=_("100: free."))
    times = Whole(label=_("Times in a purchase"), help_text=_("Empty: as often as it fits."))

    products = Words(label=_("Only these articles"))
    categories = Words(label=_("Only these categories"))
    brands = Words(label=_("Only these brands"))
    get_products = Words(label=_("To be had: articles"))
    get_categories = Words(label=_("To be had: categories"))
    get_brands = Words(label=_("To be had: brands"))
    not_products = Words(label=_("Never these articles"))
    not_categories = Words(label=_("Never these categories"))
    not_brands = Words(label=_("Never these brands"))

    minimum = Number(label=_("Minimum spend"), min_value=Decimal(0))
    minimum_on = choice(
        _("The minimum is for"),
        (("basket", _("the whole purchase")), ("items", _("the articles that it is for"))),
        required=False,
    )
    stores = Words(label=_("Only in these stores"))
    channels = ticks(_("Only these channels"), SalesChannel.choices)
    weekdays = ticks(_("Only on"), [(str(n), name) for n, name in WEEKDAYS.items()])
    hours = Hours(label=_("Only at these hours"), help_text=_("The programme's time. Several with a comma between."))
    starts_at = Moment(label=_("From"))
    ends_at = Moment(label=_("Until"))
    flash = _yes(_("Flash offer: members see the time run out"))

    codes = choice(_("Members have"), _CODES)
    shared_code = text_line(_("The code"), 24, required=False, help_text=_("Letters from A to Z and digits."))
    uses_member = Whole(label=_("Times for each member"), help_text=_("Empty: as often as they like."))
    listed = _yes(_("Shown to all members who may use it"))
    valid_days = Whole(label=_("Days a coupon is valid"), help_text=_("From its issue. Empty: until the offer ends."))
    bearer = _yes(_("Codes in stock are good for whoever brings them (flyers)"))
    uses_limit = Whole(label=_("Only for the first"), help_text=_("Uses in all. Empty: no limit."))
    segment: Any = forms.ModelChoiceField(
        label=_("Only for the segment"),
        queryset=Segment.objects.filter(archived_at=None).order_by("name"),
        required=False,
        widget=forms.Select(attrs={"class": "desk-input"}),
    )
    stackable = _yes(_("Goes with other coupons that do"))
    unit_cost = Number(label=_("Cost to the shop"), min_value=Decimal(0), help_text=_("For reports. Of one use."))

    # (heading, hint, is it folded, fields, when it is of use)
    _SECTIONS: tuple[tuple[Any, Any, bool, str, str], ...] = (
        (_("Name"), "", False, "name_en name_zh_hans", ""),
        (_("Members get"), "", False, "kind percent most amount free buy get get_percent times", ""),
        (
            _("What it is for"),
            _("Empty: everything. Several words, in one field or in several: any of them."),
            False,
            "categories products brands",
            "kind!=card",
        ),
        (
            _("What is to be had"),
            _("Empty: the same. The cheapest is had first."),
            True,
            "get_categories get_products get_brands",
            "kind=buy_x_get_y",
        ),
        (_("Codes"), "", False, "codes shared_code uses_member listed valid_days bearer uses_limit", ""),
        (_("When"), _("Empty: always."), True, "starts_at ends_at flash weekdays hours", ""),
        (_("Which purchases"), "", True, "minimum minimum_on stores channels", "kind!=card"),
        (_("What it is never for"), "", True, "not_categories not_products not_brands", "kind!=card"),
        (_("Who, and with what"), "", True, "segment stackable unit_cost", ""),
        (
            _("What members read"),
            _("Beside the terms, which are said by themselves."),
            True,
            "description_en description_zh_hans terms_en terms_zh_hans",
            "",
        ),
    )
    _WHEN = {
        "percent": "kind=percent",
        "most": "kind=percent",
        "amount": "kind=amount,card",
        "free": "kind=free_item",
        "buy": "kind=buy_x_get_y",
        "get": "kind=buy_x_get_y",
        "get_percent": "kind=buy_x_get_y",
        "times": "kind=buy_x_get_y",
        "shared_code": "codes=shared",
        "uses_member": "codes=shared",
        "listed": "codes=shared",
        "valid_days": "codes=own",
        "bearer": "codes=own",
    }

    def __init__(self, *args: Any, offer: Offer | None = None, **kwargs: Any) -> None:
        self.offer, self.currency = offer, get_programme().currency
        kwargs.setdefault("initial", beginning(offer, self.currency))
        super().__init__(*args, **kwargs)

    # --- What is shown where ----------------------------------------------------------------------------------------
    def sections(self) -> Iterator[dict[str, Any]]:
        for n, (heading, hint, folds, names, when) in enumerate(self._SECTIONS):
            fields = [self[name] for name in names.split()]
            for field in fields:
                field.when = self._WHEN.get(field.name, "")
            told = any(field.value() not in (None, "", False, [], "basket") for field in fields)
            wrong = any(field.errors for field in fields)
            yield {
                "id": f"offer-section-{n}", "heading": heading, "hint": hint, "folds": folds, "fields": fields,
                "open": not folds or told or wrong, "when": when,
            }  # fmt: skip

    # --- What it means ----------------------------------------------------------------------------------------------
    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if self.errors:
            return given
        if given["codes"] == "shared" and not given["shared_code"]:
            self.add_error("shared_code", _("Please give the code."))
        try:
            self.parsed = parse(self._definition(given), given["kind"])
        except BadOffer as bad:
            self.refuse(bad)
        return given

    def refuse(self, bad: BadOffer) -> None:
        """Puts each problem beside the field that it belongs to."""
        for path, sentence in bad.problems:
            last = path.rpartition(".")[2]
            name = _FIELDS.get(path) or (last if last in self.fields else None)
            self.add_error(name, str(sentence))

    def _definition(self, given: dict[str, Any]) -> dict[str, Any]:
        kind = given["kind"]
        made: dict[str, Any] = {}
        own = {
            OfferKind.PERCENT: ("percent", "most"),
            OfferKind.AMOUNT: ("amount",),
            OfferKind.CARD: ("amount",),
            OfferKind.FREE_ITEM: ("free",),
            OfferKind.BUY_X_GET_Y: ("buy", "get", "get_percent", "times"),
        }
        for name in own.get(kind, ()):
            if given[name] is not None:
                made[name] = _text(given[name]) if isinstance(given[name], Decimal) else given[name]
        if kind == OfferKind.CARD:  # money: it is for everything
            return made | {"currency": self.currency}
        made["items"] = {name: given[name] for name in _KINDS if given[name]}
        made["exclude"] = {name: given[f"not_{name}"] for name in _KINDS if given[f"not_{name}"]}
        if kind == OfferKind.BUY_X_GET_Y:
            made["get_items"] = {name: given[f"get_{name}"] for name in _KINDS if given[f"get_{name}"]}
        conditions: dict[str, Any] = {name: given[name] for name in ("stores", "channels", "hours") if given[name]}
        if given["minimum"]:
            conditions |= {"minimum": _text(given["minimum"]), "minimum_on": given["minimum_on"] or "basket"}
        if given["weekdays"]:
            conditions["weekdays"] = [int(day) for day in given["weekdays"]]
        made["conditions"] = conditions
        if given["codes"] == "own" and given["bearer"]:
            made["bearer"] = True
        if {"most", "amount"} & made.keys() or "minimum" in conditions:
            made["currency"] = self.currency
        return {name: value for name, value in made.items() if value not in ({}, [], None)}

    def values(self) -> dict[str, Any]:
        """What services.coupons.offers.save_offer takes."""
        given = self.cleaned_data
        shared = given["codes"] == "shared"
        values = {name: given[name] for name in _COLUMNS} | {"segment": given["segment"]}
        values["shared_code"] = given["shared_code"] if shared else None
        values["listed"] = given["listed"] and shared
        values["valid_days"] = None if shared else given["valid_days"]
        values["name_zh_hans"] = given["name_zh_hans"] or None
        cost = given["unit_cost"]
        values["unit_cost_minor"] = None if cost is None else to_minor(round(cost, 2), self.currency)
        return values | {"definition": self._definition(given)}

    def sentences(self) -> list[dict[str, str]]:
        """What the offer does, in every language of the programme."""
        values = {name: value for name, value in self.values().items() if not name.endswith(("_en", "_zh_hans"))}
        return both_languages(Offer(**values), self.parsed)


def both_languages(offer: Offer, definition: Definition) -> list[dict[str, str]]:
    """The same in every language of the programme, the reader's first."""
    found = []
    for code in Language.values:
        with override(code):
            space = "" if code == Language.CHINESE else " "
            found.append({"language": code, "text": space.join(offer_words(offer, definition))})
    return sorted(found, key=lambda one: one["language"] != get_language())


def _text(number: Decimal) -> str:
    return f"{number.normalize():f}"


def beginning(offer: Offer | None, currency: str) -> dict[str, Any]:
    """What the form begins with."""
    if offer is None:
        return {"kind": OfferKind.PERCENT, "codes": "own", "get_percent": "100", "free": 1, "uses_member": 1}
    told, conditions = offer.definition, offer.definition.get("conditions", {})
    first: dict[str, Any] = {name: getattr(offer, name) for name in _COLUMNS}
    first |= {"segment": offer.segment_id, "codes": "shared" if offer.shared_code else "own"}
    first |= {name: told.get(name) for name in ("percent", "most", "amount", "free", "buy", "get", "times", "bearer")}
    first["get_percent"] = told.get("get_percent", "100")
    for prefix, group in (("", "items"), ("not_", "exclude"), ("get_", "get_items")):
        for name in _KINDS:
            first[prefix + name] = "\n".join(told.get(group, {}).get(name, []))
    first |= {name: conditions.get(name) for name in ("minimum", "minimum_on", "channels")}
    first["stores"] = "\n".join(conditions.get("stores", []))
    first["weekdays"] = [str(day) for day in conditions.get("weekdays", [])]
    first["hours"] = ", ".join(f"{start}–{end}" for start, end in conditions.get("hours", []))
    if offer.unit_cost_minor is not None:
        first["unit_cost"] = to_major(offer.unit_cost_minor, currency)
    return first
