"""The only code that writes transfers, lots and balances. One statement posts one movement or thousands.

Callers lock the wallets first (`lock_wallets`), so that the statement, which comes after, sees what was committed
before the lock and nothing changes under it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import DataError
from psycopg.errors import NumericValueOutOfRange

from common.sql import execute, fetch_all, fetch_prepared
from members.queries import merged_into
from rewards.enums import AccountKind, TransferKind, Unit


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
SELECT %(kind)s::text, unit, member.id, 0
FROM unnest(%(members)s::bigint[]) AS member (id), unnest(%(units)s::text[]) AS unit
WHERE NOT EXISTS (
    SELECT FROM rewards_account AS known
    WHERE known.member_id = member.id AND known.unit = unit.unit AND known.kind = %(kind)s::text
)
ORDER BY member.id, unit
ON CONFLICT DO NOTHING
"""
# NO KEY: other members' transfers may go on referring to these rows. The order keeps two batches from a deadlock.
LOCK = """
SELECT id, kind, member_id, unit FROM rewards_account WHERE member_id = ANY(%(members)s)
ORDER BY id FOR NO KEY UPDATE
"""


def lock_wallets(member_ids: Iterable[int], *, units: Sequence[Unit] = (Unit.POINTS,)) -> list[int]:
    """Opens the members' wallets of `units` where they have none, and locks all that they have, of every unit, with
    what they owe, until the transaction ends; the wallets' ids. Where a member was merged, the wallets of who they are
    now are locked as well."""
    return lock_followed(member_ids, units=units)[0]


def lock_followed(
    member_ids: Iterable[int], *, units: Sequence[Unit] = (Unit.POINTS,)
) -> tuple[list[int], dict[int, int]]:
    """As lock_wallets; and whom those who were merged are now. That is asked under the lock: a merge holds it, too."""
    members = sorted(set(member_ids))
    wallets = _lock(members, units)
    followed = merged_into(members)
    if others := sorted(set(followed.values()) - set(members)):
        wallets += _lock(others, units)
    return wallets, followed


def lock_own(member_ids: Iterable[int], *, units: Sequence[Unit] = (Unit.POINTS,)) -> list[int]:
    """As lock_wallets, for a caller that asks itself, under the lock, who was merged."""
    return _lock(sorted(set(member_ids)), units)


def _lock(members: list[int], units: Sequence[Unit]) -> list[int]:
    rows = fetch_prepared(LOCK, {"members": members})
    there = {(member_id, unit) for _id, kind, member_id, unit in rows if kind == AccountKind.WALLET}
    if any((member_id, unit) not in there for member_id in members for unit in units):
        _open(AccountKind.WALLET, members, units)
        rows = fetch_prepared(LOCK, {"members": members})
    return [id_ for id_, kind, _member, _unit in rows if kind == AccountKind.WALLET]


def open_arrears(member_ids: Iterable[int], unit: Unit) -> None:
    """Accounts for what members owe, where they have none. The caller has locked their wallets."""
    _open(AccountKind.ARREARS, sorted(set(member_ids)), [unit])


def _open(kind: AccountKind, members: list[int], units: Sequence[Unit]) -> None:
    fetch_prepared(_OPEN, {"kind": str(kind), "members": members, "units": [str(unit) for unit in units]})


def _told(columns: str, optional: dict[str, str], also: Sequence[str]) -> tuple[str, str]:
    """The columns that the caller's rows have, and those that they leave out, with what stands for them."""
    left_out = ", ".join(f"{default} AS {name}" for name, default in optional.items() if name not in also)
    return ", ".join([columns, *also]), f", {left_out}" if left_out else ""


