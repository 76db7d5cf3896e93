"""A basket tried out: what rules would make of it, for a member, at any moment, drafts among them. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from common.money import to_minor
from members.queries import get_programme
from rewards.coupons.pricing import Line
from rewards.earning.basket import gross_minor
from rewards.earning.evaluate import evaluate
from rewards.earning.facts import Happening, Item, Outcome, Rule
from rewards.earning.triggers import PURCHASE
from rewards.enums import Unit
from rewards.models import Tier
from rewards.queries import reward_settings
from rewards.queries_budgets import left_of
from rewards.queries_tiers import TierStanding, tier_standing
from rewards.services.coupons.using import Validation, quote
from rewards.services.earning.history import standing_of


class BadAmount(Exception):
    """An amount that the currency does not have; `line` is its number, from 0."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class PointsDoNotPay(Exception):
    """The settings do not say what a point is worth at the till."""


@dataclass(frozen=True, slots=True)
class Article:
    """A line as somebody types it: money in major units, `discount` for the whole line."""

    quantity: Decimal
    unit_price: Decimal
    discount: Decimal = Decimal(0)
    sku: str = ""
    name: str = ""
    category: str = ""
    brand: str = ""


@dataclass(frozen=True, slots=True)
class Simulated:
    """`total_minor` is what the basket costs after coupons, `due_minor` what of it is paid with money; `tier_after` is
    the tier that would be reached by it, `pays_points` how many points would be spent."""

    outcome: Outcome
    coupons: list[Validation]
    currency: str
    total_minor: int
    due_minor: int
    pays_points: int
    points: int
    credit_minor: int
    tier_before: Tier | None
    tier_after: Tier | None


def simulate(
    *,
    member_id: int | None,
    rules: Sequence[Rule],
    articles: Sequence[Article],
    at: datetime,
    store: str = "",
    channel: str = "store",
    coupons: Sequence[str] = (),
    pay_points: int = 0,
    trigger: str = PURCHASE,
    data: dict[str, Any] | None = None,
) -> Simulated:
    """What these rules would give. Without a member: somebody new, on the lowest tier. For another trigger than a
    purchase the basket is left out. BadAmount; PointsDoNotPay."""
    programme = get_programme()
    bought = trigger == PURCHASE
    lines = _priced(articles, programme.currency) if bought else []
    quoted: list[Validation] = []
    if coupons and bought:
        quoted = quote(
            codes=coupons, member_id=member_id, lines=lines, currency=programme.currency, store=store, channel=channel,
            at=at,
        )  # fmt: skip
    offs = [sum(shares) for shares in zip(*(one.per_line for one in quoted if one.ok), strict=True)]
    costs = [line.amount_minor - off for line, off in zip(lines, offs or [0] * len(lines), strict=True)]
    total = sum(costs)
    paid, spent = _paid_with_points(pay_points, total) if bought else (0, 0)
    standing = standing_of(member_id, rules, at=at)
    happening = Happening(
        trigger=trigger,
        at=at,
        currency=programme.currency if bought else "",
        amount_minor=total,
        money_minor=total - paid,
        items=[
            Item(None, cost, line.quantity, line.sku, line.category, line.brand)
            for line, cost in zip(lines, costs, strict=True)
        ],
        store=store,
        channel=channel if bought else "",
        data=data or {},
    )
    zone = ZoneInfo(programme.time_zone)
    outcome = evaluate(
        rules, happening, standing, zone=zone, home=programme.currency, budgets=left_of(rule.id for rule in rules)
    )
    points, credit = (
        sum(award.points for award in outcome.awards if award.rule.definition.unit == unit) for unit in Unit.values
    )
    before = tier_standing(member_id, at) if member_id else None
    lowest = Tier.objects.filter(rank=0).first()
    counting = sum(
        award.points
        for award in outcome.awards
        if award.rule.definition.unit == Unit.POINTS and award.rule.definition.counts_for_tier
    )
    return Simulated(
        outcome=outcome,
        coupons=quoted,
        currency=programme.currency,
        total_minor=total,
        due_minor=total - paid,
        pays_points=spent,
        points=points,
        credit_minor=credit,
        tier_before=(before and before.tier) or lowest,
        tier_after=_after(before, lowest, counting, total),
    )


def _priced(articles: Sequence[Article], currency: str) -> list[Line]:
    found = []
    for n, one in enumerate(articles):
        try:
            to_minor(one.unit_price, currency)
            amount = gross_minor(one.quantity, one.unit_price, currency) - to_minor(one.discount, currency)
        except ValueError:
            raise BadAmount(n) from None
        if amount < 0:
            raise BadAmount(n)
        found.append(
            Line(amount_minor=amount, quantity=one.quantity, sku=one.sku, category=one.category, brand=one.brand)
        )
    return found


def _paid_with_points(points: int, total: int) -> tuple[int, int]:
    """What these points pay of the total, in minor units, and how many of them that takes."""
    if not points:
        return 0, 0
    per_unit = reward_settings().points_per_unit
    if not per_unit:
        raise PointsDoNotPay
    minor = to_minor(Decimal(1), get_programme().currency)
    worth = min(points * minor // per_unit, total)
    return worth, -(-worth * per_unit // minor)


def _after(before: TierStanding | None, lowest: Tier | None, points: int, spent: int) -> Tier | None:
    """The tier that is reached with so much more; the next one at most."""
    if before is None or before.next_tier is None:
        return (before and before.tier) or lowest
    more = {"points": points, "spend": spent, "visits": 0, "tenure": 0}
    reached = [one.has + more[one.kind] >= one.needs for one in before.to_next]
    there = any(reached) if before.next_any else all(reached)
    return before.next_tier if there and reached else before.tier
