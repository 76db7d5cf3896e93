"""What a marketer tells about a rule: a form on one side, a definition on the other."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from common.money import minor_digits, to_minor
from members.enums import Language, SalesChannel
from members.models import Segment
from members.queries import get_programme
from rewards.admin.rules import choices
from rewards.admin.rules.beginnings import DEFAULTS, LIMITS
from rewards.admin.rules.fields import Day, Hours, Ids, Number, Whole, Words, choice, text_line, ticks
from rewards.admin.rules.layout import FIELDS, SECTIONS, WHEN
from rewards.earning.definition import BadRule, parse
from rewards.earning.triggers import CUSTOM, KIND_MAX
from rewards.enums import Unit
from rewards.models import Offer, Tier

# What a rule gives, as one choice: the kind of its effect, and its unit.
GIVES = (
    ("per_amount", _("Points for the amount spent")),
    ("per_item", _("Points for each item")),
    ("fixed", _("A fixed number of points")),
    ("multiplier", _("More points on top: a multiplier")),
    ("cashback", _("Store credit: a share of the amount")),
    ("credit", _("Store credit: a fixed amount")),
    ("coupon", _("A coupon")),
)


class RuleForm(forms.Form):
    """`sections` says in which order, under which heading, and when a field is of use; `definition` is what it all
    means once the form is valid."""

    name_en = text_line(_("Name in English"), 80)
    name_zh_hans = text_line(_("Name in Chinese"), 80, required=False)
    description_en = text_line(_("The member's sentence in English"), 200, required=False)
    description_zh_hans = text_line(_("The member's sentence in Chinese"), 200, required=False)

    trigger = choice(_("Trigger"), ())
    custom_kind = text_line(_("Kind of event"), KIND_MAX, required=False, help_text=_("As the other system calls it."))
    event_data = forms.CharField(
        label=_("Only with these details"),
        required=False,
        help_text=_("One a line: course = barista"),
        widget=forms.Textarea(attrs={"rows": 2, "class": "desk-input", "spellcheck": "false"}),
    )

    gives = choice(_("Members get"), GIVES)
    points = Number(label=_("Points"), min_value=Decimal(0))
    per = Number(label=_("for each amount of"), min_value=Decimal(0))
    factor = Number(label=_("Times"), min_value=Decimal(0), help_text=_("2 doubles the points, 1.5 adds half."))
    stacking = choice(
        _("With other multipliers"),
        (("best", _("only the best counts")), ("all", _("it always counts, on top"))),
        required=False,
    )
    percent = Number(label=_("Percent"), min_value=Decimal(0))
    credit = Number(label=_("Amount"), min_value=Decimal(0))
    offer = choice(_("Coupon of the offer"), (), required=False)

    segments = Ids(label=_("In these segments"))
    not_segments = Ids(label=_("Not in these segments"))
    tiers = Ids(label=_("In these tiers"))

    products = Words(label=_("Only these articles"))
    categories = Words(label=_("Only these categories"))
    brands = Words(label=_("Only these brands"))
    stores = Words(label=_("Only in these stores"))
    channels = ticks(_("Only these channels"), SalesChannel.choices)
    minimum = Number(
        label=_("Minimum spend"), min_value=Decimal(0), help_text=_("Paid after discounts, for what counts.")
    )
    first_purchase = forms.BooleanField(label=_("Only the first purchase"), required=False)
    currency = text_line(
        _("Currency"), 3, required=False, help_text=_("Empty: the programme's for amounts, else every currency.")
    )

    starts = Day(label=_("First day"))
    ends = Day(label=_("Last day"))
    weekdays = ticks(_("Only on"), [(str(n), name) for n, name in WEEKDAYS.items()])
    hours = Hours(label=_("Only at these hours"), help_text=_("The programme's time. Several with a comma between."))

    not_products = Words(label=_("Never these articles"))
    not_categories = Words(label=_("Never these categories"))
    not_brands = Words(label=_("Never these brands"))

    limit_transaction = Whole(label=_("at most, each time"))
    limit_day = Whole(label=_("at most a day"))
    limit_week = Whole(label=_("at most a week"))
    limit_month = Whole(label=_("at most a month"))
    limit_lifetime = Whole(label=_("at most in all"))
    limit_times_day = Whole(label=_("times a day"))
    limit_times_lifetime = Whole(label=_("times in all"))
    limit_cooldown_hours = Whole(label=_("hours until it can come again"))
    over = choice(
        _("What goes over a limit"),
        (("clip", _("is cut: the member gets what is left")), ("reject", _("is not given at all"))),
        required=False,
    )
    budget = Number(label=_("Budget for all members"), min_value=Decimal(0))
    budget_money = Number(
        label=_("Budget in money"), min_value=Decimal(0), help_text=_("At what a point costs, as the settings say.")
    )

    rounding = choice(
        _("Fractions"), (("down", _("are dropped")), ("nearest", _("are rounded")), ("up", _("are rounded up"))),
        required=False,
    )  # fmt: skip
    pending_kind = choice(
        _("Can be spent"),
        (
            ("", _("at once")),
            ("days", _("after some days")),
            ("until", _("from a date")),
            ("event", _("once another system tells an event")),
        ),
        required=False,
    )
    pending_event = text_line(
        _("Event waited for"),
        KIND_MAX,
        required=False,
        help_text=_("As the other system calls it: order.delivered. Its data may name the purchase by its key."),
    )
    pending_days = Whole(label=_("Days"))
    pending_otherwise = choice(
        _("Without it after these days"),
        (("activate", _("they can be spent all the same")), ("cancel", _("they are taken back"))),
        required=False,
    )
    pending_until = Day(label=_("From"))
    expiry_kind = choice(
        _("Expire"),
        (
            ("rolling", _("some months after they were earned")),
            ("date", _("at the end of a fixed day")),
            ("inactivity", _("after months without any activity")),
            ("never", _("never")),
        ),
        required=False,
    )
    expiry_months = Whole(label=_("Months"))
    expiry_day = Whole(label=pgettext_lazy("of a month", "Day"))
    expiry_month = choice(_("Month"), [(str(n), name) for n, name in MONTHS.items()], required=False)
    expiry_years = Whole(label=_("Years on"), min_value=0, help_text=_("0: the first such day. 1: a year later."))
    counts_for_tier = forms.BooleanField(label=_("Counts for tiers"), required=False)

    definition: dict[str, Any]

    def __init__(self, *args: Any, fixed: bool = False, **kwargs: Any) -> None:
        """`fixed`: the rule was published once, so what sets it off and its unit stay."""
        super().__init__(*args, **kwargs)
        self.fixed = fixed
        self.programme = get_programme()
        self._offer_all()

    def _offer_all(self) -> None:
        options: dict[str, Any] = {
            "trigger": choices.triggers(),
            "offer": [("", "–"), *Offer.objects.order_by("name").values_list("pk", "name")],
            "segments": list(Segment.objects.filter(archived_at=None).order_by("name").values_list("pk", "name")),
            "tiers": [(tier.pk, tier.name) for tier in Tier.objects.all()],
        }
        options["not_segments"] = options["segments"]
        for name, found in options.items():
            kept = self.initial.get(name) or []
            known = {str(value) for value, _label in found}
            gone = [
                (value, f"#{value}") for value in (kept if isinstance(kept, list) else []) if str(value) not in known
            ]
            self.fields[name].choices = list(found) + gone  # type: ignore[attr-defined]
        if self.fixed:
            unit = self.initial.get("unit")
            allowed = [(kind, label) for kind, label in GIVES if unit_of(kind) == unit]
            self.fields["gives"].choices = allowed  # type: ignore[attr-defined]
            self.fields["trigger"].disabled = self.fields["custom_kind"].disabled = True

    # --- What is shown where ----------------------------------------------------------------------------------------
    def sections(self) -> Iterator[dict[str, Any]]:
        for n, (heading, hint, folds, names, when) in enumerate(SECTIONS):
            fields = [self[name] for name in names.split()]
            for field in fields:
                field.when = WHEN.get(field.name, "")
                field.usual = DEFAULTS.get(field.name, "")
            told = any(self._is_told(field) for field in fields)
            errors = any(field.errors for field in fields)
            yield {
                "id": f"rule-section-{n}", "heading": heading, "hint": hint, "folds": folds, "fields": fields,
                "open": not folds or told or errors, "when": when,
            }  # fmt: skip

    def _is_told(self, field: Any) -> bool:
        value = field.value()
        return value not in (None, "", False, [], DEFAULTS.get(field.name)) and str(value) != str(
            DEFAULTS.get(field.name)
        )

    # --- What it means ----------------------------------------------------------------------------------------------
    def clean_currency(self) -> str:
        return self.cleaned_data["currency"].strip().upper()

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if self.errors:
            return given
        try:
            self.definition = self._definition(given)
            parse(self.definition, self.trigger_of(given), unit_of(given["gives"]))
        except BadRule as bad:
            for problem in bad.problems:
                self.add_error(self._field_of(problem.path), str(problem.sentence))
        return given

    def trigger_of(self, given: dict[str, Any]) -> str:
        kind = given.get("custom_kind", "").strip()
        return f"{CUSTOM}{kind}" if given["trigger"] == CUSTOM else given["trigger"]

    def _field_of(self, path: str) -> str | None:
        steps = path.split(".")
        for n in range(len(steps), 0, -1):
            place = ".".join(steps[:n])
            last = steps[n - 1]
            for name in (FIELDS.get(place), last, f"limit_{last}"):
                if name in self.fields:
                    return name
        return None

    def _definition(self, given: dict[str, Any]) -> dict[str, Any]:
        gives = given["gives"]
        made: dict[str, Any] = {"effect": self._effect(given)}
        on_purchase = given["trigger"] == "purchase"
        conditions: dict[str, Any] = {name: given[name] for name in ("segments", "not_segments", "tiers")}
        if on_purchase:
            plain = ("products", "categories", "brands", "stores", "channels", "currency")
            conditions |= {name: given[name] for name in plain}
            conditions["minimum"] = _decimal(given["minimum"])
            if gives == "per_amount" or given["minimum"] is not None:  # amounts need one
                conditions["currency"] = given["currency"] or self.programme.currency
            conditions["first_purchase"] = given["first_purchase"]
            exclude = {name: given[f"not_{name}"] for name in ("products", "categories", "brands")}
            made["exclude"] = _told(exclude)
        conditions |= {
            "from": given["starts"] and given["starts"].isoformat(),
            "until": _day_after(given["ends"]),
            "weekdays": [int(day) for day in given["weekdays"]],
            "hours": given["hours"],
            "data": self._data(given["event_data"]) if given["trigger"] == CUSTOM else {},
        }
        made["conditions"] = _told(conditions)
        limits = {name: given[f"limit_{name}"] for name in LIMITS}
        made["limits"] = _told(limits)
        if made["limits"] and given["over"]:
            made["over"] = given["over"]
        if gives == "multiplier":
            made["stacking"] = given["stacking"] or "best"
        if gives != "coupon":
            made["rounding"] = given["rounding"] or "down"
            made["pending"] = self._pending(given)
            made["expiry"] = self._expiry(given)
            if gives not in ("cashback", "credit"):
                made["counts_for_tier"] = given["counts_for_tier"]
        return {name: part for name, part in made.items() if part not in ({}, None)}

    def _effect(self, given: dict[str, Any]) -> dict[str, Any]:
        match given["gives"]:
            case "per_amount":
                return {
                    "kind": "per_amount",
                    "points": self._needed("points", given),
                    "per": _decimal(given["per"]) or "1",
                }
            case "per_item" | "fixed" as kind:
                return {"kind": kind, "points": self._whole("points", given)}
            case "multiplier":
                return {"kind": "multiplier", "factor": self._needed("factor", given)}
            case "cashback":
                return {"kind": "cashback", "percent": self._needed("percent", given)}
            case "credit":
                amount = Decimal(self._needed("credit", given))
                try:
                    return {"kind": "fixed", "points": to_minor(amount, self.programme.currency)}
                except ValueError:
                    text = gettext("%(currency)s has no such fraction.") % {"currency": self.programme.currency}
                    raise forms.ValidationError({"credit": text}) from None
        if not given["offer"]:
            raise forms.ValidationError({"offer": gettext("Please choose the offer.")})
        return {"kind": "coupon", "offer": int(given["offer"])}

    @staticmethod
    def _needed(name: str, given: dict[str, Any]) -> str:
        if given[name] is None:
            raise forms.ValidationError({name: gettext("Please say how much.")})
        return _decimal(given[name]) or "0"

    @classmethod
    def _whole(cls, name: str, given: dict[str, Any]) -> int:
        value = Decimal(cls._needed(name, given))
        if value != int(value):
            raise forms.ValidationError({name: gettext("A whole number, please.")})
        return int(value)

    @staticmethod
    def _data(text: str) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        for line in filter(str.strip, text.splitlines()):
            key, equals, value = (part.strip() for part in line.partition("="))
            if not (key and equals and value):
                raise forms.ValidationError({"event_data": gettext("One a line: course = barista")})
            pairs[key] = value
        return pairs

    @staticmethod
    def _pending(given: dict[str, Any]) -> dict[str, Any] | None:
        match given["pending_kind"]:
            case "days":
                return {"days": given["pending_days"]}
            case "until":
                return {"until": given["pending_until"] and given["pending_until"].isoformat()}
            case "event":
                return {
                    "event": given["pending_event"].strip(),
                    "days": given["pending_days"],
                    "otherwise": given["pending_otherwise"] or "activate",
                }
        return None

    @staticmethod
    def _expiry(given: dict[str, Any]) -> dict[str, Any]:
        match given["expiry_kind"] or "rolling":
            case "rolling" | "inactivity" as kind:
                return {"kind": kind, "months": given["expiry_months"]}
            case "date":
                years = given["expiry_years"]
                return {
                    "kind": "date",
                    "month": int(given["expiry_month"] or 12),
                    "day": given["expiry_day"] or 31,
                    "years": 0 if years is None else years,
                }
        return {"kind": "never"}

    def wanted(self) -> dict[str, Any]:
        """What save_draft takes."""
        given = self.cleaned_data
        unit = unit_of(given["gives"])
        budget = given["budget"]
        if budget is not None:
            budget = to_minor(budget, self.programme.currency) if unit == Unit.CREDIT else int(budget)
        by_language = {Language.ENGLISH: "en", Language.CHINESE: "zh_hans"}
        return {
            "names": {code: given[f"name_{suffix}"] for code, suffix in by_language.items()},
            "descriptions": {code: given[f"description_{suffix}"] for code, suffix in by_language.items()},
            "trigger": self.trigger_of(given),
            "unit": unit,
            "definition": self.definition,
            "budget": budget,
            "budget_money": given["budget_money"] if unit == Unit.POINTS and given["gives"] != "coupon" else None,
        }

    def clean_budget(self) -> Decimal | None:
        budget = self.cleaned_data["budget"]
        if budget is not None:
            credit = unit_of(self.cleaned_data.get("gives", "")) == Unit.CREDIT
            digits = minor_digits(self.programme.currency) if credit else 0
            if budget != round(budget, digits):
                raise forms.ValidationError(_("A whole number, please.") if not credit else _("No such fraction."))
        return budget


def _day_after(day: date | None) -> str | None:
    return None if day is None or day == date.max else (day + timedelta(days=1)).isoformat()


def unit_of(gives: str) -> str:
    return Unit.CREDIT if gives in ("cashback", "credit") else Unit.POINTS


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _told(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if value not in (None, "", False, [], {})}
