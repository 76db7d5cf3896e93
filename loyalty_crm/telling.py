"""How figures are told: a number with its change and a small line, a chart with the same as a table."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_skeleton
from babel.numbers import format_percent
from django.urls import reverse
from django.utils import formats
from django.utils.translation import get_language, gettext, to_locale

from analytics.periods import Period
from analytics.queries import Figure


@dataclass(frozen=True)
class Stat:
    """A figure as it is shown: what, how much, how it changed, and where the rows behind it are."""

    title: str
    value: str
    change: str
    direction: str  # "up", "down" or ""
    tone: str  # whether that is "good", "bad" or neither
    note: str
    link: str
    spark: str


@dataclass(frozen=True)
class Chart:
    """A chart, the same as a table for who does not see it, and where the rows behind it are."""

    title: str
    kind: str
    headers: list[str]
    rows: list[list[str]]
    data: str
    options: str
    link: str
    empty: bool


def list_of(name: str, **filters: Any) -> str:
    """The address of a list of the admin, filtered."""
    return reverse(f"admin:{name}_changelist") + (f"?{urlencode(filters)}" if filters else "")


def number(value: int) -> str:
    """A number as the active language writes it."""
    return formats.number_format(value, use_l10n=True, force_grouping=True)


def percent(share: float) -> str:
    """A share as the active language writes it: 0.25 → "25%"; "under 1%" where it would round to nothing."""
    locale = to_locale(get_language() or "en")
    if 0 < share < 0.005:
        return gettext("under %(share)s") % {"share": format_percent(0.01, locale=locale)}
    return format_percent(share, locale=locale)


class Teller:
    """Tells the figures of one period. `comparable`: whether there is a period before to compare with."""

    def __init__(self, period: Period, comparable: bool) -> None:
        self.period, self.comparable = period, comparable

    def stat(
        self,
        title: str,
        figure: Figure,
        link: str,
        *,
        note: str = "",
        value: str = "",
        good: bool | None = True,
        flow: bool = True,
    ) -> Stat:
        """`good`: whether more of it is better; None where it is neither. `flow`: it adds up over time, so that the
        step of today, not yet over, would draw a fall that is none."""
        change, direction = self.change(figure)
        tone = "" if good is None or not direction else "good" if (direction == "up") == good else "bad"
        spark = _spark(figure.steps[:-1] if flow else figure.steps)
        return Stat(title, value or number(figure.now), change, direction, tone, note, link, spark)

    def change(self, figure: Figure) -> tuple[str, str]:
        if not self.comparable:
            return gettext("not enough data to compare"), ""
        if figure.now == figure.before:
            return gettext("unchanged"), ""
        if figure.before <= 0:
            return gettext("none in the %(days)d days before") % {"days": self.period.days}, ""
        share = (figure.now - figure.before) / figure.before
        words = {"percent": percent(abs(share)), "days": self.period.days}
        if share > 0:
            return gettext("%(percent)s more than %(days)d days before") % words, "up"
        return gettext("%(percent)s less than %(days)d days before") % words, "down"

    def in_period(self, name: str, field: str) -> str:
        first, last = self.period.start.isoformat(), self.period.at.isoformat()
        return list_of(name, **{f"{field}__gte": first, f"{field}__lt": last})

    def moved(self, unit: str, **filters: str) -> str:
        """Movements of points or credit in the period, as the figures count them: its last moment included."""
        first, last = self.period.start.isoformat(), self.period.at.isoformat()
        return list_of("rewards_transfer", at__gte=first, at__lte=last, unit=unit, **filters)

    def chart(self, title: str, kind: str, series: list[tuple[str, list, list[str]]], link: str) -> Chart:
        labels = [format_skeleton("MMMd", day, locale=to_locale(get_language() or "en")) for day in self.period.steps]
        sets = [
            {"label": name, "data": values, "borderColor": colour, "backgroundColor": colour, "borderDash": dash}
            for (name, values, _shown), (colour, dash) in zip(series, _STROKES, strict=False)
        ]
        rows = [list(row) for row in zip(labels, *(shown for _name, _values, shown in series), strict=True)]
        options = {**_OPTIONS, "locale": get_language(), "plugins": {"legend": {**_LEGEND, "display": len(series) > 1}}}
        return Chart(
            title,
            kind,
            [gettext("From"), *(name for name, _values, _shown in series)],
            rows,
            json.dumps({"labels": labels, "datasets": sets}),
            json.dumps(options),
            link,
            not any(any(values) for _name, values, _shown in series),
        )


def plain(name: str, figure: Figure) -> tuple[str, list[int], list[str]]:
    return name, figure.steps, [number(n) for n in figure.steps]


def _spark(steps: list[int]) -> str:
    """The points of a polyline in a box of 100 × 30; empty where there is no line to see."""
    low, high = min(steps, default=0), max(steps, default=0)
    if low == high:
        return ""
    across = 100 / (len(steps) - 1)
    return " ".join(f"{n * across:.1f},{29 - 28 * (step - low) / (high - low):.1f}" for n, step in enumerate(steps))


_INK = "#8b919c"  # readable on white and on the dark ground
_STROKES: tuple[tuple[str, list[int]], ...] = (
    ("var(--desk-chart-1)", []),
    ("var(--desk-chart-2)", [6, 3]),
    ("var(--desk-chart-3)", [2, 2]),
)
_LEGEND = {"align": "end", "labels": {"boxHeight": 6, "boxWidth": 6, "usePointStyle": True, "color": _INK}}
_OPTIONS = {
    "animation": False,
    "responsive": True,
    "maintainAspectRatio": False,
    "maxBarThickness": 18,
    "datasets": {"line": {"borderWidth": 2, "pointRadius": 0, "pointHitRadius": 12}, "bar": {"borderRadius": 3}},
    "interaction": {"mode": "index", "intersect": False},
    "scales": {
        "x": {"grid": {"display": False}, "ticks": {"color": _INK, "maxTicksLimit": 8, "maxRotation": 0}},
        "y": {
            "grid": {"tickWidth": 0},
            "border": {"width": 0},
            "ticks": {"color": _INK, "maxTicksLimit": 5, "precision": 0},
        },
    },
}
