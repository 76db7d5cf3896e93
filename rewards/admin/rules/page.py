"""The page of a rule: what it does, what it gave, its versions and what changed from one to the next."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.formats import number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext

from common.moments import format_moment
from common.money import format_exact, minor_digits
from members.queries import get_programme
from rewards.admin.rules.parts import differences, parts
from rewards.admin.rules.saying import amount_text, both_languages
from rewards.earning import triggers
from rewards.enums import VersionState
from rewards.models import EarningRule, RuleVersion
from rewards.queries import reward_settings
from rewards.queries_given import Given, given_by
from rewards.services.earning.publishing import version_at

ACTS = 20


def this_month(at: datetime) -> datetime:
    """When the month began, in the active time zone."""
    return localtime(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def rule_page(rule: EarningRule, *, at: datetime) -> dict[str, Any]:
    """The context of templates/admin/rules/rule.html."""
    versions = list(rule.versions.select_related("created_by", "published_by").order_by("-number"))
    draft = next((one for one in versions if one.state == VersionState.DRAFT), None)
    counting = version_at(versions, at)
    shown = counting or draft or (versions[0] if versions else None)
    currency = get_programme().currency
    for one in versions:
        one.parts = parts(one.definition, trigger=rule.trigger, unit=rule.unit, currency=currency)
        one.standing = standing(one, at)
    for newer, older in pairwise(versions):
        newer.added, newer.dropped = differences(older.parts, newer.parts)
        newer.before = older
    month, ever = (
        given_by([rule.pk], since=since, until=at + timedelta(days=1)).get(rule.pk, Given())
        for since in (this_month(at), datetime(1970, 1, 1, tzinfo=at.tzinfo))
    )
    return {
        "sentences": both_languages(shown.definition, rule.trigger, rule.unit) if shown else [],
        "trigger": triggers.label(rule.trigger),
        "shown": shown,
        "counting": counting,
        "draft": draft,
        "versions": versions,
        "facts": _facts(rule, month, ever, currency),
        "budget": budget(rule, currency, reward_settings().point_cost),
        "acts": LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(EarningRule), object_id=str(rule.pk)
        ).select_related("user")[:ACTS],
    }


def _facts(rule: EarningRule, month: Given, ever: Given, currency: str) -> list[tuple[str, str, str]]:
    def line(label: str, given: Given) -> tuple[str, str, str]:
        members = ngettext("%(n)s member", "%(n)s members", given.members)
        small = members % {"n": number_format(given.members, force_grouping=True)}
        return label, amount_text(given.amount, rule.unit, currency), small

    return [line(gettext("Given this month"), month), line(gettext("Given in all"), ever)]


def budget(rule: EarningRule, currency: str, point_cost: Decimal) -> dict[str, Any] | None:
    """How far a budget is used; None where there is none. Of one in points and one in money, that which ends first."""
    money = rule.budget_money
    if money is not None and (rule.budget is None or money < rule.budget * point_cost):
        spent = rule.budget_spent * point_cost
        return {
            "percent": min(int(100 * spent / money), 100) if money else 100,
            "spent": format_exact(round(spent, minor_digits(currency)), currency),
            "of": format_exact(money, currency),
            "gone": money - spent < point_cost or not money,
        }
    if rule.budget is None:
        return None
    percent = 100 * rule.budget_spent // rule.budget if rule.budget else 100
    return {
        "percent": percent,
        "spent": amount_text(rule.budget_spent, rule.unit, currency),
        "of": amount_text(rule.budget, rule.unit, currency),
        "gone": rule.budget_spent >= rule.budget,
    }


def standing(version: RuleVersion, at: datetime) -> str:
    """Where a version is, in words."""
    if version.state == VersionState.DRAFT:
        return gettext("Draft")
    begins, ends = version.valid_from, version.valid_until
    if begins and begins == ends:
        return gettext("Never counted: replaced before it began")
    words = {"from": format_moment(begins), "until": format_moment(ends)}
    if begins and begins > at:
        return gettext("Counts from %(from)s") % words
    if ends and ends <= at:
        return (
            gettext("Counted from %(from)s to %(until)s") % words
            if begins
            else gettext("Counted until %(until)s") % words
        )
    if ends:
        return gettext("Counts until %(until)s") % words
    return gettext("Counts since %(from)s") % words if begins else gettext("Counts")
