"""A dry run: one member through time, with a clock that leaps. Nothing is asked of the database and nothing written."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.journeys import dates
from campaigns.journeys.definition import END, Journey, Pattern, Step, StepKind

MOST = 200  # steps that are shown of a journey that goes in circles


@dataclass(frozen=True, slots=True)
class Assumed:
    """Something that happens while the member is inside, so long after the entry."""

    event: str
    after: timedelta
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """A step of the way: when, which, by which exit, and what is to be said about it (a code for the page)."""

    at: datetime
    step: Step | None
    exit: str
    why: str = ""
    until: datetime | None = None


def walk(
    journey: Journey,
    *,
    member_id: int,
    salt: str,
    start: datetime,
    zone: ZoneInfo,
    answer: Callable[[Any], bool],
    day_of: Callable[[str, datetime], date | None],
    assumed: tuple[Assumed, ...] = (),
) -> list[Stop]:
    """The member's way from `start` on. `answer(condition)` says whether a condition holds for them, `day_of(name, at)`
    gives a day of theirs ("birthday", "expiry"…)."""
    stops: list[Stop] = []
    at, name = start, journey.first
    happens = sorted(((start + each.after, each) for each in assumed), key=lambda pair: pair[0])

    def first(patterns: tuple[Pattern, ...], since: datetime, until: datetime) -> datetime | None:
        for moment, each in happens:
            if since < moment <= until and any(pattern.fits(each.event, each.data) for pattern in patterns):
                return moment
        return None

    leaving = tuple(pattern for pattern in (journey.goal, *journey.exits) if pattern)
    while name != END and len(stops) < MOST:
        step = journey.steps[name]
        until, way = at, "next"
        match step.kind:
            case StepKind.WAIT:
                until = dates.after(at, step.told, zone)
            case StepKind.UNTIL_HOUR:
                until = dates.until_hour(at, step.told["hour"], zone)
            case StepKind.UNTIL_DATE:
                day = None if step.told.get("date") else day_of(step.told["of"], at)
                until = max(at, dates.until_date(step.told, day, zone) or at)
            case StepKind.WAIT_FOR:
                until, way = dates.after(at, step.told, zone), "else"
                assert step.pattern is not None
                if moment := first((step.pattern,), at, until):
                    until, way = moment, "then"
            case StepKind.IF:
                way = "yes" if answer(step.told["condition"]) else "no"
            case StepKind.SPLIT:
                way = dates.way(f"{salt}:{step.id}", member_id, step.told["shares"])
        if left := first(leaving, at, until):
            reached = journey.goal is not None and first((journey.goal,), at, left) == left
            stops.append(Stop(at, step, "", "", left if until > at else None))
            stops.append(Stop(left, None, "", "goal" if reached else "exit"))
            return stops
        stops.append(Stop(at, step, way, "", until if until > at else None))
        at, name = until, step.exits[way]
    stops.append(Stop(at, None, "", "end" if name == END else "circle"))
    return stops
