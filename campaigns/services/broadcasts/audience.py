"""Whom a broadcast means, when it begins, and what it comes to before anything is sent. Writes nothing."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from campaigns.enums import BroadcastWhen, SkipReason
from campaigns.models import Broadcast, OccasionDate
from campaigns.queries_broadcasts import LAST, REASONS, Cell, Groups, Plan, cells, plan
from campaigns.queries_occasions import TAKES_PLACE, next_date, shop_day
from campaigns.queries_pressure import PutOff, put_off
from common.sql import execute
from members.models import Segment
from members.queries_segments import SegmentNotReady, State, freshnesses
from members.segments.compile import asks_behaviour
from members.segments.tree import BadDefinition
from members.segments.tree import parse as read_tree

NOBODY_WAITS = PutOff(0, 0, [])
EAST = timedelta(hours=14)  # where a day begins first


class NoDate(Exception):
    """The occasion does not come again, or its coming was called off. `args[0]` is a sentence."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a broadcast begins for the first member; `day` and `key` where it goes by the members' own clocks."""

    start: datetime
    day: date | None = None
    key: str = ""


def timing_of(broadcast: Broadcast, *, at: datetime) -> Timing:
    """When it would begin if it were scheduled at this moment, or, once it is, begins as things are now.

    NoDate where its occasion has none; ValueError where a date is missing.
    """
    match broadcast.when:
        case BroadcastWhen.NOW:
            return Timing(broadcast.asked_at or at)
        case BroadcastWhen.MOMENT:
            if broadcast.send_at is None:
                raise ValueError(gettext("The moment is missing."))
            return Timing(broadcast.send_at)
    if broadcast.hour is None:
        raise ValueError(gettext("The time of day is missing."))
    key = ""
    if broadcast.when == BroadcastWhen.LOCAL:
        if broadcast.day is None:
            raise ValueError(gettext("The day is missing."))
        day = broadcast.day
    else:
        coming = _coming(broadcast, at)
        key, day = coming.key, coming.day + timedelta(days=broadcast.days_after)
    return Timing(datetime.combine(day, broadcast.hour, UTC) - EAST, day, key)


def _coming(broadcast: Broadcast, at: datetime) -> OccasionDate:
    """The coming of its occasion that it hangs on, wherever it was moved to meanwhile."""
    if broadcast.occasion is None:
        raise ValueError(gettext("The occasion is missing."))
    if broadcast.occurrence_key:
        of_it = OccasionDate.objects.filter(TAKES_PLACE, occasion=broadcast.occasion_id).select_related("occasion")
        found = next((one for one in of_it if one.key == broadcast.occurrence_key), None)
    else:
        found = next_date(broadcast.occasion, shop_day(at) - timedelta(days=broadcast.days_after + 1))
    if found is None:
        raise NoDate(gettext("%(occasion)s has no day to come.") % {"occasion": broadcast.occasion})
    return found


def groups_of(broadcast: Broadcast, *, at: datetime) -> Groups:
    """Its groups by ids. SegmentNotReady while a segment, meant or left out, cannot be trusted."""
    inside, outside = list(broadcast.segments.all()), list(broadcast.segments_out.all())
    states = freshnesses(at=at) if inside or outside else {}
    personal = []
    for segment in [*inside, *outside]:
        state = states.get(segment.pk)
        if state is None:
            sentence = gettext("The segment “%(segment)s” is archived.") % {"segment": segment}
            raise SegmentNotReady(sentence, state=State.FAILING)
        if state.state is not State.FRESH:
            words = {"segment": segment, "reason": state.reason}
            raise SegmentNotReady(gettext("The segment “%(segment)s”: %(reason)s") % words, state=state.state)
        try:
            if asks_behaviour(read_tree(segment.definition)):
                personal.append(segment.pk)
        except BadDefinition as bad:
            raise SegmentNotReady(str(bad), state=State.FAILING) from bad
    return Groups(
        everybody=broadcast.everybody,
        segments=[segment.pk for segment in inside],
        personal=personal,
        lists=_ids(broadcast.lists),
        tags=_ids(broadcast.tags),
        segments_out=[segment.pk for segment in outside],
        lists_out=_ids(broadcast.lists_out),
        tags_out=_ids(broadcast.tags_out),
        follows=broadcast.follows_id,
    )


def _ids(related: Any) -> list[int]:
    return list(related.order_by("pk").values_list("pk", flat=True))


def segment_versions(broadcast: Broadcast) -> dict[str, int]:
    """The version of each segment that it asks: an audience is of one version."""
    used = {*_ids(broadcast.segments), *_ids(broadcast.segments_out)}
    return {str(pk): version for pk, version in Segment.objects.filter(pk__in=used).values_list("pk", "version")}


def plan_of(broadcast: Broadcast, *, at: datetime) -> Plan:
    """What would be planned if it were scheduled at this moment. SegmentNotReady, NoDate, ValueError as above."""
    timing = timing_of(broadcast, at=at)
    groups = groups_of(broadcast, at=at)
    variants = list(broadcast.variants.all())
    return plan(broadcast, variants, groups, at=at, start=max(timing.start, at), day=timing.day)


@dataclass(frozen=True, slots=True)
class Why:
    """How many are kept from a broadcast by one reason, and up to ten of them."""

    reason: SkipReason
    count: int
    some: list[int]

    @property
    def label(self) -> str:
        return str(self.reason.label)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a broadcast comes to. `reached` get it, `put_off` of them later; `tests` of them are in the test of
    versions, if there is one."""

    audience: int
    reached: int
    tests: int
    whys: list[Why]
    channels: dict[str, int] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=dict)
    variants: dict[int, int] = field(default_factory=dict)
    some: list[int] = field(default_factory=list)
    put_off: PutOff = NOBODY_WAITS

    def kept(self) -> dict[str, Any]:
        """What is kept of it beside the broadcast: figures, no members."""
        return {
            "audience": self.audience,
            "reached": self.reached,
            "whys": {why.reason.value: why.count for why in self.whys},
            "put_off": self.put_off.members,
        }


def estimate(broadcast: Broadcast, *, at: datetime, seconds: int = 30) -> Estimate:
    """The audience counted as it would be taken down now, and who of it would have to wait.

    SegmentNotReady, NoDate, ValueError as `plan_of`; django.db.OperationalError where it takes longer than `seconds`.
    """
    ready = plan_of(broadcast, at=at)
    with transaction.atomic():
        execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
        found = _summed(cells(ready))
        params = {**ready.params, "after": 0, "upto": LAST}
        return replace(found, put_off=put_off(ready.sql, params, late=timedelta(hours=broadcast.late_hours)))


def _summed(found: list[Cell]) -> Estimate:
    good = [cell for cell in found if not cell.reason]
    by: dict[str, Counter] = {name: Counter() for name in ("channel", "language", "variant")}
    for cell in good:
        for name, counter in by.items():
            counter[getattr(cell, name)] += cell.members
    whys = []
    for reason in REASONS:
        of_it = [cell for cell in found if cell.reason == reason]
        if of_it:
            some = sorted(pk for cell in of_it for pk in cell.some)[:10]
            whys.append(Why(reason, sum(cell.members for cell in of_it), some))
    return Estimate(
        audience=sum(cell.members for cell in found),
        reached=sum(cell.members for cell in good),
        tests=sum(cell.members for cell in good if cell.tests),
        whys=whys,
        channels=dict(by["channel"].most_common()),
        languages=dict(by["language"].most_common()),
        variants=dict(sorted(by["variant"].items())),
        some=sorted(pk for cell in good for pk in cell.some)[:10],
    )
