"""Purchases and all that follows from them in one statement: what a till waits for nearly always.

It serves those of whom it is sure beforehand what follows. The others are recorded first, and then given what they
earn: see rewards.services.earning.rewarding.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import is_
from typing import Any, NamedTuple

from django.db import DataError
from django.utils.translation import get_language
from psycopg.errors import NumericValueOutOfRange
from pydantic_core import to_json

from common.sql import Params, fetch_prepared, fetch_together
from members.events import complete
from members.services.purchases import (
    WRITING,
    WRITING_ALONE,
    NewPurchase,
    RecordedPurchase,
    writing,
    writing_alone,
    written,
)
from rewards.earning.facts import Award, Happening, Item, Rule
from rewards.earning.triggers import PURCHASE
from rewards.enums import Unit
from rewards.queries_having import Having, having
from rewards.services.earning.facts import MergedMeanwhile, asking, read_standings
from rewards.services.earning.live import Find, Opened, buyer, of_buyer, opening, read_opened
from rewards.services.earning.posting import Case, Granted, consider, units_given
from rewards.services.ledger import PointsOutOfRange, touch

# The wallets are locked, each member owes nothing, and the keys of transfers are new, because the purchases are.
_WRITE = f"""
WITH {WRITING},
moved AS MATERIALIZED (
    SELECT nextval('rewards_transfer_id_seq') AS id, award.*
    FROM whole, unnest(%(keys)s::text[], %(wallets)s::bigint[], %(units)s::text[], %(amounts)s::bigint[],
                       %(ats)s::timestamptz[], %(available)s::timestamptz[], %(expires)s::timestamptz[],
                       %(months)s::smallint[], %(whys)s::jsonb[], %(purchases)s::bigint[], %(versions)s::bigint[])
        AS award (key, wallet_id, unit, amount, at, available_from, expires_at, months, why, purchase_id, rule_id)
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, rule_id, why, purchase_id)
    SELECT id, key, 'earn', (
        SELECT id FROM rewards_account WHERE kind = 'issued' AND unit = moved.unit AND member_id IS NULL
    ), wallet_id, amount, at, rule_id, why, purchase_id
    FROM moved
),
lot AS (
    INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at, inactivity_months)
    SELECT wallet_id, id, amount, amount, coalesce(available_from, least(at, %(now)s::timestamptz)),
           coalesce(expires_at, at + make_interval(months => months)), months
    FROM moved
),
wallet AS (
    UPDATE rewards_account AS account SET balance = account.balance + came.amount
    FROM whole, unnest(%(came_to)s::bigint[], %(came)s::bigint[]) AS came (id, amount) WHERE account.id = came.id
),
evaluated AS (
    INSERT INTO rewards_evaluation (purchase_id, at, trace)
    SELECT told.* FROM whole, unnest(%(untold)s::bigint[], %(untold_at)s::timestamptz[], %(traces)s::jsonb[]) AS told
),
stayed AS (
    UPDATE rewards_membertier AS status
    SET qualifying_points = stays.points, assessed_at = %(now)s::timestamptz,
        counted_to = coalesce((SELECT max(id) FROM moved), status.counted_to),
        counts_until = least(stays.until, stays.since + interval '12 months')
    FROM whole, unnest(%(staying)s::bigint[], %(counted)s::bigint[], %(until)s::timestamptz[], %(since)s::timestamptz[])
        AS stays (member_id, points, until, since)
    WHERE status.member_id = stays.member_id
)
SELECT id FROM added
"""

# The same of one purchase that is new, by a member whose tier surely stays: a till waits for it.
_WRITE_ALONE = f"""
WITH {WRITING_ALONE},
moved AS MATERIALIZED (
    SELECT nextval('rewards_transfer_id_seq') AS id, award.*
    FROM unnest(%(keys)s::text[], %(wallets)s::bigint[], %(units)s::text[], %(amounts)s::bigint[],
                %(available)s::timestamptz[], %(expires)s::timestamptz[], %(months)s::smallint[], %(whys)s::jsonb[],
                %(versions)s::bigint[])
        AS award (key, wallet_id, unit, amount, available_from, expires_at, months, why, rule_id)
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, rule_id, why, purchase_id)
    SELECT id, key, 'earn', (
        SELECT id FROM rewards_account WHERE kind = 'issued' AND unit = moved.unit AND member_id IS NULL
    ), wallet_id, amount, %(told_at)s::timestamptz, rule_id, why, %(told_id)s::bigint
    FROM moved
),
lot AS (
    INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at, inactivity_months)
    SELECT wallet_id, id, amount, amount,
           coalesce(available_from, least(%(told_at)s::timestamptz, %(now)s::timestamptz)),
           coalesce(expires_at, %(told_at)s::timestamptz + make_interval(months => months)), months
    FROM moved
),
wallet AS (
    UPDATE rewards_account AS account SET balance = account.balance + came.amount
    FROM unnest(%(came_to)s::bigint[], %(came)s::bigint[]) AS came (id, amount) WHERE account.id = came.id
),
evaluated AS (
    INSERT INTO rewards_evaluation (purchase_id, at, trace)
    SELECT %(told_id)s::bigint, %(told_at)s::timestamptz, trace FROM unnest(%(traces)s::jsonb[]) AS trace
)
UPDATE rewards_membertier
SET qualifying_points = %(counted)s::bigint, assessed_at = %(now)s::timestamptz,
    counted_to = coalesce((SELECT max(id) FROM moved), counted_to),
    counts_until = least(%(until)s::timestamptz, %(since)s::timestamptz + interval '12 months')
