"""Places at the dates of experiences, and who waits for one."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from common.sql import execute, fetch_all
from members.events import record_selected
from members.models import Member
from rewards.enums import WaitingState
from rewards.events import PLACE_OFFERED
from rewards.models import RewardSession, WaitingEntry
from rewards.queries_catalogue import look_at, with_free_places
from rewards.reasons import Reason

KEPT = timedelta(hours=24)
CHUNK = 500


class CannotWait(Exception):
    """The member cannot wait for a place; `reasons` say why not."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(*(reason.code for reason in reasons))
        self.reasons = reasons


def take_place(session_id: int) -> bool:
    """Takes a free place; False where there is none."""
    taken = "UPDATE rewards_rewardsession SET booked = booked + 1 WHERE id = %s AND booked < capacity AND NOT cancelled"
    return bool(execute(taken, [session_id]))


_FREE = """
UPDATE rewards_rewardsession AS date SET booked = date.booked - freed.n
FROM unnest(%(sessions)s::bigint[], %(counts)s::int[]) AS freed (id, n) WHERE date.id = freed.id
"""


def free_places(freed: Mapping[int, int], *, at: datetime) -> None:
    """Gives back so many places of each date, and keeps them for who waits. The caller holds the wallets it needs."""
    if not freed:
        return
    lock_dates(freed)
    execute(_FREE, {"sessions": list(freed), "counts": list(freed.values())})
    _offer(list(freed), at)


def lock_dates(session_ids: Iterable[int]) -> None:
    """Locks dates to the end of the transaction, before any reward."""
    ids = sorted(session_ids)
    list(RewardSession.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True).values_list("pk"))


# Who is gone meanwhile does not come up; a place is never kept past the end of booking.
_OFFER = """
WITH free AS (
    SELECT id, capacity - booked AS places, least(%(until)s::timestamptz, coalesce(closes_at, starts_at)) AS until
    FROM rewards_rewardsession
    WHERE id = ANY(%(sessions)s) AND NOT cancelled AND booked < capacity AND coalesce(closes_at, starts_at) > %(at)s
),
next AS (
    SELECT entry.id, entry.session_id,
           row_number() OVER (PARTITION BY entry.session_id ORDER BY entry.at, entry.id) AS n
    FROM rewards_waitingentry AS entry JOIN free ON free.id = entry.session_id
    JOIN members_member AS member ON member.id = entry.member_id
    WHERE entry.state = 'waiting' AND member.merged_into_id IS NULL AND member.erased_at IS NULL
),
offered AS (
    UPDATE rewards_waitingentry AS entry SET state = 'offered', offered_until = free.until
    FROM next JOIN free ON free.id = next.session_id WHERE entry.id = next.id AND next.n <= free.places
    RETURNING entry.id, entry.session_id
),
booked AS (
    UPDATE rewards_rewardsession AS date SET booked = date.booked + kept.n
    FROM (SELECT session_id, count(*) AS n FROM offered GROUP BY session_id) AS kept WHERE date.id = kept.session_id
)
SELECT id FROM offered
"""
_OFFERED = """
SELECT entry.member_id, %(at)s::timestamptz, jsonb_build_object(
    'session', date.id, 'reward', reward.id, 'name', jsonb_build_object('en', reward.name_en, 'zh-hans',
    reward.name_zh_hans), 'starts', date.starts_at, 'until', entry.offered_until)
FROM rewards_waitingentry AS entry JOIN rewards_rewardsession AS date ON date.id = entry.session_id
JOIN rewards_reward AS reward ON reward.id = date.reward_id WHERE entry.id = ANY(%(entries)s) ORDER BY entry.id
"""


def _offer(session_ids: list[int], at: datetime) -> int:
    """Keeps free places for those who have waited longest; how many. The dates are locked."""
    entries = [id_ for (id_,) in fetch_all(_OFFER, {"sessions": session_ids, "at": at, "until": at + KEPT})]
    if entries:
        record_selected(kind=PLACE_OFFERED, select=_OFFERED, params={"entries": entries, "at": at})
    return len(entries)


@transaction.atomic
def join_waiting(*, member_id: int, session_id: int, at: datetime) -> WaitingEntry:
    """Puts a member into the waiting list of a date that is full. Twice is once. CannotWait where they could not have
    the reward anyhow, or where there is a place; RewardSession.DoesNotExist."""
    session = RewardSession.objects.select_related("reward").get(pk=session_id)
    Member.objects.select_for_update(no_key=True).get(pk=member_id)
    mine = WaitingEntry.objects.filter(session=session_id, member=member_id)
    if known := mine.filter(state__in=[WaitingState.WAITING, WaitingState.OFFERED]).first():
        return known
    shelf = look_at(session.reward_id, member_id=member_id, at=at)
    # Points may come in until the place does.
    against = [r for r in shelf.reasons if r.code not in ("points_missing", "session_full", "no_session")]
    date = next((offered for offered in shelf.sessions if offered.session.pk == session_id), None)
    if date is None:
        against.append(Reason("session_unknown"))
    elif not any(reason.code == "session_full" for reason in date.reasons):
        against.append(Reason("session_free", {"left": date.left}))
    else:
        against += [reason for reason in date.reasons if reason.code != "session_full"]
    if against:
        raise CannotWait(*against)
    return WaitingEntry.objects.create(session_id=session_id, member_id=member_id, at=at)


@transaction.atomic
def leave_waiting(*, member_id: int, session_id: int, at: datetime) -> None:
    """Takes a member out of a waiting list; a place that was kept goes to the next. Nothing where they do not wait."""
    leave(WaitingEntry.objects.filter(session=session_id, member=member_id).values_list("pk", flat=True), at=at)


_LEAVE = """
WITH known AS (
    SELECT id, state FROM rewards_waitingentry WHERE id = ANY(%(entries)s) AND state IN ('waiting', 'offered')
)
UPDATE rewards_waitingentry AS entry SET state = 'gone' FROM known
WHERE entry.id = known.id AND entry.state = known.state
RETURNING entry.session_id, known.state
"""


def leave(entry_ids: Iterable[int], *, at: datetime) -> int:
    """Ends these waits within the caller's transaction; how many places came free by it."""
    ids = sorted(entry_ids)
    if not ids:
        return 0
    lock_dates(WaitingEntry.objects.filter(pk__in=ids).values_list("session_id", flat=True))
    freed: dict[int, int] = {}
    for session_id, state in fetch_all(_LEAVE, {"entries": ids}):
        if state == WaitingState.OFFERED:
            freed[session_id] = freed.get(session_id, 0) + 1
    free_places(freed, at=at)
    return sum(freed.values())


def keep_places(*, at: datetime) -> int:
    """Passes on the places that nobody took in their time, and keeps free ones for who waits; how many are kept anew.
    Who waits for a date that is over waits no more. Safe to kill and to repeat."""
    late = WaitingEntry.objects.filter(
        Q(state=WaitingState.OFFERED, offered_until__lte=at) | Q(state=WaitingState.WAITING, session__starts_at__lte=at)
    ).order_by("pk")
    while ids := list(late.values_list("pk", flat=True)[:CHUNK]):
        with transaction.atomic():
            leave(ids, at=at)
    kept = 0
    for session_id in list(with_free_places(at=at).values_list("pk", flat=True)):  # dates, not members: few
        with transaction.atomic():
            lock_dates([session_id])
            kept += _offer([session_id], at)
    return kept
