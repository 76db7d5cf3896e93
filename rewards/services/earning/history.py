"""What was really bought, as the rules look at it: member by member, in order, with the standing of that moment."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from common.sql import fetch_all
from rewards.earning.definition import Definition
from rewards.earning.facts import Given, Happening, Item, Rule, Standing
from rewards.earning.triggers import PURCHASE
from rewards.queries_benefits import multipliers_of

_ITEMS_FOR = ("per_item",)


@dataclass(frozen=True, slots=True)
class Past:
    """A purchase of the past, and where its member stood: `standing` is the member's own and goes on from purchase to
    purchase (see `note`)."""

    purchase_id: int
    member_id: int
    happening: Happening
    standing: Standing


def needs_lines(definitions: Collection[Definition]) -> bool:
    """Whether any of them looks into the basket."""
    return any(
        one.exclude
        or one.effect.kind in _ITEMS_FOR
        or one.conditions.products
        or one.conditions.categories
        or one.conditions.brands
        for one in definitions
    )


_PURCHASES = """
SELECT id, member_id, purchased_at, currency, amount_minor, store, channel FROM members_purchase
WHERE member_id = ANY(%(members)s) AND purchased_at >= %(since)s AND purchased_at < %(until)s
ORDER BY member_id, purchased_at, id
"""
_LINES = """
SELECT purchase_id, id, amount_minor, quantity, sku, category, brand FROM members_purchaseline
WHERE purchase_id = ANY(%(purchases)s) ORDER BY id
"""
_BOUGHT_BEFORE = """
SELECT member.id FROM unnest(%(members)s::bigint[]) AS member (id)
WHERE EXISTS (SELECT FROM members_purchase WHERE member_id = member.id AND purchased_at < %(since)s)
"""
_SEGMENTS = """
SELECT member_id, array_agg(segment_id) FROM members_segmentmember
WHERE member_id = ANY(%(members)s) AND segment_id = ANY(%(segments)s) GROUP BY member_id
"""
_TIERS = "SELECT member_id, tier_id FROM rewards_membertier WHERE member_id = ANY(%(members)s)"
_MOVES = """
SELECT member_id, at, from_tier_id, to_tier_id FROM rewards_tierchange
WHERE member_id = ANY(%(members)s) ORDER BY member_id, at, id
"""
# What the rules gave before: for limits that reach back for ever.
_GAVE = """
SELECT wallet.member_id, version.rule_id, sum(transfer.amount)::bigint, count(*)
FROM rewards_ruleversion AS version
JOIN rewards_transfer AS transfer ON transfer.rule_id = version.id
JOIN rewards_account AS wallet ON wallet.id = transfer.credit_id
WHERE version.rule_id = ANY(%(rules)s) AND wallet.member_id = ANY(%(members)s)
  AND transfer.kind = 'earn' AND transfer.at < %(since)s
GROUP BY wallet.member_id, version.rule_id
"""


class _Tiers:
    """Which tier a member stood on at a moment, as far as changes were kept; the base tier is everyone's."""

    def __init__(self, members: Sequence[int]) -> None:
        ranked = fetch_all("SELECT id, multiplier, rank FROM rewards_tier ORDER BY rank")
        self.multipliers: dict[int | None, Fraction] = {id_: Fraction(factor) for id_, factor, _rank in ranked}
        self.base = ranked[0][0] if ranked and ranked[0][2] == 0 else None
        self.now = dict(fetch_all(_TIERS, {"members": members}))
        self.moves: dict[int, list[tuple[datetime, int | None, int | None]]] = defaultdict(list)
        for member_id, at, before, after in fetch_all(_MOVES, {"members": members}):
            self.moves[member_id].append((at, before, after))

    def at(self, member_id: int, moment: datetime) -> int | None:
        moves = self.moves.get(member_id)
        if not moves:
            tier = self.now.get(member_id)
        else:
            n = bisect_right(moves, moment, key=lambda move: move[0])
            tier = moves[n - 1][2] if n else moves[0][1]
        return self.base if tier is None else tier


