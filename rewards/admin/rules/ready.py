"""Rules to start from, and a whole programme on one page."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members.enums import Language
from rewards.admin.rules.choices import favourite
from rewards.enums import Unit


@dataclass(frozen=True, slots=True)
class Ready:
    """A rule with its names and the member's sentence in all languages."""

    key: str
    name: Promise
    sentence: Promise
    definition: dict[str, Any]
    trigger: str = "purchase"
    unit: str = Unit.POINTS

    def in_currency(self, currency: str) -> "Ready":
        """With the programme's currency, where amounts need one."""
        if self.definition["effect"]["kind"] not in ("per_amount", "cashback"):
            return self
        conditions = {**self.definition.get("conditions", {}), "currency": currency}
        return replace(self, definition={**self.definition, "conditions": conditions})

    def in_languages(self) -> dict[str, str]:
        """The form's fields for names and sentences."""
        fields: dict[str, str] = {}
        for language, suffix in ((Language.ENGLISH, "en"), (Language.CHINESE, "zh_hans")):
            with override(language):
                fields |= {f"name_{suffix}": str(self.name), f"description_{suffix}": str(self.sentence)}
        return fields


def rolling(months: int) -> dict[str, Any]:
    return {"kind": "rolling", "months": months}


def per_amount(points: str = "1", months: int = 12) -> Ready:
    return Ready(
        "per_amount",
        _("Points for every purchase"),
        _("Every purchase earns points."),
        {
            "effect": {"kind": "per_amount", "points": points, "per": "1"},
            "rounding": "down",
            "expiry": rolling(months),
            "counts_for_tier": True,
        },
    )


def welcome(points: int = 100, months: int = 12) -> Ready:
    return Ready(
        "welcome",
        _("Welcome bonus"),
        _("Points for joining."),
        {
            "effect": {"kind": "fixed", "points": points},
            "limits": {"times_lifetime": 1},
            "expiry": rolling(months),
            "counts_for_tier": False,
        },
        trigger="signed_up",
    )


def birthday(points: int = 200, months: int = 3) -> Ready:
    return Ready(
        "birthday",
        _("Birthday present"),
        _("Points on your birthday."),
        {"effect": {"kind": "fixed", "points": points}, "expiry": rolling(months), "counts_for_tier": False},
        trigger="birthday",
    )


def double_day(day: int = 1, factor: str = "2") -> Ready:
    return Ready(
        "double_day",
        _("More points on one day of the week"),
        _("On this day you earn double."),
        {
            "effect": {"kind": "multiplier", "factor": factor},
            "conditions": {"weekdays": [day]},
            "stacking": "best",
            "expiry": rolling(12),
            "counts_for_tier": False,
        },
    )


def ready_made() -> Iterator[Ready]:
    """All there are, for this shop: a category that really is bought, where one is needed."""
    category = favourite("categories")
    yield per_amount()
    yield double_day()
    yield Ready(
        "happy_hour",
        _("Happy hour"),
        _("On weekdays from 2 to 5 p.m. you earn double."),
        {
            "effect": {"kind": "multiplier", "factor": "2"},
            "conditions": {"weekdays": [0, 1, 2, 3, 4], "hours": [["14:00", "17:00"]]},
            "limits": {"day": 200},
            "over": "clip",
            "stacking": "best",
            "expiry": rolling(12),
            "counts_for_tier": False,
        },
    )
    yield Ready(
        "category",
        _("Bonus on a category"),
        _("Three times the points on our favourites."),
        {
            "effect": {"kind": "multiplier", "factor": "3"},
            "conditions": {"categories": [category]} if category else {},
            "stacking": "best",
            "expiry": rolling(12),
            "counts_for_tier": False,
        },
    )
    yield Ready(
        "per_item",
        _("Points for each piece"),
        _("Each piece earns points."),
        {
            "effect": {"kind": "per_item", "points": 5},
            "conditions": {"categories": [category]} if category else {},
            "expiry": rolling(12),
            "counts_for_tier": True,
        },
    )
    yield Ready(
        "delivered",
        _("Points once the order is delivered"),
        _("1 point for each 1.00 in our online shop, once your order has arrived."),
        {
            "effect": {"kind": "per_amount", "points": "1", "per": "1"},
            "conditions": {"channels": ["online"]},
            "pending": {"event": "order.delivered", "days": 30, "otherwise": "activate"},
            "rounding": "down",
            "expiry": rolling(12),
            "counts_for_tier": True,
        },
    )
    yield Ready(
        "first_purchase",
        _("First purchase"),
        _("Extra points for your first purchase."),
        {
            "effect": {"kind": "fixed", "points": 150},
            "conditions": {"first_purchase": True},
            "limits": {"times_lifetime": 1},
            "expiry": rolling(12),
            "counts_for_tier": False,
        },
    )
    yield Ready(
        "cashback",
        _("5 % back as store credit"),
        _("5 % of what you pay comes back as store credit."),
        {
            "effect": {"kind": "cashback", "percent": "5"},
            "pending": {"days": 14},
            "rounding": "down",
            "expiry": rolling(12),
        },
        unit=Unit.CREDIT,
    )
    yield welcome()
    yield birthday()
    yield Ready(
        "check_in",
        _("Check-in"),
        _("Points for scanning the code in our store."),
        {
            "effect": {"kind": "fixed", "points": 10},
            "limits": {"times_day": 1},
            "over": "reject",
            "expiry": rolling(12),
            "counts_for_tier": False,
        },
        trigger="check_in",
    )


def find(key: str) -> Ready | None:
    return next((one for one in ready_made() if one.key == key), None)
