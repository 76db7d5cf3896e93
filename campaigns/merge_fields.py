"""The merge fields that every message has. All read by batch: so many queries, however many recipients."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Case, When
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from campaigns.merge import Field, Number, Recipient, day, register
from members.attributes import in_words, option_label
from members.enums import AttributeKind
from members.models import Attribute
from members.queries import attributes, get_programme
from rewards.codes import shown
from rewards.models import Coupon, Tier
from rewards.queries import balances, expiring_of
from rewards.queries_awards import award_sentence, last_awards
from rewards.queries_benefits import entitlements_of, holding
from rewards.queries_catalogue import affordable, last_taken
from rewards.queries_coupons import open_coupons
from rewards.queries_tiers import missing_words, standings
from surveys.queries_heard import NOTHING_HEARD, heard_of

_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str) -> str:
    """Text that people typed, fit for a header: on one line, without control and text-direction characters."""
    spaced = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text if c not in _DIRECTION)
    return " ".join(spaced.split())


def _listed(words: Iterable[str]) -> str:
    """Words one after the other, as the active language writes them."""
    return ("、" if (get_language() or "").startswith("zh") else ", ").join(words)


def _member(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    zone = ZoneInfo(get_programme().time_zone)
    return [
        {
            "name": one_line(recipient.member.name),
            "city": one_line(recipient.member.city),
            "card_number": recipient.member.card_number_grouped,
            "joined_on": day(_joined(recipient, zone)),
            "years": Number(_years(recipient, zone)),
        }
        for recipient in recipients
    ]


def _joined(recipient: Recipient, zone: ZoneInfo) -> date | None:
    """The day of joining; None for somebody made up, whom the database has not seen."""
    at = recipient.member.joined_at
    return at.astimezone(zone).date() if isinstance(at, datetime) else None


def _years(recipient: Recipient, zone: ZoneInfo) -> int:
    """Full years since joining, on the day of the message."""
    joined, today = _joined(recipient, zone), recipient.at.astimezone(zone).date()
    return 0 if joined is None else today.year - joined.year - ((today.month, today.day) < (joined.month, joined.day))


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
    ids, at = [recipient.member.pk for recipient in recipients], recipients[0].at
    held, zone = balances(ids, at), ZoneInfo(get_programme().time_zone)
    next_ones = expiring_of(ids, at, zone)
    answers: list[Mapping[str, Any]] = []
    for pk in ids:
        points, last = next_ones.get(pk, (0, None))
        answers.append(
            {"balance": Number(held.get(pk, 0)), "expiring": Number(points), "expires_on": day(last) if points else ""}
        )
    return answers


def _award(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    found = last_awards(recipient.member.pk for recipient in recipients)
    zone = ZoneInfo(get_programme().time_zone)
    answers: list[Mapping[str, Any]] = []
    for recipient in recipients:
        award = found.get(recipient.member.pk)
        in_points = award is not None and award.credit.unit == "points"
        answers.append(
            {
                "why": one_line(award_sentence(award)) if award else "",
                "points": Number(award.amount if award and in_points else 0),
                "on": day(award.at.astimezone(zone).date()) if award else "",
            }
        )
    return answers


def _rewards(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    ids = [recipient.member.pk for recipient in recipients]
    can, last = affordable(ids, at=recipients[0].at), last_taken(ids)
    answers: list[Mapping[str, Any]] = []
    for pk in ids:
        names, taken = [one_line(reward.name) for reward in can.get(pk, [])], last.get(pk)
        answers.append(
            {
                "best": names[0] if names else "",
                "affordable": _listed(names[:3]),
                "count": Number(len(names)),
                "last": one_line(taken.reward.name) if taken else "",
            }
        )
    return answers


def _tier(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    steps = list(Tier.objects.order_by("rank"))
    known = standings([recipient.member.pk for recipient in recipients], recipients[0].at, steps)
    answers: list[Mapping[str, Any]] = []
    for recipient in recipients:
        held = known.get(recipient.member.pk)
        now = held.tier if held else (steps[0] if steps else None)
        following = held.next_tier if held else next((step for step in steps if now and step.rank > now.rank), None)
        missing = held.points_to_next if held else following and following.threshold
        answers.append(
            {
                "name": now.name if now else "",
                "next": following.name if following else "",
                "points_to_next": Number(missing or 0),
                "missing": missing_words(held.to_next, held.next_any, held.currency) if held else "",
                "kept_until": day(held.keep_until) if held else "",
                "missing_to_keep": missing_words(held.to_keep, held.keep_any, held.currency) if held else "",
            }
        )
    return answers


def _membership(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    """The membership that each holds and that ends last; empty for who has none."""
    at, ids = recipients[0].at, [recipient.member.pk for recipient in recipients]
    held = {bought.member_id: bought for bought in holding(ids, at)}
    zone = ZoneInfo(get_programme().time_zone)
    found = [held.get(recipient.member.pk) for recipient in recipients]
    return [
        {"name": one_line(one.plan.name), "until": day(one.ends_at.astimezone(zone).date())}
        if one
        else {"name": "", "until": ""}
        for one in found
    ]


def _benefits(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    """What of each member's benefits is left: "Lounge × 2, Priority"."""
    held = entitlements_of([recipient.member.pk for recipient in recipients], recipients[0].at)
    found: list[Mapping[str, Any]] = []
    for recipient in recipients:
        left = [one for one in held.get(recipient.member.pk, []) if one.is_used and one.left != 0]
        names = [f"{one.benefit.name} × {one.left}" if one.left else one.benefit.name for one in left]
        found.append({"left": one_line(_listed(names))})
    return found


