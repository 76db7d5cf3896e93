"""Figures that take long at a million members are counted in the background and shown with their moment.

A snapshot is as fresh as it is cheap: it is counted again once it is KEEP times as old as it took to count, so that
counting never takes more than a fiftieth of one core. What counts in no time is never kept.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from analytics import counting
from analytics.models import Snapshot
from common.doorbell import ring
from common.sql import fetch_all
from members.queries import get_programme

QUICK = 0.15  # seconds
KEEP = 50

Counter = Callable[[datetime, ZoneInfo], dict[str, Any]]
# Everything that is kept, by name.
COUNTERS: dict[str, Counter] = {
    **{f"paper.{days}": counting.paper(days) for days in counting.STEPS},
    **{f"customers.{days}": counting.customers(days) for days in counting.STEPS},
    **{f"rewards.{days}": counting.rewards(days) for days in counting.STEPS},
    "held": counting.held,
    "quality": counting.quality,
    "rfm": counting.rfm,
}


def figures(name: str, *, at: datetime) -> Snapshot:
    """The figures of a name as they stand, or stood a short time ago (`at` says when). A stale one is counted again
    behind the reader's back. KeyError where there is no such name."""
    counter, zone = COUNTERS[name], get_programme().time_zone
    kept = Snapshot.objects.filter(name=name).first()
    if kept is not None and kept.took > QUICK and kept.data.get("zone") == zone and kept.at <= at:
        if _stale(kept, at):
            ring("analytics.tasks.refresh_figures", name)
        return kept
    return _count(name, counter, at, zone)


def refresh(name: str, *, at: datetime) -> bool:
    """Counts the figures of a name again if they are stale; whether it did. Two at once count once."""
    with transaction.atomic():
        if not fetch_all("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [f"snapshot.{name}"])[0][0]:
            return False
        kept, zone = Snapshot.objects.filter(name=name).first(), get_programme().time_zone
        if kept is not None and kept.data.get("zone") == zone and not _stale(kept, at):
            return False
        if _count(name, COUNTERS[name], at, zone).took <= QUICK and kept is not None:
            kept.delete()  # it has become quick: from now on it is counted on the spot
    return True


def refresh_all(*, at: datetime) -> list[str]:
    """Counts again what is stale; the names."""
    return [name for name in COUNTERS if refresh(name, at=at)]


def forget(name: str) -> None:
    """Lets figures be counted anew at the next question."""
    Snapshot.objects.filter(name=name).delete()


def _stale(kept: Snapshot, at: datetime) -> bool:
    return at - kept.at > timedelta(seconds=KEEP * kept.took)


def _count(name: str, counter: Counter, at: datetime, zone: str) -> Snapshot:
    started = time.monotonic()
    data = {**counter(at, ZoneInfo(zone)), "zone": zone}
    taken = Snapshot(name=name, at=at, took=time.monotonic() - started, data=data)
    if taken.took > QUICK:
        Snapshot.objects.bulk_create(
            [taken], update_conflicts=True, unique_fields=["name"], update_fields=["at", "took", "data"]
        )
    return taken
