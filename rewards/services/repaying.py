"""What came back and could be spent again repays first what its member owes. docs/refunds.md."""

from collections.abc import Sequence
from datetime import datetime

from common.sql import execute

# What each transfer brought back, where it is now (a merge after it took it on), as far as it can be spent; of that,
# what is owed in the same unit, transfer by transfer.
_REPAY = """
WITH RECURSIVE came (back_id, lot_id, amount) AS (
    (SELECT transfer_id, lot_id, -amount FROM rewards_lotuse WHERE transfer_id = ANY(%(ids)s) AND amount < 0
     UNION ALL SELECT transfer_id, id, amount FROM rewards_lot WHERE transfer_id = ANY(%(ids)s))
    UNION ALL
    SELECT came.back_id, opened.id, came.amount FROM came
    JOIN rewards_lotuse AS used ON used.lot_id = came.lot_id AND used.amount > 0
    JOIN rewards_transfer AS moved ON moved.id = used.transfer_id AND moved.kind = 'merge' AND moved.id > came.back_id
    JOIN rewards_lot AS opened ON opened.transfer_id = moved.id
),
there AS (
    SELECT came.back_id, came.lot_id, lot.account_id, owing.id AS owing_id, -owing.balance AS owed,
           least(came.amount, greatest(0, lot.remaining - (sum(came.amount) OVER same_lot - came.amount))) AS amount
    FROM came
    JOIN rewards_lot AS lot ON lot.id = came.lot_id AND lot.remaining > 0 AND lot.available_from <= %(at)s
                           AND (lot.expires_at IS NULL OR lot.expires_at > %(at)s)
    JOIN rewards_account AS wallet ON wallet.id = lot.account_id
    JOIN rewards_account AS owing ON owing.member_id = wallet.member_id AND owing.unit = wallet.unit
                                 AND owing.kind = 'arrears' AND owing.balance < 0
    WINDOW same_lot AS (PARTITION BY came.lot_id ORDER BY came.back_id)
),
part AS (
    SELECT back_id, lot_id, account_id, owing_id,
           least(amount, greatest(0, owed - (sum(amount) OVER earlier - amount)))::bigint AS amount
    FROM there WINDOW earlier AS (PARTITION BY owing_id ORDER BY back_id, lot_id)
),
repay AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, back_id, account_id, owing_id,
           sum(amount)::bigint AS amount
    FROM part WHERE amount > 0 GROUP BY back_id, account_id, owing_id
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, why)
    SELECT id, 'repay:' || back_id, 'repay', account_id, owing_id, amount, %(at)s, jsonb_build_object('back', back_id)
    FROM repay
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount)
    SELECT repay.id, part.lot_id, part.amount FROM repay JOIN part USING (back_id, account_id) WHERE part.amount > 0
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = lot.remaining - taken.amount
    FROM (SELECT lot_id, sum(amount) AS amount FROM part GROUP BY lot_id) AS taken
    WHERE lot.id = taken.lot_id AND taken.amount > 0
),
wallet AS (
    UPDATE rewards_account AS account SET balance = account.balance - taken.amount
    FROM (SELECT account_id, sum(amount) AS amount FROM repay GROUP BY account_id) AS taken
    WHERE account.id = taken.account_id
)
UPDATE rewards_account AS owing SET balance = owing.balance + paid.amount
FROM (SELECT owing_id, sum(amount) AS amount FROM repay GROUP BY owing_id) AS paid WHERE owing.id = paid.owing_id
"""


def repay_from(*, transfer_ids: Sequence[int], at: datetime) -> None:
    """Repays what members owe out of what these transfers brought back to them, once each. The caller has locked the
    wallets, and has taken back first what goes back for refunds."""
    if transfer_ids:
        execute(_REPAY, {"ids": list(transfer_ids), "at": at})