def _care(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    """What each told us last. Anonymous answers are nobody's; scores are not said back."""
    heard, zone = heard_of([recipient.member.pk for recipient in recipients]), ZoneInfo(get_programme().time_zone)
    found = [heard.get(recipient.member.pk, NOTHING_HEARD) for recipient in recipients]
    return [
        {
            "open_cases": Number(one.open_cases),
            "closed_on": day(one.closed_at.astimezone(zone).date()) if one.closed_at else "",
            "answered_on": day(one.answered_at.astimezone(zone).date()) if one.answered_at else "",
        }
        for one in found
    ]


def coupon_values(recipients: Sequence[Recipient], coupons: Iterable[Coupon]) -> list[Mapping[str, Any]]:
    """Code, name and last day of each one's coupon; empty for who has none."""
    held = {coupon.member_id: coupon for coupon in coupons}
    zone = ZoneInfo(get_programme().time_zone)
    answers: list[Mapping[str, Any]] = []
    for recipient in recipients:
        coupon = held.get(recipient.member.pk)
        ends = [moment for moment in (coupon.expires_at, coupon.offer.ends_at) if moment] if coupon else []
        answers.append(
            {
                "code": shown(coupon.code) if coupon else "",
                "name": one_line(coupon.offer.name) if coupon else "",
                "expires_on": day((min(ends) - timedelta(microseconds=1)).astimezone(zone).date()) if ends else "",
            }
        )
    return answers


def _coupon(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    """The coupon that comes with the message, else the newest that each can use; empty for who has none."""
    ids = [recipient.member.pk for recipient in recipients]
    given = [recipient.coupon_id for recipient in recipients if recipient.coupon_id]
    first = [Case(When(pk__in=given, then=0), default=1)] if given else []
    newest = open_coupons(recipients[0].at).filter(member__in=ids).order_by("member_id", *first, "-issued_at", "-pk")
    return coupon_values(recipients, newest.distinct("member_id").select_related("offer"))


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
            "joined_on": Field(_("the day of joining"), _("12 May 2024")),
            "years": Field(_("full years as a member"), Number(2)),
        },
        _member,
    )
    register("attribute", _attribute_fields, _attributes)
    register("birthday", {"date": Field(_("the day of the birthday"), _("12 May 2026"))}, _occasion)
    register(
        "gift",
        {
            "points": Field(_("points given with this message"), Number(100)),
            "expires_on": Field(_("the last day of the gift; empty if it never expires"), _("11 July 2026")),
        },
        _gift,
    )
    register(
        "points",
        {
            "balance": Field(_("points to spend, the gift included"), Number(1250)),
            "expiring": Field(_("points that expire next; 0 if none do"), Number(120)),
            "expires_on": Field(_("the last day on which those can be spent; empty if none"), _("31 August 2026")),
        },
        _points,
    )
    register(
        "award",
        {
            "why": Field(_("why the newest points or credit came; empty if none"), _("Bought for €17.50, points × 2")),
            "points": Field(_("how many points these were; 0 if it was credit"), Number(35)),
            "on": Field(_("the day on which they were earned; empty if none"), _("11 July 2026")),
        },
        _award,
    )
    register(
        "rewards",
        {
            "best": Field(_("the dearest reward that the points suffice for; empty if none"), _("Free coffee")),
            "affordable": Field(_("up to three rewards that the points suffice for"), _("Free coffee, Free cake")),
            "count": Field(_("number of rewards that the points suffice for"), Number(2)),
            "last": Field(_("the reward redeemed last; empty if none"), _("Free coffee")),
        },
        _rewards,
    )
    register(
        "tier",
        {
            "name": Field(_("the member's tier"), "Silver"),
            "next": Field(_("the next tier; empty on the highest"), "Gold"),
            "points_to_next": Field(_("points missing for the next tier"), Number(240)),
            "missing": Field(_("all that is missing for the next tier"), "240 points"),
            "kept_until": Field(
                _("the last day on the tier if nothing more comes; empty if it stays"), _("31 December 2026")
            ),
            "missing_to_keep": Field(_("what is missing to keep the tier"), "120 points"),
        },
        _tier,
    )
    register(
        "membership",
        {
            "name": Field(_("the membership that the member holds; empty for none"), "Plus"),
            "until": Field(_("the day on which it ends"), _("31 December 2026")),
        },
        _membership,
    )
    register(
        "benefits",
        {"left": Field(_("benefits that can still be had, with how often; empty for none"), "Lounge × 2")},
        _benefits,
    )
    register(
        "care",
        {
            "open_cases": Field(_("number of the member's cases that are not put right"), Number(1)),
            "closed_on": Field(_("the day on which their last case was closed; empty if none was"), _("12 May 2026")),
            "answered_on": Field(
                _("the day of their last answer to a survey under their name; empty if none"), _("12 May 2026")
            ),
        },
        _care,
    )
    register(
        "coupon",
        {
            "code": Field(_("the code of the member's newest coupon; empty without one"), "9KPM-T4XC-0RQ7D"),
            "name": Field(_("what the offer is called"), "A free cookie"),
            "expires_on": Field(_("the last day of the coupon; empty if it never expires"), _("11 July 2026")),
        },
        _coupon,
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
