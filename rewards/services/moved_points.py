"""Points that follow a merged member from wallet to wallet, and back where the merge is undone. docs/duplicates.md.

Every open lot becomes a lot of the other wallet with the same times, by a transfer of its own: nothing in the ledger is
rewritten, and what a lot came from and went on to can be followed in both directions (CHAIN, ORIGIN).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from common.sql import execute, fetch_all
from members.models import MemberMerge

# As LATERAL (…) AS chain: the lot of the transfer `earn`, and every lot that its points went on to by a merge, or came
# back in after their expiry.
CHAIN = """
WITH RECURSIVE chain (id) AS (
    SELECT lot.id FROM rewards_lot AS lot WHERE lot.transfer_id = earn.id
    UNION
    SELECT opened.id FROM chain
    JOIN rewards_lotuse AS used ON used.lot_id = chain.id AND used.amount > 0
    JOIN rewards_transfer AS gone ON gone.id = used.transfer_id AND gone.kind IN ('merge', 'expire')
    CROSS JOIN LATERAL (
        SELECT gone.id WHERE gone.kind = 'merge'
        UNION ALL SELECT again.id FROM rewards_transfer AS again WHERE again.reverses_id = gone.id
    ) AS moved
    JOIN rewards_lot AS opened ON opened.transfer_id = moved.id
)
SELECT lot.* FROM chain JOIN rewards_lot AS lot USING (id)
"""
# The other way: the lots of which the points of the lots %(lots)s are; with what was asked for.
ORIGIN = """
WITH RECURSIVE origin (asked_id, id) AS (
    SELECT lot_id, lot_id FROM unnest(%(lots)s::bigint[]) AS asked (lot_id)
    UNION
    SELECT origin.asked_id, used.lot_id FROM origin
    JOIN rewards_lot AS lot ON lot.id = origin.id
    JOIN rewards_transfer AS moved ON moved.id = lot.transfer_id AND moved.kind IN ('merge', 'reinstate')
    JOIN rewards_lotuse AS used ON used.amount > 0
     AND used.transfer_id = CASE moved.kind WHEN 'merge' THEN moved.id ELSE moved.reverses_id END
)
"""
_FORWARD = """
WITH moved AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, lot.id AS lot_id, lot.account_id,
           lot.remaining, lot.available_from, lot.expires_at, lot.inactivity_months, survivor.id AS into_id, (
               SELECT count(*) FROM rewards_lotuse AS used
               JOIN rewards_transfer AS merge ON merge.id = used.transfer_id AND merge.kind = 'merge'
               WHERE used.lot_id = lot.id
           ) AS earlier, coalesce((
               -- What waits for an event still does, with the purchase that it is of.
               SELECT jsonb_build_object('waits', given.why->'waits'
                   || jsonb_strip_nulls(jsonb_build_object('purchase', given.purchase_id)))
               FROM rewards_transfer AS given
               WHERE given.id = lot.transfer_id AND lot.available_from > %(at)s AND given.why->'waits' IS NOT NULL
           ), '{}'::jsonb) AS waits
    FROM rewards_account AS wallet
    JOIN members_member AS member ON member.id = wallet.member_id
    JOIN rewards_account AS survivor ON survivor.member_id = member.merged_into_id AND survivor.unit = wallet.unit
                                    AND survivor.kind = 'wallet'
    JOIN rewards_lot AS lot ON lot.account_id = wallet.id AND lot.remaining > 0
    WHERE wallet.member_id = %(member)s AND wallet.kind = 'wallet'
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, why)
    SELECT id, 'merge:' || %(merge)s::bigint || ':' || lot_id || ':' || earlier, 'merge', account_id, into_id,
           remaining, %(at)s, jsonb_build_object('merge', %(merge)s::bigint) || waits
    FROM moved
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT id, lot_id, remaining FROM moved
),
emptied AS (
    UPDATE rewards_lot AS lot SET remaining = 0 FROM moved WHERE lot.id = moved.lot_id
),
opened AS (
    INSERT INTO rewards_lot
        (account_id, transfer_id, amount, remaining, available_from, expires_at, inactivity_months)
    SELECT into_id, id, remaining, remaining, available_from, expires_at, inactivity_months FROM moved ORDER BY lot_id
),
balanced AS (
    UPDATE rewards_account AS account SET balance = account.balance + side.amount
    FROM (
        SELECT account_id, -sum(remaining) AS amount FROM moved GROUP BY account_id
        UNION ALL SELECT into_id, sum(remaining) FROM moved GROUP BY into_id
    ) AS side WHERE account.id = side.account_id
)
SELECT coalesce(sum(remaining), 0)::bigint FROM moved
"""


# Accounts of the other member for what is to move, where there are none.
_OPEN = """
INSERT INTO rewards_account (kind, unit, member_id, balance)
SELECT own.kind, own.unit, member.merged_into_id, 0
FROM rewards_account AS own JOIN members_member AS member ON member.id = own.member_id
WHERE own.member_id = %(member)s AND own.balance <> 0
ON CONFLICT DO NOTHING
"""
_FORWARD_OWED = """
WITH moved AS MATERIALIZED (
    SELECT owing.id, into_owing.id AS into_id, -owing.balance AS amount, (
               SELECT count(*) FROM rewards_transfer AS merge
               WHERE merge.credit_id = owing.id AND merge.kind = 'merge' AND merge.reverses_id IS NULL
           ) AS earlier
    FROM rewards_account AS owing
    JOIN members_member AS member ON member.id = owing.member_id
    JOIN rewards_account AS into_owing ON into_owing.member_id = member.merged_into_id
     AND into_owing.unit = owing.unit AND into_owing.kind = 'arrears'
    WHERE owing.member_id = %(member)s AND owing.kind = 'arrears' AND owing.balance < 0
),
posted AS (
    INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at, why)
    SELECT 'merge:' || %(merge)s::bigint || ':owed:' || id || ':' || earlier, 'merge', into_id, id, amount, %(at)s,
           jsonb_build_object('merge', %(merge)s::bigint)
    FROM moved
)
UPDATE rewards_account AS account SET balance = account.balance + side.amount
FROM (SELECT id, amount FROM moved UNION ALL SELECT into_id, -sum(amount) FROM moved GROUP BY into_id) AS side
WHERE account.id = side.id
"""


def forward(*, member_ids: Iterable[int], at: datetime) -> int:
    """Sends what is in the wallets of merged members on to the wallets of who they are now, and what they owe; how much
    was in the wallets. The caller has locked both. What is in the wallets of others stays."""
    moved = 0
    for member_id in member_ids:
        if (merge_id := _last_merge(member_id)) is not None:
            params = {"member": member_id, "merge": merge_id, "at": at}
            execute(_OPEN, params)
            moved += fetch_all(_FORWARD, params)[0][0]
            execute(_FORWARD_OWED, params)
    return moved


def _last_merge(member_id: int) -> int | None:
    """The merge by which a merged member came to who they are now, the last of a chain."""
    found: int | None = None
    merges = MemberMerge.objects.filter(undone_at=None)
    while row := merges.filter(merged=member_id).values("pk", "survivor_id").first():
        found, member_id = row["pk"], row["survivor_id"]
    return found


# What a merge brought, lot by lot: what of it is still the member's, for it neither expired nor was taken back with a
# refund, wherever it went on to; and what is still there.
_BROUGHT = """
SELECT earn.id, earn.debit_id, came.lot_id, opened.id, opened.remaining,
       earn.amount - coalesce((
           SELECT sum(used.amount) FROM LATERAL ({chain}) AS chain
           JOIN rewards_lotuse AS used ON used.lot_id = chain.id
           JOIN rewards_transfer AS gone ON gone.id = used.transfer_id AND gone.kind IN ('expire', 'reverse')
       ), 0)::bigint + coalesce((
           SELECT sum(chain.amount) FROM LATERAL ({chain}) AS chain
           JOIN rewards_transfer AS opening ON opening.id = chain.transfer_id AND opening.kind = 'reinstate'
       ), 0)::bigint
