"""What the engine must know of purchases and members, asked for all of them at once and only where a rule asks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from common.sql import fetch_prepared
from rewards.earning.facts import ONE, Given, Happening, Item, Rule, Standing
from rewards.earning.triggers import PURCHASE
from rewards.queries_having import HAVING, purse

_DAYS = {"day": 1, "week": 7, "month": 31}


class MergedMeanwhile(Exception):
    """One of the members is another by now: their wallets have to be locked as well."""


class Bought(NamedTuple):
    """A recorded purchase, as the engine takes it."""

    id: int
    member_id: int
    happening: Happening


# What was refunded before counts no more. What was paid with points or credit is told by the caller.
_BOUGHT = """
SELECT purchase.id, purchase.member_id, purchase.purchased_at, purchase.currency,
       purchase.amount_minor, purchase.refunded_minor, purchase.store, purchase.channel, {lines}
FROM members_purchase AS purchase WHERE purchase.id = ANY(%s) ORDER BY purchase.id
"""
_LINES = """(
    SELECT array_agg(ARRAY[line.id::text, line.amount_minor::text, line.quantity::text, line.sku, line.category,
                           line.brand] ORDER BY line.id)
    FROM members_purchaseline AS line WHERE line.purchase_id = purchase.id
)"""


def bought(purchase_ids: Sequence[int], paid_otherwise: Mapping[int, int] | None = None) -> list[Bought]:
    """Recorded purchases in the order of their ids. `paid_otherwise`: minor units paid with points or credit."""
    otherwise = paid_otherwise or {}
    found = []
    for id_, member_id, at, currency, price, refunded, store, channel, lines in fetch_prepared(
        _BOUGHT.format(lines=_LINES), [list(purchase_ids)]
    ):
        items = tuple(
            Item(int(line), int(minor), Decimal(quantity), sku, category, brand)
            for line, minor, quantity, sku, category, brand in lines or ()
        )
        amount = price - refunded
        money = max(amount - otherwise[id_], 0) if id_ in otherwise else None
        happening = Happening(PURCHASE, at, currency, amount, money, items, store, channel, refunded)
        found.append(Bought(id_, member_id, happening))
    return found


# Each part answers (what, member, number, moment, units, multiplier or number, texts). Who was merged is one with who
# they are now.
_TIER = """
SELECT 'tier', member.id, tier.id, NULL::timestamptz, NULL::bigint, tier.multiplier, NULL::text[]
FROM unnest(%(members)s::bigint[]) AS member (id)
LEFT JOIN rewards_membertier AS status ON status.member_id = member.id
JOIN rewards_tier AS tier ON tier.id = coalesce(status.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0))
"""
# Asked under the lock, which a merge holds, too.
_MERGED = """
SELECT 'merged', id, merged_into_id, NULL, NULL, NULL, NULL FROM members_member
WHERE id = ANY(%(members)s) AND merged_into_id IS NOT NULL
"""
# Of each wallet one lot is looked for: EXISTS would be taken for a reason to read all lots that there are.
_PURSE = """
SELECT CASE kind WHEN 'wallet' THEN 'lives' ELSE 'owes' END, member_id, NULL, NULL, NULL, NULL, NULL
FROM rewards_account AS own WHERE member_id = ANY(%(members)s::bigint[]) AND (
    kind = 'arrears' AND balance < 0 OR kind = 'wallet' AND (
        SELECT true FROM rewards_lot WHERE account_id = own.id AND remaining > 0 AND inactivity_months IS NOT NULL
        LIMIT 1))
"""
_SEGMENTS = """
SELECT 'segment', member_id, segment_id, NULL, NULL, NULL, NULL FROM members_segmentmember
WHERE member_id = ANY(%(members)s) AND segment_id = ANY(%(segments)s)
"""
_FIRST = """
SELECT 'first', member.id, NULL, NULL, NULL, NULL, NULL FROM unnest(%(members)s::bigint[]) AS member (id)
WHERE NOT EXISTS (
    SELECT FROM members_purchase AS other
    WHERE other.member_id = member.id AND other.id <> ALL (%(purchases)s::bigint[])
)
"""
_WALLETS = """
(SELECT wallet.id, coalesce(owner.merged_into_id, owner.id) AS member_id
 FROM members_member AS owner JOIN rewards_account AS wallet ON wallet.member_id = owner.id AND wallet.kind = 'wallet'
 WHERE owner.id = ANY(%(members)s) OR owner.merged_into_id = ANY(%(members)s)) AS own
"""
_GIVEN = f"""
SELECT 'given', own.member_id, version.rule_id, earn.at, earn.amount, NULL, NULL
FROM {_WALLETS}
JOIN rewards_transfer AS earn ON earn.credit_id = own.id AND earn.kind = 'earn' AND earn.at > %(since)s
                             AND earn.at < %(until)s
