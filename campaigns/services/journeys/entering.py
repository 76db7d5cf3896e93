"""Coming in: by events, each once, and by time. Who comes in, is held out or was missed stands in a row each."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Min
from django.utils.translation import gettext

from campaigns.enums import CampaignState
from campaigns.journeys.definition import TIMED, Again, TriggerKind
from campaigns.journeys.definition import Journey as Definition
from campaigns.models import Campaign, Journey, JourneyVersion
from campaigns.queries_journeys import Source, source
from campaigns.services.journeys.definitions import read_version
from common.doorbell import ring
from common.sql import execute, fetch_all, fetch_prepared
from members.models import Purchase, PurchaseLine, TimelineEvent
from members.segments.compile import selecting
from members.segments.tree import BadDefinition

log = structlog.get_logger(__name__)
MOST = 50_000  # members who come in by time in one transaction
LOOK_BACK = timedelta(days=3)  # beyond the catch-up window: further back nobody asks who was missed

# The same number as campaigns.journeys.dates.draw.
_DRAWN = "('x' || left(md5(%(hold_salt)s || ':' || fresh.member_id), 8))::bit(32)::bigint / 4294967296.0"
_PRESENT = """ JOIN members_member AS member ON member.id = candidate.member_id AND member.merged_into_id IS NULL
        AND member.erased_at IS NULL"""
# OFFSET 0: each candidate is looked up by themselves. How many there are cannot be foreseen, and of a few that it
# foresees the server would compare each with all who are on the journey.
_ENTER = """
WITH candidate AS (
    SELECT DISTINCT ON (member_id) member_id, key, at, why FROM ({source}) AS source ORDER BY member_id, at, key
),
fresh AS (
    SELECT candidate.*, candidate.at < %(now)s - %(catch_up)s AS late
    FROM candidate{present}
    WHERE candidate.at > %(active_since)s
      AND NOT EXISTS (SELECT FROM campaigns_journeyrun AS run
                      WHERE run.journey_id = %(journey)s AND run.key = candidate.key OFFSET 0)
      AND NOT EXISTS (SELECT FROM campaigns_journeyrun AS run
                      WHERE run.journey_id = %(journey)s AND run.member_id = candidate.member_id
                        AND (run.state IN ('active', 'stuck') OR (run.state <> 'missed' AND {again})) OFFSET 0)
      AND {audience}
    LIMIT %(room)s
),
run AS (
    INSERT INTO campaigns_journeyrun (journey_id, version_id, member_id, key, state, step, hears, entered_at,
                                      arrived_at, should_at, due_at, ended_at, why)
    SELECT %(journey)s, %(version)s, member_id, key, told.state,
           CASE WHEN told.state = 'active' THEN %(first)s ELSE '' END, %(hears)s::varchar[], at,
           CASE WHEN at < %(now)s - interval '1 hour' THEN %(now)s ELSE at END, at,
           CASE WHEN told.state = 'active' THEN %(now)s END,
           CASE WHEN told.state <> 'active' THEN %(now)s END, why
    FROM fresh CROSS JOIN LATERAL (
        SELECT CASE WHEN late THEN 'missed' WHEN {drawn} < %(holdout)s THEN 'held' ELSE 'active' END AS state
    ) AS told
    ON CONFLICT DO NOTHING RETURNING id, state, why
),
told AS (
    INSERT INTO campaigns_journeylog (run_id, step, at, what, why)
    SELECT id, '', %(now)s, CASE state WHEN 'active' THEN 'entered' ELSE state END, why FROM run
)
SELECT count(*) FILTER (WHERE state <> 'missed'), count(*) FROM run
"""


class Door(NamedTuple):
    """A running journey, its row locked, with its newest version. `holdout` is a share of 1."""

    id: int
    uid: UUID
    version_id: int
    entered: int
    active_since: datetime | None
    looked_at: datetime | None
    holdout: float


_DOOR = """
SELECT journey.campaign_id, journey.uid, version.id, journey.entered, journey.active_since, journey.last_checked_at,
       campaign.holdout_percent::float / 100
