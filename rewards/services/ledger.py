"""The only code that writes transfers, lots and balances. One statement posts one movement or thousands.

Callers lock the wallets first (`lock_wallets`), so that the statement, which comes after, sees what was committed
before the lock and nothing changes under it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db import DataError
from psycopg.errors import NumericValueOutOfRange

from common.sql import execute, fetch_all
from members.queries import merged_into
from rewards.enums import AccountKind, TransferKind


class InsufficientPoints(Exception):
    """`asked` points are more than the `available` ones."""

    def __init__(self, *, available: int, asked: int) -> None:
        super().__init__(available, asked)
        self.available = available
        self.asked = asked


class PointsOutOfRange(Exception):
    """A movement, or the wallet with it, would be more points than the ledger can count (2^63)."""


class Posted(NamedTuple):
    """A transfer that this call made."""

    id: int
    key: str
    amount: int


_OPEN = """
INSERT INTO rewards_account (kind, unit, member_id, balance)
SELECT 'wallet', 'points', member.id, 0 FROM unnest(%(members)s::bigint[]) AS member (id)
WHERE NOT EXISTS (SELECT FROM rewards_account AS wallet WHERE wallet.member_id = member.id AND wallet.unit = 'points')
ORDER BY member.id
ON CONFLICT DO NOTHING
"""
# NO KEY: other members' transfers may go on referring to these rows. The order keeps two batches from a deadlock.
_LOCK = """
SELECT id FROM rewards_account WHERE member_id = ANY(%(members)s) AND unit = 'points'
ORDER BY id FOR NO KEY UPDATE
"""


def lock_wallets(member_ids: Iterable[int]) -> list[int]:
    """Opens the members' wallets where they have none, and locks them until the transaction ends; their ids. Where a
    member was merged, the wallet of who they are now is locked as well."""
    return lock_followed(member_ids)[0]


def lock_followed(member_ids: Iterable[int]) -> tuple[list[int], dict[int, int]]:
    """As lock_wallets; and whom those who were merged are now. That is asked under the lock: a merge holds it, too."""
    members = sorted(set(member_ids))
    wallets = _lock(members)
    followed = merged_into(members)
    if others := sorted(set(followed.values()) - set(members)):
        wallets += _lock(others)
    return wallets, followed


def _lock(members: list[int]) -> list[int]:
    execute(_OPEN, {"members": members})
    return [row[0] for row in fetch_all(_LOCK, {"members": members})]


# One plan for one row or ten thousand, whatever the statistics say: each row looks up its wallet by index, and as the
# transfers' ids are drawn first, nothing that was inserted is joined again with what was asked for.
_CREDIT = """
WITH told (key, member_id, amount, at, available_from, expires_at, reason, why, actor_id, purchase_id) AS ({select}),
input AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, told.*,
           (SELECT id FROM rewards_account WHERE member_id = told.member_id AND unit = 'points') AS wallet_id,
           (SELECT id FROM rewards_account WHERE kind = %(source)s AND unit = 'points') AS source_id
    FROM told WHERE NOT EXISTS (SELECT FROM rewards_transfer AS known WHERE known.key = told.key)
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, reason, why, actor_id, purchase_id)
    SELECT id, key, %(kind)s, source_id, wallet_id, amount, at, reason, why, actor_id, purchase_id FROM input
),
lot AS (
    INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
    SELECT wallet_id, id, amount, amount, available_from, expires_at FROM input
),
wallet AS (
    UPDATE rewards_account AS account SET balance = account.balance + came.amount
    FROM (SELECT wallet_id, sum(amount) AS amount FROM input GROUP BY wallet_id) AS came
    WHERE account.id = came.wallet_id
)
SELECT id, key, amount FROM input
"""


def credit(*, kind: TransferKind, source: AccountKind, select: str, params: dict[str, Any]) -> list[Posted]:
    """Moves points from a system account into wallets, each into a lot of its own.

    `select` is SQL for rows of (key, member_id, amount, at, available_from, expires_at, reason, why, actor_id,
    purchase_id); no key twice. Rows whose key is known are left out, here and in the answer. PointsOutOfRange;
    IntegrityError where a key is posted to the wallet of another member at the same moment.
    """
    try:
        rows = fetch_all(_CREDIT.format(select=select), {**params, "kind": kind, "source": source})
    except DataError as error:
        if isinstance(error.__cause__, NumericValueOutOfRange):
            raise PointsOutOfRange from error
        raise
    return [Posted(*row) for row in rows]


_DEBIT = """
WITH input (key, member_id, amount, at, reason, why, actor_id, purchase_id, reverses_id) AS ({select}),
lots AS (
    SELECT input.key, wallet.id AS wallet_id, input.amount AS asked, lot.id AS lot_id, lot.remaining,
           sum(lot.remaining) OVER (
               PARTITION BY input.key
               ORDER BY (lot.transfer_id IS NOT DISTINCT FROM input.reverses_id) DESC, (lot.id = ANY(%(first)s)) DESC,
                        lot.expires_at ASC NULLS LAST, lot.id
           ) AS up_to
    FROM input
    JOIN rewards_account AS wallet ON wallet.member_id = input.member_id AND wallet.unit = 'points'
    JOIN rewards_lot AS lot ON lot.account_id = wallet.id AND lot.remaining > 0
     AND lot.available_from <= input.at AND (lot.expires_at IS NULL OR lot.expires_at > input.at)
),
picked AS (
    SELECT key, wallet_id, asked, lot_id, least(remaining, asked - (up_to - remaining)) AS amount
    FROM lots WHERE up_to - remaining < asked
),
covered AS (
    SELECT key, wallet_id, sum(amount) AS amount FROM picked
    GROUP BY key, wallet_id, asked HAVING sum(amount) = asked OR %(partly)s
),
posted AS (
    INSERT INTO rewards_transfer
        (key, kind, debit_id, credit_id, amount, at, reason, why, actor_id, purchase_id, reverses_id)
    SELECT key, %(kind)s, covered.wallet_id, target.id, covered.amount, input.at, input.reason, input.why,
           input.actor_id, input.purchase_id, input.reverses_id
    FROM input JOIN covered USING (key)
    JOIN rewards_account AS target ON target.kind = %(target)s AND target.unit = 'points'
    ON CONFLICT (key) DO NOTHING
    RETURNING id, key, debit_id, amount
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount)
    SELECT posted.id, picked.lot_id, picked.amount FROM posted JOIN picked USING (key)
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = lot.remaining - picked.amount
    FROM posted JOIN picked USING (key) WHERE lot.id = picked.lot_id
),
wallet AS (
    UPDATE rewards_account AS account SET balance = account.balance - posted.amount
    FROM posted WHERE account.id = posted.debit_id
)
SELECT id, key, amount FROM posted
"""


def debit(
    *,
    kind: TransferKind,
    target: AccountKind,
    select: str,
    params: dict[str, Any],
    partly: bool = False,
    first: Sequence[int] = (),
) -> list[Posted]:
    """Moves points from wallets to a system account, out of the lots that expire soonest.

    `select` is SQL for rows of (key, member_id, amount, at, reason, why, actor_id, purchase_id, reverses_id), at most
    one per wallet; the lot of the transfer that is reversed goes first, then the lots `first`. Only lots that are open
    at `at` count. Where they do not cover the amount, nothing is moved, or with `partly` what there is. Rows whose key
    is known are left out, here and in the answer.
    """
    params = {**params, "kind": kind, "target": target, "partly": partly, "first": list(first)}
    return [Posted(*row) for row in fetch_all(_DEBIT.format(select=select), params)]
