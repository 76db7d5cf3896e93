"""The admin's first page, read like a morning paper: what changed, then the figures, then the charts behind them."""

from datetime import timedelta
from math import sqrt
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.timezone import localdate, now
from django.utils.translation import gettext, ngettext

from analytics import queries
from analytics.counting import PaperFigures
from analytics.periods import STEPS, Period
from analytics.queries import Figure
from analytics.services.snapshots import QUICK, figures
from campaigns.enums import BreakerState, CampaignState, MessageState, RunState
from campaigns.models import Broadcast, JourneyRun, Message, Sender
from common.money import format_money, to_major
from loyalty_crm import voices
from loyalty_crm.telling import Chart, Stat, Teller, list_of, number, percent, plain
from members.enums import ImportState
from members.models import CustomerImport, PendingReaction, Programme, PurchaseImport, Task
from members.queries import get_programme
from rewards.enums import GrantState
from rewards.queries_grants import to_decide
from surveys.queries_desk import on_the_desk

DEFAULT_DAYS = 30
ENOUGH = 20  # things to count in both periods before a change is spoken of
UNUSUAL = 2.0  # standard deviations of the difference of two counts (Poisson)


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
        "stats": [*paper.stats(), *(paper.desk() if request.user.has_perm("surveys.view_case") else [])],
        "charts": paper.charts(),
    }


def duties(request: HttpRequest) -> list[tuple[str, str]]:
    """What waits for a person, each as (sentence, link), as far as this person may see it."""
    recent = now() - timedelta(days=30)
    found = []
    if request.user.has_perm("members.view_task"):
        due = Task.objects.filter(done_at=None, due_on__lte=localdate(), assignee=request.user.pk)
        n = due.count()
        text = ngettext("%(n)d task of yours is due", "%(n)d tasks of yours are due", n)
        found.append((n, text, list_of("members_task", whose="me")))
    if request.user.has_perm("rewards.change_grantrequest"):
        n = to_decide(request.user.pk)
        text = ngettext(
            "%(n)d gift of points waits for your decision", "%(n)d gifts of points wait for your decision", n
        )
        found.append((n, text, list_of("rewards_grantrequest", state__exact=GrantState.WAITING)))
    if request.user.has_perm("members.view_pendingreaction"):
        n = PendingReaction.objects.filter(parked_at__isnull=False).count()
        text = ngettext("%(n)d reaction was given up", "%(n)d reactions were given up", n)
        found.append((n, text, list_of("members_pendingreaction", state="parked")))
    if request.user.has_perm("campaigns.view_message"):
        n = Message.objects.filter(state=MessageState.UNKNOWN).count()
        text = ngettext("%(n)d message may or may not have gone out", "%(n)d messages may or may not have gone out", n)
        found.append((n, text, list_of("campaigns_message", state__exact=MessageState.UNKNOWN)))
        n = Sender.objects.exclude(breaker=BreakerState.CLOSED).count()
        text = ngettext("%(n)d sender paused by itself", "%(n)d senders paused by themselves", n)
        found.append((n, text, list_of("campaigns_sender")))
        n = Message.objects.filter(state=MessageState.FAILED, changed_at__gte=recent).count()
        text = ngettext("%(n)d message could not be sent", "%(n)d messages could not be sent", n)
        found.append((n, text, list_of("campaigns_message", state__exact=MessageState.FAILED)))
        n = Sender.objects.exclude(paused_at=None).count()
        text = ngettext("%(n)d sender is paused by hand", "%(n)d senders are paused by hand", n)
        found.append((n, text, list_of("campaigns_sender")))
    if request.user.has_perm("campaigns.approve_broadcast"):
        waiting = Broadcast.objects.filter(campaign__state=CampaignState.WAITING).exclude(asked_by=request.user.pk)
        n = waiting.count()
        text = ngettext("%(n)d broadcast waits for your approval", "%(n)d broadcasts wait for your approval", n)
        found.append((n, text, list_of("campaigns_broadcast", state=CampaignState.WAITING)))
    if request.user.has_perm("campaigns.view_broadcast"):
        n = Broadcast.objects.filter(campaign__state=CampaignState.PAUSED).count()
        text = ngettext("%(n)d broadcast is paused", "%(n)d broadcasts are paused", n)
        found.append((n, text, list_of("campaigns_broadcast", state=CampaignState.PAUSED)))
    if request.user.has_perm("campaigns.view_journeyrun"):
        n = JourneyRun.objects.filter(state=RunState.STUCK).count()
        text = ngettext("%(n)d member is stuck on a journey", "%(n)d members are stuck on journeys", n)
        found.append((n, text, list_of("campaigns_journeyrun", state__exact=RunState.STUCK)))
    for model in (PurchaseImport, CustomerImport):
        page = f"members_{model._meta.model_name}"
        if not request.user.has_perm(f"members.view_{model._meta.model_name}"):
            continue
        imports = model._default_manager.filter(created_at__gte=recent, dismissed_at=None)
        n = imports.filter(state=ImportState.FAILED).count()
        text = ngettext("%(n)d import failed", "%(n)d imports failed", n)
        found.append((n, text, list_of(page, state__exact=ImportState.FAILED)))
        n = imports.filter(state=ImportState.DONE, dry_run=False, problems__gt=0).count()
        text = ngettext("%(n)d import left bad rows behind", "%(n)d imports left bad rows behind", n)
        found.append((n, text, list_of(page, state__exact=ImportState.DONE)))
    return [(text % {"n": n}, link) for n, text, link in found if n]


