"""Giving what rules give: evaluated in Python, posted by set-based SQL. The caller has locked the wallets, so that the
limits of each member hold; budgets are locked here, late and in the order of their ids."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from django.db import transaction

from common.sql import execute, fetch_all, fetch_prepared
from rewards.earning.evaluate import evaluate, note
from rewards.earning.facts import Award, Happening, Outcome, Standing, Unfired
from rewards.earning.triggers import PURCHASE
from rewards.enums import AccountKind, IssuedBy, TransferKind, Unit
from rewards.queries_benefits import multipliers_of
from rewards.queries_budgets import LOCK_LEFT
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes, issue_coupons
from rewards.services.earning.facts import Bought, bought, standings
from rewards.services.earning.live import Home, LiveRule, home, live_rules
from rewards.services.ledger import credit


class Case(NamedTuple):
    """Something that rules look at: `key` begins the keys of what is given for it; one of the two ids is set."""

    key: str
    member_id: int
    happening: Happening
    purchase_id: int | None = None
    event_id: int | None = None


@dataclass(slots=True)
class Granted:
    """What the rules gave for a case: `posted` are the transfers, by rule; `coupons` the ids of the coupons. `owes` and
    `lives` are the member's, see Standing."""

    case: Case
    outcome: Outcome
    posted: dict[int, int] = field(default_factory=dict)
    coupons: dict[int, int] = field(default_factory=dict)
    tier_before: int | None = None
    owes: bool = False
    lives: bool = False

    def units(self, unit: str = Unit.POINTS) -> int:
        return sum(award.points for award in self.outcome.awards if award.rule.definition.unit == unit)


def award_purchases_of(
    purchase_ids: Sequence[int], at: datetime, *, paid_otherwise: Mapping[int, int] | None = None
) -> list[Granted]:
    """Gives what recorded purchases earn. The caller has locked the wallets of who bought, in both units where a rule
    gives credit (see `units_given`)."""
    return award_bought(bought(purchase_ids, paid_otherwise), live_rules(PURCHASE), home(), at)


def award_bought(purchases: Sequence[Bought], rules: list[LiveRule], at_home: Home, at: datetime) -> list[Granted]:
    """As award_purchases_of, of what was read already."""
    cases = [Case(f"earn:purchase:{one.id}", one.member_id, one.happening, purchase_id=one.id) for one in purchases]
    return award(cases, rules, at_home, at)


def units_given(rules: Iterable[LiveRule]) -> list[Unit]:
    """In which units these rules give: points always, for the wallet that every buyer has."""
    credit_too = any(live.rule.definition.unit == Unit.CREDIT for live in rules)
    return [Unit.POINTS, Unit.CREDIT] if credit_too else [Unit.POINTS]


def award(cases: Sequence[Case], rules: list[LiveRule], at_home: Home, at: datetime) -> list[Granted]:
    """Evaluates the cases in their order and posts what they give."""
    if not cases:
        return []
    found = consider(cases, rules, at_home)
    locked: dict[int, int] = {}
    while contested := _contested(found, rules) - locked.keys():
        locked |= _lock_budgets(contested)
        found = consider(cases, rules, at_home, locked)
    granted = [
        Granted(case, outcome, tier_before=standing.tier, owes=standing.owes, lives=standing.lives)
        for case, (outcome, standing) in zip(cases, found, strict=True)
    ]
    _give_coupons(granted, at)
    _spend(granted, locked.keys())
    _post(granted, at)
    return granted


def consider(
    cases: Sequence[Case],
    rules: list[LiveRule],
    at_home: Home,
    budgets: Mapping[int, int] | None = None,
    *,
    having: datetime | None = None,
    known: dict[int, Standing] | None = None,
) -> list[tuple[Outcome, Standing]]:
    """What each case gives, after those before it, and where the member stands: as `known`, or asked now; with
    `having`, what they have at that moment. Writes nothing; budgets that are not given are taken as they were read."""
    plain = [live.rule for live in rules]
    if known is None:
        members = [case.member_id for case in cases]
        new = [case.purchase_id for case in cases if case.purchase_id is not None]
        known = standings(plain, members, [case.happening.at for case in cases], new, having=having)
    left = {live.rule.id: live.budget_left for live in rules if live.budget_left is not None} | dict(budgets or {})
    factors = multipliers_of([(case.member_id, case.happening.at) for case in cases]) if at_home.multiplies else None
    outcomes = []
    for n, case in enumerate(cases):
        standing = known[case.member_id]
        if factors:
            standing.benefit, standing.benefit_id = Fraction(factors[n].factor), factors[n].benefit_id
        outcome = evaluate(plain, case.happening, standing, zone=at_home.zone, home=at_home.currency, budgets=left)
        note(outcome, case.happening, standing, left)
        outcomes.append((outcome, standing))
    return outcomes


def _contested(found: Sequence[tuple[Outcome, Standing]], rules: list[LiveRule]) -> set[int]:
    """Rules whose budget decides, or may decide once it is known for sure."""
    budgeted = {live.rule.id for live in rules if live.budget_left is not None and live.budget_left > 0}
    if not budgeted:
        return set()
    wanting = {award.rule.id for outcome, _standing in found for award in outcome.awards}
    outdone = {
        one.rule.id for outcome, _standing in found for one in outcome.unfired if one.reason in ("outdone", "budget")
    }
    return (wanting | outdone) & budgeted


