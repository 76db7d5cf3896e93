"""Filters of the staff pages."""

from django import template

from common.moments import format_day, format_moment
from common.money import format_money

register = template.Library()
register.filter("day", format_day)
register.filter("moment", format_moment)


@register.filter
def money(minor: int, currency: str) -> str:
    """Minor units as the reader's language writes them: {{ 1250|money:"EUR" }} → €12.50."""
    return format_money(minor, currency)
