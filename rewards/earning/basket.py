"""What a till tells of a purchase, checked and priced. Nothing here asks the database."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as of
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.money import minor_digits, to_minor
from members.enums import SalesChannel
from members.validators import validate_currency

MOST_MINOR = 10**12  # minor units of a basket: beyond it no purchase at a till is meant
MOST_LINES = 500
MOST_COUPONS = 20
MOST_QUANTITY = 10**6
AHEAD = timedelta(hours=24)  # clocks and time zones of tills are wrong now and then
BACK = timedelta(days=366)  # what is older comes in by a file of purchases
LENGTHS = {"sku": 80, "name": 200, "category": 80, "brand": 80, "store": 80, "source": 40, "key": 120}

_CHANNELS = frozenset(SalesChannel.values)
_told = json.JSONEncoder(sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class BasketLine:
    """One kind of thing: so many at so much each, in major units, less `discount` for the whole line."""

    unit_price: Decimal
    quantity: Decimal = Decimal(1)
    sku: str = ""
    name: str = ""
    category: str = ""
    brand: str = ""
    discount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Basket:
    """A purchase as a till tells it; (`source`, `key`) names it for ever. Without `at` it is bought when it is posted.
    `pay_points` and `pay_credit_minor` say what of it is paid with points and with store credit."""

    member_id: int
    source: str
    key: str
    currency: str
    lines: tuple[BasketLine, ...]
    at: datetime | None = None
    store: str = ""
    channel: str = SalesChannel.STORE
    coupons: tuple[str, ...] = ()
    pay_points: int = 0
    pay_credit_minor: int = 0

    @property
    def is_plain(self) -> bool:
        """Paid with money alone."""
        return not (self.coupons or self.pay_points or self.pay_credit_minor)

    def told(self) -> str:
        """All that was told, but for the member and the key: what tells it from another basket under its key."""
        told = {
            "at": self.at.astimezone(UTC).isoformat() if self.at else "",
            "channel": self.channel,
            "coupons": self.coupons,
            "currency": self.currency,
            "lines": [
                {
                    "brand": line.brand,
                    "category": line.category,
                    "discount": f"{line.discount.normalize():f}",
                    "name": line.name,
                    "quantity": f"{line.quantity.normalize():f}",
                    "sku": line.sku,
                    "unit_price": f"{line.unit_price.normalize():f}",
                }
                for line in self.lines
            ],
            "pay_credit_minor": self.pay_credit_minor,
            "pay_points": self.pay_points,
            "store": self.store,
        }
        return _told(told)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a basket is not taken: a code for programs, a sentence for people, the field it is about (as
    "lines.0.quantity"), and facts as JSON holds them."""

    code: str
    message: str
    field: str = ""
    facts: Mapping[str, Any] = of(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Priced:
    """A basket that can be taken. `lines` are the minor units of each, its own discount taken off; `discounts` what was
    taken off each."""

    basket: Basket
    at: datetime
    lines: tuple[int, ...]
    discounts: tuple[int, ...]

    @property
    def total_minor(self) -> int:
        return sum(self.lines)


class _Refused(Exception):
    def __init__(self, code: str, message: str, field: str = "", **facts: Any) -> None:
        super().__init__(code)
        self.refusal = Refusal(code, message, field, facts)


def price(basket: Basket, now: datetime) -> Priced | Refusal:
    """The basket with its prices in minor units, or what is wrong with it. Each line is rounded once, halves up."""
    try:
        at = _moment(basket.at, now)
        _texts(basket)
        _currency(basket.currency)
        if basket.channel not in _CHANNELS:
            known = ", ".join(SalesChannel.values)
            raise _Refused("channel", _("The channel is one of %(known)s.") % {"known": known}, "channel")
        if not basket.lines:
            raise _Refused("lines", _("A purchase has at least one line."), "lines")
        if len(basket.lines) > MOST_LINES:
            raise _Refused("lines", _("A purchase has at most %(n)s lines.") % {"n": MOST_LINES}, "lines")
        if len(basket.coupons) > MOST_COUPONS:
            raise _Refused("coupons", _("A purchase takes at most %(n)s coupons.") % {"n": MOST_COUPONS}, "coupons")
        for name, paid in (("points", basket.pay_points), ("credit", basket.pay_credit_minor)):
            if not 0 <= paid <= MOST_MINOR:
                raise _Refused("pay_with", _("What is paid is a number from 0 on."), f"pay_with.{name}")
        priced = [_line(line, basket.currency, f"lines.{n}") for n, line in enumerate(basket.lines)]
        total = sum(net for net, _discount in priced)
        if total > MOST_MINOR:
            raise _Refused("amount", _("This is more than a purchase can be."), "lines", total_minor=total)
        lines, discounts = zip(*priced, strict=True)
        return Priced(basket, at, lines, discounts)
    except _Refused as refused:
        return refused.refusal


def _moment(at: datetime | None, now: datetime) -> datetime:
    if at is None:
        return now
    if at.tzinfo is None:
        raise _Refused("at", _("The time needs its time zone."), "at")
    if at > now + AHEAD:
        hours = int(AHEAD.total_seconds() // 3600)
        text = ngettext(
            "The time is more than %(n)s hour ahead: is the clock right?",
            "The time is more than %(n)s hours ahead: is the clock right?",
            hours,
        )
        raise _Refused("at", text % {"n": hours}, "at")
    if at < now - BACK:
        text = _("The time is more than a year back: older purchases come in by a file.")
        raise _Refused("at", text, "at")
    return at


def _texts(basket: Basket) -> None:
    for name in ("source", "key", "store"):
        _text(getattr(basket, name), LENGTHS[name], name)
    for n, line in enumerate(basket.lines):
        for name in ("sku", "name", "category", "brand"):
            if text := getattr(line, name):
                _text(text, LENGTHS[name], name, n)
    if not basket.key:
        raise _Refused("key", _("A purchase needs a key of its own."), "key")


def _text(text: str, most: int, name: str, line: int | None = None) -> None:
    if len(text) > most or "\0" in text:
        path = name if line is None else f"lines.{line}.{name}"
        raise _Refused("text", _("At most %(n)s characters, all of them printable.") % {"n": most}, path)


def _currency(currency: str) -> None:
    try:
        validate_currency(currency)
    except ValidationError as problem:
        raise _Refused(
            "currency", _("“%(code)s” is not a currency code.") % {"code": currency}, "currency"
        ) from problem


def _line(line: BasketLine, currency: str, path: str) -> tuple[int, int]:
    """What the line costs in minor units, and what was taken off."""
    quantity, places = line.quantity, minor_digits(currency)
    if not quantity.is_finite() or not 0 < quantity <= MOST_QUANTITY or _finer(quantity, 3):
        text = _("A quantity is above 0 and has at most three decimals. What comes back is told as a refund.")
        raise _Refused("quantity", text, f"{path}.quantity")
    for name in ("unit_price", "discount"):
        value: Decimal = getattr(line, name)
        if not value.is_finite() or not 0 <= value <= MOST_MINOR:
            text = _("An amount is 0 or more, and less than a purchase can be.")
            raise _Refused("amount", text, f"{path}.{name}")
        if _finer(value, places):
            text = ngettext(
                "%(currency)s has %(n)s decimal at most.", "%(currency)s has %(n)s decimals at most.", places
            )
            raise _Refused("amount", text % {"currency": currency, "n": places}, f"{path}.{name}")
    gross = gross_minor(quantity, line.unit_price, currency)
    discount = to_minor(line.discount, currency)
    if discount > gross:
        raise _Refused("discount", _("A discount is at most what the line costs."), f"{path}.discount")
    return gross - discount, discount


def gross_minor(quantity: Decimal, unit_price: Decimal, currency: str) -> int:
    """What so many at so much come to in minor units, rounded once, halves up."""
    return int((quantity * unit_price).scaleb(minor_digits(currency)).to_integral_value(ROUND_HALF_UP))


def _finer(value: Decimal, places: int) -> bool:
    """Whether it has more decimals than that, zeros at its end aside."""
    exponent = value.as_tuple().exponent
    return -int(exponent) > places and -int(value.normalize().as_tuple().exponent) > places
