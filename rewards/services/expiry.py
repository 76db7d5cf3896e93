"""Taking what has expired out of the wallets."""

from datetime import UTC, datetime
from typing import NamedTuple

from django.db import transaction

from common.sql import fetch_all, fetch_one
from members.events import record_selected
from rewards.events import POINTS_EXPIRED

CHUNK = 50_000  # lots a transaction: killed at any moment, the next run goes on where this one stopped


class Expired(NamedTuple):
    """How many lots were emptied, and what was in them, in points and minor units of credit."""

    lots: int
    points: int


# The wallets of the next lots, locked in order, and gift cards after them, as purchases lock them. Nothing before
# `since` is left, so the index is entered there.
_LOCK = """
WITH due AS (
    SELECT account_id, expires_at FROM rewards_lot
    WHERE remaining > 0 AND expires_at <= %(at)s AND expires_at >= %(since)s
    ORDER BY expires_at, id LIMIT %(chunk)s
),
wallet AS (
    SELECT id FROM rewards_account WHERE id IN (SELECT account_id FROM due)
    ORDER BY coupon_id IS NOT NULL, id FOR NO KEY UPDATE
)
SELECT (SELECT array_agg(id) FROM wallet), (SELECT max(expires_at) FROM due)
"""
# Every due lot of these wallets. A lot that is given back to after its expiry is emptied once more, hence the ordinal
# in the key; what expired never comes back, so a whole lot has not been emptied yet. The transfers' ids are drawn
# first, so that nothing is joined again with what was inserted.
_EXPIRE = """
WITH due AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, lot.id AS lot_id, lot.account_id,
           wallet.unit, lot.remaining, lot.expires_at, CASE WHEN lot.remaining = lot.amount THEN 0 ELSE (
               SELECT count(*) FROM rewards_lotuse AS used
               JOIN rewards_transfer AS expiry ON expiry.id = used.transfer_id AND expiry.kind = 'expire'
               WHERE used.lot_id = lot.id
           ) END AS earlier
    FROM rewards_lot AS lot JOIN rewards_account AS wallet ON wallet.id = lot.account_id
    WHERE lot.account_id = ANY(%(wallets)s) AND lot.remaining > 0 AND lot.expires_at <= %(at)s
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, why)
    SELECT due.id, 'expire:' || lot_id || ':' || earlier, 'expire', account_id,
           expired.id, remaining, expires_at, jsonb_build_object('lot', lot_id)
    FROM due JOIN rewards_account AS expired
      ON expired.kind = 'expired' AND expired.unit = due.unit AND expired.member_id IS NULL
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT id, lot_id, remaining FROM due
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = 0 FROM due WHERE lot.id = due.lot_id
),
lost AS (
    SELECT account_id, sum(remaining)::bigint AS points, count(*) AS lots, max(expires_at) AS at
    FROM due GROUP BY account_id
),
wallet AS (
    UPDATE rewards_account AS account SET balance = account.balance - lost.points
    FROM lost WHERE account.id = lost.account_id
    RETURNING account.member_id, account.unit, lost.points, lost.lots, lost.at
)
SELECT array_agg(member_id) AS members, array_agg(unit) AS units, array_agg(at) AS ats,
       array_agg(points) AS points, array_agg(lots) AS lots
FROM wallet
"""
_EVENTS = """
SELECT member_id, at,
       jsonb_build_object('points', points, 'lots', lots)
       || CASE unit WHEN 'points' THEN '{}' ELSE jsonb_build_object('unit', unit) END
FROM unnest(%(members)s::bigint[], %(units)s::text[], %(ats)s::timestamptz[], %(points)s::bigint[], %(lots)s::bigint[])
    AS lost (member_id, unit, at, points, lots)
WHERE member_id IS NOT NULL  -- a gift card is nobody's
"""


def expire_due(*, at: datetime, chunk: int = CHUNK) -> Expired:
    """Empties every lot that has expired by `at`, in transactions of about `chunk` lots. Safe to kill and to repeat.

    The transfers count from the moment of expiry. Each member gets one event per run and unit.
    """
    lots = points = 0
    since: datetime | None = datetime.min.replace(tzinfo=UTC)
    while since is not None:
        since, emptied = _expire(at, since, chunk)
        lots += emptied.lots
        points += emptied.points
    return Expired(lots, points)


@transaction.atomic
def _expire(at: datetime, since: datetime, chunk: int) -> tuple[datetime | None, Expired]:
    wallets, until = fetch_all(_LOCK, {"at": at, "since": since, "chunk": chunk})[0]
    if not wallets:
        return None, Expired(0, 0)
    return until, empty(wallets, at)


def empty(wallets: list[int], at: datetime) -> Expired:
    """Empties what has expired by `at` in wallets that the caller has locked."""
    lost = fetch_one(_EXPIRE, {"at": at, "wallets": wallets})
    if not lost.members:
        return Expired(0, 0)
    record_selected(kind=POINTS_EXPIRED, select=_EVENTS, params=lost._asdict())
    return Expired(sum(lost.lots), sum(lost.points))
