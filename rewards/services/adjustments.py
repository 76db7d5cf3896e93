"""Points that staff give or take by hand, with a reason."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_noop

from members.events import record
from members.queries import family
from members.services.purchases import KeyReused
from rewards.enums import AccountKind, TransferKind, Unit
from rewards.events import POINTS_ADJUSTED, told_unit
from rewards.models import Transfer
from rewards.queries import balance
from rewards.services.ledger import InsufficientPoints, credit, debit, lock_wallets

CORRECTION = gettext_noop("Correction")  # what a member reads of what is taken, where nobody wrote anything else

_GIVE = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(at)s::timestamptz,
       %(expires_at)s::timestamptz, %(reason)s, '{"internal": true}'::jsonb, %(actor)s::bigint, NULL::bigint,
       %(note)s::text
"""
_TAKE = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s,
       '{"internal": true}'::jsonb, %(actor)s::bigint, NULL::bigint, NULL::bigint, %(note)s::text
"""


@transaction.atomic
def adjust_points(
    *,
    member_id: int,
    amount: int,
    reason: str,
    key: str,
    at: datetime,
    actor_id: int | None = None,
    expires_at: datetime | None = None,
    unit: Unit = Unit.POINTS,
    note: str = "",
) -> Transfer:
    """Gives (amount > 0) or takes (amount < 0) points by hand, or credit in minor units. What is given expires only if
    `expires_at` says so. `reason` is for staff, as the transfer's `why` says; the member reads `note`.

    The same key with the same content gives the same transfer. KeyReused where it comes with another content;
    InsufficientPoints where the member has fewer to take; ValueError for an amount of 0 or no reason.
    """
    if amount == 0 or not reason.strip():
        raise ValueError("an adjustment moves points, for a reason")
    lock_wallets([member_id], units=[unit])
    name = f"adjust:{key}"
    if known := Transfer.objects.select_related("debit", "credit").filter(key=name).first():
        wallet, signed = (known.credit, known.amount) if known.credit.member_id else (known.debit, -known.amount)
        if (signed, known.reason, wallet.unit) != (amount, reason, unit) or wallet.member_id not in family([member_id]):
            raise KeyReused(key)
        return known
    params = {"key": name, "member": member_id, "amount": abs(amount), "at": at, "reason": reason, "actor": actor_id}
    params["note"] = note
    if amount > 0:
        params["expires_at"] = expires_at
        posted = credit(
            kind=TransferKind.ADJUST,
            source=AccountKind.ADJUSTED,
            select=_GIVE,
            params=params,
            unit=unit,
            also=("note",),
        )
    else:
        posted = debit(
            kind=TransferKind.ADJUST,
            target=AccountKind.ADJUSTED,
            select=_TAKE,
            params=params,
            unit=unit,
            also=("note",),
        )
        if not posted:
            raise InsufficientPoints(available=balance(member_id, at, unit), asked=-amount)
    record(
        member_id=member_id,
        kind=POINTS_ADJUSTED,
        at=at,
        data={"points": amount, "reason": reason, **({"note": note} if note else {}), **told_unit(unit)},
        actor_id=actor_id,
    )
    return Transfer.objects.get(pk=posted[0].id)
