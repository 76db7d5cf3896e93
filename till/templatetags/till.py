"""Numbers and money as the till's pages show them."""

from babel.numbers import format_decimal
from django import template
from django.utils.translation import get_language, to_locale

from common.moments import format_last_day
from common.money import format_money
from rewards.codes import shown
from rewards.queries import points_text

register = template.Library()


register.filter("last_day", format_last_day)


@register.filter
def number(value: int) -> str:
    """A number as the active language writes it: 1,240."""
    return format_decimal(value, locale=to_locale(get_language() or "en"))


@register.filter
def money(minor: int, currency: str) -> str:
    """Minor units of a currency as the active language writes them: €12.50."""
    return format_money(minor, currency)


@register.filter
def in_points(points: int) -> str:
    """A number of points in words: "1,240 points"."""
    return points_text(points)


@register.filter
def code(stored: str) -> str:
    """A code in groups, as the member's page shows it."""
    return shown(stored)
