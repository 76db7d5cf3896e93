"""What refunds take back of what purchases gave, and give back of what was paid with. docs/refunds.md."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F

from common.sql import fetch_all
from members import events
from members.models import Purchase, Refund, TimelineEvent
from members.queries import ever_with
from members.services.purchases import KeyReused
from rewards.enums import AccountKind, TransferKind
from rewards.services.ledger import debit, lock_wallets
from rewards.services.moved_points import CHAIN, ORIGIN
from rewards.services.tiers import assess


class RefundTooLarge(Exception):
    """More than is left of the purchase: `left_minor` minor units of `currency`."""

    def __init__(self, *, left_minor: int, currency: str) -> None:
        super().__init__(left_minor, currency)
        self.left_minor = left_minor
        self.currency = currency


@dataclass(frozen=True, slots=True)
class RefundResult:
    """What became of a refund. `points_short` should have gone back for the purchase by now, but were spent."""

    refund_id: int
    is_new: bool
    points_taken: int
    points_short: int


_BUYERS = "SELECT DISTINCT member_id FROM members_purchase WHERE id = ANY(%s)"


def lock_buyers(purchase_ids: list[int]) -> list[int]:
    """Locks the wallets of who bought; their ids. Once they are locked, no merge gives a purchase to another member."""
    locked: set[int] = set()
    wallets: list[int] = []
    while buyers := {row[0] for row in fetch_all(_BUYERS, [purchase_ids])} - locked:
        wallets += lock_wallets(buyers)
        locked |= buyers
    return wallets


@transaction.atomic
def refund_purchase(
    *,
    purchase_id: int,
    source: str,
    key: str,
    amount_minor: int,
    at: datetime,
    reason: str = "",
    actor_id: int | None = None,
) -> RefundResult:
    """Records money given back and takes back the points it had given: in all, of what the purchase gave, the share
    of its price that was given back so far, rounded in the member's favour; everything at the full refund.

    They come out of the purchase's own lot first, then out of those that expire soonest. What expired of that lot is
    gone already and is not asked for again; what a hold keeps of it is, once the hold ends (`settle_refunds`), and is
    short until then. A known (source, key) is answered as before.

    RefundTooLarge; KeyReused where the key is known with another purchase or amount; Purchase.DoesNotExist;
    ValueError for an amount below 1.
    """
    if amount_minor < 1:
        raise ValueError("a refund gives something back")
    purchase = Purchase.objects.get(pk=purchase_id)
    if amount_minor > purchase.amount_minor:
        raise _too_large(purchase)
    wallets = lock_buyers([purchase_id])
    refund, is_new = Refund.objects.get_or_create(
        source=source,
        key=key,
        defaults={
            "purchase": purchase,
            "amount_minor": amount_minor,
            "reason": reason,
            "refunded_at": at,
            "actor_id": actor_id,
        },
    )
    if not is_new:
        if (refund.purchase_id, refund.amount_minor) != (purchase_id, amount_minor):
            raise KeyReused(key)
        return _answered(refund, purchase)
    fits = Purchase.objects.filter(pk=purchase_id, refunded_minor__lte=F("amount_minor") - amount_minor)
    refunded = fits.update(refunded_minor=F("refunded_minor") + amount_minor)
    purchase.refresh_from_db()
    if not refunded:
        raise _too_large(purchase)
    taken, short = _take_back(purchase, refund, at, actor_id)
    events.record(
        member_id=purchase.member_id,
        kind=events.PURCHASE_REFUNDED,
        at=at,
        actor_id=actor_id,
        data={
            "refund": refund.pk,
            "purchase": purchase_id,
            "amount_minor": amount_minor,
            "currency": purchase.currency,
            "points_taken": taken,
            "points_short": short,
        },
    )
    if taken:
        assess(wallets, at)
    return RefundResult(refund.pk, True, taken, short)


def _too_large(purchase: Purchase) -> RefundTooLarge:
    return RefundTooLarge(left_minor=purchase.amount_minor - purchase.refunded_minor, currency=purchase.currency)


# What the transfer gave for the purchase, on which net price, and how much was taken back; how much of its lot, and of
# those that a merge made of it, expired, can be spent and is on hold. Past the lot's time all that is left has expired,
# on hold or not.
_GIVEN = f"""
SELECT earn.id, earn.amount, (earn.why->>'amount_minor')::bigint,
       coalesce((SELECT sum(back.amount) FROM rewards_transfer AS back WHERE back.reverses_id = earn.id), 0)::bigint,
       used.expired + CASE WHEN lot.expires_at <= %(at)s THEN lot.remaining + used.held ELSE 0 END,
       CASE WHEN lot.expires_at <= %(at)s THEN 0 ELSE lot.remaining END,
       CASE WHEN lot.expires_at <= %(at)s THEN 0 ELSE used.held END,
       lot.ids