_CREDITED = "key, member_id, amount, at, available_from, expires_at, reason, why, actor_id, purchase_id"
_CREDITED_ALSO = {
    "unit": "%(unit)s::text",
    "rule_id": "NULL::bigint",
    "inactivity_months": "NULL::smallint",
    "note": "''::text",
    "reverses_id": "NULL::bigint",
}
# One plan for one row or ten thousand, whatever the statistics say: each row looks up its wallet by index, and as the
# transfers' ids are drawn first, nothing that was inserted is joined again with what was asked for.
_CREDIT = """
WITH given ({columns}) AS ({select}),
told AS (SELECT given.*{left_out} FROM given),
input AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, told.*,
           (SELECT id FROM rewards_account
            WHERE member_id = told.member_id AND unit = told.unit AND kind = 'wallet') AS wallet_id,
           (SELECT id FROM rewards_account
            WHERE kind = %(source)s AND unit = told.unit AND member_id IS NULL) AS source_id
    FROM told WHERE (SELECT id FROM rewards_transfer WHERE key = told.key) IS NULL  -- a join would lose the order given
),
{repaying}
posted AS (
    INSERT INTO rewards_transfer
        (id, key, kind, debit_id, credit_id, amount, at, reason, note, rule_id, why, actor_id, purchase_id, reverses_id)
    SELECT id, key, %(kind)s, source_id, wallet_id, amount, at, reason, note, rule_id, why, actor_id, purchase_id,
           reverses_id
    FROM input
),
lot AS (
    INSERT INTO rewards_lot
        (account_id, transfer_id, amount, remaining, available_from, expires_at, inactivity_months)
    SELECT wallet_id, id, amount, amount - {repaid}, available_from,
           coalesce(expires_at, at + make_interval(months => inactivity_months)), inactivity_months
    FROM {awards}
    RETURNING id, transfer_id
),
{repaid_by}
{beside}
wallet AS (
    UPDATE rewards_account AS account SET balance = account.balance + came.amount
    FROM (SELECT wallet_id, sum(amount - {repaid}) AS amount FROM {awards} GROUP BY wallet_id) AS came
    WHERE account.id = came.wallet_id
)
SELECT id, key, amount FROM input
"""
# What is earned repays what the member owes in that unit first, award by award in the order given. What is pending
# repays as well: nothing tells when its time has come.
_REPAYING = """
award AS MATERIALIZED (
    SELECT input.*, owing.id AS owing_id,
           least(amount, greatest(0, -owing.balance - (sum(amount) OVER earlier - amount)))::bigint AS repaid
    FROM input
    LEFT JOIN rewards_account AS owing ON owing.member_id = input.member_id AND owing.unit = input.unit
                                      AND owing.kind = 'arrears' AND owing.balance < 0
    WINDOW earlier AS (PARTITION BY wallet_id ORDER BY input.id)
),
repay AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS repay_id, award.* FROM award WHERE repaid > 0
),
"""
_REPAID_BY = """
repayment AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, why)
    SELECT repay_id, 'repay:' || id, 'repay', wallet_id, owing_id, repaid, at, jsonb_build_object('earn', id) FROM repay
),
repaid_from AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount)
    SELECT repay_id, lot.id, repaid FROM repay JOIN lot ON lot.transfer_id = repay.id
),
owed AS (
    UPDATE rewards_account AS owing SET balance = owing.balance + paid.amount
    FROM (SELECT owing_id, sum(repaid) AS amount FROM repay GROUP BY owing_id) AS paid WHERE owing.id = paid.owing_id
),
"""
# The member did something: lots that live by activity go on from here, but not those that have expired. Each wallet's
# lots are looked up by the wallet, whatever the statistics of a young shop say.
_TOUCH = """
UPDATE rewards_lot AS lot SET expires_at = living.until
FROM unnest(%(members)s::bigint[], %(ats)s::timestamptz[]) AS act (member_id, at)
JOIN rewards_account AS wallet ON wallet.member_id = act.member_id AND wallet.kind = 'wallet'
CROSS JOIN LATERAL (
    SELECT id, expires_at, act.at + make_interval(months => inactivity_months) AS until
    FROM rewards_lot WHERE account_id = wallet.id AND remaining > 0 AND inactivity_months IS NOT NULL
                       AND expires_at > %(now)s::timestamptz
    OFFSET 0
) AS living
WHERE lot.id = living.id AND living.expires_at < living.until
"""


