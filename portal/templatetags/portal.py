"""Numbers, money and fields as the portal's pages show them."""

from decimal import Decimal

import segno
from babel.numbers import format_decimal
from django import template
from django.forms import BoundField
from django.template import Context
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, pgettext_lazy, to_locale
from django.utils.translation import gettext_lazy as _
from heroicons.templatetags.heroicons import heroicon_mini

from campaigns.queries_inbox import unread_count
from common.moments import format_end, format_last_day
from common.money import format_money
from rewards.enums import TransferKind
from rewards.models import Transfer

register = template.Library()
ICONS: dict[str, str] = {
    TransferKind.EARN: "shopping-bag",
    TransferKind.GIFT: "gift",
    TransferKind.ADJUST: "pencil-square",
    TransferKind.REDEEM: "ticket",
    TransferKind.PAY: "banknotes",
    TransferKind.RETURN: "arrow-uturn-left",
    TransferKind.EXPIRE: "clock",
    TransferKind.REINSTATE: "arrow-path",
    TransferKind.HOLD: "lock-closed",
    TransferKind.RELEASE: "lock-open",
    TransferKind.REVERSE: "arrow-uturn-left",
    TransferKind.REPAY: "scale",
    TransferKind.MERGE: "arrows-right-left",
}


NAVIGATION = (
    ("portal:home", "home", _("Home")),
    ("portal:rewards", "gift", _("Rewards")),
    ("portal:card", "qr-code", _("Card")),
    ("portal:messages", "envelope", _("Messages")),
    ("portal:me", "user-circle", pgettext_lazy("navigation", "Me")),
)
_SHELVES = ("rewards", "reward", "redeem", "redemptions", "redemption", "coupons")
PLACES = {
    "portal:home": "portal:home",
    "portal:till_code": "portal:card",
    "portal:messages": "portal:messages",
    "portal:message": "portal:messages",
} | {f"portal:{name}": "portal:rewards" for name in _SHELVES}


@register.inclusion_tag("portal/navigation.html", takes_context=True)
def navigation(context: Context) -> dict:
    """The bar of a member's pages. What is no page of its own there belongs to "Me". A message that is being opened
    counts as read."""
    request = context["request"]
    here = PLACES.get(request.resolver_match.view_name, "portal:me")
    opened = request.resolver_match.kwargs["pk"] if request.resolver_match.view_name == "portal:message" else 0
    new = {"portal:messages": unread_count(request.member.pk, opened)}
    return {
        "pages": [
            {"url": url, "icon": icon, "label": label, "here": url == here, "new": new.get(url, 0)}
            for url, icon, label in NAVIGATION
        ]
    }


register.filter("last_day", format_last_day)
register.filter("end", format_end)


@register.filter
def number(value: int | Decimal) -> str:
    """A number as the active language writes it: 1,240."""
    return format_decimal(value, locale=to_locale(get_language() or "en"))


@register.filter
def money(minor: int, currency: str) -> str:
    """Minor units of a currency as the active language writes them: €12.50."""
    return format_money(minor, currency)


@register.simple_tag
def change(points: int) -> SafeString:
    """A signed change of points. The sign says it; the colour only helps."""
    if points == 0:
        return format_html('<span class="change">{}</span>', 0)
    kind, sign = ("gain", "+") if points > 0 else ("spend", "−")
    return format_html('<span class="change {}">{}{}</span>', kind, sign, number(abs(points)))


def money_change(minor: int, currency: str) -> SafeString:
    """A signed change of store credit."""
    if minor == 0:
        return format_html('<span class="change">{}</span>', format_money(0, currency))
    kind, sign = ("gain", "+") if minor > 0 else ("spend", "−")
    return format_html('<span class="change {}">{}{}</span>', kind, sign, format_money(abs(minor), currency))


@register.simple_tag
def movement_icon(movement: Transfer) -> str:
    """A small picture of what a movement was. The words beside it say the same."""
    return heroicon_mini(ICONS.get(movement.kind, "arrows-right-left"), aria_hidden="true")


@register.simple_tag
def qr(content: str, label: str = "") -> SafeString:
    """A QR code as inline SVG without style, so that it needs no request and no exception to the policy; of the card
    where no `label` says of what."""
    code = segno.make(content, error="m", micro=False)
    svg = code.svg_inline(border=2, scale=10, omitsize=True, svgclass="qr", lineclass=None)
    label = escape(label or gettext("QR code of your card"))
    return mark_safe(svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))  # noqa: S308


@register.inclusion_tag("portal/field.html")
def field(
    bound: BoundField, help_text: str = "", label: str = "", mark_optional: bool = True, **more: str | bool
) -> dict:
    """A labelled field with its help and its errors; `more` are attributes of its input. The first field with an error
    has the focus."""
    first_wrong = next((name for name, errors in bound.form.errors.items() if errors), None)
    widget_type = bound.widget_type
    is_group = widget_type in ("radioselect", "checkboxselectmultiple")
    attrs: dict[str, str | bool] = dict(more)
    if bound.name == first_wrong and not is_group:
        attrs["autofocus"] = True
    described = [f"{bound.auto_id}_error"] if bound.errors else []
    if help_text or bound.help_text:
        described.append(f"{bound.auto_id}_help")
    if described:
        attrs["aria-describedby"] = " ".join(described)
    attrs["placeholder"] = ""
    return {
        "field": bound,
        "label": label or bound.label,
        "widget": bound if is_group else bound.as_widget(attrs=attrs),
        "is_group": is_group,
        "is_box": widget_type == "checkbox",
        "is_optional": mark_optional and not bound.field.required and widget_type not in ("checkbox", "hidden"),
        "help_text": help_text or bound.help_text,
    }
