"""The merge fields that every message has. All read by batch: so many queries, however many recipients."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from campaigns.merge import Field, Number, Recipient, day, register
from members.attributes import in_words, option_label
from members.enums import AttributeKind
from members.models import Attribute
from members.queries import attributes, get_programme
from rewards.models import MemberTier, Tier
from rewards.queries import balances

_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str) -> str:
    """Text that people typed, fit for a header: on one line, without control and text-direction characters."""
    spaced = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text if c not in _DIRECTION)
    return " ".join(spaced.split())


def _member(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    return [
        {
            "name": one_line(recipient.member.name),
            "city": one_line(recipient.member.city),
            "card_number": recipient.member.card_number_grouped,
        }
        for recipient in recipients
    ]


def _attribute_fields() -> dict[str, Field]:
    """The custom attributes in use: one that was just defined can be written at once."""
    return {attribute.key: Field(attribute.label, _sample(attribute)) for attribute in attributes()}


def _sample(attribute: Attribute) -> Any:
    """A value to show in the place of an attribute."""
    match attribute.kind:
        case AttributeKind.CHOICE:
            return option_label(attribute.options[0])
        case AttributeKind.NUMBER:
            return Number(12)
        case AttributeKind.DATE:
            return in_words(attribute, "2026-05-12")
        case AttributeKind.BOOLEAN:
            return True
        case _:
            return str(attribute.label)


def _attributes(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    """What members said; None for nothing, which Liquid takes for no. Archived ones, too: older texts name them."""
    known = list(Attribute.objects.all())
    return [{a.key: _said(a, recipient.member.attributes.get(a.key)) for a in known} for recipient in recipients]


def _said(attribute: Attribute, value: Any) -> Any:
    """Yes or no and whole numbers as such, so that texts may ask for them; all else in words."""
    if value is None or isinstance(value, bool):
        return value
    return Number(value) if isinstance(value, int) else one_line(in_words(attribute, value))


def _occasion(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    return [{"date": day(recipient.birthday)} for recipient in recipients]


def _gift(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    return [
        {"points": Number(recipient.gift_points), "expires_on": day(recipient.gift_expires_on)}
        for recipient in recipients
    ]


def _points(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    held = balances([recipient.member.pk for recipient in recipients], recipients[0].at)
    return [{"balance": Number(held.get(recipient.member.pk, 0))} for recipient in recipients]


def _tier(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    steps = list(Tier.objects.order_by("rank"))
    standing = MemberTier.objects.in_bulk([recipient.member.pk for recipient in recipients])
    answers: list[Mapping[str, Any]] = []
    for recipient in recipients:
        held = standing.get(recipient.member.pk)
        points = held.qualifying_points if held else 0
        now = next((step for step in steps if held and step.pk == held.tier_id), steps[0] if steps else None)
        following = next((step for step in steps if now and step.rank > now.rank), None)
        answers.append(
            {
                "name": now.name if now else "",
                "next": following.name if following else "",
                "points_to_next": Number(max(0, (following.threshold or 0) - points) if following else 0),
            }
        )
    return answers


def _programme(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    programme = get_programme()
    answer: Mapping[str, Any] = {
        "name": one_line(programme.name),
        "url": settings.SITE_URL,
        "contact_email": programme.contact_email,
    }
    return [answer] * len(recipients)


def register_all() -> None:
    """Called once, when the app is ready."""
    register(
        "member",
        {
            "name": Field(_("the member's name"), "Mei Lin"),
            "city": Field(_("the member's city"), "Hangzhou"),
            "card_number": Field(_("card number"), "8123 4567 8901"),
        },
        _member,
    )
    register("attribute", _attribute_fields, _attributes)
    register("birthday", {"date": Field(_("the day of the birthday"), "12 May 2026")}, _occasion)
    register(
        "gift",
        {
            "points": Field(_("points given with this message"), Number(100)),
            "expires_on": Field(_("the last day of the gift; empty if it never expires"), "11 July 2026"),
        },
        _gift,
    )
    register("points", {"balance": Field(_("points to spend, the gift included"), Number(1250))}, _points)
    register(
        "tier",
        {
            "name": Field(_("the member's tier"), "Silver"),
            "next": Field(_("the next tier; empty on the highest"), "Gold"),
            "points_to_next": Field(_("points missing for the next tier"), Number(240)),
        },
        _tier,
    )
    register(
        "programme",
        {
            "name": Field(_("the programme's name"), "Loyalty Club"),
            "url": Field(_("the address of the members' pages"), "https://club.example.com"),
            "contact_email": Field(_("the contact e-mail"), "hello@example.com"),
        },
        _programme,
    )
