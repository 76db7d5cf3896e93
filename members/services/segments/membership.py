"""Who is in a segment: made equal to what its definition selects, with all that belongs to it, by one statement."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from psycopg import sql

from common.sql import execute, fetch_all
from members import events
from members.models import Segment
from members.queries import get_programme
from members.segments.compile import selecting
from members.segments.tree import BadDefinition

log = structlog.get_logger(__name__)
LONGEST = 180  # seconds that one statement of a refresh or a ripple may take
# What a definition, the database or a mistake in a trait can raise. Not all there is: a worker must still be stopped.
FAILURES = (BadDefinition, DatabaseError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
LONGEST_PAUSE = 60  # minutes after which a failing segment is tried again, at most

# Only who is in and not selected, or selected and not in, is written: they go or come, and it is written down.
_DIFFERENCE = sql.SQL("""
WITH wanted (id) AS MATERIALIZED ({selecting}),
different (come, gone) AS MATERIALIZED (
    SELECT wanted.id, held.member_id
    FROM wanted FULL JOIN (
        SELECT member_id FROM members_segmentmember AS held WHERE held.segment_id = %(_segment)s {touched}
    ) AS held ON held.member_id = wanted.id
    WHERE wanted.id IS NULL OR held.member_id IS NULL
),
left_out AS (
    DELETE FROM members_segmentmember AS held USING different
    WHERE held.segment_id = %(_segment)s AND held.member_id = different.gone
),
let_in AS (
    INSERT INTO members_segmentmember (segment_id, member_id, entered_at)
    SELECT %(_segment)s, come, %(_at)s FROM different WHERE come IS NOT NULL
),
changed AS (
    INSERT INTO members_segmentchange (segment_id, member_id, entered, version, at)
    SELECT %(_segment)s, coalesce(come, gone), come IS NOT NULL, %(_version)s, %(_at)s FROM different
    RETURNING id, entered
)
SELECT count(*) FILTER (WHERE entered), count(*) FILTER (WHERE NOT entered), coalesce(min(id), 0), coalesce(max(id), 0),
       (SELECT count(*) FROM wanted)
FROM changed
""")
_TOUCHED = sql.SQL("AND held.member_id = ANY(%(_members)s)")
_TELL = """
SELECT change.member_id, change.at, jsonb_build_object(
    'segment', segment.id, 'version', change.version,
    'name', jsonb_build_object('en', segment.name_en,
                               'zh-hans', coalesce(nullif(segment.name_zh_hans, ''), segment.name_en)))
FROM members_segmentchange AS change JOIN members_segment AS segment ON segment.id = change.segment_id
WHERE change.id BETWEEN %(first)s AND %(last)s AND change.entered = %(entered)s
"""


class Difference(NamedTuple):
    """How many came in and went out, between which ids that is written down, and how many are selected now."""

    entered: int
    left: int
    first_id: int
    last_id: int
    selected: int


def make_equal(segment: Segment, *, at: datetime, member_ids: Sequence[int] | None = None) -> Difference:
    """Makes the membership what `segment.definition` selects, for these members or for all, by set difference.

    The caller holds the lock DERIVED and is in a transaction. Where nothing differs, nothing is written. FAILURES.
    """
    selected, params = selecting(segment.definition, at=at, member_ids=member_ids, segment_id=segment.pk)
    statement = _DIFFERENCE.format(selecting=selected, touched=sql.SQL("") if member_ids is None else _TOUCHED)
    members = {} if member_ids is None else {"_members": list(member_ids)}
    with connection.cursor() as cursor:
        cursor.execute(statement, {**params, **members, "_segment": segment.pk, "_version": segment.version, "_at": at})
        return Difference(*cursor.fetchone())


def tell(differences: Collection[Difference]) -> None:
    """Tells the members' timelines who came and went."""
    moved = [difference for difference in differences if difference.entered or difference.left]
    for kind, entered in ((events.SEGMENT_ENTERED, True), (events.SEGMENT_LEFT, False)):
        if any(difference.entered if entered else difference.left for difference in moved):
            # Under the lock nobody else writes ways in or out: what lies between these ids is ours.
            first, last = min(d.first_id for d in moved), max(d.last_id for d in moved)
            params = {"first": first, "last": last, "entered": entered}
            events.record_selected(kind=kind, select=_TELL, params=params)


def in_order(segment_ids: Collection[int] | None = None) -> list[Segment]:
    """Segments that are not archived, all or these, each after those that it uses."""
    segments = {segment.pk: segment for segment in Segment.objects.filter(archived_at=None).order_by("id")}
    uses: dict[int, list[int]] = {}
    for user, used in Segment.uses.through.objects.values_list("from_segment_id", "to_segment_id").order_by("id"):
        uses.setdefault(user, []).append(used)
    ordered: dict[int, Segment] = {}
    visiting = [pk for pk in reversed(segments) if segment_ids is None or pk in segment_ids]
    entered: set[int] = set()
    while visiting:  # depth first, without recursion: a chain of segments may be long
        pk = visiting[-1]
        below = [used for used in uses.get(pk, ()) if used in segments and used not in ordered and used not in entered]
        entered.add(pk)
        if below and pk not in ordered:
            visiting += below
        else:
            visiting.pop()
            ordered.setdefault(pk, segments[pk])
    return [segment for segment in ordered.values() if segment_ids is None or segment.pk in segment_ids]