def _lock_budgets(rule_ids: Iterable[int]) -> dict[int, int]:
    return dict(fetch_all(LOCK_LEFT, [sorted(rule_ids)]))


def _give_coupons(granted: Sequence[Granted], at: datetime) -> None:
    """Issues what rules give as coupons. An offer that is over harms nothing else: the rule then gave nothing."""
    wanted: dict[int, list[tuple[Granted, Award]]] = defaultdict(list)
    for one in granted:
        for award_ in one.outcome.awards:
            if award_.offer is not None:
                wanted[award_.offer].append((one, award_))
    for offer_id, pairs in sorted(wanted.items()):
        keys = [f"rule:{award_.rule.id}:{one.case.key.removeprefix('earn:')}" for one, award_ in pairs]
        reason = "offer"
        try:
            with transaction.atomic():
                coupons = issue_coupons(
                    offer_id=offer_id,
                    member_ids=[one.case.member_id for one, _award in pairs],
                    keys=keys,
                    issued_by=IssuedBy.RULE,
                    at=at,
                )
        except OfferNotRunning:
            coupons = []
        except OutOfCodes:
            coupons, reason = [], "codes"
        ids = {coupon.issue_key: coupon.pk for coupon in coupons}
        for (one, award_), key in zip(pairs, keys, strict=True):
            if key in ids:
                one.coupons[award_.rule.id] = ids[key]
            else:
                one.outcome.awards.remove(award_)
                one.outcome.unfired.append(Unfired(award_.rule, reason, {"offer": offer_id}))


# A purchase that a till dates into the future is spendable from the moment it is posted.
_EARN = """
SELECT key, member_id, amount, at, coalesce(available_from, least(at, %(at)s::timestamptz)), expires_at, '', why,
       NULL::bigint, purchase_id, unit, rule_id, inactivity_months
FROM unnest(%(keys)s::text[], %(members)s::bigint[], %(amounts)s::bigint[], %(ats)s::timestamptz[],
            %(available)s::timestamptz[], %(expires)s::timestamptz[], %(whys)s::jsonb[], %(purchases)s::bigint[],
            %(units)s::text[], %(versions)s::bigint[], %(months)s::smallint[])
    AS award (key, member_id, amount, at, available_from, expires_at, why, purchase_id, unit, rule_id,
              inactivity_months)
"""


# What the transfers do not say: who gave nothing, and why.
_EVALUATED = """
INSERT INTO rewards_evaluation (purchase_id, event_id, at, trace)
SELECT * FROM unnest(%(told_purchases)s::bigint[], %(told_events)s::bigint[], %(told_at)s::timestamptz[],
                     %(traces)s::jsonb[])
"""


def _post(granted: Sequence[Granted], at: datetime) -> None:
    """Writes transfers with their lots, and evaluations, in one statement."""
    told = [one for one in granted if one.outcome.unfired]
    traces = {
        "told_purchases": [one.case.purchase_id for one in told],
        "told_events": [one.case.event_id for one in told],
        "told_at": [one.case.happening.at for one in told],
        "traces": [json.dumps(one.outcome.trace()) for one in told],
    }
    given = [(one, award_) for one in granted for award_ in one.outcome.awards if award_.offer is None]
    if not given:
        if told:
            fetch_prepared(_EVALUATED, traces)
        return
    keys = [f"{one.case.key}:{award_.rule.id}" for one, award_ in given]
    posted = credit(
        kind=TransferKind.EARN,
        source=AccountKind.ISSUED,
        select=_EARN,
        params={
            "at": at,
            "keys": keys,
            "members": [one.case.member_id for one, _award in given],
            "amounts": [award_.points for _one, award_ in given],
            "ats": [one.case.happening.at for one, _award in given],
            "available": [award_.available_from for _one, award_ in given],
            "expires": [award_.expires_at for _one, award_ in given],
            "whys": [json.dumps(award_.why) for _one, award_ in given],
            "purchases": [one.case.purchase_id for one, _award in given],
            "units": [award_.rule.definition.unit for _one, award_ in given],
            "versions": [award_.rule.version_id for _one, award_ in given],
            "months": [award_.inactivity_months for _one, award_ in given],
            **traces,
        },
        also=("unit", "rule_id", "inactivity_months"),
        often=True,
        repays=any(one.owes for one in granted),
        beside=_EVALUATED,
    )
    ids = {transfer.key: transfer.id for transfer in posted}
    for (one, award_), key in zip(given, keys, strict=True):
        one.posted[award_.rule.id] = ids[key]


_SPEND = """
UPDATE rewards_earningrule AS rule SET budget_spent = rule.budget_spent + spent.units
FROM unnest(%s::bigint[], %s::bigint[]) AS spent (id, units) WHERE rule.id = spent.id
"""


def _spend(granted: Sequence[Granted], budgeted: Collection[int]) -> None:
    """Counts the budgets that were locked."""
    spent: dict[int, int] = defaultdict(int)
    for one in granted:
        for award_ in one.outcome.awards:
            if award_.rule.id in budgeted:
                spent[award_.rule.id] += award_.points
    if spent:
        execute(_SPEND, [list(spent), list(spent.values())])
