"""Running the reactions that wait on events: exactly once each, whatever dies in between.

A row is claimed first, in a transaction of its own: the attempt counts even if the worker dies. Then the reaction
runs and its rows go, in one transaction. What was claimed but not answered comes due again after a pause.
"""

from collections import defaultdict
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from common.doorbell import ring
from members.events import reaction
from members.models import PendingReaction, TimelineEvent

log = structlog.get_logger(__name__)
MAX_ATTEMPTS = 5
DIED = "The worker died while it ran this reaction."


def pause(attempts: int) -> timedelta:
    """How long a reaction waits after its n-th attempt: 20 s, 80 s, 5 min, 21 min."""
    return timedelta(seconds=5 * 4**attempts)


def run_due(*, at: datetime, limit: int = 500) -> int:
    """Runs up to `limit` due reactions; how many were claimed. First attempts run together, later ones one by one."""
    claimed = _claim(at, limit)
    together: dict[str, list[PendingReaction]] = defaultdict(list)
    for row in claimed:
        if row.attempts > MAX_ATTEMPTS:
            _park(row, row.error or DIED, at)
        elif row.attempts == 1:
            together[row.reaction].append(row)
        else:
            _run_one(row, at)
    for rows in together.values():
        try:
            _run([row.pk for row in rows], rows[0].reaction, at)
        except Exception:  # one of them is bad: find out which
            for row in rows:
                _run_one(row, at)
    return len(claimed)


def retry(*, reaction_id: int, at: datetime) -> None:
    """Gives a parked reaction a fresh start."""
    PendingReaction.objects.filter(pk=reaction_id, parked_at__isnull=False).update(
        parked_at=None, attempts=0, due_at=at, error=""
    )
    ring("members.tasks.run_reactions")


@transaction.atomic
def _claim(at: datetime, limit: int) -> list[PendingReaction]:
    due = PendingReaction.objects.filter(parked_at=None, due_at__lte=at).order_by("due_at", "id")
    rows = list(due.select_for_update(skip_locked=True)[:limit])
    for row in rows:
        row.attempts += 1
        row.due_at = at + pause(row.attempts)
    PendingReaction.objects.bulk_update(rows, ["attempts", "due_at"])
    return rows


def _run_one(row: PendingReaction, at: datetime) -> None:
    try:
        _run([row.pk], row.reaction, at)
    except Exception as error:
        log.exception("reaction failed", reaction=row.reaction, event_id=row.event_id, attempts=row.attempts)
        message = f"{type(error).__name__}: {error}"
        if row.attempts >= MAX_ATTEMPTS:
            _park(row, message, at)
        else:
            PendingReaction.objects.filter(pk=row.pk).update(error=message)


@transaction.atomic
def _run(ids: list[int], key: str, at: datetime) -> None:
    rows = PendingReaction.objects.filter(pk__in=ids, parked_at=None).order_by("event_id")
    rows = rows.select_for_update(skip_locked=True)
    event_ids = {row.event_id: row.pk for row in rows}
    function = reaction(key)
    if function is None:
        raise LookupError(f"no reaction is called {key}")
    if event_ids:
        function(list(TimelineEvent.objects.filter(pk__in=event_ids).order_by("at", "id")), at)
        PendingReaction.objects.filter(pk__in=event_ids.values()).delete()


def _park(row: PendingReaction, error: str, at: datetime) -> None:
    PendingReaction.objects.filter(pk=row.pk).update(parked_at=at, error=error)
    log.error("reaction parked", reaction=row.reaction, event_id=row.event_id)