_CLOSURE = """
WITH RECURSIVE reached (id) AS (
    SELECT {to} FROM members_segment_uses WHERE {origin} = %s
    UNION
    SELECT link.{to} FROM members_segment_uses AS link JOIN reached ON link.{origin} = reached.id
)
SELECT id FROM reached
"""


def beneath(segment_id: int) -> set[int]:
    """The segments that one uses, and those that these use, and so on."""
    return {row[0] for row in fetch_all(_CLOSURE.format(origin="from_segment_id", to="to_segment_id"), [segment_id])}


def above(segment_id: int) -> set[int]:
    """The segments that use one, and those that use these, and so on."""
    return {row[0] for row in fetch_all(_CLOSURE.format(origin="to_segment_id", to="from_segment_id"), [segment_id])}


def ripple(*, member_ids: Sequence[int], at: datetime, segment_ids: Collection[int] | None = None) -> None:
    """Looks at these members again in all segments, or in these, used ones first.

    The caller holds the lock DERIVED and is in a transaction. A segment that fails is marked as failing, and the others
    go on; what fails or is not built is left to its refresh, which looks at everybody.
    """
    execute("SET LOCAL statement_timeout = %s", [f"{LONGEST}s"])
    moved: dict[int, Difference] = {}
    for segment in in_order(segment_ids):
        if segment.built_version != segment.version or segment.error:
            continue
        try:
            with transaction.atomic():
                difference = make_equal(segment, at=at, member_ids=member_ids)
        except FAILURES as error:
            mark_failed(segment.pk, error, at)
            continue
        if difference.entered or difference.left:
            moved[segment.pk] = difference
    if moved:
        execute(_IN_TURN.format(which="= ANY(%(ids)s)"), _columns(moved))
        execute(_GROW, _columns(moved))
        note_sizes(moved, at)
        tell(moved.values())


# Whoever changes the sizes of several segments locks them in this order, so that no two wait for each other.
_IN_TURN = "SELECT FROM members_segment WHERE id {which} ORDER BY id FOR NO KEY UPDATE"
_GROW = """
UPDATE members_segment AS segment SET size = size + moved.entered - moved."left"
FROM unnest(%(ids)s::bigint[], %(entered)s::int[], %(left)s::int[]) AS moved (id, entered, "left")
WHERE segment.id = moved.id
"""
_NOTE_SIZES = """
INSERT INTO members_segmentsize AS noted (segment_id, day, size, entered, "left")
SELECT segment.id, (%(at)s AT TIME ZONE %(zone)s)::date, segment.size, moved.entered, moved."left"
FROM members_segment AS segment
JOIN unnest(%(ids)s::bigint[], %(entered)s::int[], %(left)s::int[]) AS moved (id, entered, "left") USING (id)
ON CONFLICT (segment_id, day) DO UPDATE
SET size = excluded.size, entered = noted.entered + excluded.entered, "left" = noted."left" + excluded."left"
WHERE excluded.entered > 0 OR excluded."left" > 0 OR noted.size <> excluded.size
"""


_TAKE_OUT = """
WITH gone AS (DELETE FROM members_segmentmember WHERE member_id {which} RETURNING segment_id)
UPDATE members_segment AS segment SET size = greatest(segment.size - left_by.members, 0)
FROM (SELECT segment_id, count(*) AS members FROM gone GROUP BY segment_id) AS left_by
WHERE segment.id = left_by.segment_id
"""


def take_out(which: str, params: dict[str, Any] | None = None) -> None:
    """Takes members who are gone out of all segments, in silence. `which` is SQL that follows "member_id"."""
    held = f"IN (SELECT segment_id FROM members_segmentmember WHERE member_id {which})"
    execute(_IN_TURN.format(which=held), params)
    execute(_TAKE_OUT.format(which=which), params)


def _columns(moved: dict[int, Difference]) -> dict[str, list[int]]:
    differences = moved.values()
    return {"ids": list(moved), "entered": [d.entered for d in differences], "left": [d.left for d in differences]}


def note_sizes(moved: dict[int, Difference], at: datetime) -> None:
    """Writes down the sizes of the day by segment, in the programme's time zone, with who came and went on it."""
    execute(_NOTE_SIZES, {**_columns(moved), "at": at, "zone": get_programme().time_zone})


def mark_failed(segment_id: int, error: Exception, at: datetime) -> None:
    """Says that a segment fails, since when and why, and when it is tried again: later each time."""
    segment = Segment.objects.select_for_update().get(pk=segment_id)
    pause = min(2**segment.failures, LONGEST_PAUSE)
    said = "; ".join(p.sentence for p in error.problems) if isinstance(error, BadDefinition) else str(error).strip()
    Segment.objects.filter(pk=segment_id).update(
        error=(said or type(error).__name__)[:1000],
        failed_at=Coalesce("failed_at", at),
        failures=F("failures") + 1,
        next_refresh_at=at + timedelta(minutes=pause),
    )
    log.error("segment fails", segment=segment_id, error=said, failures=segment.failures + 1)
