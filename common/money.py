"""Money between minor units (whole numbers, as stored and summed) and major units (as people write it)."""

from decimal import Decimal
from functools import cache, lru_cache

from babel.core import Locale
from babel.numbers import format_currency, get_currency_precision
from django.utils.translation import get_language, to_locale


@cache
def minor_digits(currency: str) -> int:
    """Decimal places of a currency (CLDR): 2 for EUR, 0 for JPY."""
    return get_currency_precision(currency)


def to_major(minor: int, currency: str) -> Decimal:
    """Minor units to major units: 1250 EUR cents → Decimal("12.50")."""
    return Decimal(minor).scaleb(-minor_digits(currency))


def to_minor(major: Decimal, currency: str) -> int:
    """Major units to minor units. ValueError where the currency has no such fraction."""
    minor = major.scaleb(minor_digits(currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{major} has more decimals than {currency}")
    return int(minor)


def format_money(minor: int, currency: str, language: str | None = None) -> str:
    """An amount as `language` (by default the active one) writes it: "€12.50"."""
    return _format_money(minor, currency, language or get_language() or "en")


@lru_cache(maxsize=10_000)  # a shop's prices are the same ones again and again
def _format_money(minor: int, currency: str, language: str) -> str:
    return format_currency(to_major(minor, currency), currency, locale=_locale(language))


def format_exact(major: Decimal, currency: str) -> str:
    """An amount that may be finer than the currency's coins: "€0.0125"."""
    return format_currency(major.normalize(), currency, locale=_locale(None), decimal_quantization=False)


@cache
def _locale_of(language: str) -> Locale:
    return Locale.parse(to_locale(language))


def _locale(language: str | None) -> Locale:
    return _locale_of(language or get_language() or "en")
