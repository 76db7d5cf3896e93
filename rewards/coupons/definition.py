"""Offer.definition read: JSON to frozen dataclasses. Numbers that are not whole are decimal strings.

{"currency": "EUR",                                      where there is any amount
 "amount": "50.00"                                       kind card: what is on it at first; nothing else is told
 "percent": "20", "most": "15.00",                       kind percent; `most` may be left out
 "amount": "5.00",                                       kind amount
 "free": 1,                                              kind free_item: so many units of `items`
 "buy": 2, "get": 1, "get_items": {…}, "get_percent": "100", "times": 3,     kind buy_x_get_y
 "items": {"products": [sku], "categories": [], "brands": []},   what it is for; empty: everything
 "exclude": {the same},
 "conditions": {"minimum": "20.00", "minimum_on": "basket" | "items", "stores": [], "channels": [],
                "weekdays": [0-6, Monday is 0], "hours": [["14:00", "17:00"]]},
 "bearer": true}                                         its codes are good before they are issued
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.money import to_minor
from members.enums import SalesChannel
from rewards.enums import OfferKind

MOST_MINOR = 10**12
MOST_UNITS = 1_000
_SHIPPING = "shipping"


class Problem(NamedTuple):
    """What is wrong, and where in the definition: "conditions.minimum"."""

    path: str
    sentence: Promise | str


class BadOffer(Exception):
    """A definition that cannot be. `problems` are all that were found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.path}: {p.sentence}" for p in problems))
        self.problems = problems


class Article(Protocol):
    """What a line of a basket says of itself."""

    @property
    def sku(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def brand(self) -> str: ...


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word.strip().casefold() for word in words)


@dataclass(frozen=True)
class Items:
    """A choice of articles: any of these products, any of these categories, any of these brands."""

    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.products or self.categories or self.brands)

    @cached_property
    def _wanted(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        return _folded(self.products), _folded(self.categories), _folded(self.brands)

    def names(self, line: Article) -> bool:
        """Whether the line is among them; upper and lower case are one."""
        products, categories, brands = self._wanted
        return (
            line.sku.strip().casefold() in products
            or line.category.strip().casefold() in categories
            or line.brand.strip().casefold() in brands
        )


@dataclass(frozen=True)
class Definition:
    """What an offer gives. Amounts are minor units of `currency`; None where there is no such thing."""

    kind: OfferKind
    currency: str = ""
    percent: Fraction = Fraction(0)
    most_minor: int | None = None
    amount_minor: int = 0
    free: int = 1
    buy: int = 0
    get: int = 0
    get_percent: Fraction = Fraction(100)
    times: int | None = None
    items: Items = field(default_factory=Items)
    get_items: Items = field(default_factory=Items)
    exclude: Items = field(default_factory=Items)
    minimum_minor: int = 0
    minimum_on_items: bool = False
    stores: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    hours: tuple[tuple[time, time], ...] = ()
    bearer: bool = False

    @property
    def in_money(self) -> bool:
        """Whether it speaks of amounts, and so is for one currency."""
        return bool(self.amount_minor or self.minimum_minor or self.most_minor)

    def takes(self, line: Article) -> bool:
        """Whether the line is one of those that the offer is for."""
        return (not self.items or self.items.names(line)) and not self.exclude.names(line)

    def gives(self, line: Article) -> bool:
        """Buy some, get some: whether the line is one of those to be had."""
        return (self.get_items.names(line) if self.get_items else self.takes(line)) and not self.exclude.names(line)

    def open_at(self, local: datetime) -> bool:
        """Whether it holds on this weekday at this hour, in the programme's time zone."""
        if self.weekdays and local.weekday() not in self.weekdays:
            return False
        now = local.time()
        return not self.hours or any(
            start <= now < end if start < end else now >= start or now < end for start, end in self.hours
        )

    def in_store(self, store: str) -> bool:
        return not self.stores or store.strip().casefold() in _folded(self.stores)

    def in_channel(self, channel: str) -> bool:
        return not self.channels or channel in self.channels


_SHAPES: dict[str, tuple[str, ...]] = {
    OfferKind.PERCENT: ("percent", "most"),
    OfferKind.AMOUNT: ("amount",),
    OfferKind.FREE_ITEM: ("free",),
    OfferKind.BUY_X_GET_Y: ("buy", "get", "get_items", "get_percent", "times"),
    OfferKind.FREE_SHIPPING: (),
    OfferKind.CARD: ("amount",),
}
_COMMON = ("currency", "items", "exclude", "conditions", "bearer")
_CONDITIONS = ("minimum", "minimum_on", "stores", "channels", "weekdays", "hours")


class _Reader:
    """Takes values out of a definition, and notes what is wrong with them."""

    def __init__(self, currency: Any) -> None:
        self.problems: list[Problem] = []
        self.currency = currency if isinstance(currency, str) else ""

    def wrong(self, path: str, sentence: Promise | str) -> None:
        self.problems.append(Problem(path, sentence))

    def known(self, told: Mapping[str, Any], names: Iterable[str], path: str = "") -> None:
        for name in sorted(set(told) - set(names)):
            self.wrong(path + name, _("There is no such setting."))

    def mapping(self, told: Any, path: str) -> Mapping[str, Any]:
        if told is None or isinstance(told, Mapping):
            return told or {}
        self.wrong(path, _("Please give a group of settings."))
        return {}

    def words(self, told: Any, path: str) -> tuple[str, ...]:
        if told is None:
            return ()
        if isinstance(told, list) and all(isinstance(word, str) and word.strip() for word in told):
            return tuple(dict.fromkeys(word.strip() for word in told))
        self.wrong(path, _("Please give a list of words."))
        return ()

    def items(self, told: Any, path: str) -> Items:
        told = self.mapping(told, path)
        self.known(told, ("products", "categories", "brands"), f"{path}.")
        kinds = ("products", "categories", "brands")
        return Items(*(self.words(told.get(kind), f"{path}.{kind}") for kind in kinds))

    def decimal(self, told: Any, path: str) -> Decimal | None:
        try:
            number = Decimal(told) if isinstance(told, str) else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite():
            self.wrong(path, _("Please give a number."))
            return None
        return number

    def percent(self, told: Any, path: str) -> Fraction:
        number = self.decimal(told, path)
        if number is not None and not (0 < number <= 100 and number == round(number, 2)):
            self.wrong(path, _("Please give a percentage above 0, up to 100, with two decimals at most."))
        return Fraction(number or 0)

    def amount(self, told: Any, path: str) -> int:
        number = self.decimal(told, path)
        if number is None:
            return 0
        if not self.currency:
            self.wrong("currency", _("Please say in which currency."))
            return 0
        try:
            minor = to_minor(number, self.currency)
        except ValueError:
            self.wrong(path, _("That has more decimals than the currency."))
            return 0
        if not 0 < minor <= MOST_MINOR:
            self.wrong(path, _("Please give an amount above 0."))
        return minor

    def count(self, told: Any, path: str) -> int:
        if isinstance(told, int) and not isinstance(told, bool) and 1 <= told <= MOST_UNITS:
            return told
        self.wrong(path, _("Please give a whole number from 1 to 1,000."))
        return 1

    def hours(self, told: Any, path: str) -> tuple[tuple[time, time], ...]:
        try:
            spans = tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in told or ())
        except (TypeError, ValueError):
            spans = ()
            self.wrong(path, _("Please give times as 14:00."))
        if any(start == end for start, end in spans):
            self.wrong(path, _("The end must be another than the beginning."))
        return spans


