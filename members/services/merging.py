"""Two members who turn out to be one person are merged: all that hangs on one goes over to the other, and can go back.

members.merging says what becomes of each table, `journal` of the MemberMerge what was done, docs/duplicates.md how.
"""

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

from common.sql import execute
from members import events
from members.enums import DuplicateState
from members.merging import Merging, steps
from members.models import ChangedMember, Duplicate, Member, MemberMerge
from members.services import merged_fields, merged_rows
from members.services.segments.membership import take_out

T = TypeVar("T")
# Shorter than PostgreSQL's deadlock_timeout of a second: where a till and a merge wait for each other, it is always
# the merge that steps back, and tries again.
LOCK_TIMEOUT = "250ms"
TRIES = 40
PAUSE = 0.1  # seconds between two tries
LATECOMERS = timedelta(days=1)


class CannotMerge(Exception):
    """Two members cannot be merged: `code` is same, merged, erased, or unknown."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class CannotUndo(Exception):
    """A merge cannot be undone: `code` is undone, survivor_merged, erased, or unknown."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MembersBusy(Exception):
    """Something else has been working on these members all the while."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did, or its undoing: rows by relation that moved or were dropped, and remarks for people."""

    merge_id: int
    moved: dict[str, int]
    dropped: dict[str, int]
    remarks: list[str]


def _stepping_back(act: Callable[[], T]) -> T:
    """Runs `act` in a transaction that waits for no lock for long; again where it had to. MembersBusy."""
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                answer = act()
                execute("SET LOCAL lock_timeout = DEFAULT")
                return answer
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise
            if not left:
                raise MembersBusy from error
        time.sleep(PAUSE)
    raise AssertionError("unreachable")


def _lock(member_ids: Collection[int]) -> dict[int, Member]:
    """The members and all that the apps keep of them, locked; by id. Nothing new can hang itself on them meanwhile."""
    found = Member.objects.select_for_update().filter(pk__in=member_ids).order_by("pk")
    members = {member.pk: member for member in found}
    for step in steps():
        step.lock(sorted(members))
    return members


def merge_members(
    *, survivor_id: int, merged_id: int, take: Collection[str] = (), at: datetime, actor_id: int | None = None
) -> Merged:
    """Merges one member into another, who stays.

    `take` names what of the merged one's own values is to stand (merged_fields.GROUPS and "attributes.KEY"); where the
    survivor has none, the other's stands in any case. Everything else of theirs moves, by the strategies of
    members.merging; points by transfers. Already so merged is answered with the merge there is.

    CannotMerge, MembersBusy; ValueError for a name in `take` that is none.
    """
    merged_fields.check_names(take)
    if survivor_id == merged_id:
        raise CannotMerge("same")
    return _stepping_back(lambda: _merge(survivor_id, merged_id, frozenset(take), at, actor_id))


def _merge(survivor_id: int, merged_id: int, take: frozenset[str], at: datetime, actor_id: int | None) -> Merged:
    members = _lock([survivor_id, merged_id])
    if len(members) < 2:
        raise CannotMerge("unknown")
    survivor, merged = members[survivor_id], members[merged_id]
    if merged.merged_into_id == survivor_id:
        known = MemberMerge.objects.filter(survivor=survivor, merged=merged, undone_at=None).first()
        if known:
            return Merged(known.pk, {}, {}, [])
    for member in (survivor, merged):
        if member.erased_at is not None:
            raise CannotMerge("erased")
        if member.merged_into_id is not None:
            raise CannotMerge("merged")
    row = MemberMerge.objects.create(survivor=survivor, merged=merged, actor_id=actor_id, at=at)
    merging = Merging(row.pk, survivor_id, merged_id, at, actor_id, {})
    for step in steps():
        step.prepare(merging)
    take_out("= %(merged)s", {"merged": merged_id})
    merged_rows.move(merging)
    merged_fields.merge(merging, survivor, merged, take)
    for step in steps():
        step.merge(merging)
    row.journal = json.loads(json.dumps(merging.journal, default=str))
    row.unlinked_id = merging.unlinked_id
    row.save(update_fields=["journal", "unlinked"])
    _pair(merging).update(state=DuplicateState.MERGED, settled_at=at, settled_by=actor_id)
    events.record(
        member_id=survivor_id,
        kind=events.MEMBER_MERGED,
        at=at,
        data={"merge": row.pk, "card": merged.card_number},
        actor_id=actor_id,
    )
    ChangedMember.objects.create(member_id=merged_id)
    return _told(merging)


