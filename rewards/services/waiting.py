"""Points that wait for an event: set free once it is told, or at their last day taken back where the rule says so
(otherwise they can be spent from that day by themselves). docs/earning.md."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pgtrigger
from django.db import transaction

from common.sql import execute, fetch_all
from members.events import record_many
from members.queries import merged_into
from rewards.enums import NEVER, TransferKind, Unit
from rewards.events import POINTS_ACTIVATED, POINTS_CANCELLED, told_unit
from rewards.models import Lot
from rewards.services.ledger import lock_wallets, open_arrears
from rewards.services.moved_points import ORIGIN
from rewards.services.taking_back import give_to_budgets
from rewards.services.tiers import assess

CHUNK = 1000  # lots a transaction: killed at any moment, the next run goes on where this one stopped

# Events whose data name a purchase, by its key, set free what that one gave; the others, all that waits for their kind.
_TOLD = """
SELECT DISTINCT ON (lot.id) lot.id, wallet.member_id, wallet.unit, lot.remaining, told.id, told.kind
FROM unnest(%(events)s::bigint[], %(members)s::bigint[]) AS asked (event_id, member_id)
JOIN members_customevent AS told ON told.id = asked.event_id
JOIN rewards_account AS wallet ON wallet.member_id = asked.member_id AND wallet.kind = 'wallet'
JOIN rewards_lot AS lot ON lot.account_id = wallet.id AND lot.remaining > 0 AND lot.available_from > %(at)s
 AND (lot.expires_at IS NULL OR lot.expires_at > %(at)s)
JOIN rewards_transfer AS given ON given.id = lot.transfer_id AND given.why->'waits'->>'for' = told.kind
LEFT JOIN members_purchase AS purchase
  ON purchase.id = coalesce(given.purchase_id, (given.why->'waits'->>'purchase')::bigint)
WHERE told.data->>'purchase' IS NULL OR purchase.key = told.data->>'purchase'
ORDER BY lot.id, told.id
"""
_FREE = """
INSERT INTO rewards_lotchange (key, lot_id, act, was, now, reason, at)
SELECT 'told:' || event_id || ':' || lot.id, lot.id, 'activate', lot.available_from, %(at)s, kind, %(at)s
FROM unnest(%(lots)s::bigint[], %(events)s::bigint[], %(kinds)s::text[]) AS free (lot_id, event_id, kind)
JOIN rewards_lot AS lot ON lot.id = free.lot_id
ON CONFLICT (key) DO NOTHING
RETURNING lot_id
"""
_DUE = """
SELECT lot.id, wallet.member_id
FROM rewards_lot AS lot JOIN rewards_account AS wallet ON wallet.id = lot.account_id
JOIN rewards_transfer AS given ON given.id = lot.transfer_id
WHERE lot.id > %(last)s AND lot.remaining > 0 AND lot.available_from >= %(never)s
  AND (lot.expires_at IS NULL OR lot.expires_at > %(at)s) AND (given.why->'waits'->>'until')::timestamptz <= %(at)s
ORDER BY lot.id LIMIT %(chunk)s
"""
# Those that still wait, with the award that gave them, wherever merges took them since, and what that repaid.
_UNTOLD = f"""
{ORIGIN}, root AS (
    SELECT DISTINCT ON (asked_id) asked_id, lot.transfer_id FROM origin JOIN rewards_lot AS lot USING (id)
    ORDER BY asked_id, lot.id
)
SELECT lot.id, wallet.id, wallet.member_id, wallet.unit, lot.remaining, lot.available_from, came.why->>'waits',
       given.id, given.kind, version.rule_id, coalesce((
           SELECT sum(used.amount) FROM rewards_lot AS first JOIN rewards_lotuse AS used ON used.lot_id = first.id
           JOIN rewards_transfer AS repaid ON repaid.id = used.transfer_id AND repaid.kind = 'repay'
           WHERE first.transfer_id = given.id), 0)::bigint