FROM rewards_transfer AS earn
JOIN rewards_lot AS opened ON opened.transfer_id = earn.id
JOIN rewards_lotuse AS came ON came.transfer_id = earn.id
WHERE earn.credit_id = %(wallet)s AND earn.kind = 'merge' AND earn.reverses_id IS NULL
  AND (earn.why->>'merge')::bigint = %(merge)s
ORDER BY earn.id
"""
_OTHERS = """
SELECT id, remaining FROM rewards_lot
WHERE account_id = %(wallet)s AND remaining > 0 AND NOT id = ANY(%(brought)s)
  AND available_from <= %(at)s AND (expires_at IS NULL OR expires_at > %(at)s)
ORDER BY expires_at ASC NULLS LAST, id
"""
_RETURN = """
WITH back AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, told.*
    FROM jsonb_to_recordset(%(back)s) AS told (moved_id bigint, wallet_id bigint, lot_id bigint, amount bigint,
                                               uses jsonb)
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, why, actor_id, reverses_id)
    SELECT id, 'unmerge:' || %(merge)s::bigint || ':' || moved_id, 'merge', %(wallet)s, wallet_id, amount, %(at)s,
           jsonb_build_object('merge', %(merge)s::bigint), %(actor)s::bigint, moved_id
    FROM back
),
used AS MATERIALIZED (
    SELECT back.id, use.lot_id, use.amount
    FROM back, jsonb_to_recordset(back.uses) AS use (lot_id bigint, amount bigint)
    UNION ALL SELECT id, lot_id, -amount FROM back
),
noted AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT id, lot_id, amount FROM used
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = lot.remaining - came.amount
    FROM (SELECT lot_id, sum(amount) AS amount FROM used GROUP BY lot_id) AS came WHERE lot.id = came.lot_id
)
UPDATE rewards_account AS account SET balance = account.balance + side.amount
FROM (
    SELECT wallet_id, sum(amount) AS amount FROM back GROUP BY wallet_id
    UNION ALL SELECT %(wallet)s, -sum(amount) FROM back
) AS side WHERE account.id = side.wallet_id
"""


class Returned(NamedTuple):
    """Points that went back, and those that should have but were spent."""

    points: int
    short: int


def send_back(*, merge_id: int, wallet_id: int, at: datetime, actor_id: int | None) -> Returned:
    """Sends back what a merge brought into a wallet, to the lots it came from: what is still there of it; for what was
    spent, out of the wallet's other lots, soonest expiry first, as far as they go. The caller has locked the wallets
    and emptied them of what has expired."""
    params: dict[str, Any] = {"wallet": wallet_id, "merge": merge_id, "at": at, "actor": actor_id}
    brought = fetch_all(_BROUGHT.format(chain=CHAIN), params)
    others = fetch_all(_OTHERS, {**params, "brought": [row[3] for row in brought]})
    purse = [[lot_id, remaining] for lot_id, remaining in others]
    back, short = [], 0
    for moved_id, home_id, lot_id, opened_id, remaining, due in brought:
        uses = [(opened_id, min(remaining, due))] if min(remaining, due) else []
        missing = due - min(remaining, due)
        while missing and purse:
            part = min(missing, purse[0][1])
            uses.append((purse[0][0], part))
            missing -= part
            purse[0][1] -= part
            if not purse[0][1]:
                purse.pop(0)
        short += missing
        if uses:
            back.append(
                {
                    "moved_id": moved_id,
                    "wallet_id": home_id,
                    "lot_id": lot_id,
                    "amount": due - missing,
                    "uses": [{"lot_id": used, "amount": amount} for used, amount in uses],
                }
            )
    if back:
        execute(_RETURN, {**params, "back": Jsonb(back)})
    return Returned(sum(row["amount"] for row in back), short)


# What a merge brought of debts, as far as the other member still owes it.
_RETURN_OWED = """
WITH brought AS (
    SELECT moved.id, moved.credit_id AS home_id, moved.debit_id AS owing_id, moved.amount, -owing.balance AS owed,
           sum(moved.amount) OVER (PARTITION BY moved.debit_id ORDER BY moved.id) - moved.amount AS before
    FROM rewards_account AS owing JOIN rewards_transfer AS moved ON moved.debit_id = owing.id
    WHERE owing.member_id = %(member)s AND owing.kind = 'arrears' AND moved.kind = 'merge'
      AND moved.reverses_id IS NULL AND (moved.why->>'merge')::bigint = %(merge)s
),
back AS MATERIALIZED (
    SELECT id, home_id, owing_id, least(amount, owed - before)::bigint AS amount FROM brought WHERE owed > before
),
posted AS (
    INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at, why, actor_id, reverses_id)
    SELECT 'unmerge:' || %(merge)s::bigint || ':' || id, 'merge', home_id, owing_id, amount, %(at)s,
           jsonb_build_object('merge', %(merge)s::bigint), %(actor)s, id
    FROM back
)
UPDATE rewards_account AS account SET balance = account.balance + side.amount
FROM (
    SELECT owing_id AS id, sum(amount) AS amount FROM back GROUP BY owing_id
    UNION ALL SELECT home_id, -sum(amount) FROM back GROUP BY home_id
) AS side WHERE account.id = side.id
"""


def send_debts_back(*, merge_id: int, member_id: int, at: datetime, actor_id: int | None) -> None:
    """Gives the merged member back what a merge brought to `member_id` of their debts, as far as it is still owed. The
    caller has locked both."""
    execute(_RETURN_OWED, {"merge": merge_id, "member": member_id, "at": at, "actor": actor_id})