WHERE member_id = %(told_member)s::bigint
"""


class AtOnce(NamedTuple):
    """What became of purchases: `granted` is None where some were known before; then the new ones earned nothing yet.
    `has` is what the members had before, `staying` are those whose tier surely stays."""

    recorded: list[RecordedPurchase]
    granted: list[Granted] | None = None
    has: dict[int, Having] = {}
    staying: frozenset[int] = frozenset()


# What is written last and makes of what was given what is told of it: with it, the transaction is over.
Ending = Callable[[AtOnce], tuple[str, Params]]
# The rules as the purchase before found them, by whether they speak Chinese.
_lately: dict[bool, list[Rule]] = {}


def begin(find: Find, moment: datetime, at: datetime, *, lines: int) -> tuple[int, Opened]:
    """Who buys, 0 for nobody, and what the checkout of one purchase begins with; in the same go, under the lock, where
    the member stands: it is asked as the rules of the purchase before would have it, and not known where they are
    others by now."""
    chinese = (get_language() or "").startswith("zh")
    before = _lately.get(chinese, [])
    opens, opens_with = opening(PURCHASE, (), purchases=1, lines=lines)
    asks, asks_with = asking(before, (), [moment], having=at)
    told = [(buyer(find[0]), find[1]), (of_buyer(opens), opens_with), (of_buyer(asks), asks_with)]
    ((member_id,),), begun_rows, standing_rows = fetch_together(told)
    begun = read_opened(begun_rows)
    now = _lately[chinese] = [live.rule for live in begun.rules]
    if begun.people.get(member_id) != member_id or len(now) != len(before) or not all(map(is_, now, before)):
        return member_id, begun
    try:
        return member_id, begun._replace(known=read_standings([member_id], standing_rows))
    except MergedMeanwhile:
        return member_id, begun


def happening_of(told: NewPurchase, was: RecordedPurchase, otherwise: int | None = None) -> Happening:
    """A new purchase as rules see it; `otherwise` are the minor units paid with points or credit."""
    items = tuple(
        [
            Item(id_, line.amount_minor, line.quantity, line.sku, line.category, line.brand)
            for id_, line in zip(was.line_ids, told.lines, strict=True)
        ]
    )
    price = told.amount_minor
    money = None if otherwise is None else max(price - otherwise, 0)
    return Happening(PURCHASE, told.purchased_at, told.currency, price, money, items, told.store, told.channel)


def write_at_once(
    purchases: Sequence[NewPurchase],
    drawn: Sequence[RecordedPurchase],
    begun: Opened,
    at: datetime,
    actor_id: int | None = None,
    ending: Ending | None = None,
) -> AtOnce | None:
    """Records purchases that were paid with money alone, under the ids `drawn`, and gives what they earn; None, with
    nothing written, where that needs more than one statement. PointsOutOfRange.

    A purchase alone by a member whose tier surely stays is written with `ending`, where there is one: then it must be
    new (IntegrityError), and its transaction is committed where it is the outermost.
    """
    if any(live.budget_left is not None or live.rule.definition.effect.kind == "coupon" for live in begun.rules):
        return None
    units, wallets = units_given(begun.rules), begun.wallets
    if any((told.member_id, unit) not in wallets for told in purchases for unit in units):
        return None
    cases = [
        Case(f"earn:purchase:{was.id}", told.member_id, happening_of(told, was), purchase_id=was.id)
        for told, was in zip(purchases, drawn, strict=True)
    ]
    try:
        found = consider(cases, begun.rules, begun.home, having=at, known=begun.known)
    except MergedMeanwhile:
        return None
    if any(standing.owes for _outcome, standing in found):
        return None
    has = {
        case.member_id: having(standing.tier, standing.has)
        for case, (_outcome, standing) in zip(cases, found, strict=True)
        if standing.has is not None
    }
    granted = [
        Granted(case, outcome, tier_before=standing.tier, owes=standing.owes, lives=standing.lives)
        for case, (outcome, standing) in zip(cases, found, strict=True)
    ]
    given = [(one.case, award) for one in granted for award in one.outcome.awards]
    counted = _counted(given, has)
    acts = sorted((min(one.case.happening.at, at), one.case.member_id) for one in granted if one.lives)
    lively = {member_id for _moment, member_id in acts}
    done = AtOnce(list(drawn), granted, has, frozenset(counted.keys() - lively))
    params = _awards(given, wallets) | _tiers(counted, has) | _untold(granted) | {"now": at}
    with _in_range():
        if ending is not None and len(purchases) == 1 and done.staying:
            alone = {name: params[name][0] for name in ("counted", "until", "since")}
            params |= writing_alone(purchases[0], drawn[0], actor_id) | alone
            fetch_together([(complete(_WRITE_ALONE), params), ending(done)], last=True)
            return done
        rows = fetch_prepared(complete(_WRITE), writing(purchases, drawn, actor_id) | params)
    if len(rows) < len(purchases):
        return AtOnce(written(purchases, drawn, {row[0] for row in rows}))
    if acts:
        touch({member_id: moment for moment, member_id in acts}, now=at)  # of several, the latest
    return done


@contextmanager
def _in_range() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        if isinstance(error.__cause__, NumericValueOutOfRange):
            raise PointsOutOfRange from error
        raise


def _tiers(counted: dict[int, tuple[int, datetime | None]], has: dict[int, Having]) -> dict[str, Any]:
    return {
        "staying": list(counted),
        "counted": [points for points, _since in counted.values()],
        "until": [has[member_id].until for member_id in counted],
        "since": [since for _points, since in counted.values()],
    }


def _untold(granted: Sequence[Granted]) -> dict[str, Any]:
    untold = [one for one in granted if one.outcome.unfired]
    return {
        "untold": [one.case.purchase_id for one in untold],
        "untold_at": [one.case.happening.at for one in untold],
        "traces": [to_json(one.outcome.trace()).decode() for one in untold],
    }


def _counted(given: Sequence[tuple[Case, Award]], has: dict[int, Having]) -> dict[int, tuple[int, datetime | None]]:
    """What counts from now on for each member whose tier surely stays, and since when the first of it that is new."""
    more = dict.fromkeys(has, 0)
    since: dict[int, datetime] = {}
    for case, award in given:
        definition = award.rule.definition
        if definition.unit == Unit.POINTS and definition.counts_for_tier:
            more[case.member_id] += award.points
            since[case.member_id] = min(case.happening.at, since.get(case.member_id, case.happening.at))
    return {
        member_id: (one.counted[0] + more[member_id], since.get(member_id))
        for member_id, one in has.items()
        if one.counted is not None
        and one.stays(more[member_id])
        and (member_id not in since or since[member_id].timestamp() > one.since)
    }


def _awards(given: Sequence[tuple[Case, Award]], wallets: dict[tuple[int, str], int]) -> dict[str, Any]:
    into = [wallets[case.member_id, award.rule.definition.unit] for case, award in given]
    came: dict[int, int] = defaultdict(int)
    for wallet, (_case, award) in zip(into, given, strict=True):
        came[wallet] += award.points
    return {
        "keys": [f"{case.key}:{award.rule.id}" for case, award in given],
        "wallets": into,
        "units": [str(award.rule.definition.unit) for _case, award in given],
        "amounts": [award.points for _case, award in given],
        "ats": [case.happening.at for case, _award in given],
        "available": [award.available_from for _case, award in given],
        "expires": [award.expires_at for _case, award in given],
        "months": [award.inactivity_months for _case, award in given],
        "whys": [to_json(award.why).decode() for _case, award in given],
        "purchases": [case.purchase_id for case, _award in given],
        "versions": [award.rule.version_id for _case, award in given],
        "came_to": list(came),
        "came": list(came.values()),
    }
