"""Keeping what is derived of members up to date: first their purchases added up, then the segments they are in.

Whatever happens to a member leaves a row in ChangedMember, in the same transaction. Here the rows are claimed, the
members looked at, and the rows gone, in one transaction: a worker that dies leaves the rows to the next.
"""

from datetime import datetime

import structlog
from django.db import transaction

from common.doorbell import ring
from common.sql import execute, fetch_all, lock, try_lock
from members.models import ChangedMember, Segment
from members.services.segments.membership import ripple
from members.services.segments.refreshing import REFRESH_TASK
from members.services.summaries import DERIVED, recompute, recompute_listed

log = structlog.get_logger(__name__)
BATCH = 5_000  # rows of the queue that one transaction takes
BACKLOG = 50_000  # rows from which on everybody is looked at: so many came by an import

_CLAIM = """
WITH claimed AS (
    SELECT id FROM members_changedmember ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
),
gone AS (DELETE FROM members_changedmember WHERE id IN (SELECT id FROM claimed) RETURNING member_id)
SELECT DISTINCT member_id FROM gone ORDER BY member_id
"""
_CLAIM_ALL = """
WITH gone AS (DELETE FROM members_changedmember RETURNING member_id)
INSERT INTO changed_now SELECT DISTINCT member_id FROM gone
"""


@transaction.atomic
def bring_up_to_date(*, at: datetime) -> int:
    """Looks at members to whom something happened, up to BATCH; how many. 0 where another worker is at it.

    A backlog of more than BACKLOG is taken at once: its purchases are added up, and all segments refreshed.
    """
    if not ChangedMember.objects.exists() or not try_lock("members.bring_up_to_date"):
        return 0
    lock(DERIVED)  # after the lock above: of those that wait for a long refresh there is only one
    if ChangedMember.objects.order_by()[BACKLOG:].exists():
        return _catch_up()
    member_ids = [row[0] for row in fetch_all(_CLAIM, [BATCH])]
    if member_ids:
        recompute(member_ids=member_ids)
        ripple(member_ids=member_ids, at=at)
    return len(member_ids)


def _catch_up() -> int:
    execute("CREATE TEMP TABLE changed_now (member_id bigint) ON COMMIT DROP")
    many = execute(_CLAIM_ALL)
    execute("ANALYZE changed_now")
    recompute_listed("changed_now")
    _refresh_all()
    return many


@transaction.atomic
def check_summaries() -> int:
    """Adds up everybody's purchases anew; how many were not as they should be, which is said in the log.

    Some are where the programme's currency or time zone was changed; otherwise a change went by unnoticed.
    """
    waiting = ChangedMember.objects.exists()
    drifted = recompute()
    if drifted:
        if not waiting:
            log.warning("purchase summaries had drifted", members=drifted)
        _refresh_all()
    return drifted


def _refresh_all() -> None:
    # What fails is tried again by itself, and not sooner for this.
    Segment.objects.filter(archived_at=None, error="").update(next_refresh_at=None)
    ring(REFRESH_TASK)