def _pair(merging: Merging):
    first, second = sorted((merging.survivor_id, merging.merged_id))
    return Duplicate.objects.filter(first=first, second=second)


def _told(merging: Merging) -> Merged:
    journal = merging.journal
    moved = {label: len(ids) for label, ids in journal["moved"].items() if ids}
    dropped = {label: len(rows) for label, rows in journal["dropped"].items() if rows}
    return Merged(merging.id, moved, dropped, merging.remarks)


def undo_merge(*, merge_id: int, at: datetime, actor_id: int | None = None) -> Merged:
    """Makes two members of one again. What was moved goes back, and what has happened since stays with the survivor;
    the remarks say what could not go back, such as points that were spent.

    CannotUndo, MembersBusy.
    """
    return _stepping_back(lambda: _undo(merge_id, at, actor_id))


def _undo(merge_id: int, at: datetime, actor_id: int | None) -> Merged:
    row = MemberMerge.objects.select_for_update().filter(pk=merge_id).first()
    if row is None:
        raise CannotUndo("unknown")
    if row.undone_at is not None:
        raise CannotUndo("undone")
    with_it = row.journal.get("moved", {}).get("members.Member.merged_into", [])
    members = _lock([row.survivor_id, row.merged_id, *with_it])
    survivor, merged = members[row.survivor_id], members[row.merged_id]
    if survivor.erased_at is not None or merged.erased_at is not None:
        raise CannotUndo("erased")
    if survivor.merged_into_id is not None or merged.merged_into_id != survivor.pk:
        raise CannotUndo("survivor_merged")
    merging = Merging(row.pk, survivor.pk, merged.pk, at, actor_id, row.journal)
    for step in steps():
        step.undo(merging)
    merged_fields.undo(merging, survivor, merged)
    merged_rows.give_back(merging)
    row.journal, row.undone_at, row.undone_by_id = merging.journal, at, actor_id
    row.save(update_fields=["journal", "undone_at", "undone_by"])
    for step in steps():
        step.undone(merging)
    # Whoever undoes a merge says that they are two people.
    _pair(merging).update(state=DuplicateState.DISMISSED, settled_at=at, settled_by=actor_id)
    for member, other in ((survivor, merged), (merged, survivor)):
        data = {"merge": row.pk, "card": other.card_number}
        events.record(member_id=member.pk, kind=events.MEMBER_UNMERGED, at=at, data=data, actor_id=actor_id)
    return _told(merging)


def gather_latecomers(*, at: datetime) -> int:
    """Lets those rows follow that came to merged members after the merge, from whoever still knew them by their own
    id; how many. They go back with the others where the merge is undone."""
    recent = MemberMerge.objects.filter(undone_at=None, at__gt=at - LATECOMERS)
    late = merged_rows.with_latecomers(list(recent.values_list("merged", flat=True)))
    return sum(_stepping_back(partial(_gather, member_id, at)) for member_id in late)


def _gather(merged_id: int, at: datetime) -> int:
    merged = Member.objects.get(pk=merged_id)
    if merged.merged_into_id is None:
        return 0
    _lock([merged_id, merged.merged_into_id])
    chain = _open_merges(merged_id)
    merging = Merging(chain[-1].pk, merged.merged_into_id, merged_id, at, None, {})
    merged_rows.move(merging)
    for step in steps():
        step.gather(merging)
    for row in chain:  # undone one after the other, each merge sends them a step back
        for part in ("moved", "dropped"):
            for label, came in merging.journal[part].items():
                row.journal[part][label] = [*row.journal[part].get(label, []), *came]
        row.save(update_fields=["journal"])
    return sum(len(ids) for ids in merging.journal["moved"].values())


def _open_merges(member_id: int) -> list[MemberMerge]:
    """The merges by which a member became who they are now, the first of them first."""
    chain: list[MemberMerge] = []
    merges = MemberMerge.objects.select_for_update().filter(undone_at=None)
    while row := merges.filter(merged=chain[-1].survivor_id if chain else member_id).first():
        chain.append(row)
    return chain
