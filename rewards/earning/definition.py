"""What a version of a rule may say, read from its JSON into typed values. docs/earning.md describes every key.

Numbers that need not be whole come as decimal strings and become fractions: no award ever passes through a float.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from common.money import to_minor
from members.services.custom_events import KIND
from members.validators import validate_currency
from rewards.earning.reading import BadRule, Problem, Reader
from rewards.earning.triggers import PURCHASE, is_trigger, of_event
from rewards.enums import Unit

__all__ = ["BadRule", "Definition", "Problem", "parse"]

KINDS = ("per_amount", "per_item", "fixed", "multiplier", "cashback", "coupon")
PERIODS = ("day", "week", "month", "lifetime")
ROUNDINGS = ("down", "nearest", "up")
OF_PURCHASES = ("currency", "products", "categories", "brands", "stores", "channels", "minimum", "first_purchase")


@dataclass(frozen=True, slots=True)
class Effect:
    """`amount` is points per 1.00 (per_amount), per item, at once (fixed), the factor, or a share (cashback)."""

    kind: str
    amount: Fraction = Fraction(0)
    offer: int | None = None
    told: Mapping[str, Any] = field(default_factory=dict)  # as the definition has it, for the award's why


@dataclass(frozen=True, slots=True)
class Conditions:
    """Empty and None ask for nothing. Words are compared without case; hours are minutes of the local day, the end not
    included, and pass midnight where it is smaller than the start."""

    currency: str | None = None
    segments: frozenset[int] = frozenset()
    not_segments: frozenset[int] = frozenset()
    tiers: frozenset[int] = frozenset()
    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    minimum_minor: int | None = None
    first_purchase: bool = False
    since: date | None = None
    until: date | None = None
    weekdays: frozenset[int] = frozenset()
    hours: tuple[tuple[int, int], ...] = ()
    data: tuple[tuple[str, Any], ...] = ()
    # Asked of each purchase, so known beforehand.
    of_lines: bool = field(init=False, repr=False, compare=False)
    of_moment_or_member: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "of_lines", bool(self.products or self.categories or self.brands))
        moment = (self.since, self.until, self.weekdays, self.hours, self.stores, self.channels, self.data)
        member = (self.tiers, self.segments, self.not_segments, self.first_purchase)
        object.__setattr__(self, "of_moment_or_member", any(moment) or any(member))


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Lines that never earn by this rule."""

    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.products or self.categories or self.brands)


@dataclass(frozen=True, slots=True)
class Limits:
    """For each member, in the programme's time zone: units at once and per period, times, hours between."""

    transaction: int | None = None
    day: int | None = None
    week: int | None = None
    month: int | None = None
    lifetime: int | None = None
    times_day: int | None = None
    times_lifetime: int | None = None
    cooldown_hours: int | None = None

    def __bool__(self) -> bool:
        return self != _NO_LIMITS


_NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Pending:
    """Until so many days later, or until a local day begins; with `event`, until the member has an event of that kind,
    for which it waits `days`: then it can be spent all the same, or with `cancels` is taken back."""

    days: int = 0
    until: date | None = None
    event: str = ""
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class Expiry:
    """Rolling and inactivity: so many `months`. Date: at the end of `day`.`month`., `years` after the award's."""

    kind: str = "never"
    months: int = 0
    month: int = 0
    day: int = 0
    years: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    trigger: str
    unit: str
    effect: Effect
    conditions: Conditions = Conditions()
    exclude: Exclusions = Exclusions()
    limits: Limits = Limits()
    clips: bool = True  # at a cap: what is left is given; otherwise nothing
    rounding: str = "down"
    stacks: bool = False  # of multipliers: counts beside others, instead of only where it is the best
    pending: Pending | None = None
    expiry: Expiry = Expiry()
    counts_for_tier: bool = True


def parse(definition: Mapping[str, Any], trigger: str, unit: str) -> Definition:
    """The definition as typed values. BadRule with all its problems."""
    return _Reader(trigger, unit).read(definition)


