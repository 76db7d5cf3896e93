"""Gift cards: money on a code. A card is an account of credit with no member; its lots, transfers and expiry are
those of the ledger. Locks: wallets, then cards by id, then coupons. docs/catalogue.md.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from common.sql import execute, fetch_all

# The face value is what the offer says at the issue.
_OPEN = """
WITH card AS MATERIALIZED (
    SELECT coupon.id AS coupon_id, coupon.expires_at, issued.id AS issued_id,
           nextval(pg_get_serial_sequence('rewards_account', 'id')) AS account_id,
           nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS transfer_id
    FROM (
        SELECT * FROM rewards_coupon WHERE id = ANY(%(coupons)s)
          AND NOT EXISTS (SELECT FROM rewards_account WHERE coupon_id = rewards_coupon.id) ORDER BY id
    ) AS coupon
    JOIN rewards_account AS issued ON issued.kind = 'issued' AND issued.unit = 'credit'
),
account AS (
    INSERT INTO rewards_account (id, kind, unit, coupon_id, balance)
    SELECT account_id, 'card', 'credit', coupon_id, %(amount)s FROM card
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, reason, why, actor_id)
    SELECT transfer_id, 'card:' || coupon_id, 'gift', issued_id, account_id, %(amount)s, %(at)s, '',
           jsonb_build_object('coupon', coupon_id), %(actor)s::bigint
    FROM card
)
INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
SELECT account_id, transfer_id, %(amount)s, %(amount)s, %(at)s, expires_at FROM card
"""
_LOCK = "SELECT id FROM rewards_account WHERE coupon_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_LOCK_PAYERS = """
SELECT id FROM rewards_account WHERE kind = 'card' AND id IN (
    SELECT debit_id FROM rewards_transfer WHERE purchase_id = %s AND kind = 'pay'
) ORDER BY id FOR NO KEY UPDATE
"""
# What expires soonest goes first.
_SPEND = """
WITH open AS (
    SELECT card.id AS card_id, lot.id AS lot_id, lot.remaining,
           sum(lot.remaining) OVER (ORDER BY lot.expires_at ASC NULLS LAST, lot.id) AS up_to
    FROM rewards_account AS card JOIN rewards_lot AS lot ON lot.account_id = card.id
    WHERE card.coupon_id = %(coupon)s AND lot.remaining > 0 AND lot.available_from <= %(at)s
      AND (lot.expires_at IS NULL OR lot.expires_at > %(at)s)
),
picked AS MATERIALIZED (
    SELECT card_id, lot_id, least(remaining, %(amount)s - (up_to - remaining))::bigint AS amount
    FROM open WHERE up_to - remaining < %(amount)s
),
told AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, card_id FROM picked
    GROUP BY card_id HAVING sum(amount) = %(amount)s
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, reason, why, actor_id, purchase_id)
    SELECT told.id, 'pay:' || %(purchase)s::bigint || ':card:' || %(coupon)s::bigint, 'pay', told.card_id, redeemed.id,
           %(amount)s, %(at)s, '', jsonb_build_object('worth_minor', %(amount)s::bigint), %(actor)s::bigint,
           %(purchase)s::bigint
    FROM told JOIN rewards_account AS redeemed ON redeemed.kind = 'redeemed' AND redeemed.unit = 'credit'
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT told.id, lot_id, amount FROM told, picked
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = lot.remaining - picked.amount FROM told, picked
    WHERE lot.id = picked.lot_id
),
card AS (
    UPDATE rewards_account AS card SET balance = card.balance - %(amount)s FROM told WHERE card.id = told.card_id
    RETURNING card.balance
),
coupon AS (
    UPDATE rewards_coupon SET state = 'used' FROM card WHERE rewards_coupon.id = %(coupon)s AND card.balance = 0
)
SELECT id FROM told
"""
_EMPTY = """
WITH card AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, card.id AS card_id, card.coupon_id,
           given.id AS given_id, given.debit_id AS issued_id, lot.id AS lot_id, lot.amount
    FROM rewards_account AS card
    JOIN rewards_transfer AS given ON given.key = 'card:' || card.coupon_id
    JOIN rewards_lot AS lot ON lot.transfer_id = given.id
    WHERE card.coupon_id = ANY(%(coupons)s) AND lot.remaining = lot.amount AND card.balance = lot.amount
      AND (lot.expires_at IS NULL OR lot.expires_at > %(at)s)
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, reason, why, actor_id, reverses_id)
    SELECT id, 'card-back:' || coupon_id, 'reverse', card_id, issued_id, amount, %(at)s, left(%(reason)s, 200),
           jsonb_build_object('coupon', coupon_id), %(actor)s::bigint, given_id
    FROM card
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT id, lot_id, amount FROM card
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = 0 FROM card WHERE lot.id = card.lot_id
),
account AS (
    UPDATE rewards_account AS account SET balance = 0 FROM card WHERE account.id = card.card_id
)
SELECT coupon_id FROM card
"""
# A card that was used up has money again; what came back in a lot of its own may live longer than the card did.
_CAME_BACK = """
UPDATE rewards_coupon AS coupon
SET state = CASE coupon.state WHEN 'used' THEN 'issued' ELSE coupon.state END,
    expires_at = CASE WHEN coupon.expires_at IS NULL OR lots.for_ever THEN NULL
                      ELSE greatest(coupon.expires_at, lots.last) END
FROM rewards_account AS card
CROSS JOIN LATERAL (
    SELECT bool_or(expires_at IS NULL) AS for_ever, max(expires_at) AS last FROM rewards_lot
    WHERE account_id = card.id AND remaining > 0
) AS lots
WHERE card.id = ANY(%s) AND card.balance > 0 AND coupon.id = card.coupon_id
"""


class CardShort(Exception):
    """There is less on the card than it was to pay."""


def open_cards(*, coupon_ids: Sequence[int], amount_minor: int, at: datetime, actor_id: int | None = None) -> None:
    """Puts `amount_minor`, in minor units of the programme's currency, on each of these coupons, which were just
    issued. A card that has an account keeps it."""
    if coupon_ids:
        execute(_OPEN, {"coupons": list(coupon_ids), "amount": amount_minor, "at": at, "actor": actor_id})


def lock_cards(coupon_ids: Iterable[int]) -> None:
    """Locks the cards among these coupons until the transaction ends. The caller has locked the wallets it needs."""
    fetch_all(_LOCK, [sorted(set(coupon_ids))])


def lock_payers(purchase_id: int) -> None:
    """Locks the cards that paid of a purchase."""
    fetch_all(_LOCK_PAYERS, [purchase_id])


def spend(*, coupon_id: int, amount_minor: int, purchase_id: int, at: datetime, actor_id: int | None = None) -> None:
    """Pays `amount_minor` (at least 1) of a purchase with a card that the caller has locked. CardShort."""
    params = {"coupon": coupon_id, "amount": amount_minor, "purchase": purchase_id, "at": at, "actor": actor_id}
    if not fetch_all(_SPEND, params):
        raise CardShort(coupon_id)


def empty_cards(*, coupon_ids: Sequence[int], reason: str, at: datetime, actor_id: int | None = None) -> set[int]:
    """Takes back what was put on cards, where all of it is still there; which. The caller has locked them."""
    if not coupon_ids:
        return set()
    params = {"coupons": list(coupon_ids), "reason": reason, "at": at, "actor": actor_id}
    return {coupon_id for (coupon_id,) in fetch_all(_EMPTY, params)}


def came_back(account_ids: Sequence[int]) -> None:
    """Notes that money was put back on these cards."""
    if account_ids:
        execute(_CAME_BACK, [list(account_ids)])
