"""Refreshing segments: everybody is looked at, in one transaction that takes as a whole or not at all."""

from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from common.doorbell import ring
from common.sql import execute, lock, try_lock
from members.models import ChangedMember, Segment, SegmentChange
from members.queries import get_programme
from members.services.segments.membership import (
    FAILURES,
    LONGEST,
    Difference,
    above,
    beneath,
    in_order,
    make_equal,
    mark_failed,
    note_sizes,
    ripple,
    tell,
)
from members.services.summaries import DERIVED

log = structlog.get_logger(__name__)
REFRESH_TASK = "members.tasks.refresh_segments"
NIGHT = 3, 40  # hour and minute, in the programme's time zone, at which segments without a clock are checked
RIPPLE_MOST = 5_000  # members who changed in a used segment: beyond it those that use it are refreshed as a whole


class RefreshFailed(Exception):
    """A refresh failed and changed nothing. `args[0]` says why; the segment is marked as failing."""


class Superseded(Exception):
    """The definition was changed, or the segment archived, while it was refreshed. Nothing was taken over."""


class Refreshed(NamedTuple):
    """Who came in and who went out, and how many are in now."""

    entered: int
    left: int
    size: int


def refresh(*, segment_id: int, at: datetime) -> Refreshed:
    """Makes a segment what its definition says, now; first those it uses where they were never built as defined.

    Waits while another refresh or ripple runs. RefreshFailed, Superseded; Segment.DoesNotExist where it is archived.
    """
    below = beneath(segment_id)
    for used in in_order(below) if below else ():
        if used.built_version != used.version:
            _refresh(used.pk, at)
    return _refresh(segment_id, at)


def refresh_due(*, at: datetime, seconds: float = 240) -> int:
    """Refreshes what is due, used segments first; how many were refreshed. Fewer where another worker is at it.

    What fails is marked and does not hold up the others. After `seconds` the rest is left to another call.
    """
    until = monotonic() + seconds
    done = 0
    for segment in in_order(set(_due(at).values_list("pk", flat=True))):
        if monotonic() > until:
            ring(REFRESH_TASK)
            break
        try:
            result = _refresh(segment.pk, at, only_due=True)
        except _Busy:
            break
        except (RefreshFailed, Superseded, Segment.DoesNotExist):  # marked, or due again, or gone
            continue
        done += 1
        _report_drift(segment, result)
    return done


def request_refresh(*, segment_id: int, at: datetime) -> None:
    """Asks for a refresh behind the scenes, also of a segment that waits after a failure."""
    Segment.objects.filter(pk=segment_id, archived_at=None, next_refresh_at__gt=at).update(next_refresh_at=at)
    ring(REFRESH_TASK)


class _Busy(Exception):
    """Another worker refreshes what is due."""


def _due(at: datetime) -> QuerySet[Segment]:
    return Segment.objects.filter(Q(next_refresh_at=None) | Q(next_refresh_at__lte=at), archived_at=None)


def _refresh(segment_id: int, at: datetime, *, only_due: bool = False) -> Refreshed:
    try:
        with transaction.atomic():
            if only_due and not try_lock("members.refresh_due"):
                raise _Busy
            lock(DERIVED)  # before anything is read: what is read is then newer than all that others have written
            execute("SET LOCAL statement_timeout = %s; SET LOCAL work_mem = '64MB'", [f"{LONGEST}s"])
            there = _due(at) if only_due else Segment.objects.filter(archived_at=None)
            return _take_over(there.get(pk=segment_id), at)
    except FAILURES as error:
        with transaction.atomic():
            mark_failed(segment_id, error, at)
        raise RefreshFailed(str(error)) from error


def _take_over(segment: Segment, at: datetime) -> Refreshed:
    difference = make_equal(segment, at=at)
    taken = Segment.objects.filter(pk=segment.pk, version=segment.version, archived_at=None).update(
        built_version=segment.version,
        built_at=at,
        size=difference.selected,
        next_refresh_at=_next(segment, at),
        error="",
        failed_at=None,
        failures=0,
    )
    if not taken:
        raise Superseded
    note_sizes({segment.pk: difference}, at)
    # A new group is full at once, and nothing has happened to those who are in it: their timelines stay quiet.
    if segment.built_version is not None:
        tell([difference])
    if difference.entered or difference.left:
        _pass_on(segment.pk, difference, at)
    return Refreshed(difference.entered, difference.left, difference.selected)


def _pass_on(segment_id: int, difference: Difference, at: datetime) -> None:
    """Lets the segments that use this one know who came and went."""
    users = above(segment_id)
    if not users:
        return
    if difference.entered + difference.left > RIPPLE_MOST:
        Segment.objects.filter(pk__in=users, error="").update(next_refresh_at=None)
        ring(REFRESH_TASK)
        return
    written = SegmentChange.objects.filter(segment_id=segment_id, pk__range=(difference.first_id, difference.last_id))
    ripple(member_ids=list(written.values_list("member_id", flat=True)), at=at, segment_ids=users)


def _next(segment: Segment, at: datetime) -> datetime:
    """When a segment is to be looked at again: after its minutes, or in the night where only events change it."""
    if segment.timed:
        return at + timedelta(minutes=segment.refresh_minutes)
    local = at.astimezone(ZoneInfo(get_programme().time_zone))
    night = local.replace(hour=NIGHT[0], minute=NIGHT[1], second=0, microsecond=0)
    return night if night > local else night + timedelta(days=1)


def _report_drift(segment: Segment, result: Refreshed) -> None:
    """Says when the nightly check of a segment that events alone change found something: an event was missed."""
    trusted = segment.built_version == segment.version and segment.next_refresh_at is not None and not segment.error
    if not trusted or segment.timed or ChangedMember.objects.exists():
        return
    if result.entered or result.left:
        log.warning("segment had drifted", segment=segment.pk, entered=result.entered, left=result.left)
