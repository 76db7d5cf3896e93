"""What becomes of the points of members who are erased. The ledger stays whole: nothing is deleted from it."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import uuid4

import pgtrigger
from django.db.models import Q
from django.utils.translation import gettext_noop

from rewards.enums import AccountKind, GrantState, HoldState, TransferKind, Unit
from rewards.models import Account, GrantRequest, Hold, Lot, LotChange, TierLift, Transfer
from rewards.services.erasure_catalogue import erase_redemptions
from rewards.services.holds import cancel
from rewards.services.ledger import debit, forgive, lock_wallets

CLOSED = gettext_noop("Account closed")


def erase_points(member_ids: Sequence[int], at: datetime) -> None:
    """Cancels what is reserved, writes off what is left, pending or not, and what is owed, and blanks the reasons that
    people typed.

    Points that have expired but are not swept yet go their usual way.
    """
    lock_wallets(member_ids)
    erase_redemptions(member_ids, at)
    reserved = Hold.objects.filter(account__member__in=member_ids, state=HoldState.RESERVED).order_by("pk")
    for key in list(reserved.values_list("key", flat=True)):
        cancel(key=key, at=at)
    for account in Account.objects.filter(member__in=member_ids).exclude(balance=0).order_by("pk"):
        _write_off(account, at)
    Hold.objects.filter(account__member__in=member_ids).exclude(reason="").update(reason="")
    asked = GrantRequest.objects.filter(member__in=member_ids)
    asked.filter(state=GrantState.WAITING).update(state=GrantState.WITHDRAWN, decided_at=at)
    asked.update(reason="", note="", decision="")
    TierLift.objects.filter(member__in=member_ids).update(reason="")
    with pgtrigger.ignore("rewards.LotChange:append_only"):
        LotChange.objects.filter(lot__account__member__in=member_ids).update(reason="")
    # The one place where a transfer is changed: its amounts, accounts and keys stay as they were.
    with pgtrigger.ignore("rewards.Transfer:append_only"):
        own = Transfer.objects.filter(Q(debit__member__in=member_ids) | Q(credit__member__in=member_ids))
        own.exclude(reason__in=["", CLOSED]).update(reason="")
        own.exclude(note="").update(note="")
        # Confirming a hold moves points between the programme's own accounts; only its key says whose they were.
        held = [
            f"confirm:{pk}" for pk in Hold.objects.filter(account__member__in=member_ids).values_list("pk", flat=True)
        ]
        Transfer.objects.filter(key__in=held).exclude(reason="").update(reason="")


_WRITE_OFF = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s, '{}'::jsonb, NULL::bigint,
       NULL::bigint, NULL::bigint
"""


def _write_off(account: Account, at: datetime) -> None:
    key, unit = f"erased:{uuid4()}", Unit(account.unit)
    if account.kind == AccountKind.ARREARS:
        forgive(member_id=cast(int, account.member_id), unit=unit, key=key, at=at, reason=CLOSED)
        return
    lots = Lot.objects.filter(Q(expires_at=None) | Q(expires_at__gt=at), account=account, remaining__gt=0)
    left = dict(lots.values_list("pk", "remaining"))
    if not left:
        return
    debit(
        kind=TransferKind.ADJUST,
        target=AccountKind.ADJUSTED,
        select=_WRITE_OFF,
        params={"key": key, "member": account.member_id, "amount": sum(left.values()), "at": at, "reason": CLOSED},
        unit=unit,
        first=list(left),
    )