FROM root JOIN rewards_lot AS lot ON lot.id = root.asked_id
JOIN rewards_account AS wallet ON wallet.id = lot.account_id
JOIN rewards_transfer AS came ON came.id = lot.transfer_id
JOIN rewards_transfer AS given ON given.id = root.transfer_id
LEFT JOIN rewards_ruleversion AS version ON version.id = given.rule_id
WHERE lot.remaining > 0 AND lot.available_from >= %(never)s
ORDER BY lot.id
"""
# As staff cancel single lots (services.lots): what such an award repaid of the member's arrears is owed again.
_TAKE = """
WITH told AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, lot.id AS lot_id, lot.account_id,
           lot.remaining, asked.given_id, asked.why, asked.owed, owing.id AS owing_id, issued.id AS issued_id
    FROM unnest(%(lots)s::bigint[], %(given)s::bigint[], %(owed)s::bigint[], %(whys)s::jsonb[])
        AS asked (lot_id, given_id, owed, why)
    JOIN rewards_lot AS lot ON lot.id = asked.lot_id
    JOIN rewards_account AS wallet ON wallet.id = lot.account_id
    JOIN rewards_account AS issued ON issued.kind = 'issued' AND issued.unit = wallet.unit AND issued.member_id IS NULL
    LEFT JOIN rewards_account AS owing
      ON owing.member_id = wallet.member_id AND owing.unit = wallet.unit AND owing.kind = 'arrears'
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, why, reverses_id)
    SELECT id, 'cancel:untold:' || lot_id, 'reverse', account_id, issued_id, remaining, %(at)s, why, given_id FROM told
    UNION ALL
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')), 'cancel:untold:' || lot_id || ':owed', 'reverse',
           owing_id, issued_id, owed, %(at)s, why, given_id FROM told WHERE owed > 0
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT id, lot_id, remaining FROM told
),
emptied AS (
    UPDATE rewards_lot AS lot SET remaining = 0 FROM told WHERE lot.id = told.lot_id
)
UPDATE rewards_account AS account SET balance = account.balance - side.amount
FROM (
    SELECT account_id, sum(remaining) AS amount FROM told GROUP BY account_id
    UNION ALL SELECT owing_id, sum(owed) FROM told WHERE owed > 0 GROUP BY owing_id
) AS side WHERE account.id = side.account_id
"""


class _Untold(NamedTuple):
    lot: int
    wallet: int
    member: int
    unit: str
    amount: int
    available_from: datetime
    waits: str  # JSON
    given: int
    given_as: str
    rule: int | None
    repaid: int


@transaction.atomic
def set_free(*, told: Sequence[tuple[int, int]], at: datetime) -> int:
    """Lets be spent what waited for these events, given as (event, member); how many lots. Each once, however often the
    events are told: what is free waits no more."""
    waiting = _waiting(told, at)
    if not waiting:
        return 0
    lock_wallets({member for _lot, member, *_ in waiting})
    waiting = _waiting(told, at)  # as it is under the lock
    columns = {"lots": [row[0] for row in waiting], "events": [row[4] for row in waiting]}
    freed = {lot for (lot,) in fetch_all(_FREE, {**columns, "kinds": [row[5] for row in waiting], "at": at})}
    with pgtrigger.ignore("rewards.Lot:times"):
        Lot.objects.filter(pk__in=freed).update(available_from=at)

    def more(kind: str, unit: str) -> dict[str, Any]:
        return {"waits": {"for": kind}, **told_unit(unit)}

    record_many(
        kind=POINTS_ACTIVATED,
        events=[
            (member, at, {"points": n, "lot": lot, "reason": "", "untold": False, **more(kind, unit)})
            for lot, member, unit, n, _event, kind in waiting
            if lot in freed
        ],
    )
    return len(freed)


def _waiting(told: Sequence[tuple[int, int]], at: datetime) -> list[tuple]:
    members = [member_id for _event, member_id in told]
    followed = merged_into(members)
    now = [followed.get(member_id, member_id) for member_id in members]
    return fetch_all(_TOLD, {"events": [event for event, _member in told], "members": now, "at": at})


def cancel_untold(*, at: datetime, chunk: int = CHUNK) -> int:
    """Takes back what waited for an event in vain; how many lots. Safe to kill and to repeat."""
    last = done = 0
    while due := fetch_all(_DUE, {"at": at, "never": NEVER, "chunk": chunk, "last": last}):
        done += _cancel([lot for lot, _member in due], {member for _lot, member in due}, at)
        last = due[-1][0]
    return done


@transaction.atomic
def _cancel(lots: list[int], members: set[int], at: datetime) -> int:
    lock_wallets(members)
    untold = [_Untold(*row) for row in fetch_all(_UNTOLD, {"lots": lots, "never": NEVER})]
    for unit in Unit:
        if owing := {one.member for one in untold if one.repaid and one.unit == unit}:
            open_arrears(owing, unit)
    execute(
        _TAKE,
        {
            "lots": [one.lot for one in untold],
            "given": [one.given for one in untold],
            "owed": [one.repaid for one in untold],
            "whys": [json.dumps({"lot": one.lot, "waits": json.loads(one.waits)}) for one in untold],
            "at": at,
        },
    )
    back: Counter[int | None] = Counter()
    for one in untold:
        back[one.rule] += one.amount + one.repaid
    give_to_budgets(back)
    more = {one.lot: {"waits": json.loads(one.waits)} | told_unit(one.unit) for one in untold}
    record_many(
        kind=POINTS_CANCELLED,
        events=[
            (one.member, at, {"points": one.amount, "lot": one.lot, "reason": "", "untold": True, **more[one.lot]})
            for one in untold
        ],
    )
    earned = {one.wallet for one in untold if one.unit == Unit.POINTS and one.given_as == TransferKind.EARN}
    assess(sorted(earned), at)
    return len(untold)
