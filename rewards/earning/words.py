"""Rules, awards and reasons as sentences in the active language. No queries: names come from the caller."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, ngettext, pgettext

from common.moments import format_day
from common.money import format_money, to_minor
from members.enums import SalesChannel
from rewards.earning import triggers
from rewards.earning.definition import BadRule, Definition, parse
from rewards.enums import Unit
from rewards.queries import points_text
from rewards.queries_awards import kind_words

Names = Mapping[tuple[str, int], str]  # ("tier" | "segment" | "offer", id) → what people call it


def summary(
    definition: Mapping[str, Any] | Definition,
    trigger: str = "purchase",
    unit: str = Unit.POINTS,
    *,
    names: Names | None = None,
    home: str = "",
) -> str:
    """What a rule does, in one sentence: "Every Friday, from 14:00 to 17:00, members on Gold, double points on drinks,
    at most 200 points a day." `names` are those of tiers, segments and offers (rewards.queries_rules looks them up);
    `home` is the currency of store credit."""
    if not isinstance(definition, Definition):
        try:
            definition = parse(definition, trigger, unit)
        except BadRule as bad:
            return " ".join(problem.sentence for problem in bad.problems)
    return _Summary(definition, names or {}, home).sentence()


class _Summary:
    def __init__(self, definition: Definition, names: Names, home: str) -> None:
        self.definition, self.names, self.home = definition, names, home

    def sentence(self) -> str:
        parts = [*self._when(), *self._who(), self._what(), *self._limits(), *self._later()]
        told = gettext(", ").join(part for part in parts if part)
        return gettext("%(sentence)s.") % {"sentence": told[:1].upper() + told[1:]}

    def _when(self) -> list[str]:
        asks, found = self.definition.conditions, []
        if self.definition.trigger != triggers.PURCHASE:
            found.append(triggers.sentence(self.definition.trigger))
        if asks.data:
            told = gettext(", ").join(f"{key} = {value}" for key, value in asks.data)
            found.append(gettext("where %(data)s") % {"data": told})
        if asks.weekdays and len(asks.weekdays) < 7:
            days = _or([str(WEEKDAYS[day]) for day in sorted(asks.weekdays)])
            found.append(gettext("every %(weekdays)s") % {"weekdays": days})
        if asks.hours:
            found.append(_or([_hours(*pair) for pair in asks.hours]))
        if asks.since and asks.until:
            words = {"since": _day(asks.since), "until": _day(asks.until)}
            found.append(gettext("from %(since)s until before %(until)s") % words)
        elif asks.since:
            found.append(gettext("from %(since)s on") % {"since": _day(asks.since)})
        elif asks.until:
            found.append(gettext("until before %(until)s") % {"until": _day(asks.until)})
        return found

    def _who(self) -> list[str]:
        asks, found = self.definition.conditions, []
        if asks.tiers:
            found.append(gettext("members on %(tiers)s") % {"tiers": self._named("tier", asks.tiers)})
        if asks.segments:
            found.append(gettext("who is in %(segments)s") % {"segments": self._named("segment", asks.segments)})
        if asks.not_segments:
            words = {"segments": self._named("segment", asks.not_segments)}
            found.append(gettext("who is not in %(segments)s") % words)
        if asks.first_purchase:
            found.append(gettext("on the first purchase"))
        if asks.stores:
            found.append(gettext("at %(stores)s") % {"stores": _or(_written(asks.stores))})
        if asks.channels:
            known = {str(value): str(label) for value, label in SalesChannel.choices}
            channels = [known.get(channel, channel) for channel in sorted(asks.channels)]
            found.append(gettext("sold through %(channels)s") % {"channels": _or(channels)})
        return found

    def _named(self, kind: str, ids: frozenset[int]) -> str:
        return _or([self.names.get((kind, id_)) or f"#{id_}" for id_ in sorted(ids)])

    def _what(self) -> str:
        definition = self.definition
        asks, exclude = definition.conditions, definition.exclude
        told = self._effect()
        lines = _written(asks.products, asks.categories, asks.brands)
        if lines:
            told = gettext("%(gives)s on %(lines)s") % {"gives": told, "lines": _or(lines)}
        if asks.minimum_minor is not None and asks.currency:
            words = {"gives": told, "amount": format_money(asks.minimum_minor, asks.currency)}
            told = gettext("%(gives)s from %(amount)s on") % words
        without = _written(exclude.products, exclude.categories, exclude.brands)
        if without:
            told = gettext("%(gives)s, but not on %(lines)s") % {"gives": told, "lines": _or(without)}
        return told

    def _effect(self) -> str:
        effect, asks = self.definition.effect, self.definition.conditions
        match effect.kind:
            case "per_amount":
                words = {
                    "gives": self._units(Fraction(str(effect.told["points"]))),
                    "amount": _amount(effect.told, asks),
                }
                return gettext("%(gives)s for every %(amount)s") % words
            case "per_item":
                return gettext("%(gives)s for each item") % {"gives": self._units(effect.amount)}
            case "multiplier":
                if effect.amount == 2:
                    return gettext("double points") if self._points else gettext("double store credit")
                words = {"factor": _number(effect.amount)}
                text = gettext("points × %(factor)s") if self._points else gettext("store credit × %(factor)s")
                return text % words
            case "cashback":
                return gettext("%(percent)s%% back as store credit") % {"percent": _number(effect.amount * 100)}
            case "coupon":
                name = self.names.get(("offer", effect.offer or 0)) or f"#{effect.offer}"
                return gettext("a coupon: %(offer)s") % {"offer": name}
            case _:
                return self._units(effect.amount)

    @property
    def _points(self) -> bool:
        return self.definition.unit == Unit.POINTS

    def _units(self, units: Fraction | int) -> str:
        return units_text(units, self.definition.unit, self.home)

    def _limits(self) -> list[str]:
        limits, found = self.definition.limits, []
        for period, text in (
            ("transaction", gettext("at most %(units)s at once")),
            ("day", gettext("at most %(units)s a day")),
            ("week", gettext("at most %(units)s a week")),
            ("month", gettext("at most %(units)s a month")),
            ("lifetime", gettext("at most %(units)s in all")),
        ):
            if (limit := getattr(limits, period)) is not None:
                found.append(text % {"units": self._units(limit)})
        if limits.times_day is not None:
            found.append(_times(limits.times_day, gettext("once a day"), gettext("%(n)s times a day")))
        if limits.times_lifetime is not None:
            found.append(_times(limits.times_lifetime, gettext("only once"), gettext("%(n)s times in all")))
        if limits.cooldown_hours is not None:
            text = ngettext("then not for %(n)s hour", "then not for %(n)s hours", limits.cooldown_hours)
            found.append(text % {"n": limits.cooldown_hours})
        return found

    def _later(self) -> list[str]:
        pending, expiry = self.definition.pending, self.definition.expiry
        found: list[str] = []
        if self.definition.effect.kind == "coupon":
            return found
        if pending and pending.event:
            words = {"kind": pending.event, "n": pending.days}
            if pending.cancels:
                text = ngettext(
                    "to be spent once “%(kind)s” is told, and taken back where it is not within %(n)s day",
                    "to be spent once “%(kind)s” is told, and taken back where it is not within %(n)s days",
                    pending.days,
                )
            else:
                text = ngettext(
                    "to be spent once “%(kind)s” is told, at the latest %(n)s day later",
                    "to be spent once “%(kind)s” is told, at the latest %(n)s days later",
                    pending.days,
                )
            found.append(text % words)
        elif pending and pending.until:
            found.append(gettext("to be spent from %(day)s on") % {"day": _day(pending.until)})
        elif pending:
            text = ngettext("to be spent %(n)s day later", "to be spent %(n)s days later", pending.days)
            found.append(text % {"n": pending.days})
        if expiry.kind == "rolling":
            text = ngettext("good for %(n)s month", "good for %(n)s months", expiry.months)
            found.append(text % {"n": expiry.months})
        elif expiry.kind == "inactivity":
            text = ngettext(
                "good until %(n)s month without a purchase", "good until %(n)s months without a purchase", expiry.months
            )
            found.append(text % {"n": expiry.months})
        elif expiry.kind == "date":
            day = date_format(date(2024, expiry.month, expiry.day), "MONTH_DAY_FORMAT", use_l10n=True)
            if expiry.years:
                text = ngettext(
                    "good until %(day)s of the next year", "good until %(day)s, %(n)s years on", expiry.years
                )
                found.append(text % {"day": day, "n": expiry.years})
            else:
                found.append(gettext("good until %(day)s") % {"day": day})
        if not self.definition.counts_for_tier and self._points:
            found.append(gettext("not counted towards tiers"))
        return found


def waits_text(waits: Mapping[str, Any]) -> str:
    """For what an award waits (its why's `waits`), for the member."""
    words = {"kind": kind_words(waits["for"]), "day": format_day(datetime.fromisoformat(waits["until"]))}
    if waits["then"] == "cancel":
        return gettext("Waits until “%(kind)s”; taken back if that does not happen by %(day)s") % words
    return gettext("Waits until “%(kind)s”, or until %(day)s") % words


def units_text(units: Fraction | int, unit: str, home: str = "") -> str:
    """So many points, or so much credit in the programme's currency `home`."""
    whole = Fraction(units)
    if unit == Unit.CREDIT:
        return format_money(int(whole), home) if home else _number(whole)
    if whole.denominator == 1:
        return points_text(int(whole))
    return gettext("%(points)s points") % {"points": _number(whole)}


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return number_format(int(value), use_l10n=True, force_grouping=True)
    return number_format(f"{float(value):.6f}".rstrip("0"), use_l10n=True)


def _amount(told: Mapping[str, Any], asks: Any) -> str:
    return format_money(to_minor(Decimal(str(told.get("per", "1"))), asks.currency), asks.currency)


def _or(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return gettext("%(first)s or %(last)s") % {"first": pgettext("list", ", ").join(words[:-1]), "last": words[-1]}


def _written(*groups: Iterable[str]) -> list[str]:
    """Words as the shop writes them, group by group."""
    return [getattr(word, "written", word) for group in groups for word in sorted(group)]


def _hours(start: int, end: int) -> str:
    words = {"start": f"{start // 60:02}:{start % 60:02}", "end": f"{end // 60:02}:{end % 60:02}"}
    return gettext("from %(start)s to %(end)s") % words


def _day(day: date) -> str:
    return date_format(day, "DATE_FORMAT", use_l10n=True)


def _times(n: int, once: str, often: str) -> str:
    return once if n == 1 else often % {"n": number_format(n)}


# --- awards and reasons -----------------------------------------------------------------------------------------------
def _cut(cut: str) -> str:
    return {
        "transaction": pgettext("limit", "The limit at once"),
        "day": pgettext("limit", "The limit of the day"),
        "week": pgettext("limit", "The limit of the week"),
        "month": pgettext("limit", "The limit of the month"),
        "lifetime": pgettext("limit", "The limit in all"),
        "budget": pgettext("limit", "The rule's budget"),
    }.get(cut, cut)


def reason_sentence(code: str, facts: Mapping[str, Any], names: Names | None = None) -> str:
    """Why a rule gave nothing, in one sentence. Unknown codes, of other versions, stand for themselves."""
    names = names or {}
    match code:
        case "currency":
            return gettext("It is for %(wanted)s, and this was paid in %(found)s.") % facts
        case "period":
            return gettext("Not in its dates.")
        case "weekday":
            days = _or([str(WEEKDAYS[day]) for day in facts["weekdays"]])
            return gettext("Only on %(weekdays)s.") % {"weekdays": days}
        case "hours":
            return gettext("Only %(hours)s.") % {"hours": _or([_hours(*pair) for pair in facts["hours"]])}
        case "store":
            return gettext("Not for this store.")
        case "channel":
            return gettext("Not for this channel.")
        case "tier":
            return gettext("Only on %(tiers)s.") % {
                "tiers": _or([names.get(("tier", id_)) or f"#{id_}" for id_ in facts["tiers"]])
            }
        case "segment" | "not_segment":
            told = {"segments": _or([names.get(("segment", id_)) or f"#{id_}" for id_ in facts["segments"]])}
            if code == "segment":
                return gettext("Only for who is in %(segments)s.") % told
            return gettext("Not for who is in %(segments)s.") % told
        case "first_purchase":
            return gettext("It was not the first purchase.")
        case "data":
            return gettext("“%(key)s” was not %(wanted)s.") % facts
        case "lines":
            return gettext("Nothing that it counts was bought.")
        case "minimum":
            amounts = {name: format_money(facts[f"{name}_minor"], facts["currency"]) for name in ("minimum", "paid")}
            return gettext("%(paid)s was paid, and %(minimum)s is asked for.") % amounts
        case "nothing":
            return gettext("It comes to nothing.")
        case "no_base":
            return gettext("There was nothing to multiply.")
        case "outdone":
            return gettext("Another multiplier gave as much or more.")
        case "times":
            return gettext("It was given often enough already.")
        case "cooldown":
            text = ngettext("Less than %(n)s hour had passed.", "Less than %(n)s hours had passed.", facts["hours"])
            return text % {"n": facts["hours"]}
        case "limit":
            return gettext("%(cut)s was reached.") % {"cut": _cut(facts["period"])}
        case "budget":
            return gettext("Its budget is spent.")
        case "offer":
            return gettext("The offer behind it has ended.")
        case "codes":
            return gettext("No code is left for it just now.")
        case _:
            return code