class _Reader(Reader):
    def __init__(self, trigger: str, unit: str) -> None:
        super().__init__()
        self.trigger, self.unit = trigger, unit
        self.bought = trigger == PURCHASE

    def read(self, told: Mapping[str, Any]) -> Definition:
        if not is_trigger(self.trigger):
            self.wrong("trigger", _("Nothing of this name sets rules off."))
        if self.unit not in Unit.values:
            self.wrong("unit", _("Either points or store credit."))
        known = ("effect", "conditions", "exclude", "limits", "over", "rounding", "stacking", "pending", "expiry",
                 "counts_for_tier")  # fmt: skip
        told = self.part({"": told}, "", known)
        found = Definition(
            trigger=self.trigger,
            unit=self.unit,
            effect=self.effect(self.part(told, "effect")),
            conditions=self.conditions(self.part(told, "conditions")),
            exclude=self.exclusions(self.part(told, "exclude", ("products", "categories", "brands"))),
            limits=self.limits(self.part(told, "limits", Limits.__slots__)),
            clips=self.choice(told, "over", ("clip", "reject")) == "clip",
            rounding=self.choice(told, "rounding", ROUNDINGS),
            stacks=self.choice(told, "stacking", ("best", "all")) == "all",
            pending=self.pending(self.part(told, "pending", ("days", "until", "event", "otherwise"))),
            expiry=self.expiry(self.part(told, "expiry", ("kind", "months", "month", "day", "years"))),
            counts_for_tier=self.flag(told, "counts_for_tier", True),
        )
        needs = found.effect.kind == "per_amount" or found.conditions.minimum_minor is not None
        if needs and not found.conditions.currency:
            self.wrong("conditions.currency", _("Amounts need a currency."))
        if self.problems:
            raise BadRule(self.problems)
        return found

    # --- parts --------------------------------------------------------------------------------------------------------
    def effect(self, told: Mapping[str, Any]) -> Effect:
        kind = self.choice(told, "effect.kind", KINDS, default="")
        amount, offer = Fraction(0), None
        allowed: tuple[str, ...] = ("kind",)
        match kind:
            case "per_amount":
                allowed = ("kind", "points", "per")
                points, per = self.number(told, "effect.points"), self.number(told, "effect.per", default="1")
                amount = points / per if per else points
            case "per_item" | "fixed":
                allowed = ("kind", "points")
                amount = Fraction(self.whole(told, "effect.points", least=1) or 0)
            case "multiplier":
                allowed = ("kind", "factor")
                amount = self.number(told, "effect.factor")
                if 0 < amount <= 1:
                    self.wrong("effect.factor", _("More than 1."))
            case "cashback":
                allowed = ("kind", "percent")
                amount = self.number(told, "effect.percent") / 100
                if amount > 1:
                    self.wrong("effect.percent", _("At most 100."))
                if self.unit != Unit.CREDIT:
                    self.wrong("effect.kind", _("A share of the amount is given as store credit."))
            case "coupon":
                allowed = ("kind", "offer")
                offer = self.whole(told, "effect.offer", least=1)
                if offer is None:
                    self.wrong("effect.offer", _("Which offer?"))
        if not self.bought and kind in ("per_amount", "per_item", "multiplier", "cashback"):
            self.wrong("effect.kind", _("Only purchases can give this."))
        self.unknown(told, "effect", allowed)
        return Effect(kind, amount, offer, dict(told))

    def conditions(self, told: Mapping[str, Any]) -> Conditions:
        path = "conditions"
        known = (*OF_PURCHASES, "segments", "not_segments", "tiers", "from", "until", "weekdays", "hours", "data")
        self.unknown(told, path, known)
        for name in OF_PURCHASES:
            if not self.bought and told.get(name):
                self.wrong(f"{path}.{name}", _("Only purchases have this."))
        if self.bought and told.get("data"):
            self.wrong(f"{path}.data", _("Only events have this."))
        since, until = self.day(told, f"{path}.from"), self.day(told, f"{path}.until")
        if since and until and since >= until:
            self.wrong(f"{path}.until", _("The end must come after the start."))
        currency = self.currency(told)
        weekdays = self.ids(told, f"{path}.weekdays", least=0)
        if any(day > 6 for day in weekdays):
            self.wrong(f"{path}.weekdays", _("Days are numbers from 0, Monday, to 6, Sunday."))
        return Conditions(
            currency=currency,
            segments=self.ids(told, f"{path}.segments"),
            not_segments=self.ids(told, f"{path}.not_segments"),
            tiers=self.ids(told, f"{path}.tiers"),
            minimum_minor=self.minimum(told, currency),
            first_purchase=self.flag(told, f"{path}.first_purchase", False),
            since=since,
            until=until,
            weekdays=weekdays,
            hours=self.hours(told),
            data=self.data(told),
            **{name: self.texts(told, f"{path}.{name}") for name in ("products", "categories", "brands", "stores",
                                                                    "channels")},
        )  # fmt: skip

    def exclusions(self, told: Mapping[str, Any]) -> Exclusions:
        if told and not self.bought:
            self.wrong("exclude", _("Only purchases have this."))
        return Exclusions(**{name: self.texts(told, f"exclude.{name}") for name in Exclusions.__slots__})

    def limits(self, told: Mapping[str, Any]) -> Limits:
        return Limits(**{name: self.whole(told, f"limits.{name}", least=1) for name in Limits.__slots__})

    def pending(self, told: Mapping[str, Any]) -> Pending | None:
        if not told:
            return None
        days, until = self.whole(told, "pending.days", least=1, most=3650), self.day(told, "pending.until")
        if "event" in told:
            return self.until_told(told, days)
        if "otherwise" in told:
            self.wrong("pending.otherwise", _("Only what waits for an event can say this."))
        if (days is None) == (until is None):
            self.wrong("pending", _("Either a number of days or a date."))
        return Pending(days or 0, until)

    def until_told(self, told: Mapping[str, Any], days: int | None) -> Pending:
        event = told["event"]
        if not isinstance(event, str) or not KIND.fullmatch(event):
            self.wrong("pending.event", _("A kind is a word of small letters, digits, points, dashes and underscores."))
            event = ""
        elif of_event(event) == self.trigger:
            self.wrong("pending.event", _("This event sets the rule off: what it gives cannot wait for it."))
        if days is None:
            self.wrong("pending.days", _("How many days at most?"))
        if told.get("until"):
            self.wrong("pending.until", _("What waits for an event has a number of days."))
        cancels = self.choice(told, "pending.otherwise", ("activate", "cancel")) == "cancel"
        return Pending(days or 0, event=event, cancels=cancels)

    def expiry(self, told: Mapping[str, Any]) -> Expiry:
        if not told:
            return Expiry()
        kind = self.choice(told, "expiry.kind", ("rolling", "date", "inactivity", "never"), default="")
        if kind in ("rolling", "inactivity"):
            months = self.whole(told, "expiry.months", least=1, most=1200)
            if months is None and not any(problem.path == "expiry.months" for problem in self.problems):
                self.wrong("expiry.months", _("How many months?"))
            return Expiry(kind, months=months or 0)
        if kind == "date":
            month = self.whole(told, "expiry.month", least=1, most=12) or 12
            day = self.whole(told, "expiry.day", least=1, most=31) or 31
            years = self.whole(told, "expiry.years", least=0, most=100)
            if day > (29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31):
                self.wrong("expiry.day", _("The month has no such day."))
            return Expiry(kind, month=month, day=day, years=1 if years is None else years)
        return Expiry(kind or "never")

    def hours(self, told: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
        path, found = "conditions.hours", []
        for pair in self.listed(told, path):
            ends = [_minutes(end) for end in pair] if isinstance(pair, list | tuple) else []
            match ends:
                case [int(start), int(end)] if start != end and start < 24 * 60:
                    found.append((start, end))
                case _:
                    self.wrong(path, _("Hours are pairs of times: from 14:00 to 17:00."))
        return tuple(found)

    def minimum(self, told: Mapping[str, Any], currency: str | None) -> int | None:
        path = "conditions.minimum"
        if told.get("minimum") in (None, ""):
            return None
        minimum = self.number(told, path)
        if not minimum or not currency:
            return 0
        try:
            return to_minor(Decimal(str(told["minimum"])), currency)
        except ValueError:
            self.wrong(path, _("%(currency)s has no such fraction.") % {"currency": currency})
            return 0

    def currency(self, told: Mapping[str, Any]) -> str | None:
        value = told.get("currency")
        if not value:
            return None
        try:
            validate_currency(value)
        except (ValidationError, TypeError, AttributeError):
            self.wrong("conditions.currency", _("This is not a currency code."))
        return str(value)

    def data(self, told: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        value = told.get("data") or {}
        if not isinstance(value, Mapping) or any(isinstance(one, dict | list) for one in value.values()):
            self.wrong("conditions.data", _("Names with plain values."))
            return ()
        return tuple(value.items())


def _minutes(value: Any) -> int | None:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)|24:00", value) if isinstance(value, str) else None
    if found is None:
        return None
    return 24 * 60 if found[1] is None else int(found[1]) * 60 + int(found[2])
