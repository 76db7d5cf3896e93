"""Giving back what was paid with points or credit, into the lots it came from. docs/refunds.md."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from psycopg.types.json import Jsonb

from common.sql import fetch_one
from rewards.enums import AccountKind, ExpiredReturn, TransferKind
from rewards.models import LotUse, Transfer
from rewards.queries import reward_settings
from rewards.services.cards import came_back
from rewards.services.moved_points import forward

_GIVE_BACK = """
WITH told AS (SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id),
posted AS (
    INSERT INTO rewards_transfer
        (id, key, kind, debit_id, credit_id, amount, at, reason, why, actor_id, purchase_id, reverses_id)
    SELECT told.id, %(key)s, %(kind)s, source.id, %(wallet)s, %(amount)s, %(at)s, %(reason)s, %(why)s,
           %(actor)s::bigint, %(purchase)s::bigint, %(reverses)s
    FROM told, rewards_account AS source
    WHERE source.kind = %(source)s AND source.unit = %(unit)s AND source.member_id IS NULL
),
back AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(%(back)s) AS back (lot_id bigint, amount bigint)),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT told.id, lot_id, -amount FROM told, back
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = lot.remaining + back.amount FROM back WHERE lot.id = back.lot_id
),
opened AS (
    INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
    SELECT %(wallet)s, told.id, %(anew)s, %(anew)s, %(at)s, %(expires_at)s FROM told WHERE %(anew)s > 0
),
wallet AS (
    UPDATE rewards_account SET balance = balance + %(amount)s WHERE id = %(wallet)s
)
SELECT id FROM told
"""


def give_back(
    *,
    transfer_id: int,
    amount: int,
    key: str,
    at: datetime,
    reason: str = "",
    why: Mapping[str, Any],
    actor_id: int | None = None,
    purchase_id: int | None = None,
) -> int:
    """Moves points or credit that a payment (or a confirmed hold) spent back into its lots, those first that would
    have lasted longest; the id of the transfer.

    What has expired since comes back to its lot, where it expires, or lives for some days in a lot of its own, as the
    reward settings say. What was paid from the wallet of a member merged since goes on to who that member is now. The
    caller has locked the wallets and cards, and made sure that the key is new. ValueError for more than was paid.
    """
    paid = Transfer.objects.select_related("debit").get(pk=transfer_id)
    settings = reward_settings()
    back, expired = _parts(paid, amount, at)
    anew = sum(part for _, part in expired) if settings.expired_return == ExpiredReturn.GRACE else 0
    parts = back if anew else back + expired
    row = fetch_one(
        _GIVE_BACK,
        {
            "key": key,
            "kind": TransferKind.RETURN,
            "source": AccountKind.REDEEMED,
            "unit": paid.debit.unit,
            "wallet": paid.debit_id,
            "amount": amount,
            "at": at,
            "reason": reason,
            "why": Jsonb({**why, "parts": sorted(back + expired)}),
            "actor": actor_id,
            "purchase": purchase_id,
            "reverses": paid.pk,
            "back": Jsonb([{"lot_id": lot_id, "amount": part} for lot_id, part in parts]),
            "anew": anew,
            "expires_at": at + timedelta(days=settings.expired_return_days),
        },
    )
    if paid.debit.member_id is None:  # a gift card
        came_back([paid.debit_id])
        return int(row.id)
    forward(member_ids=[paid.debit.member_id], at=at)  # where nobody was merged, nothing goes on
    return int(row.id)


Parts = list[tuple[int, int]]  # how much of which lot


def _parts(paid: Transfer, amount: int, at: datetime) -> tuple[Parts, Parts]:
    """What comes back of which lot: of those that live, and of those that have expired. What came back of a lot before
    stands in the `why` of those transfers, for it may have come back in a lot of its own."""
    before: Counter[int] = Counter()
    for why in Transfer.objects.filter(reverses=paid, kind=TransferKind.RETURN).values_list("why", flat=True):
        before.update(dict(why.get("parts", ())))
    uses = LotUse.objects.filter(transfer=paid, amount__gt=0).select_related("lot")
    alive: Parts = []
    expired: Parts = []
    for use in uses.order_by(F("lot__expires_at").desc(nulls_first=True), "-lot_id"):
        part = min(use.amount - before[use.lot_id], amount)
        amount -= part
        if part:
            ends = use.lot.expires_at
            (alive if ends is None or ends > at else expired).append((use.lot_id, part))
    if amount:
        raise ValueError("more than was paid")
    return alive, expired
