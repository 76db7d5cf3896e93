"""Calling off a date of an experience: everybody gets everything back."""

from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef

from rewards.enums import RedemptionState, WaitingState
from rewards.models import Redemption, RewardSession, WaitingEntry
from rewards.queries_catalogue import STANDING
from rewards.services.handing_over import end_redemptions, owners
from rewards.services.ledger import lock_wallets
from rewards.services.places import leave


class CalledOff(NamedTuple):
    """How many reservations and redemptions ended, and how many members wait no more."""

    ended: int
    waiting: int


def call_off(*, session_id: int, at: datetime, actor_id: int | None = None, reason: str = "") -> CalledOff:
    """Calls a date off, and gives everybody their points back. Twice is once. RewardSession.DoesNotExist.

    In two transactions, for who books locks the wallet before the date: no place is taken once the first has ended,
    and the tick (`settle_called_off`) does the second where we die between them.
    """
    if not RewardSession.objects.filter(pk=session_id).update(cancelled=True):
        raise RewardSession.DoesNotExist
    return _settle(session_id, at, actor_id, reason)


def settle_called_off(*, at: datetime) -> int:
    """Ends what still stands of dates that were called off; how many dates."""
    standing = Redemption.objects.filter(session=OuterRef("pk"), state__in=STANDING)
    left = RewardSession.objects.filter(Exists(standing), cancelled=True).values_list("pk", flat=True)
    for session_id in list(left):  # after a crash alone: none or one
        _settle(session_id, at, None, "")
    return len(left)


@transaction.atomic
def _settle(session_id: int, at: datetime, actor_id: int | None, reason: str) -> CalledOff:
    standing = Redemption.objects.filter(session=session_id, state__in=STANDING)
    ids = list(standing.values_list("pk", flat=True))
    lock_wallets(owners(ids))
    ended = sum(
        end_redemptions(ids, state=state, at=at, actor_id=actor_id, note=reason)
        for state in (RedemptionState.CANCELLED, RedemptionState.REFUNDED)
    )
    waiting = WaitingEntry.objects.filter(session=session_id, state__in=[WaitingState.WAITING, WaitingState.OFFERED])
    entries = list(waiting.values_list("pk", flat=True))
    leave(entries, at=at)
    return CalledOff(ended, len(entries))