class Paper(Teller):
    """The figures of one period, asked once, and how they are told."""

    def __init__(self, period: Period, programme: Programme, figures: PaperFigures | None = None) -> None:
        figures = figures or PaperFigures.count(period)
        super().__init__(period, figures.comparable)
        self.currency = programme.currency
        self.joined, self.members, self.active = figures.joined, figures.members, figures.active
        self.revenue, self.stores = figures.revenue, figures.stores
        self.bought = sum(figure.events_now for figure in self.revenue.values())
        self.bought_before = sum(figure.events_before for figure in self.revenue.values())
        self.flows, self.outstanding, self.expiring = figures.flows, figures.outstanding, figures.expiring
        self.messages, self.answers, self.voices = figures.messages, figures.answers, figures.voices

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
        # Past three times as many a percentage says nothing; a file of customers makes it thousands.
        told = _MANIFOLD if after > 3 * before else _CHANGED
        sentence = told[what][after < before]() % {
            "percent": percent(abs(after - before) / before),
            "times": number(round(after / before)),
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
        return [
            self.stat(
                gettext("Members"),
                self.members,
                list_of("members_member"),
                note=ngettext("%(n)s new", "%(n)s new", new) % {"n": number(new)},
                flow=False,
            ),
            self.stat(
                gettext("Active members"),
                self.active,
                list_of("members_member", active="yes"),
                note=gettext("bought in the last %(days)d days") % {"days": queries.ACTIVE_DAYS},
                flow=False,
            ),
            *(self._money_stat(currency, figure) for currency, figure in self._currencies()),
            self.stat(
                gettext("Points issued"),
                flows.issued,
                self.moved("points", flow="issued"),
                note=gettext("less what was taken back"),
                good=None,
            ),
            self.stat(gettext("Points redeemed"), flows.redeemed, self.moved("points", flow="redeemed")),
            self.stat(gettext("Points expired"), flows.expired, self.moved("points", flow="expired"), good=False),
            self.stat(
                gettext("Points outstanding"),
                self.outstanding,
                list_of("rewards_lot", left="held", unit="points"),
                note=gettext("%(n)s expire within %(days)d days")
                % {"n": number(self.expiring), "days": queries.EXPIRING_DAYS},
                good=None,
                flow=False,
            ),
            self.stat(
                gettext("Messages sent"),
                self.messages,
                f"{self.in_period('campaigns_message', 'sent_at')}&state__exact=sent",
                note=self._read(),
                good=None,
            ),
            *self._said(),
        ]

    def _said(self) -> list[Stat]:
        if self.voices is None:
            return []
        return voices.stats(self.voices, bought=(self.bought, self.bought_before), period=self.period)

    def desk(self) -> list[Stat]:
        """The tiles of cases, for who may see them; none where they were not counted yet."""
        if self.voices is None or self.voices.care is None:
            return []
        undone, overdue = on_the_desk(at=now())
        return voices.desk(self.voices.care, period=self.period, undone=undone, overdue=overdue)

    def _read(self) -> str:
        """What became of the messages of the period; "" where it was not counted yet."""
        if self.answers is None:
            return ""
        words = {"opened": number(self.answers["opened"]), "clicked": number(self.answers["clicked"])}
        return gettext("%(opened)s opened, %(clicked)s clicked, by people") % words

    def _currencies(self) -> list[tuple[str, Figure]]:
        """Revenue by currency, the programme's own first, even where it has none."""
        own = self.revenue.get(self.currency) or Figure(steps=[0] * len(self.period.steps))
        return [(self.currency, own), *sorted((c, f) for c, f in self.revenue.items() if c != self.currency)]

    def _money_stat(self, currency: str, figure: Figure) -> Stat:
        times = ngettext("%(n)s purchase", "%(n)s purchases", figure.events_now) % {"n": number(figure.events_now)}
        return self.stat(
            gettext("Revenue"),
            figure,
            self.in_period("members_purchase", "purchased_at"),
            note=gettext("%(purchases)s, net of refunds") % {"purchases": times},
            value=format_money(figure.now, currency),
        )

    # --- The charts -------------------------------------------------------------------------------------------------
    def charts(self) -> list[Chart]:
        currency, revenue = self._currencies()[0]
        money = [float(to_major(minor, currency)) for minor in revenue.steps]
        flows, moved = self.flows, self.moved("points")
        points = gettext("Points")
        return [
            self.chart(
                gettext("Revenue in %(currency)s") % {"currency": currency},
                "bar",
                [(gettext("Revenue"), money, [format_money(minor, currency) for minor in revenue.steps])],
                self.in_period("members_purchase", "purchased_at"),
            ),
            self.chart(
                gettext("Members"),
                "line",
                [plain(gettext("Members"), self.members), plain(gettext("Active members"), self.active)],
                list_of("members_member"),
            ),
            self.chart(
                gettext("Points that came and went"),
                "bar",
                [
                    plain(gettext("Issued"), flows.issued),
                    plain(gettext("Redeemed"), flows.redeemed),
                    plain(gettext("Expired"), flows.expired),
                ],
                moved,
            ),
            self.chart(
                gettext("Points outstanding"),
                "line",
                [plain(points, self.outstanding)],
                list_of("rewards_lot", left="held", unit="points"),
            ),
            self.chart(
                gettext("Messages sent"),
                "bar",
                [plain(gettext("Messages"), self.messages)],
                f"{self.in_period('campaigns_message', 'sent_at')}&state__exact=sent",
            ),
        ]


_MANIFOLD = {
    "purchases": (
        lambda: gettext("About %(times)s times the purchases of the %(days)d days before: %(after)s after %(before)s."),
    ),
    "members": (
        lambda: gettext(
            "About %(times)s times the new members of the %(days)d days before, files brought in included:"
            " %(after)s after %(before)s."
        ),
    ),
    "redemptions": (
        lambda: gettext(
            "About %(times)s times the redemptions of the %(days)d days before: %(after)s after %(before)s."
        ),
    ),
}
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
