"""What is on gift cards, and what they paid. docs/catalogue.md."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from common.sql import fetch_all


class CardPaid(NamedTuple):
    """A card paid `paid_minor` of a purchase; `rest_minor` is on it now. Minor units of the programme's currency."""

    code: str
    paid_minor: int
    rest_minor: int


# What can be spent of an account: its open lots.
REST = """
SELECT coalesce(sum(lot.remaining), 0)::bigint FROM rewards_lot AS lot
WHERE lot.account_id = card.id AND lot.remaining > 0 AND lot.available_from <= %(at)s
  AND (lot.expires_at IS NULL OR lot.expires_at > %(at)s)
"""
_RESTS = f"SELECT card.coupon_id, ({REST}) FROM rewards_account AS card WHERE card.coupon_id = ANY(%(coupons)s)"
_PAID = f"""
SELECT coupon.code, paid.amount, ({REST})
FROM rewards_transfer AS paid
JOIN rewards_account AS card ON card.id = paid.debit_id AND card.kind = 'card'
JOIN rewards_coupon AS coupon ON coupon.id = card.coupon_id
WHERE paid.purchase_id = %(purchase)s AND paid.kind = 'pay' ORDER BY paid.id
"""


def rests(coupon_ids: Sequence[int], at: datetime) -> dict[int, int]:
    """What can be spent of each gift card at `at`, in minor units; nothing for what is no card or was never issued."""
    if not coupon_ids:
        return {}
    return dict(fetch_all(_RESTS, {"coupons": list(coupon_ids), "at": at}))


def paid_by_cards(purchase_id: int, at: datetime) -> tuple[CardPaid, ...]:
    """What cards paid of a purchase, and what is on them at `at`."""
    return tuple(CardPaid(*row) for row in fetch_all(_PAID, {"purchase": purchase_id, "at": at}))
