"""Checks of single values. Each raises ValidationError with a sentence for the person who typed it."""

from functools import cache

from babel.core import Locale, get_global
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from stdnum import damm

from common.moments import time_zones

CARD_DIGITS = 12


@cache
def currencies() -> frozenset[str]:
    """ISO 4217 codes (CLDR)."""
    no_money = {"XXX", "XTS"}  # "no currency", and "for tests"
    return frozenset(get_global("all_currencies")) - no_money


@cache
def countries() -> frozenset[str]:
    """ISO 3166-1 codes of two letters (CLDR)."""
    made_up = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}  # CLDR's own
    return frozenset(code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha()) - made_up


def clean_card_number(text: str) -> str:
    """The digits of a card number as typed or scanned, spaces and dashes left out."""
    return "".join(c for c in text if c.isdigit()) if text.isascii() else ""


def validate_card_number(value: str) -> None:
    """The Damm check digit catches every single wrong digit and every swap of neighbours (Damm 2004)."""
    if value.isdigit() and len(value) != CARD_DIGITS:
        raise ValidationError(
            _("A card number has %(digits)d digits; this one has %(given)d."),
            code="card_number",
            params={"digits": CARD_DIGITS, "given": len(value)},
        )
    if not value.isdigit() or not damm.is_valid(value):
        raise ValidationError(
            _("This is not a card number: a digit is wrong or two are swapped. Please check it."), code="card_number"
        )


def validate_time_zone(value: str) -> None:
    if value not in time_zones():
        raise ValidationError(_("“%(value)s” is not a time zone."), code="time_zone", params={"value": value})


def validate_currency(value: str) -> None:
    if value not in currencies():
        raise ValidationError(_("“%(value)s” is not a currency code."), code="currency", params={"value": value})


def validate_country(value: str) -> None:
    """A country's code, or nothing."""
    if value and value not in countries():
        raise ValidationError(
            {"country": ValidationError(_("“%(value)s” is not a country's code."), params={"value": value})}
        )
