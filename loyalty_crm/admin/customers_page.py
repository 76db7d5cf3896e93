"""Where customers stand, how that changes, and where new members come from. docs/dashboard.md."""

from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext

from analytics.counting import STEPS, Customers
from analytics.enums import Lifecycle
from analytics.periods import Period
from analytics.queries import Figure
from analytics.services.snapshots import figures
from loyalty_crm.telling import Chart, Stat, Teller, list_of, number, percent, plain
from members.queries import get_programme
from members.sources import source_name

DEFAULT_DAYS = 30


def context(request: HttpRequest) -> dict[str, Any]:
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, STEPS) else DEFAULT_DAYS
    kept = figures(f"customers.{days}", at=now())
    period = Period(days, kept.at, ZoneInfo(get_programme().time_zone))
    page = CustomersPage(period, Customers.read(kept.data))
    return {
        "title": gettext("Customers"),
        "days": days,
        "choices": [(n, ngettext("%(n)d day", "%(n)d days", n) % {"n": n}) for n in STEPS],
        "period": period,
        "as_of": kept.at,
        "empty": not page.found.buyers and not page.found.joined.now,
        "headline": page.headline(),
        "stats": page.stats(),
        "charts": page.charts(),
        "sources": page.sources(),
    }


class CustomersPage(Teller):
    """Tells `found`, the customers of a period."""

    def __init__(self, period: Period, found: Customers) -> None:
        super().__init__(period, found.comparable)
        self.found = found

    def headline(self) -> str:
        lives, buyers = self.found.lives, self.found.buyers
        if not buyers:
            return gettext("Nobody has bought anything yet.")
        words = {
            "buyers": number(buyers),
            "share": percent((lives.new.now + lives.active.now) / buyers),
            "lapsing": number(lives.lapsing.now),
        }
        return (
            ngettext(
                "Of %(buyers)s customer %(share)s keep coming; %(lapsing)s are about to be lost.",
                "Of %(buyers)s customers %(share)s keep coming; %(lapsing)s are about to be lost.",
                buyers,
            )
            % words
        )

    def stats(self) -> list[Stat]:
        lives, joined = self.found.lives, self.found.joined
        return [
            self.stat(gettext("Members who joined"), joined, self.in_period("members_member", "joined_at")),
            self._standing(
                str(Lifecycle.NEW.label), lives.new, Lifecycle.NEW, gettext("first bought in the last 30 days")
            ),
            self._standing(
                str(Lifecycle.ACTIVE.label), lives.active, Lifecycle.ACTIVE, gettext("come in their usual rhythm")
            ),
            self._standing(
                str(Lifecycle.LAPSING.label),
                lives.lapsing,
                Lifecycle.LAPSING,
                gettext("missed more than two visits"),
                good=False,
            ),
            self._standing(
                str(Lifecycle.LOST.label),
                lives.lost,
                Lifecycle.LOST,
                gettext("missed more than four visits"),
                good=False,
            ),
            self.stat(
                gettext("Won back"),
                lives.back,
                list_of("members_member", customer=f"back.{self.period.days}"),
                note=gettext("bought again after they had been lost"),
            ),
        ]

    def _standing(self, title: str, figure: Figure, state: Lifecycle, note: str, good: bool = True) -> Stat:
        shown = list_of("members_member", customer=state.value)
        return self.stat(title, figure, shown, note=note, good=good, flow=False)

    def charts(self) -> list[Chart]:
        lives = self.found.lives
        return [
            self.chart(
                gettext("Customers by where they stand"),
                "line",
                [
                    plain(str(Lifecycle.ACTIVE.label), lives.active),
                    plain(str(Lifecycle.LAPSING.label), lives.lapsing),
                    plain(str(Lifecycle.LOST.label), lives.lost),
                ],
                list_of("members_member", customer=Lifecycle.LAPSING.value),
            ),
            self.chart(
                gettext("Joined and won back"),
                "bar",
                [plain(gettext("Joined"), self.found.joined), plain(gettext("Won back"), lives.back)],
                self.in_period("members_member", "joined_at"),
            ),
        ]

    def sources(self) -> list[dict[str, str]]:
        """Where the members of the period came from, the most first."""
        rows = sorted(self.found.sources.items(), key=lambda item: (-item[1].now, item[0]))
        joined = self.found.joined.now
        return [
            {
                "name": source_name(source),
                "now": number(figure.now),
                "share": percent(figure.now / joined) if joined else "",
                "change": self.change(figure)[0],
                "link": f"{self.in_period('members_member', 'joined_at')}&source__exact={source}",
            }
            for source, figure in rows
            if figure.now or figure.before
        ]