def purchases(members: Sequence[int], rules: Sequence[Rule], *, since: datetime, until: datetime) -> Iterator[Past]:
    """All purchases of these members in the period, by member and time. A number of queries that does not grow with
    the members. Tiers are those of the time, segments and benefits those of today: who had them is
    not kept for ever."""
    members = list(members)
    period: dict[str, Any] = {"members": members, "since": since, "until": until}
    definitions = [rule.definition for rule in rules]
    bought = fetch_all(_PURCHASES, period)
    lines: dict[int, list[Item]] = defaultdict(list)
    if needs_lines(definitions):
        for purchase_id, *line in fetch_all(_LINES, {"purchases": [row[0] for row in bought]}):
            lines[purchase_id].append(_item(*line))
    asked = {id_ for one in definitions for id_ in one.conditions.segments | one.conditions.not_segments}
    within = dict(fetch_all(_SEGMENTS, {"members": members, "segments": list(asked)})) if asked else {}
    returning: set[int] = set()
    if any(one.conditions.first_purchase for one in definitions):
        returning = {row[0] for row in fetch_all(_BOUGHT_BEFORE, period)}
    limited = [rule.id for rule in rules if rule.definition.limits]
    gave: dict[int, dict[int, Given]] = defaultdict(dict)
    if limited:
        for member_id, rule_id, units, times in fetch_all(_GAVE, {**period, "rules": limited}):
            gave[member_id][rule_id] = Given(units=units, times=times)
    tiers = _Tiers(members)
    factors = multipliers_of([(row[1], row[2]) for row in bought])
    standing, of = Standing(), None
    for factor, (purchase_id, member_id, at, currency, amount_minor, store, channel) in zip(
        factors, bought, strict=True
    ):
        if member_id != of:
            of = member_id
            standing = Standing(
                segments=frozenset(within.get(member_id, ())),
                first=member_id not in returning,
                given=gave.get(member_id, {}),
            )
        standing.tier = tiers.at(member_id, at)
        standing.multiplier = tiers.multipliers.get(standing.tier, Fraction(1))
        standing.benefit, standing.benefit_id = Fraction(factor.factor), factor.benefit_id
        happening = Happening(
            trigger=PURCHASE,
            at=at,
            currency=currency,
            amount_minor=amount_minor,
            items=lines.get(purchase_id, ()),
            store=store,
            channel=channel,
        )
        yield Past(purchase_id, member_id, happening, standing)


def _item(id_: int, amount_minor: int, quantity: Decimal, sku: str, category: str, brand: str) -> Item:
    return Item(id_, amount_minor, quantity, sku, category, brand)


_AWARDS = """
SELECT version.rule_id, transfer.at, transfer.amount
FROM rewards_ruleversion AS version
JOIN rewards_transfer AS transfer ON transfer.rule_id = version.id
JOIN rewards_account AS wallet ON wallet.id = transfer.credit_id
WHERE version.rule_id = ANY(%(rules)s) AND wallet.member_id = %(member)s AND transfer.kind = 'earn'
ORDER BY transfer.at
"""


def standing_of(member_id: int | None, rules: Sequence[Rule], *, at: datetime) -> Standing:
    """Where one member stands at a moment, with all that the rules gave; None is somebody who has just come."""
    members = [member_id] if member_id else []
    tiers = _Tiers(members)
    if member_id is None:
        return Standing(tier=tiers.base, multiplier=tiers.multipliers.get(tiers.base, Fraction(1)), first=True)
    asked = {
        id_ for one in rules for id_ in one.definition.conditions.segments | one.definition.conditions.not_segments
    }
    within = fetch_all(_SEGMENTS, {"members": members, "segments": list(asked)})
    given: dict[int, Given] = defaultdict(Given)
    limited = [rule.id for rule in rules if rule.definition.limits]
    for rule_id, moment, units in fetch_all(_AWARDS, {"rules": limited, "member": member_id}):
        given[rule_id].add(moment, units)
    tier = tiers.at(member_id, at)
    factor = multipliers_of([(member_id, at)])[0]
    return Standing(
        tier=tier,
        multiplier=tiers.multipliers.get(tier, Fraction(1)),
        benefit=Fraction(factor.factor),
        benefit_id=factor.benefit_id,
        segments=frozenset(within[0][1]) if within else frozenset(),
        first=not fetch_all(_BOUGHT_BEFORE, {"members": members, "since": at}),
        given=dict(given),
    )