def touch(acts: Mapping[int, datetime], *, now: datetime) -> None:
    """Notes that members did something, each at a moment: what would expire for want of activity lives on. The caller
    has locked their wallets."""
    fetch_prepared(_TOUCH, {"members": list(acts), "ats": list(acts.values()), "now": now})


def credit(
    *,
    kind: TransferKind,
    source: AccountKind,
    select: str,
    params: dict[str, Any],
    unit: Unit = Unit.POINTS,
    also: Sequence[str] = (),
    often: bool = False,
    repays: bool | None = None,
    beside: str = "",
) -> list[Posted]:
    """Moves points or credit from a system account into wallets, each into a lot of its own.

    `select` is SQL for rows of (key, member_id, amount, at, available_from, expires_at, reason, why, actor_id,
    purchase_id) and then the columns named in `also`: unit, rule_id, inactivity_months, note, reverses_id; no key
    twice. With inactivity_months and no expires_at, a lot lives so long from `at`. The wallets are locked, and opened
    in the units that come. What is earned repays arrears first, unless the caller knows that nobody owes (`repays`).
    `beside` is one more INSERT, run in the same statement. Rows whose key is known are left out, here and in the
    answer. PointsOutOfRange; IntegrityError where a key is posted to the wallet of another member at the same moment.
    """
    columns, left_out = _told(_CREDITED, _CREDITED_ALSO, also)
    fetch = fetch_prepared if often else fetch_all  # `often`: always the same text, with its parameters' types
    statement = _crediting(columns, select, left_out, kind == TransferKind.EARN if repays is None else repays, beside)
    try:
        rows = fetch(statement, {**params, "kind": str(kind), "source": str(source), "unit": str(unit)})
    except DataError as error:
        if isinstance(error.__cause__, NumericValueOutOfRange):
            raise PointsOutOfRange from error
        raise
    return [Posted(*row) for row in rows]


@lru_cache
def _crediting(columns: str, select: str, left_out: str, repays: bool, beside: str) -> str:
    parts = dict.fromkeys(("repaying", "repaid_by"), "") | {"awards": "input", "repaid": "0"}
    if repays:
        parts = {"repaying": _REPAYING, "repaid_by": _REPAID_BY, "awards": "award", "repaid": "repaid"}
    beside = f"beside AS ({beside})," if beside else ""
    return _CREDIT.format(columns=columns, select=select, left_out=left_out, beside=beside, **parts)