def parse(definition: Any, kind: OfferKind | str) -> Definition:
    """What `definition` says for an offer of this kind. BadOffer with all that is wrong."""
    kind = OfferKind(kind)
    if not isinstance(definition, Mapping):
        raise BadOffer([Problem("", _("Please give a group of settings."))])
    read = _Reader(definition.get("currency"))
    told = definition
    # A card is money: whoever brings it pays for whatever they like.
    read.known(told, (*(("currency",) if kind is OfferKind.CARD else _COMMON), *_SHAPES[kind]))
    conditions = read.mapping(told.get("conditions"), "conditions")
    read.known(conditions, _CONDITIONS, "conditions.")
    values: dict[str, Any] = {"kind": kind, "currency": read.currency}
    if kind is OfferKind.PERCENT:
        values["percent"] = read.percent(told.get("percent"), "percent")
        values["most_minor"] = read.amount(told["most"], "most") if told.get("most") is not None else None
    elif kind in (OfferKind.AMOUNT, OfferKind.CARD):
        values["amount_minor"] = read.amount(told.get("amount"), "amount")
    elif kind is OfferKind.FREE_ITEM:
        values["free"] = read.count(told.get("free", 1), "free")
    elif kind is OfferKind.BUY_X_GET_Y:
        values |= {name: read.count(told.get(name), name) for name in ("buy", "get")}
        values["get_items"] = read.items(told.get("get_items"), "get_items")
        values["get_percent"] = read.percent(told.get("get_percent", "100"), "get_percent")
        values["times"] = read.count(told["times"], "times") if told.get("times") is not None else None
    items = read.items(told.get("items"), "items")
    if kind is OfferKind.FREE_ITEM and not items:
        read.wrong("items", _("Please say which item is free."))
    if kind is OfferKind.FREE_SHIPPING and not items:
        items = Items(categories=(_SHIPPING,))
    channels = read.words(conditions.get("channels"), "conditions.channels")
    if set(channels) - set(SalesChannel.values):
        read.wrong("conditions.channels", _("There is no such channel."))
    weekdays = conditions.get("weekdays") or []
    if not isinstance(weekdays, list) or not all(type(day) is int and 0 <= day <= 6 for day in weekdays):
        read.wrong("conditions.weekdays", _("Weekdays are numbers from 0, Monday, to 6."))
        weekdays = []
    where = conditions.get("minimum_on", "basket")
    if where not in ("basket", "items"):
        read.wrong("conditions.minimum_on", _("The minimum is on the basket or on the items."))
    minimum = conditions.get("minimum")
    if not isinstance(told.get("bearer", False), bool):
        read.wrong("bearer", _("Please say yes or no."))
    values |= {
        "items": items,
        "exclude": read.items(told.get("exclude"), "exclude"),
        "minimum_minor": read.amount(minimum, "conditions.minimum") if minimum is not None else 0,
        "minimum_on_items": where == "items",
        "stores": read.words(conditions.get("stores"), "conditions.stores"),
        "channels": channels,
        "weekdays": tuple(sorted(set(weekdays))),
        "hours": read.hours(conditions.get("hours"), "conditions.hours"),
        "bearer": told.get("bearer", False) is True,
    }
    if read.problems:
        raise BadOffer(read.problems)
    return Definition(**values)
