"""Filters of the staff pages."""

from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from common.moments import format_day, format_last_day, format_moment
from common.money import format_money
from members.models import Member
from members.panels import TOP
from members.rules import country_name

register = template.Library()
register.filter("day", format_day)
register.filter("moment", format_moment)
register.filter("last_day", format_last_day)


@register.filter
def money(minor: int, currency: str) -> str:
    """Minor units as the reader's language writes them: {{ 1250|money:"EUR" }} → €12.50."""
    return format_money(minor, currency)


@register.filter
def address(member: Member) -> str:
    """Where a member lives, on one line."""
    place = f"{member.postal_code} {member.city}".strip()
    return ", ".join(part for part in (member.street, place, country_name(member.country)) if part)


@register.simple_tag(takes_context=True)
def panel(context: dict[str, Any], shown: dict[str, Any]) -> SafeString:
    """A panel of the member page (members.panels), with nothing of the page around it."""
    return render_panel(shown, context["request"])


def render_panel(shown: dict[str, Any], request: Any) -> SafeString:
    """The HTML of a panel. The reader's permissions are there as `perms`, as on every page."""
    name = "top_panel" if shown["panel"].column == TOP else "panel"
    return render_to_string(f"admin/member/{name}.html", shown, request)
