"""The admin's first page, read like a morning paper: what changed, then the figures, then the charts behind them."""

import json
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton
from babel.numbers import format_percent
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats
from django.utils.timezone import now
from django.utils.translation import get_language, gettext, ngettext, to_locale

from analytics import queries
from analytics.counting import PaperFigures
from analytics.periods import STEPS, Period
from analytics.queries import Figure
from analytics.services.snapshots import QUICK, figures
from campaigns.enums import MessageState
from campaigns.models import Message
from common.money import format_money, to_major
from members.enums import ImportState
from members.models import PendingReaction, Programme, PurchaseImport
from members.queries import get_programme

DEFAULT_DAYS = 30
ENOUGH = 20  # things to count in both periods before a change is spoken of
UNUSUAL = 2.0  # standard deviations of the difference of two counts (Poisson)


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


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's hook: the context of templates/admin/index.html. Figures are for who may see the ledger."""
    context |= {"title": gettext("Today"), "duties": duties(request)}
    if not request.user.has_perm("rewards.view_transfer"):
        return context
    programme = get_programme()
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, STEPS) else DEFAULT_DAYS
    kept = figures(f"paper.{days}", at=now())
    period = Period(days, kept.at, ZoneInfo(programme.time_zone))
    paper = Paper(period, programme, PaperFigures.read(kept.data))
    return context | {
        "days": days,
        "choices": [(n, ngettext("%(n)d day", "%(n)d days", n) % {"n": n}) for n in STEPS],
        "period": paper.period,
        "as_of": kept.at if kept.took > QUICK else None,
        "headline": paper.headline(),
        "stats": paper.stats(),
        "charts": paper.charts(),
    }


def duties(request: HttpRequest) -> list[tuple[str, str]]:
    """What waits for a person, each as (sentence, link), as far as this person may see it."""
    recent = now() - timedelta(days=30)
    found = []
    if request.user.has_perm("members.view_pendingreaction"):
        n = PendingReaction.objects.filter(parked_at__isnull=False).count()
        text = ngettext("%(n)d reaction was given up", "%(n)d reactions were given up", n)
        found.append((n, text, _list("members_pendingreaction", state="parked")))
    if request.user.has_perm("campaigns.view_message"):
        n = Message.objects.filter(state=MessageState.UNKNOWN).count()
        text = ngettext("%(n)d message may or may not have gone out", "%(n)d messages may or may not have gone out", n)
        found.append((n, text, _list("campaigns_message", state__exact=MessageState.UNKNOWN)))
        n = Message.objects.filter(state=MessageState.FAILED, changed_at__gte=recent).count()
        text = ngettext("%(n)d message could not be sent", "%(n)d messages could not be sent", n)
        found.append((n, text, _list("campaigns_message", state__exact=MessageState.FAILED)))
    if request.user.has_perm("members.view_purchaseimport"):
        imports = PurchaseImport.objects.filter(created_at__gte=recent)
        n = imports.filter(state=ImportState.FAILED).count()
        text = ngettext("%(n)d import failed", "%(n)d imports failed", n)
        found.append((n, text, _list("members_purchaseimport", state__exact=ImportState.FAILED)))
        n = imports.filter(state=ImportState.DONE, dry_run=False, problems__gt=0).count()
        text = ngettext("%(n)d import left bad rows behind", "%(n)d imports left bad rows behind", n)
        found.append((n, text, _list("members_purchaseimport", state__exact=ImportState.DONE)))
    return [(text % {"n": n}, link) for n, text, link in found if n]


def _list(name: str, **filters: Any) -> str:
    return reverse(f"admin:{name}_changelist") + (f"?{urlencode(filters)}" if filters else "")


def number(value: int) -> str:
    return formats.number_format(value, use_l10n=True, force_grouping=True)


def percent(share: float) -> str:
    return format_percent(share, locale=to_locale(get_language() or "en"))


