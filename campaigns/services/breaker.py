"""The circuit breaker of a sender: after three troubles in a row it pauses, then tries a single message."""

from datetime import datetime, timedelta

from django.db import transaction

from campaigns.enums import BreakerState
from campaigns.models import Sender
from common.sql import storable

TROUBLES = 3
LONGEST = timedelta(minutes=30)


def resting(opened: int) -> timedelta:
    """The n-th pause in a row: 1, 2, 4, 8, 16, then 30 minutes."""
    return min(timedelta(minutes=2 ** min(opened - 1, 5)), LONGEST)


def how_many(sender: Sender, at: datetime, chunk: int) -> int:
    """How many messages the sender may be given now."""
    if sender.paused_at is not None:
        return 0
    if sender.breaker == BreakerState.CLOSED:
        return chunk
    return 1 if sender.open_until is not None and sender.open_until <= at else 0


@transaction.atomic
def in_trouble(*, sender: Sender, text: str, at: datetime) -> None:
    """Counts a trouble of the server. `sender` is brought up to date."""
    row = Sender.objects.select_for_update().get(pk=sender.pk)
    row.failures += 1
    row.trouble, row.trouble_at = storable(text)[:2000], at
    if row.breaker != BreakerState.CLOSED or row.failures >= TROUBLES:
        row.opened += 1
        row.breaker, row.open_until = BreakerState.OPEN, at + resting(row.opened)
    changed = ["failures", "trouble", "trouble_at", "opened", "breaker", "open_until"]
    row.save(update_fields=changed)
    for name in changed:
        setattr(sender, name, getattr(row, name))


def trying(*, sender: Sender) -> None:
    """Says that one message is on its way to see whether the server is well again."""
    if sender.breaker == BreakerState.OPEN:
        Sender.objects.filter(pk=sender.pk, breaker=BreakerState.OPEN).update(breaker=BreakerState.HALF_OPEN)
        sender.breaker = BreakerState.HALF_OPEN


def is_well(*, sender: Sender) -> None:
    """The server took a message. Costs nothing where nothing was wrong."""
    if sender.failures or sender.breaker != BreakerState.CLOSED:
        sender.failures, sender.opened, sender.breaker, sender.open_until = 0, 0, BreakerState.CLOSED, None
        sender.save(update_fields=["failures", "opened", "breaker", "open_until"])


def pause_sender(*, sender_id: int, at: datetime, actor_id: int | None) -> None:
    """Staff stop a sender: nothing more leaves by it, at once."""
    Sender.objects.filter(pk=sender_id, paused_at=None).update(paused_at=at, paused_by=actor_id)


def resume_sender(*, sender_id: int) -> None:
    """Staff set it going again, the breaker too."""
    Sender.objects.filter(pk=sender_id).update(
        paused_at=None, paused_by=None, failures=0, opened=0, breaker=BreakerState.CLOSED, open_until=None
    )
