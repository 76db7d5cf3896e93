"""Time as the service desk counts it: minutes within business hours. Pure functions.

Hours are by the shop's clock on its wall, sums are of real minutes: on the day of a change of the clocks an opening
from 1 to 4 at night has two or four hours.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FAR = 366 * 3  # days looked ahead before it is said that the desk never opens


@dataclass(frozen=True, slots=True)
class Hours:
    """When the desk is open: (weekday, opens, closes) with Monday 0, never over midnight; `closes` of 00:00 is the end
    of the day. Without any opening it is open always."""

    zone: ZoneInfo
    openings: Sequence[tuple[int, time, time]] = ()
    holidays: Collection[date] = frozenset()

    def on(self, day: date) -> list[tuple[datetime, datetime]]:
        """The openings of a day, in UTC and in order."""
        if day in self.holidays:
            return []
        spans = []
        for weekday, opens, closes in sorted(self.openings):
            if weekday != day.weekday():
                continue
            last = day + timedelta(days=1) if closes == time() else day
            begin = datetime.combine(day, opens, self.zone).astimezone(UTC)
            end = datetime.combine(last, closes, self.zone).astimezone(UTC)
            if begin < end:
                spans.append((begin, end))
        return spans

    def since(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What is left of the openings from a moment on."""
        day = at.astimezone(self.zone).date()
        reached = at.astimezone(UTC)
        for n in range(FAR):
            for begin, end in self.on(day + timedelta(days=n)):
                begin = max(begin, reached)
                if begin < end:
                    yield begin, end
                    reached = end


def due(start: datetime, minutes: int, hours: Hours) -> datetime:
    """The moment at which so many business minutes have passed since `start`, in UTC. ValueError where the desk does
    not open that long in three years."""
    left = timedelta(minutes=minutes)
    if not hours.openings:
        return start.astimezone(UTC) + left
    for begin, end in hours.since(start):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise ValueError("the desk does not open that long")


def passed(start: datetime, end: datetime, hours: Hours) -> int:
    """Whole business minutes between two moments; 0 where the second is not later."""
    if end <= start:
        return 0
    if not hours.openings:
        return int((end - start).total_seconds() // 60)
    total = timedelta()
    for begin, close in hours.since(start):
        if begin >= end:
            break
        total += min(close, end) - begin
    return int(total.total_seconds() // 60)