_DEBITED = "key, member_id, amount, at, reason, why, actor_id, purchase_id, reverses_id"
_DEBITED_ALSO = {"note": "''::text"}
_DEBIT = """
WITH given ({columns}) AS ({select}),
input AS (SELECT given.*{left_out} FROM given),
lots AS (
    SELECT input.key, wallet.id AS wallet_id, input.amount AS asked, lot.id AS lot_id, lot.remaining,
           sum(lot.remaining) OVER (
               PARTITION BY input.key
               ORDER BY (lot.transfer_id IS NOT DISTINCT FROM input.reverses_id) DESC, (lot.id = ANY(%(first)s)) DESC,
                        lot.expires_at ASC NULLS LAST, lot.id
           ) AS up_to
    FROM input
    JOIN rewards_account AS wallet ON wallet.member_id = input.member_id AND wallet.unit = %(unit)s
                                  AND wallet.kind = 'wallet'
    JOIN rewards_lot AS lot ON lot.account_id = wallet.id AND lot.remaining > 0
     AND (lot.available_from <= input.at OR lot.id = ANY(%(first)s))
     AND (lot.expires_at IS NULL OR lot.expires_at > input.at)
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
        (key, kind, debit_id, credit_id, amount, at, reason, note, why, actor_id, purchase_id, reverses_id)
    SELECT key, %(kind)s, covered.wallet_id, target.id, covered.amount, input.at, input.reason, input.note, input.why,
           input.actor_id, input.purchase_id, input.reverses_id
    FROM input JOIN covered USING (key)
    JOIN rewards_account AS target ON target.kind = %(target)s AND target.unit = %(unit)s AND target.member_id IS NULL
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
    unit: Unit = Unit.POINTS,
    partly: bool = False,
    first: Sequence[int] = (),
    also: Sequence[str] = (),
) -> list[Posted]:
    """Moves points or credit from wallets to a system account, out of the lots that expire soonest.

    `select` is SQL for rows of (key, member_id, amount, at, reason, why, actor_id, purchase_id, reverses_id) and then,
    with `also`, note; at most one per wallet. The lot of the transfer that is reversed goes first, then the lots
    `first`. Only lots that are open at `at` count, and of `first` the pending ones. Where they do not cover the amount,
    nothing is moved, or with `partly` what there is. Rows whose key is known are left out, here and in the answer.
    """
    columns, left_out = _told(_DEBITED, _DEBITED_ALSO, also)
    statement = _DEBIT.format(columns=columns, select=select, left_out=left_out)
    own = {"kind": kind, "target": target, "unit": unit, "partly": partly, "first": list(first)}
    return [Posted(*row) for row in fetch_all(statement, {**params, **own})]


_OWE = """
WITH told AS (
    SELECT owing.id AS owing_id, target.id AS target_id
    FROM rewards_account AS owing JOIN rewards_account AS target
      ON target.kind = %(target)s AND target.unit = owing.unit AND target.member_id IS NULL
    WHERE owing.member_id = %(member)s AND owing.unit = %(unit)s AND owing.kind = 'arrears'
),
posted AS (
    INSERT INTO rewards_transfer
        (key, kind, debit_id, credit_id, amount, at, reason, why, actor_id, purchase_id, reverses_id)
    SELECT %(key)s, %(kind)s, owing_id, target_id, %(amount)s, %(at)s, %(reason)s, %(why)s::jsonb, %(actor)s::bigint,
           %(purchase)s::bigint, %(reverses)s::bigint FROM told
),
owed AS (
    UPDATE rewards_account AS owing SET balance = owing.balance - %(amount)s FROM told WHERE owing.id = told.owing_id
)
SELECT count(*) FROM told
"""


def owe(
    *,
    kind: TransferKind,
    target: AccountKind,
    key: str,
    member_id: int,
    amount: int,
    at: datetime,
    unit: Unit = Unit.POINTS,
    reason: str = "",
    why: Mapping[str, Any],
    actor_id: int | None = None,
    purchase_id: int | None = None,
    reverses_id: int | None = None,
) -> None:
    """Lets a member owe to a system account what they no longer have. The caller has locked the wallets, and made sure
    that the key is new."""
    open_arrears([member_id], unit)
    params = {
        "kind": kind,
        "target": target,
        "key": key,
        "member": member_id,
        "amount": amount,
        "at": at,
        "unit": unit,
        "reason": reason,
        "why": json.dumps(why),
        "actor": actor_id,
        "purchase": purchase_id,
        "reverses": reverses_id,
    }
    execute(_OWE, params)


_FORGIVE = """
WITH told AS (
    SELECT owing.id AS owing_id, source.id AS source_id, -owing.balance AS amount
    FROM rewards_account AS owing JOIN rewards_account AS source
      ON source.kind = 'adjusted' AND source.unit = owing.unit AND source.member_id IS NULL
    WHERE owing.member_id = %(member)s AND owing.unit = %(unit)s AND owing.kind = 'arrears' AND owing.balance < 0
),
posted AS (
    INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at, reason)
    SELECT %(key)s, 'adjust', source_id, owing_id, amount, %(at)s, %(reason)s FROM told
)
UPDATE rewards_account AS owing SET balance = 0 FROM told WHERE owing.id = told.owing_id
"""


def forgive(*, member_id: int, unit: Unit, key: str, at: datetime, reason: str) -> None:
    """Writes off what a member owes. The caller has locked the wallets."""
    execute(_FORGIVE, {"member": member_id, "unit": unit, "key": key, "at": at, "reason": reason})