class Paper:
    """The figures of one period, asked once, and how they are told."""

    def __init__(self, period: Period, programme: Programme, figures: PaperFigures | None = None) -> None:
        self.period, self.currency = period, programme.currency
        figures = figures or PaperFigures.count(period)
        self.comparable = figures.comparable
        self.joined, self.members, self.active = figures.joined, figures.members, figures.active
        self.revenue, self.stores = figures.revenue, figures.stores
        self.bought = sum(figure.events_now for figure in self.revenue.values())
        self.bought_before = sum(figure.events_before for figure in self.revenue.values())
        self.flows, self.outstanding, self.expiring = figures.flows, figures.outstanding, figures.expiring
        self.messages = figures.messages

    # --- The sentence -----------------------------------------------------------------------------------------------
    def headline(self) -> str:
        """What changed most, beyond chance; or that nothing did; or that it is too early to say."""
        redeemed = self.flows.redeemed
        found = {
            "purchases": (self.bought, self.bought_before),
            "members": (self.joined.now, self.joined.before),
            "redemptions": (redeemed.events_now, redeemed.events_before),
        }
        words = {"days": self.period.days, "members": number(self.members.now), "purchases": number(self.bought)}
        if not self.comparable:
            early = gettext("Too early to compare: %(members)s members, %(purchases)s purchases in %(days)d days.")
            return early % words
        deviation = {
            what: (after - before) / sqrt(after + before)
            for what, (after, before) in found.items()
            if min(after, before) >= ENOUGH
        }
        what = max(deviation, key=lambda name: abs(deviation[name]), default="")
        if not what or abs(deviation[what]) < UNUSUAL:
            return gettext("A usual %(days)d days: %(purchases)s purchases, and nothing changed beyond chance.") % words
        after, before = found[what]
        sentence = _CHANGED[what][after < before]() % {
            "percent": percent(abs(after - before) / before),
            "days": self.period.days,
            "after": number(after),
            "before": number(before),
        }
        return f"{sentence} {self._where(after - before)}".strip() if what == "purchases" else sentence

    def _where(self, change: int) -> str:
        """The store with most of the change, where it is more than half and there are others."""
        stores = self.stores
        store, (after, before) = max(stores.items(), key=lambda item: (item[1][0] - item[1][1]) / change)
        if not store or len(stores) < 2 or (after - before) / change < 0.5:
            return ""
        return gettext("Mostly at %(store)s.") % {"store": store}

    # --- The figures ------------------------------------------------------------------------------------------------
    def stats(self) -> list[Stat]:
        flows, new = self.flows, self.joined.now
        moved = self._in_period("rewards_transfer", "at")
        return [
            self._stat(
                gettext("Members"),
                self.members,
                _list("members_member"),
                note=ngettext("%(n)s new", "%(n)s new", new) % {"n": number(new)},
                flow=False,
            ),
            self._stat(
                gettext("Active members"),
                self.active,
                _list("members_member", active="yes"),
                note=gettext("bought in the last %(days)d days") % {"days": queries.ACTIVE_DAYS},
                flow=False,
            ),
            *(self._money_stat(currency, figure) for currency, figure in self._currencies()),
            self._stat(
                gettext("Points issued"), flows.issued, moved, note=gettext("less what was taken back"), good=None
            ),
            self._stat(gettext("Points redeemed"), flows.redeemed, f"{moved}&kind__exact=redeem"),
            self._stat(gettext("Points expired"), flows.expired, f"{moved}&kind__exact=expire", good=False),
            self._stat(
                gettext("Points outstanding"),
                self.outstanding,
                _list("rewards_lot", left="open"),
                note=gettext("%(n)s expire within %(days)d days")
                % {"n": number(self.expiring), "days": queries.EXPIRING_DAYS},
                good=None,
                flow=False,
            ),
            self._stat(
                gettext("Messages sent"),
                self.messages,
                f"{self._in_period('campaigns_message', 'sent_at')}&state__exact=sent",
                good=None,
            ),
        ]

    def _currencies(self) -> list[tuple[str, Figure]]:
        """Revenue by currency, the programme's own first, even where it has none."""
        own = self.revenue.get(self.currency) or Figure(steps=[0] * len(self.period.steps))
        return [(self.currency, own), *sorted((c, f) for c, f in self.revenue.items() if c != self.currency)]

    def _money_stat(self, currency: str, figure: Figure) -> Stat:
        times = ngettext("%(n)s purchase", "%(n)s purchases", figure.events_now) % {"n": number(figure.events_now)}
        return self._stat(
            gettext("Revenue"),
            figure,
            self._in_period("members_purchase", "purchased_at"),
            note=gettext("%(purchases)s, net of refunds") % {"purchases": times},
            value=format_money(figure.now, currency),
        )

    def _stat(
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
        change, direction = self._change(figure)
        tone = "" if good is None or not direction else "good" if (direction == "up") == good else "bad"
        spark = _spark(figure.steps[:-1] if flow else figure.steps)
        return Stat(title, value or number(figure.now), change, direction, tone, note, link, spark)

    def _change(self, figure: Figure) -> tuple[str, str]:
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

    def _in_period(self, name: str, field: str) -> str:
        first, last = self.period.start.isoformat(), self.period.at.isoformat()
        return _list(name, **{f"{field}__gte": first, f"{field}__lt": last})

    # --- The charts -------------------------------------------------------------------------------------------------
    def charts(self) -> list[Chart]:
        currency, revenue = self._currencies()[0]
        money = [float(to_major(minor, currency)) for minor in revenue.steps]
        flows, moved = self.flows, self._in_period("rewards_transfer", "at")
        points = gettext("Points")
        return [
            self._chart(
                gettext("Revenue in %(currency)s") % {"currency": currency},
                "bar",
                [(gettext("Revenue"), money, [format_money(minor, currency) for minor in revenue.steps])],
                self._in_period("members_purchase", "purchased_at"),
            ),
            self._chart(
                gettext("Members"),
                "line",
                [_plain(gettext("Members"), self.members), _plain(gettext("Active members"), self.active)],
                _list("members_member"),
            ),
            self._chart(
                gettext("Points that came and went"),
                "bar",
                [
                    _plain(gettext("Issued"), flows.issued),
                    _plain(gettext("Redeemed"), flows.redeemed),
                    _plain(gettext("Expired"), flows.expired),
                ],
                moved,
            ),
            self._chart(
                gettext("Points outstanding"),
                "line",
                [_plain(points, self.outstanding)],
                _list("rewards_lot", left="open"),
            ),
            self._chart(
                gettext("Messages sent"),
                "bar",
                [_plain(gettext("Messages"), self.messages)],
                f"{self._in_period('campaigns_message', 'sent_at')}&state__exact=sent",
            ),
        ]

    def _chart(self, title: str, kind: str, series: list[tuple[str, list, list[str]]], link: str) -> Chart:
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


def _plain(name: str, figure: Figure) -> tuple[str, list[int], list[str]]:
    return name, figure.steps, [number(n) for n in figure.steps]


def _spark(steps: list[int]) -> str:
    """The points of a polyline in a box of 100 × 30; empty where there is no line to see."""
    low, high = min(steps, default=0), max(steps, default=0)
    if low == high:
        return ""
    across = 100 / (len(steps) - 1)
    return " ".join(f"{n * across:.1f},{29 - 28 * (step - low) / (high - low):.1f}" for n, step in enumerate(steps))


# Whole sentences, (up, down): a translator needs to see them whole.
_CHANGED = {
    "purchases": (
        lambda: gettext("Purchases are up %(percent)s on the %(days)d days before: %(after)s after %(before)s."),
        lambda: gettext("Purchases are down %(percent)s on the %(days)d days before: %(after)s after %(before)s."),
    ),
    "members": (
        lambda: gettext("New members are up %(percent)s on the %(days)d days before: %(after)s after %(before)s."),
        lambda: gettext("New members are down %(percent)s on the %(days)d days before: %(after)s after %(before)s."),
    ),
    "redemptions": (
        lambda: gettext("Redemptions are up %(percent)s on the %(days)d days before: %(after)s after %(before)s."),
        lambda: gettext("Redemptions are down %(percent)s on the %(days)d days before: %(after)s after %(before)s."),
    ),
}
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
