"""What rules make of a purchase or an event. Pure: no query, no clock; exact: whole numbers over a common denominator,
rounded once per award. Posting, simulation and replay all ask here. docs/earning.md states the semantics.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from common.money import minor_digits
from rewards.earning.definition import PERIODS, Conditions, Definition
from rewards.earning.exact import allocate, as_text, available, expires, rounded
from rewards.earning.facts import ONE, Award, Given, Happening, Item, Outcome, Rule, Standing, Unfired
from rewards.earning.reading import fold
from rewards.earning.triggers import PURCHASE
from rewards.enums import NEVER, Unit


class _Not(Exception):
    """The rule does not fire."""

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.reason, self.facts = reason, facts


class _Shares(NamedTuple):
    """What the lines that count bring, each `(index, numerator)` over one denominator, not always the smallest; `total`
    is the sum of the numerators."""

    parts: list[tuple[int, int]]
    denominator: int
    total: int


def _shares(parts: list[tuple[int, int]], denominator: int) -> _Shares:
    return _Shares(parts, denominator, sum([part for _index, part in parts]))


class _Case:
    """One happening, and what all rules need of it."""

    def __init__(self, happening: Happening, standing: Standing, zone: ZoneInfo, home: str) -> None:
        self.happening, self.standing, self.zone, self.home = happening, standing, zone, home
        money = happening.amount_minor if happening.money_minor is None else happening.money_minor
        told = happening.items
        amounts = [item.amount_minor for item in told]
        listed = sum(amounts)
        if listed > 0:
            self.items = told
        else:  # nothing is known of what was bought, or it adds up to nothing
            listed = happening.amount_minor
            self.items, amounts = (Item(None, listed),), [listed]
        self.basis = amounts if money == listed else allocate(max(money, 0), amounts)
        self.money = max(money, 0)

    @cached_property
    def local(self) -> datetime:
        return self.happening.at.astimezone(self.zone)

    @cached_property
    def money_share(self) -> Fraction:
        """How much of the price was paid with money."""
        return Fraction(self.money, self.happening.amount_minor) if self.happening.amount_minor else Fraction(0)

    @cached_property
    def words(self) -> list[tuple[str, str, str]]:
        return [(fold(item.sku), fold(item.category), fold(item.brand)) for item in self.items]


def evaluate(
    rules: Iterable[Rule],
    happening: Happening,
    standing: Standing,
    *,
    zone: ZoneInfo,
    home: str,
    budgets: Mapping[int, int] | None = None,
) -> Outcome:
    """What each rule in force gives, or why it gives nothing. `home` is the programme's currency, in which store credit
    is counted; `budgets` is what is left of the rules that have one. Nothing given is changed (see `note`)."""
    case = _Case(happening, standing, zone, home)
    budgets = budgets or {}
    held = [rule for rule in rules if rule.holds(happening.trigger, happening.at)]
    multipliers = [rule for rule in held if rule.definition.effect.kind == "multiplier"]
    outcome = Outcome([], [])
    base: dict[str, list[_Shares]] = {}
    for rule in held:
        if rule.definition.effect.kind == "multiplier":
            continue
        try:
            shares, factor = _base(rule, case)
            outcome.awards.append(_award(rule, case, shares, factor, budgets))
        except _Not as reason:
            outcome.unfired.append(Unfired(rule, reason.reason, reason.facts))
            continue
        if multipliers and rule.definition.effect.kind != "coupon":
            base.setdefault(rule.definition.unit, []).append(shares)
    if multipliers:
        _multiply(multipliers, case, base, budgets, outcome)
    return outcome


def stands_for(definition: Definition, happening: Happening, *, zone: ZoneInfo, home: str) -> bool:
    """Whether a purchase has the lines and amount that a base rule asks for; who bought it, when and where aside."""
    asks = definition.conditions
    basket = Conditions(
        currency=asks.currency,
        products=asks.products,
        categories=asks.categories,
        brands=asks.brands,
        minimum_minor=asks.minimum_minor,
    )
    rule = Rule(0, 0, 0, "", replace(definition, conditions=basket))
    try:
        _base(rule, _Case(happening, Standing(), zone, home))
    except _Not:
        return False
    return True


def note(outcome: Outcome, happening: Happening, standing: Standing, budgets: MutableMapping[int, int]) -> None:
    """Counts what was given, for what happens next."""
    for award in outcome.awards:
        standing.given.setdefault(award.rule.id, Given()).add(happening.at, award.points)
        standing.lives |= award.inactivity_months is not None
        if award.rule.id in budgets:
            budgets[award.rule.id] -= award.points
    if happening.trigger == PURCHASE:
        standing.first = False


def _multiply(
    rules: list[Rule], case: _Case, base: Mapping[str, list[_Shares]], budgets: Mapping[int, int], outcome: Outcome
) -> None:
    """Each gives (factor − 1) × the base of its lines; of those that do not stack, the one that gives most, caps and
    budget counted."""
    sums = {unit: _sums(given, len(case.items)) for unit, given in base.items()}
    ready: list[tuple[Award, _Shares]] = []
    for rule in rules:
        try:
            counted = _lines(rule, case)
            factor = rule.definition.effect.amount
            each, over = sums.get(rule.definition.unit, ([0] * len(case.items), 1))
            times, parts_of_one = factor.numerator - factor.denominator, factor.denominator
            shares = _shares([(index, each[index] * times) for index in counted if each[index]], over * parts_of_one)
            if shares.total <= 0:
                raise _Not("no_base")
            ready.append((_award(rule, case, shares, factor, budgets), shares))
        except _Not as reason:
            outcome.unfired.append(Unfired(rule, reason.reason, reason.facts))

    def order(found: tuple[Award, _Shares]) -> tuple[bool, int, Fraction]:
        award, shares = found  # where caps make two alike, the one that would have brought more
        return award.rule.definition.stacks, -award.points, -Fraction(shares.total, shares.denominator)

    best: dict[str, Rule] = {}
    for award, _brought in sorted(ready, key=order) if len(ready) > 1 else ready:
        definition = award.rule.definition
        if not definition.stacks and (winner := best.setdefault(definition.unit, award.rule)) is not award.rule:
            outcome.unfired.append(Unfired(award.rule, "outdone", {"by": winner.id}))
        else:
            outcome.awards.append(award)


def _sums(given: Iterable[_Shares], lines: int) -> tuple[list[int], int]:
    """What several base rules bring, line by line, over one denominator."""
    over = lcm(*[shares.denominator for shares in given])
    sums = [0] * lines
    for shares in given:
        times = over // shares.denominator
        for index, part in shares.parts:
            sums[index] += part * times
    return sums, over


def _base(rule: Rule, case: _Case) -> tuple[_Shares, Fraction]:
    """What a base rule's lines bring before rounding and caps, the tier's multiplier among it; that multiplier."""
    definition, happening = rule.definition, case.happening
    counted = _lines(rule, case)
    effect = definition.effect
    purchase = happening.trigger == PURCHASE
    if effect.kind == "coupon":
        if purchase and sum(case.basis[index] for index in counted) <= 0:  # else a coupon for all brings the next
            raise _Not("nothing")
        return _shares([], 1), ONE
    standing = case.standing
    factor = _product(standing.multiplier, standing.benefit) if definition.unit == Unit.POINTS and purchase else ONE
    amount, over = effect.amount.numerator * factor.numerator, effect.amount.denominator * factor.denominator
    match effect.kind:
        case "per_amount":
            over *= 10 ** minor_digits(happening.currency)
            shares = _shares([(i, case.basis[i] * amount) for i in counted], over)
        case "cashback":
            if happening.currency != case.home:
                raise _Not("currency", wanted=case.home, found=happening.currency)
            shares = _shares([(i, case.basis[i] * amount) for i in counted], over)
        case "per_item":
            amount, over = amount * case.money_share.numerator, over * case.money_share.denominator
            thousandths = [(i, int(case.items[i].quantity * 1000)) for i in counted]  # as quantities are stored
            shares = _shares([(i, quantity * amount) for i, quantity in thousandths], over * 1000)
        case _ if not purchase:
            shares = _shares([(0, amount)], over)
        case _:  # fixed, for a purchase: each line has the part of it that its price has
            weights = [(i, case.basis[i]) for i in counted if case.basis[i] > 0]
            total = sum([weight for _i, weight in weights])
            if not total:
                raise _Not("nothing")
            shares = _shares([(i, weight * amount) for i, weight in weights], over * total)
    if shares.total <= 0:
        raise _Not("nothing")
    return shares, factor


def _product(multiplier: Fraction, benefit: Fraction) -> Fraction:
    return multiplier if benefit is ONE else multiplier * benefit


def _lines(rule: Rule, case: _Case) -> list[int]:
    """Which lines count for the rule, by their index, once all its conditions are met."""
    definition, happening = rule.definition, case.happening
    asks, exclude = definition.conditions, definition.exclude
    if asks.currency and asks.currency != happening.currency:
        raise _Not("currency", wanted=asks.currency, found=happening.currency)
    if asks.of_moment_or_member:
        _meets(asks, case)
    counted = list(range(len(case.items)))
    if asks.of_lines or exclude:
        counted = [index for index, words in enumerate(case.words) if _counts(words, definition)]
        if not counted:
            raise _Not("lines")
    if asks.minimum_minor is not None:
        paid = sum(case.basis[index] for index in counted)
        if paid < asks.minimum_minor:
            raise _Not("minimum", minimum_minor=asks.minimum_minor, paid_minor=paid, currency=happening.currency)
    return counted


def _meets(asks: Conditions, case: _Case) -> None:
    happening, standing = case.happening, case.standing
    if asks.since or asks.until:
        day = case.local.date()
        if (asks.since and day < asks.since) or (asks.until and day >= asks.until):
            raise _Not("period", since=_iso(asks.since), until=_iso(asks.until))
    if asks.weekdays and case.local.weekday() not in asks.weekdays:
        raise _Not("weekday", weekdays=sorted(asks.weekdays), found=case.local.weekday())
    if asks.hours:
        minute = case.local.hour * 60 + case.local.minute
        if not any(
            start <= minute < end if start < end else minute >= start or minute < end for start, end in asks.hours
        ):
            raise _Not("hours", hours=[list(pair) for pair in asks.hours], found=minute)
    if asks.stores and fold(happening.store) not in asks.stores:
        raise _Not("store", found=happening.store)
    if asks.channels and fold(happening.channel) not in asks.channels:
        raise _Not("channel", found=happening.channel)
    if asks.tiers and standing.tier not in asks.tiers:
        raise _Not("tier", tiers=sorted(asks.tiers), found=standing.tier)
    if asks.segments and not asks.segments & standing.segments:
        raise _Not("segment", segments=sorted(asks.segments))
    if inside := asks.not_segments & standing.segments:
        raise _Not("not_segment", segments=sorted(inside))
    if asks.first_purchase and not standing.first:
        raise _Not("first_purchase")
    for key, value in asks.data:
        found = happening.data.get(key)
        if found != value and str(found) != str(value):
            raise _Not("data", key=key, wanted=value)  # what was told stays with the event


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _counts(words: tuple[str, str, str], definition: Definition) -> bool:
    product, category, brand = words
    asks, exclude = definition.conditions, definition.exclude
    if product in exclude.products or category in exclude.categories or brand in exclude.brands:
        return False
    return (
        (not asks.products or product in asks.products)
        and (not asks.categories or category in asks.categories)
        and (not asks.brands or brand in asks.brands)
    )


def _award(rule: Rule, case: _Case, shares: _Shares, factor: Fraction, budgets: Mapping[int, int]) -> Award:
    definition, at = rule.definition, case.happening.at
    coupon = definition.effect.kind == "coupon"
    asked = 1 if coupon else rounded(shares.total, shares.denominator, definition.rounding)
    if asked <= 0:
        raise _Not("nothing", exact=as_text(shares.total, shares.denominator))
    granted, cut = asked, None
    if definition.limits:
        _check_times(rule, case)
        if not coupon:
            granted, cut = _within_limits(rule, case, asked)
    if rule.id in budgets and budgets[rule.id] < (granted if not coupon else 1):
        left = budgets[rule.id]
        if left <= 0 or not definition.clips or coupon:
            raise _Not("budget", left=left, asked=granted)
        granted, cut = left, "budget"
    start = available(definition.pending, at, case.zone)
    why = {
        "rule": rule.id,
        "version": rule.number,
        "effect": definition.effect.told,
        "factor": as_text(factor.numerator, factor.denominator),
        "currency": case.happening.currency,
        "lines": [[case.items[i].id, case.basis[i], as_text(part, shares.denominator)] for i, part in shares.parts],
        "exact": as_text(shares.total, shares.denominator),
        "asked": asked,
        "granted": granted,
        "cut": cut,
    }
    standing = case.standing
    benefit = standing.benefit
    if benefit is not ONE and benefit != ONE and factor == standing.multiplier * benefit and _is_base(definition):
        why["benefit"] = [standing.benefit_id, as_text(benefit.numerator, benefit.denominator)]
    if case.happening.refunded_minor:
        why["refunded_minor"] = case.happening.refunded_minor
    expiry, pending = definition.expiry, definition.pending
    waits = bool(pending and pending.event) and not coupon
    if pending and start and waits:
        then = "cancel" if pending.cancels else "activate"
        why["waits"] = {"for": pending.event, "until": start.isoformat(), "then": then}
    return Award(
        rule=rule,
        points=0 if coupon else granted,
        why=why,
        available_from=NEVER if pending and waits and pending.cancels else start,
        expires_at=expires(expiry, start or at, case.zone),
        inactivity_months=expiry.months if expiry.kind == "inactivity" else None,
        offer=definition.effect.offer,
    )


def _is_base(definition: Definition) -> bool:
    return definition.effect.kind != "multiplier" and definition.unit == Unit.POINTS


def _check_times(rule: Rule, case: _Case) -> None:
    limits, given = rule.definition.limits, case.standing.given.get(rule.id)
    if given is None:
        return
    at = case.happening.at
    if limits.cooldown_hours is not None:
        pause = timedelta(hours=limits.cooldown_hours)
        near = [moment for moment, _units in given.lately if abs(at - moment) < pause]
        if near:
            raise _Not("cooldown", hours=limits.cooldown_hours, last=max(near).isoformat())
    if limits.times_day is not None:
        times = sum(1 for moment, _units in given.lately if moment.astimezone(case.zone).date() == case.local.date())
        if times >= limits.times_day:
            raise _Not("times", period="day", limit=limits.times_day, given=times)
    if limits.times_lifetime is not None and given.times >= limits.times_lifetime:
        raise _Not("times", period="lifetime", limit=limits.times_lifetime, given=given.times)


def _within_limits(rule: Rule, case: _Case, asked: int) -> tuple[int, str | None]:
    """What the limits leave of `asked`, and which of them cut it."""
    limits, given = rule.definition.limits, case.standing.given.get(rule.id)
    granted, cut = asked, None
    for period in ("transaction", *PERIODS):
        limit = getattr(limits, period)
        if limit is None:
            continue
        before = _given_in(period, given, case) if given else 0
        if limit - before >= granted:
            continue
        if limit - before <= 0 or not rule.definition.clips:
            raise _Not("limit", period=period, limit=limit, given=before, asked=asked)
        granted, cut = limit - before, period
    return granted, cut


def _given_in(period: str, given: Given, case: _Case) -> int:
    if period == "transaction":
        return 0
    if period == "lifetime":
        return given.units
    start, end = period_of(period, case.local.date())
    return sum(units for moment, units in given.lately if start <= moment.astimezone(case.zone).date() < end)


def period_of(period: str, day: date) -> tuple[date, date]:
    """The local days of the day, week (from Monday) or month around `day`, the end not included."""
    if period == "week":
        start = day - timedelta(days=day.weekday())
        return start, start + timedelta(days=7)
    if period == "month":
        start = day.replace(day=1)
        return start, (start + timedelta(days=32)).replace(day=1)
    return day, day + timedelta(days=1)
