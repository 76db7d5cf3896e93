"""The RFM map: who stands where, what they bring, and what to do about it. docs/rfm.md."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext

from analytics.enums import Group
from analytics.queries_rfm import PARETO_STEPS
from analytics.rules import ADVICE, ENOUGH_BUYERS, MAP, SCORES, group_of
from analytics.services.scores import last_run
from analytics.services.snapshots import figures
from common.money import format_money
from loyalty_crm.telling import number, percent

BEST = 4  # steps of the curve: 20 %


@dataclass
class Cell:
    """A cell of the map, or a whole group: members, what they spent (minor units), the days on which they came."""

    group: Group
    members: int = 0
    spent: int = 0
    days: int = 0
    link: str = ""
    shown: dict[str, str] = field(default_factory=dict)

    def tell(self, everybody: "Cell", currency: str) -> "Cell":
        self.shown = {
            "members": number(self.members),
            "share": percent_of(self.members, everybody.members),
            "spent": percent_of(self.spent, everybody.spent),
            "each": format_money(round(self.spent / self.members), currency) if self.members else "–",
            "often": number(round(self.days / self.members)) if self.members else "–",
        }
        return self


def percent_of(part: int, whole: int) -> str:
    """A share in words."""
    return percent(part / whole if whole else 0)


def segment_link(*leaves: dict[str, Any]) -> str:
    """The builder, filled in."""
    return f"{reverse('admin:members_segment_add')}?{urlencode({'definition': json.dumps({'all': leaves})})}"


def context(request: HttpRequest) -> dict[str, Any]:
    run, at = last_run(), now()
    page: dict[str, Any] = {"title": gettext("RFM map"), "enough": ENOUGH_BUYERS, "run": run}
    if run is None or not run.data["scored"]:
        return page | {"buyers": run.data["buyers"] if run else None}
    data, currency = figures("rfm", at=at).data, run.data["currency"]
    cells = {(r, v): Cell(group_of(r, v)) for r in MAP for v in SCORES}
    groups = {group: Cell(group) for group in Group}
    everybody = Cell(Group.CHAMPIONS)
    may_build = request.user.has_perm("members.add_segment")
    for recency, value, members, spent, days in data["cells"]:
        for cell in (cells[recency, value], groups[group_of(recency, value)], everybody):
            cell.members, cell.spent, cell.days = cell.members + members, cell.spent + spent, cell.days + days
    for (recency, value), cell in cells.items():
        cell.tell(everybody, currency)
        if may_build:
            parts = (("rfm.recency", recency), ("rfm.value", value))
            cell.link = segment_link(*({"trait": trait, "op": "equals", "value": score} for trait, score in parts))
    for group, cell in groups.items():
        cell.tell(everybody, currency)
        if may_build:
            cell.link = segment_link({"trait": "rfm.group", "op": "any_of", "value": [group.value]})
    impersonal = data["impersonal"]
    return page | {
        "headline": _headline(data["pareto"]),
        "rows": [(r, _last_visit(run.data, r), [(v, cells[r, v]) for v in SCORES]) for r in MAP],
        "scores": SCORES,
        "groups": [(cell, *ADVICE[group]) for group, cell in groups.items()],
        "meanings": [(s, *(says(run.data, s) for says in (_last_visit, _visits, _money))) for s in reversed(SCORES)],
        "buyers": number(run.data["scored"]),
        "impersonal": impersonal
        and ngettext("%(n)s member wants no personal treatment and has no score.",
                     "%(n)s members want no personal treatment and have no scores.", impersonal)
        % {"n": number(impersonal)},
        "pareto": _curve(data["pareto"]),
    }  # fmt: skip


def _headline(pareto: dict[str, Any]) -> str:
    if not pareto["curve"]:
        return gettext("Nothing was spent yet.")
    words = {"best": percent(BEST / PARETO_STEPS), "share": percent(pareto["curve"][BEST - 1])}
    return gettext("The best %(best)s of the customers bring %(share)s of the revenue.") % words


def _curve(pareto: dict[str, Any]) -> dict[str, Any] | None:
    """The curve in a box of 100 × 100, from nobody to everybody, and the same as a table."""
    if not pareto["curve"]:
        return None
    shares = [0.0, *pareto["curve"]]
    points = [(100 * n / PARETO_STEPS, 100 - 100 * share) for n, share in enumerate(shares)]
    return {
        "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        "area": " ".join(["0,100", *(f"{x:.1f},{y:.1f}" for x, y in points), "100,100"]),
        "best": {"x": f"{points[BEST][0]:.1f}", "y": f"{points[BEST][1]:.1f}"},
        "rows": [(percent(n / PARETO_STEPS), percent(shares[n])) for n in range(2, PARETO_STEPS + 1, 2)],
    }


# --- What a score means: the bounds by which the last run scored ---------------------------------------------------
def _bounds(least: list[int], score: int) -> tuple[int | None, int | None] | None:
    """The lowest and highest value with a score, None where there is no end; None altogether where nobody has it."""
    low = least[score - 2] if 2 <= score <= len(least) + 1 else None
    high = least[score - 1] - 1 if score <= len(least) else None
    if (score > 1 and low is None) or (low is not None and high is not None and low > high):
        return None
    return low, high


def _range(low: str | None, high: str | None) -> str:
    if low == high:
        return low or gettext("any")
    if low is None:
        return gettext("up to %(high)s") % {"high": high}
    if high is None:
        return gettext("%(low)s or more") % {"low": low}
    return gettext("%(low)s to %(high)s") % {"low": low, "high": high}


def _last_visit(run: dict[str, Any], score: int) -> str:
    bounds = _bounds(run["recency"], score)
    if bounds is None:
        return "–"
    today = run["day"]
    ago = [None if day is None else today - day for day in reversed(bounds)]
    nearest = ago[0] or 0
    if ago[1] is None:
        return ngettext("%(n)s day ago or longer", "%(n)s days ago or longer", nearest) % {"n": number(nearest)}
    days = _range(number(nearest), number(ago[1])) if nearest else number(ago[1])
    if not nearest:
        return ngettext("within %(n)s day", "within %(n)s days", ago[1]) % {"n": days}
    return ngettext("%(n)s day ago", "%(n)s days ago", ago[1]) % {"n": days}


def _visits(run: dict[str, Any], score: int) -> str:
    bounds = _bounds(run["frequency"], score)
    return "–" if bounds is None else _range(*(None if n is None else number(n) for n in bounds))


def _money(run: dict[str, Any], score: int) -> str:
    bounds = _bounds(run["monetary"], score)
    if bounds is None:
        return "–"
    return _range(*(None if n is None else format_money(n, run["currency"]) for n in bounds))
