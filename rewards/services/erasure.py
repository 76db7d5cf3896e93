"""What becomes of the points of members who are erased. The ledger stays whole: nothing is deleted from it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import pgtrigger
from django.db.models import Q
from django.utils.translation import gettext_noop

from rewards.enums import AccountKind, GrantState, HoldState, TransferKind, Unit
from rewards.models import Account, GrantRequest, Hold, Lot, LotChange, Transfer
from rewards.queries import balances
from rewards.services.adjustments import adjust_points
from rewards.services.erasure_catalogue import erase_redemptions
from rewards.services.holds import cancel
from rewards.services.ledger import lock_wallets

CLOSED = gettext_noop("Account closed")


def erase_points(member_ids: Sequence[int], at: datetime) -> None:
    """Cancels what is reserved, writes off what is left, and blanks the reasons that people typed.

    Points that have expired but are not swept yet go their usual way.
    """
    lock_wallets(member_ids)
    reserved = Hold.objects.filter(account__member__in=member_ids, state=HoldState.RESERVED).order_by("pk")
    erase_redemptions(member_ids, at)
    for key in list(reserved.values_list("key", flat=True)):
        cancel(key=key, at=at)
    for member_id, left in balances(member_ids, at).items():
        if left > 0:
            adjust_points(member_id=member_id, amount=-left, reason=CLOSED, key=f"erased:{uuid4()}", at=at)
    Hold.objects.filter(account__member__in=member_ids).exclude(reason="").update(reason="")
    asked = GrantRequest.objects.filter(member__in=member_ids)
    asked.filter(state=GrantState.WAITING).update(state=GrantState.WITHDRAWN, decided_at=at)
    asked.update(reason="", note="", decision="")
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