FROM campaigns_journey AS journey
JOIN campaigns_campaign AS campaign ON campaign.id = journey.campaign_id AND campaign.state = 'running'
JOIN campaigns_journeyversion AS version ON version.journey_id = journey.campaign_id AND version.number = journey.number
WHERE journey.campaign_id = %(journey)s FOR UPDATE OF journey
"""


def door(journey_id: int) -> Door | None:
    """Locks a journey that runs; None where it does not."""
    rows = fetch_prepared(_DOOR, {"journey": journey_id})
    return Door(*rows[0]) if rows else None


def let_in(*, journey: Door, who: Source, at: datetime, ids: Sequence[int] | None) -> int:
    """Lets in whom a query gives, as far as the journey's rules allow, in one statement; how many rows were written.

    `ids` narrows the question for the audience to some members.
    """
    read = read_version(journey.version_id)
    room = MOST
    if read.entry_limit is not None:
        room = min(room, max(0, read.entry_limit - journey.entered))
    if not room:
        return 0
    audience, params = _audience(read, at, ids)
    again = {
        Again.NEVER: "TRUE",
        Again.ALWAYS: "FALSE",
        Again.AFTER: "run.entered_at > candidate.at - %(again)s",
    }[Again(read.again)]
    hears = sorted({pattern.event for pattern in (read.goal, *read.exits) if pattern})
    present = "" if who.present else _PRESENT
    statement = _ENTER.format(source=who.sql, present=present, again=again, audience=audience, drawn=_DRAWN)
    ((entered, rows),) = fetch_all(
        statement,
        who.params
        | params
        | {
            "now": at,
            "journey": journey.id,
            "version": journey.version_id,
            "catch_up": timedelta(hours=read.catch_up_hours),
            "active_since": journey.active_since,
            "again": timedelta(days=read.again_days),
            "room": room,
            "first": read.first,
            "hears": hears,
            "hold_salt": f"{journey.uid}:hold",
            "holdout": journey.holdout,
        },
    )
    if entered:
        fetch_prepared(
            "UPDATE campaigns_journey SET entered = entered + %(n)s::int WHERE campaign_id = %(id)s",
            {"n": entered, "id": journey.id},
        )
    return rows


def _audience(read: Definition, at: datetime, ids: Sequence[int] | None) -> tuple[str, dict[str, Any]]:
    if read.audience is None:
        return "TRUE", {}
    statement, params = selecting(read.audience, at=at, member_ids=ids)
    connection.ensure_connection()
    return f"candidate.member_id IN ({statement.as_string(connection.connection)})", params


# --- by events ---
_WAKE = """
UPDATE campaigns_journeyrun SET due_at = %(at)s WHERE id IN (
    SELECT run.id FROM campaigns_journeyrun AS run
    JOIN unnest(%(members)s::bigint[], %(kinds)s::text[]) AS heard (member_id, kind)
      ON heard.member_id = run.member_id AND heard.kind = ANY(run.hears)
    WHERE run.state = 'active' AND run.due_at > %(at)s ORDER BY run.id FOR UPDATE OF run
)
"""


def hear(*, events: Sequence[TimelineEvent], at: datetime) -> None:
    """What happened to members: wakes who waits for it, and lets in whom it lets in.

    Runs in the transaction that ends the reactions, so each event has its effect once; its id is in the key as well.
    """
    told = {"members": [event.member_id for event in events], "kinds": [event.kind for event in events]}
    woken = execute(_WAKE, {**told, "at": at})
    let = 0
    for journey, version in running():
        read = read_version(version.pk)
        came = fitting(read, events)
        if not came:
            continue
        entered = door(journey.pk)
        if entered is None:
            continue
        who = Source(
            "SELECT * FROM unnest(%(members)s::bigint[], %(keys)s::text[], %(ats)s::timestamptz[], %(whys)s::jsonb[])"
            " AS event (member_id, key, at, why)",
            {
                "members": [event.member_id for event in came],
                "keys": [f"event:{event.pk}" for event in came],
                "ats": [event.at for event in came],
                "whys": [json.dumps({"event": event.pk, "kind": event.kind}) for event in came],
            },
        )
        let += _try(entered, who, at, [event.member_id for event in came])
    if woken or let:
        ring("campaigns.tasks.run_journeys")


def fitting(read: Definition, events: Sequence[TimelineEvent]) -> list[TimelineEvent]:
    """Those events that let members into a journey."""
    came = [event for event in events if any(pattern.fits(event.kind, _data(event)) for pattern in read.patterns)]
    if came and read.kind is TriggerKind.PURCHASE:
        if read.trigger["first"]:
            came = _first_ones(came)
        if read.trigger["categories"]:
            bought = PurchaseLine.objects.filter(
                purchase__in=[_data(event).get("purchase") for event in came], category__in=read.trigger["categories"]
            )
            of = set(bought.values_list("purchase_id", flat=True))
            came = [event for event in came if _data(event).get("purchase") in of]
    return came


def _data(event: TimelineEvent) -> dict[str, Any]:
    return event.data if isinstance(event.data, dict) else {}


def _first_ones(events: Sequence[TimelineEvent]) -> list[TimelineEvent]:
    """Those that tell of a member's first purchase."""
    firsts = (
        Purchase.objects.filter(member__in=[event.member_id for event in events])
        .values("member")
        .annotate(at=Min("purchased_at"))
        .values_list("member", "at")
    )
    first = set(firsts)
    return [event for event in events if (event.member_id, event.at) in first]