JOIN rewards_ruleversion AS version ON version.id = earn.rule_id
WHERE version.rule_id = ANY(%(lately)s)
"""
_EVER = f"""
SELECT 'ever', own.member_id, version.rule_id, NULL, sum(earn.amount)::bigint, count(*), NULL
FROM {_WALLETS}
JOIN rewards_transfer AS earn ON earn.credit_id = own.id AND earn.kind = 'earn'
JOIN rewards_ruleversion AS version ON version.id = earn.rule_id
WHERE version.rule_id = ANY(%(ever)s)
GROUP BY own.member_id, version.rule_id
"""
_COUPONS = """
SELECT 'coupon', member_id, split_part(issue_key, ':', 2)::bigint, issued_at, 0, NULL, NULL
FROM rewards_coupon WHERE member_id = ANY(%(members)s) AND issued_by = 'rule' AND issue_key LIKE 'rule:%%'
"""


def standings(
    rules: Sequence[Rule],
    members: Iterable[int],
    moments: Sequence[datetime],
    purchase_ids: Sequence[int] = (),
    *,
    having: datetime | None = None,
) -> dict[int, Standing]:
    """Where members stand, as far as these rules ask: one statement. `moments` are those of what happens;
    `purchase_ids` are new, and do not count as earlier purchases. With `having`, what they have at that moment as
    well, see HAVING. MergedMeanwhile."""
    ids = sorted(set(members))
    return read_standings(ids, fetch_prepared(*asking(rules, ids, moments, purchase_ids, having=having)))


def asking(
    rules: Sequence[Rule],
    ids: Sequence[int],
    moments: Sequence[datetime],
    purchase_ids: Sequence[int] = (),
    *,
    having: datetime | None = None,
) -> tuple[str, dict[str, Any]]:
    """The statement that asks for standings, for read_standings."""
    definitions = [rule.definition for rule in rules]
    params: dict[str, Any] = {"members": list(ids)}
    parts = [_TIER, _MERGED, _PURSE] if having is None else [HAVING]
    if having is not None:
        params["at"] = having
    segments = {id_ for one in definitions for id_ in one.conditions.segments | one.conditions.not_segments}
    if segments:
        parts.append(_SEGMENTS)
        params["segments"] = sorted(segments)
    if any(one.conditions.first_purchase for one in definitions):
        parts.append(_FIRST)
        params["purchases"] = list(purchase_ids)
    limited = [rule for rule in rules if rule.definition.limits]
    reach = max((_reach(rule) for rule in limited), default=0)
    if reach:
        parts.append(_GIVEN)
        params["lately"] = sorted({rule.id for rule in limited if _reach(rule)})
        params["since"] = min(moments) - timedelta(hours=reach)
        params["until"] = max(moments) + timedelta(hours=reach)
    ever = {rule.id for rule in limited if _is_ever(rule)}
    if ever:
        parts.append(_EVER)
        params["ever"] = sorted(ever)
    if any(rule.definition.effect.kind == "coupon" for rule in limited):
        parts.append(_COUPONS)
    return " UNION ALL ".join(parts), params


def read_standings(ids: Sequence[int], rows: Iterable[tuple]) -> dict[int, Standing]:
    """From what `asking` is answered. MergedMeanwhile."""
    found = {id_: Standing() for id_ in ids}
    for what, member_id, number, moment, units, extra, has in rows:
        standing = found[member_id]
        match what:
            case "tier":
                standing.tier, standing.multiplier = number, _factor(extra)
                if has is not None:
                    standing.has = has
                    standing.owes, standing.lives, merged = purse(has)
                    if merged:
                        raise MergedMeanwhile
            case "merged":
                raise MergedMeanwhile
            case "owes":
                standing.owes = True
            case "lives":
                standing.lives = True
            case "segment":
                standing.segments |= {number}
            case "first":
                standing.first = True
            case "given":
                standing.given.setdefault(number, Given()).lately.append((moment, units))
            case "ever":
                given = standing.given.setdefault(number, Given())
                given.units, given.times = units, int(extra)
            case "coupon":
                standing.given.setdefault(number, Given()).add(moment, 0)
    return found


@lru_cache(maxsize=64)
def _factor(multiplier: Decimal | None) -> Fraction:
    return ONE if multiplier is None or multiplier == 1 else Fraction(multiplier)


def _reach(rule: Rule) -> int:
    """How many hours its limits look back, and ahead: purchases are told in any order."""
    limits = rule.definition.limits
    days = max((days for period, days in _DAYS.items() if getattr(limits, period) is not None), default=0)
    if limits.times_day is not None:
        days = max(days, 1)
    return max(days * 24 + 24 if days else 0, limits.cooldown_hours or 0)


def _is_ever(rule: Rule) -> bool:
    return rule.definition.limits.lifetime is not None or rule.definition.limits.times_lifetime is not None
