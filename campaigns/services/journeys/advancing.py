"""Going on: those whose time has come are claimed, and moved as far as they can go, in one transaction.

All that a step does stands in the database when the transaction ends: given, written, moved on, told. A worker that
dies leaves nothing half done, and keys keep a second one from doing it again.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction

from campaigns.enums import CampaignState, RunState
from campaigns.journeys import dates
from campaigns.journeys.definition import END, WAITS, Pattern, Step, StepKind
from campaigns.journeys.definition import Journey as Definition
from campaigns.models import Journey, JourneyLog, JourneyRun, PendingConsent
from campaigns.queries import zone_of
from campaigns.services.journeys.acts import ACTS, Group, Went, channels_of, days_of
from campaigns.services.journeys.definitions import read_version
from common.sql import fetch_prepared
from members.events import CONSENT_GRANTED
from members.models import ConsentState, Member, TimelineEvent

log = structlog.get_logger(__name__)
BATCH = 500
MOST_STEPS = 100  # of one way in one transaction
LATE = timedelta(hours=1)  # up to here a wait counts on from when it should have been over, beyond from now
MAX_ATTEMPTS = 5

# The first of each journey by its index, whatever the share of those who are due: mostly nobody is.
_DUE = """
SELECT journey.campaign_id FROM campaigns_journey AS journey
JOIN campaigns_campaign AS campaign ON campaign.id = journey.campaign_id
CROSS JOIN LATERAL (
    SELECT FROM campaigns_journeyrun AS run
    WHERE run.journey_id = journey.campaign_id AND run.state = 'active' AND run.due_at <= %(at)s
    ORDER BY run.due_at LIMIT 1
) AS first
WHERE campaign.state = 'running' ORDER BY journey.campaign_id
"""


def advance(*, at: datetime, seconds: float = 50) -> int:
    """Moves all whose time has come, a journey after the other, until nobody is due or the time is over; how many."""
    until, moved = time.monotonic() + seconds, 0
    waiting = [pk for (pk,) in fetch_prepared(_DUE, {"at": at})]
    while waiting and time.monotonic() < until:
        for journey_id in list(waiting):
            claimed = advance_batch(journey_id=journey_id, at=at)
            moved += claimed
            if claimed < BATCH:
                waiting.remove(journey_id)
    return moved


@transaction.atomic
def advance_batch(*, journey_id: int, at: datetime, limit: int = BATCH) -> int:
    """Moves up to `limit` members of a journey; how many were claimed. Two at once take different ones."""
    journey = Journey.objects.select_related("campaign").get(pk=journey_id)
    if journey.campaign.state != CampaignState.RUNNING:
        return 0
    due = JourneyRun.objects.filter(journey=journey_id, state=RunState.ACTIVE, due_at__lte=at)
    runs = list(due.order_by("due_at", "id").select_for_update(skip_locked=True)[:limit])
    if runs:
        _Moving(journey, runs, at).run()
    return len(runs)


class _Moving:
    """One batch on its way."""

    def __init__(self, journey: Journey, runs: list[JourneyRun], at: datetime) -> None:
        self.journey, self.runs, self.at = journey, runs, at
        self.members = Member.objects.in_bulk({run.member_id for run in runs})
        self.read = {run.version_id: read_version(run.version_id) for run in runs}
        self.log: list[JourneyLog] = []
        self.happened = self._happened()

    def run(self) -> None:
        moving = []
        for run in self.runs:
            member = self.members[run.member_id]
            if member.merged_into_id or member.erased_at:
                self.end(run, RunState.GONE, {})
            elif not self.leaves(run):
                moving.append(run)
        for run in moving:
            run.due_at = None  # until it rests
        for _ in range(MOST_STEPS):
            groups: dict[tuple[int, str], list[JourneyRun]] = defaultdict(list)
            for run in moving:
                if run.state == RunState.ACTIVE and run.due_at is None:
                    groups[run.version_id, run.step].append(run)
            if not groups:
                break
            for (version_id, name), here in sorted(groups.items()):
                self.step(self.read[version_id], name, here)
        for run in moving:
            if run.state == RunState.ACTIVE and run.due_at is None:
                run.due_at = self.at  # so long a way: the next round goes on
        JourneyRun.objects.bulk_update(
            self.runs,
            ["state", "step", "hears", "arrived_at", "should_at", "due_at", "ended_at", "converted_at", "why", "laps",
             "attempts", "error"],
        )  # fmt: skip
        JourneyLog.objects.bulk_create(self.log)

    # --- what happened meanwhile --------------------------------------------------------------------------------
    def _happened(self) -> dict[int, list[TimelineEvent]]:
        """What members did since they came in, of all that their ways listen for."""
        heard = [run for run in self.runs if run.hears]
        if not heard:
            return {}
        events = TimelineEvent.objects.filter(
            member__in={run.member_id for run in heard},
            kind__in={kind for run in heard for kind in run.hears},
            at__gt=min(run.entered_at for run in heard),
            at__lte=self.at,
        )
        found: dict[int, list[TimelineEvent]] = defaultdict(list)
        for event in events.order_by("at", "id"):
            found[event.member_id].append(event)
        return found

    def first(self, run: JourneyRun, patterns: Iterable[Pattern], since: datetime) -> TimelineEvent | None:
        wanted = list(patterns)
        for event in self.happened.get(run.member_id, ()):
            if event.at > since and any(pattern.fits(event.kind, event.data) for pattern in wanted):
                return event
        return None

    def leaves(self, run: JourneyRun) -> bool:
        """Whether they reached the goal, or an exit, since they came in."""
        read = self.read[run.version_id]
        if read.goal and (event := self.first(run, [read.goal], run.entered_at)):
            run.converted_at = event.at
            self.end(run, RunState.CONVERTED, {"event": event.pk, "kind": event.kind})
            return True
        if event := self.first(run, read.exits, run.entered_at):
            self.end(run, RunState.LEFT, {"event": event.pk, "kind": event.kind})
            return True
        return False

    # --- steps --------------------------------------------------------------------------------------------------
    def step(self, read: Definition, name: str, runs: list[JourneyRun]) -> None:
        if name == END:
            for run in runs:
                self.end(run, RunState.DONE, {})
            return
        step = read.steps[name]
        if step.kind in WAITS:
            self.wait(step, runs)
            return
        if step.kind is StepKind.SEND and not (runs := self.confirmed(read, step, runs)):
            return
        try:
            with transaction.atomic():
                went = ACTS[step.kind](Group(self.journey, read, step, runs, self.members, self.at))
        except Exception as error:
            log.exception("step of a journey failed", journey=self.journey.pk, step=name, runs=len(runs))
            for run in runs:
                self.fail(run, error, together=len(runs) > 1)
            return
        for run in runs:
            self.move(run, step, went[run.pk])

    def confirmed(self, read: Definition, step: Step, runs: list[JourneyRun]) -> list[JourneyRun]:
        """Those who need not wait for their own word. Whose yes has still to be confirmed, and who has none by any of
        the step's channels, rests until it is, as long as the message would not come too late."""
        campaign = self.journey.campaign
        asked = {
            "purpose": campaign.purpose,
            "channel__in": channels_of(step, campaign),
            "member__in": [run.member_id for run in runs],
        }
        waiting = set(
            PendingConsent.objects.filter(
                **asked, confirmed_at=None, withdrawn_at=None, expires_at__gt=self.at
            ).values_list("member", flat=True)
        )
        if waiting:
            waiting -= set(ConsentState.objects.filter(**asked, granted=True).values_list("member", flat=True))
        going = []
        for run in runs:
            until = run.should_at + timedelta(hours=read.catch_up_hours)
            if run.member_id not in waiting or until <= self.at:
                going.append(run)
                continue
            self.rest(run, step, until, {"reason": "to_be_confirmed"})
            if CONSENT_GRANTED not in run.hears:
                run.hears = [*run.hears, CONSENT_GRANTED]
        return going

    def rest(self, run: JourneyRun, step: Step, until: datetime, why: dict[str, Any]) -> None:
        """Stays where it is; written down once."""
        if run.why.get("rests") != [step.id, run.laps]:
            self.note(run, step.id, "waits", {"until": until.isoformat(), **why})
            run.why = {**run.why, "rests": [step.id, run.laps]}
        run.due_at = until

    def wait(self, step: Step, runs: list[JourneyRun]) -> None:
        """Who has waited long enough goes on; the others rest until then."""
        days: dict[int, Any] = {}
        if step.kind is StepKind.UNTIL_DATE and step.told.get("of"):
            days = days_of(step.told["of"], {run.member_id: run.arrived_at for run in runs}, self.members, self.at)
        for run in runs:
            zone, way, why = zone_of(self.members[run.member_id]), "next", {}
            match step.kind:
                case StepKind.UNTIL_HOUR:
                    until = dates.until_hour(run.arrived_at, step.told["hour"], zone)
                case StepKind.UNTIL_DATE:
                    until = dates.until_date(step.told, days.get(run.member_id), zone) or run.arrived_at
                case _:
                    until = dates.after(run.arrived_at, step.told, zone)
            if step.kind is StepKind.WAIT_FOR:
                assert step.pattern is not None
                event = self.first(run, [step.pattern], run.arrived_at)
                if event is not None and event.at <= until:
                    until, way, why = event.at, "then", {"event": event.pk, "kind": event.kind}
                else:
                    way = "else"
            if until > self.at:
                self.rest(run, step, until, {})
                if step.pattern and step.pattern.event not in run.hears:
                    run.hears = [*run.hears, step.pattern.event]
            else:
                run.should_at = max(until, run.arrived_at)
                late = self.at - until > LATE and way != "then"
                run.arrived_at = self.at if late or way == "then" else max(until, run.arrived_at)
                self.move(run, step, Went(way, "went", why))

    def move(self, run: JourneyRun, step: Step, went: Went) -> None:
        exit_ = {"exit": went.exit} if len(step.exits) > 1 else {}
        self.note(run, step.id, went.what, {**went.why, **exit_})
        run.step, run.attempts, run.error = step.exits[went.exit], 0, ""

    def fail(self, run: JourneyRun, error: Exception, *, together: bool) -> None:
        """Tried again after 1, 4, 16, 64 minutes; then it is stuck, and staff see it."""
        run.attempts += 1
        run.error = f"{type(error).__name__}: {error}"[:500]
        self.note(run, run.step, "failed", {"attempt": run.attempts})
        if run.attempts >= MAX_ATTEMPTS:
            run.state, run.due_at = RunState.STUCK, None
        else:
            # Apart from each other, so that one bad way holds up no other.
            apart = timedelta(seconds=run.pk % 50) if together else timedelta()
            run.due_at = self.at + timedelta(minutes=4 ** (run.attempts - 1)) + apart

    def end(self, run: JourneyRun, state: RunState, why: dict[str, Any]) -> None:
        run.state, run.due_at, run.ended_at = state, None, self.at
        run.why = {**run.why, **({"out": why} if why else {})}
        self.note(run, "", state.value, why)

    def note(self, run: JourneyRun, step: str, what: str, why: dict[str, Any]) -> None:
        self.log.append(JourneyLog(run=run, step=step, at=self.at, what=what, why=why))