def running() -> list[tuple[Journey, JourneyVersion]]:
    """The journeys that run, each with its newest version, in two queries."""
    journeys = Journey.objects.select_related("campaign").filter(campaign__state=CampaignState.RUNNING, number__gt=0)
    found = {journey.pk: journey for journey in journeys.order_by("pk")}
    versions = JourneyVersion.objects.filter(journey__in=found).order_by("journey", "-number").distinct("journey")
    newest = {version.journey_id: version for version in versions.defer("definition")}
    return [(journey, newest[pk]) for pk, journey in found.items()]


def _try(journey: Door, who: Source, at: datetime, ids: Sequence[int] | None) -> int:
    """Lets them in; a journey whose audience cannot be asked any more is paused, and says why."""
    try:
        return let_in(journey=journey, who=who, at=at, ids=ids)
    except BadDefinition as bad:
        log.warning("journey paused", journey=journey.id, error=str(bad))
        why = gettext("Its audience cannot be asked any more: %(error)s") % {"error": bad}
        Campaign.objects.filter(pk=journey.id).update(state=CampaignState.PAUSED, paused_why=why[:200])
        return 0


# --- by time ---
def let_in_by_time(*, at: datetime) -> int:
    """Lets in all for whom the time has come since the last look; how many rows were written.

    Each journey in a transaction of its own, in which the look moves on: nothing is lost and nothing happens twice.
    """
    waiting: list[int] = []
    idle: list[int] = []
    for journey_id, version_id, looked_at in fetch_prepared(_RUNNING):
        read = read_version(version_id)
        if read.kind in TIMED and (since := _since(looked_at, read, at)) < at:
            (waiting if source(read, since=since, until=at) else idle).append(journey_id)
    if idle:  # nobody's hour came: for all of them one statement
        fetch_prepared(_IDLE, {"ids": f"{{{','.join(map(str, idle))}}}", "at": at})  # of any length, one plan
    return sum(_look(pk, at) for pk in waiting)


_RUNNING = """
SELECT journey.campaign_id, version.id, journey.last_checked_at FROM campaigns_journey AS journey
JOIN campaigns_campaign AS campaign ON campaign.id = journey.campaign_id AND campaign.state = 'running'
JOIN campaigns_journeyversion AS version ON version.journey_id = journey.campaign_id AND version.number = journey.number
ORDER BY journey.campaign_id
"""
_IDLE = """
UPDATE campaigns_journey SET last_checked_at = %(at)s
WHERE campaign_id = ANY(%(ids)s::bigint[]) AND last_checked_at < %(at)s
"""


_LOOKED = "UPDATE campaigns_journey SET last_checked_at = %(at)s WHERE campaign_id = %(id)s"


def _since(looked_at: datetime | None, read: Definition, at: datetime) -> datetime:
    """Up to when it is decided who came in by time."""
    return max(looked_at or at, at - timedelta(hours=read.catch_up_hours) - LOOK_BACK)


@transaction.atomic
def _look(journey_id: int, at: datetime) -> int:
    doors = fetch_prepared(f"{_DOOR} SKIP LOCKED", {"journey": journey_id})
    if not doors or ((journey := Door(*doors[0])).looked_at or at) >= at:
        return 0
    read = read_version(journey.version_id)
    written = 0
    if who := source(read, since=_since(journey.looked_at, read, at), until=at):
        written = _try(journey, who, at, None)
    if written < MOST:  # else the rest comes with the next look
        fetch_prepared(_LOOKED, {"id": journey_id, "at": at})
    if written:
        ring("campaigns.tasks.run_journeys")
    return written
