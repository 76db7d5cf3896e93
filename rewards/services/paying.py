"""Paying with points or credit: out of the lots that expire soonest, for ever tied to the purchase."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from rewards.enums import AccountKind, TransferKind, Unit
from rewards.models import Transfer
from rewards.queries import balance
from rewards.services.ledger import InsufficientPoints, Posted, debit, lock_wallets, touch


class Payment(NamedTuple):
    """What a member pays of a purchase, in points or in minor units of credit."""

    member_id: int
    purchase_id: int
    amount: int
    reason: str = ""
    worth_minor: int = 0  # what that pays of the purchase, in minor units of its currency


_PAY = """
SELECT 'pay:' || purchase_id || ':' || %(unit)s::text, member_id, amount, %(at)s::timestamptz, reason,
       jsonb_build_object('worth_minor', worth), %(actor)s::bigint, purchase_id, NULL::bigint
FROM unnest(%(members)s::bigint[], %(purchases)s::bigint[], %(amounts)s::bigint[], %(reasons)s::text[],
            %(worths)s::bigint[]) AS paid (member_id, purchase_id, amount, reason, worth)
"""


@transaction.atomic
def pay(
    *, payments: Sequence[Payment], unit: Unit = Unit.POINTS, at: datetime, actor_id: int | None = None
) -> list[Posted]:
    """Moves what members pay from their wallets to what is redeemed, at most one payment for each member in a call.
    What was paid for a purchase already is left out.

    InsufficientPoints for the first who has less, and then nothing is moved. The amount is at least 1.
    """
    if not payments:
        return []
    lock_wallets((paid.member_id for paid in payments), units=[unit])
    posted = debit(
        kind=TransferKind.PAY,
        target=AccountKind.REDEEMED,
        select=_PAY,
        params={
            "at": at,
            "actor": actor_id,
            "members": [paid.member_id for paid in payments],
            "purchases": [paid.purchase_id for paid in payments],
            "amounts": [paid.amount for paid in payments],
            "reasons": [paid.reason for paid in payments],
            "worths": [paid.worth_minor for paid in payments],
        },
        unit=unit,
    )
    done = {transfer.key for transfer in posted}
    missing = [paid for paid in payments if f"pay:{paid.purchase_id}:{unit}" not in done]
    for paid in missing:
        if not _known(paid, unit):
            raise InsufficientPoints(available=balance(paid.member_id, at, unit), asked=paid.amount)
    touch({paid.member_id: at for paid in payments}, now=at)
    return posted


def _known(paid: Payment, unit: Unit) -> bool:
    return Transfer.objects.filter(key=f"pay:{paid.purchase_id}:{unit}").exists()