FROM rewards_transfer AS earn
CROSS JOIN LATERAL (
    SELECT array_agg(chain.id) AS ids, sum(chain.remaining)::bigint AS remaining, min(chain.expires_at) AS expires_at
    FROM ({CHAIN}) AS chain
) AS lot
CROSS JOIN LATERAL (
    SELECT coalesce(sum(used.amount) FILTER (WHERE user_of.kind = 'expire'), 0)::bigint AS expired,
           coalesce(sum(used.amount) FILTER (WHERE hold.state = 'reserved'), 0)::bigint AS held
    FROM rewards_lotuse AS used
    JOIN rewards_transfer AS user_of ON user_of.id = used.transfer_id
    LEFT JOIN rewards_hold AS hold ON hold.transfer_id = used.transfer_id
    WHERE used.lot_id = ANY(lot.ids)
) AS used
WHERE earn.purchase_id = %(purchase)s AND earn.kind = 'earn'
ORDER BY earn.id
"""
_TAKE = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s, %(why)s::jsonb,
       %(actor)s::bigint, %(purchase)s::bigint, %(reverses)s::bigint
"""


class _Freed(NamedTuple):
    """What holds that just ended had kept of a purchase's points; `hold_id` is the last of them."""

    purchase_id: int
    hold_id: int
    points: int


def _take_back(
    purchase: Purchase, refund: Refund, at: datetime, actor_id: int | None, freed: _Freed | None = None
) -> tuple[int, int]:
    taken = short = 0
    rows = fetch_all(_GIVEN, {"purchase": purchase.pk, "at": at})
    for earn_id, gave, priced_minor, back, expired, spendable, held, lots in rows:
        kept_minor = purchase.amount_minor - purchase.refunded_minor
        share = gave * (priced_minor - kept_minor) // priced_minor
        due = min(share, gave - expired) - back
        if due <= 0:
            continue
        asked = due - min(held, max(due - spendable, 0))  # what is on hold is asked for when the hold ends
        key = f"refund:{refund.pk}:{earn_id}"
        if freed:
            asked, key = min(asked, freed.points), f"{key}:{freed.hold_id}"
        why: dict[str, Any] = {
            "refund": refund.pk,
            "amount_minor": refund.amount_minor,
            "currency": purchase.currency,
            "gave": gave,
            "priced_minor": priced_minor,
            "kept_minor": kept_minor,
            "due": due,
        }
        posted = debit(
            kind=TransferKind.REVERSE,
            target=AccountKind.ISSUED,
            select=_TAKE,
            params={
                "key": key,
                "member": purchase.member_id,
                "amount": asked,
                "at": at,
                "reason": refund.reason,
                "why": json.dumps(why),
                "actor": actor_id,
                "purchase": purchase.pk,
                "reverses": earn_id,
            },
            partly=True,
            first=lots,
        )
        took = sum(transfer.amount for transfer in posted)
        taken, short = taken + took, short + due - took
    return taken, short


_HELD = """
SELECT DISTINCT used.lot_id FROM rewards_hold AS hold JOIN rewards_lotuse AS used ON used.transfer_id = hold.transfer_id
WHERE hold.id = ANY(%(holds)s)
"""
_FREED = f"""
{ORIGIN}
SELECT earn.purchase_id, max(hold.id), sum(used.amount)::bigint
FROM rewards_hold AS hold
JOIN rewards_lotuse AS used ON used.transfer_id = hold.transfer_id
JOIN origin ON origin.asked_id = used.lot_id
JOIN rewards_lot AS lot ON lot.id = origin.id
JOIN rewards_transfer AS earn ON earn.id = lot.transfer_id AND earn.kind = 'earn'
WHERE hold.id = ANY(%(holds)s) AND EXISTS (SELECT FROM members_refund WHERE purchase_id = earn.purchase_id)
GROUP BY earn.purchase_id ORDER BY earn.purchase_id
"""


def settle_refunds(*, hold_ids: Sequence[int], at: datetime, actor_id: int | None) -> None:
    """Takes back what refunds left in holds that have just ended, so that it comes to the same as if they had ended
    before: out of what they gave back, or where that is spent or expired, as a refund does. The caller has locked the
    wallets. A transfer more belongs to the purchase's last refund."""
    members = set()
    lots = [lot_id for (lot_id,) in fetch_all(_HELD, {"holds": list(hold_ids)})]
    for freed in map(_Freed._make, fetch_all(_FREED, {"holds": list(hold_ids), "lots": lots})):
        refund = Refund.objects.select_related("purchase").filter(purchase_id=freed.purchase_id).latest("pk")
        if _take_back(refund.purchase, refund, at, actor_id, freed)[0]:
            members.add(refund.purchase.member_id)
    if members:
        assess(lock_wallets(members), at)


def _answered(refund: Refund, purchase: Purchase) -> RefundResult:
    told = TimelineEvent.objects.filter(member__in=ever_with([purchase.member_id]), kind=events.PURCHASE_REFUNDED)
    data = told.get(at=refund.refunded_at, data__refund=refund.pk).data
    return RefundResult(refund.pk, False, data["points_taken"], data["points_short"])
