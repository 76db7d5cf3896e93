"""Filters of the staff pages."""

from datetime import datetime

from babel.dates import format_date
from django import template
from django.utils.timezone import localtime
from django.utils.translation import get_language, to_locale

from common.money import format_money

register = template.Library()


@register.filter
def money(minor: int, currency: str) -> str:
    """Minor units as the reader's language writes them: {{ 1250|money:"EUR" }} → €12.50."""
    return format_money(minor, currency)


@register.filter
def moment(at: datetime | None) -> str:
    """A moment, short, in the active language and time zone: Nov 21, 2026 13:16."""
    return f"{day(at)} {localtime(at):%H:%M}" if at else ""


@register.filter
def day(at: datetime | None) -> str:
    """The day of a moment, short: Nov 21, 2026."""
    return format_date(localtime(at), "medium", locale=to_locale(get_language() or "en")) if at else ""
