"""What becomes of the redemptions of members who are erased: they stay in the figures, as nobody's."""

from collections.abc import Sequence
from datetime import datetime

from rewards.enums import Fulfilment, RedemptionState, WaitingState
from rewards.models import Redemption, WaitingEntry
from rewards.services.handing_over import end_redemptions
from rewards.services.places import leave, lock_dates


def erase_redemptions(member_ids: Sequence[int], at: datetime) -> None:
    """Cancels reservations, gives up waiting, and blanks addresses, parcels, codes and what was typed. The caller has
    locked the wallets. What was not sent or collected by now cannot be any more."""
    own = Redemption.objects.filter(member__in=member_ids)
    reserved = own.filter(state=RedemptionState.RESERVED).order_by("pk")
    waiting = WaitingEntry.objects.filter(member__in=member_ids, state__in=[WaitingState.WAITING, WaitingState.OFFERED])
    dates = reserved.exclude(session=None).order_by().values_list("session_id", flat=True)
    lock_dates({*dates, *waiting.values_list("session_id", flat=True)})  # all of them before the first reward
    end_redemptions(list(reserved.values_list("pk", flat=True)), state=RedemptionState.CANCELLED, at=at, actor_id=None)
    leave(waiting.values_list("pk", flat=True), at=at)
    own.filter(fulfilment__in=[Fulfilment.TO_SHIP, Fulfilment.TO_COLLECT]).update(fulfilment=Fulfilment.NONE)
    own.update(address={}, carrier="", tracking_number="", note="", code=None)
