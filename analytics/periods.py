"""The stretch of time that a figure speaks of, the one before it, and the steps in which it is drawn."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

# Days in the period → days in one step of a line or one bar of a chart.
STEPS = {7: 1, 30: 1, 90: 3, 365: 5}


@dataclass(frozen=True)
class Period:
    """The last `days` calendar days of the shop up to the moment `at`, today among them; compared with the same
    stretch `days` days earlier, up to the same time of day: a morning is compared with a morning."""

    days: int
    at: datetime
    zone: ZoneInfo

    @cached_property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()

    @cached_property
    def first_day(self) -> date:
        return self.today - timedelta(days=self.days - 1)

    @cached_property
    def start(self) -> datetime:
        return self._midnight(self.first_day)

    @cached_property
    def before_start(self) -> datetime:
        return self._midnight(self.first_day - timedelta(days=self.days))

    @cached_property
    def before_end(self) -> datetime:
        local = self.at.astimezone(self.zone)
        return local - timedelta(days=self.days)  # by the wall clock, also across a change to summer time

    @cached_property
    def steps(self) -> list[date]:
        """The first day of each step."""
        step = STEPS[self.days]
        return [self.first_day + timedelta(days=n) for n in range(0, self.days, step)]

    @cached_property
    def step_ends(self) -> list[datetime]:
        """The moment at which each step ends; the last one is now."""
        return [*(self._midnight(day) for day in self.steps[1:]), self.at]

    def params(self) -> dict[str, Any]:
        """What the statements of analytics.queries ask for."""
        return {
            "before_start": self.before_start,
            "before_end": self.before_end,
            "start": self.start,
            "at": self.at,
            "first_day": self.first_day,
            "zone": str(self.zone),
            "step": STEPS[self.days],
        }

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=self.zone)
