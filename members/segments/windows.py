"""Stretches of time, in days of the programme's time zone."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext, ngettext

from members.segments.values import Refused, clean_day, clean_days, day_words


@dataclass(frozen=True, slots=True)
class Window:
    """The last (or next) `days`, or from `first` to `last`, both included; either end may be open."""

    days: int | None = None
    first: date | None = None
    last: date | None = None

    def words(self, *, ahead: bool) -> str:
        """The window in the active language: "in the last 90 days"."""
        if self.days is not None:
            days = ngettext("%(n)d day", "%(n)d days", self.days) % {"n": self.days}
            return (gettext("in the next %(days)s") if ahead else gettext("in the last %(days)s")) % {"days": days}
        ends = {"first": self.first and day_words(self.first), "last": self.last and day_words(self.last)}
        if self.first and self.last:
            return gettext("from %(first)s to %(last)s") % ends
        return (gettext("since %(first)s") if self.first else gettext("until %(last)s")) % ends


def clean_window(raw: Any, *, ahead: bool) -> Window:
    """{"days": 90} or {"from": "2026-01-01", "to": "2026-02-01"}, either end may be left out; Refused."""
    if isinstance(raw, dict) and set(raw) == {"days"}:
        return Window(days=clean_days(raw["days"]))
    if ahead or not isinstance(raw, dict) or not set(raw) <= {"from", "to"} or not any(raw.values()):
        raise Refused(gettext("Please say in how many days.") if ahead else gettext("Please say in which time."))
    ends = {key: clean_day(value) for key, value in raw.items() if value}
    window = Window(first=ends.get("from"), last=ends.get("to"))
    if window.first and window.last and window.first > window.last:
        raise Refused(gettext("The first day must not be after the last."))
    return window
