"""What points and rewards are worth and cost: what came and went, what is owed, and what it was given for. Each figure
opens the rows behind it, each table can be taken along. docs/figures.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import tablib
from babel.dates import format_skeleton
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch
from django.utils.timezone import now
from django.utils.translation import get_language, gettext, ngettext, to_locale

from analytics import points
from analytics.counting import STEPS, HeldFigures, PointFigures
from analytics.periods import Period
from analytics.points import AHEAD, ENOUGH, Cohort, breakage
from analytics.services.snapshots import figures
from common.cells import plain_cell
from common.money import format_exact, format_money, minor_digits, to_major
from loyalty_crm.telling import Chart, Stat, Teller, list_of, number, percent, plain
from members.queries import get_programme
from rewards.enums import Unit
from rewards.models import EarningRule, Offer, Reward
from rewards.queries import reward_settings

DEFAULT_DAYS = 30
FORMATS = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


@dataclass(frozen=True)
class Row:
    """A row of a table: its cells as they are shown, the same for a file, and where the rows behind it are."""

    cells: list[str]
    raw: list[Any]
    link: str = ""


@dataclass(frozen=True)
class Table:
    key: str
    title: str
    note: str
    headers: list[str]
    rows: list[Row]
    total: Row | None = None


def context(request: HttpRequest) -> dict[str, Any]:
    page = _page(request)
    credit = _held(Unit.CREDIT)[1]
    return {
        "title": gettext("Points and rewards"),
        "days": page.period.days,
        "unit": page.unit.value,
        "choices": [(n, ngettext("%(n)d day", "%(n)d days", n) % {"n": n}) for n in STEPS],
        "units": Unit.choices if credit.by_issue else [],
        "period": page.period,
        "as_of": page.period.at,
        "held_at": page.held_at,
        "empty": not page.kept.by_issue,
        "headline": page.headline(),
        "standing": page.standing(),
        "stats": page.stats(),
        "charts": page.charts(),
        "tables": page.tables(),
        "enough": number(ENOUGH),
    }


def file(request: HttpRequest, key: str, kind: str) -> HttpResponse:
    """A table of the page as a file. Http404 where there is no such table or kind of file."""
    page = _page(request)
    table = next((table for table in page.tables() if table.key == key), None)
    if table is None or kind not in FORMATS:
        raise Http404
    rows = [[plain_cell(cell) for cell in row.raw] for row in table.rows]
    book = tablib.Dataset(*rows, headers=table.headers, title=table.key)
    content = book.export(kind)
    # Excel knows Chinese by the byte order mark.
    body = content.encode("utf-8-sig") if isinstance(content, str) else content
    answer = HttpResponse(body, content_type=FORMATS[kind])
    name = f"{key}-{page.unit}-{page.period.today.isoformat()}.{kind}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _held(unit: Unit) -> tuple[Any, HeldFigures]:
    kept = figures("held", at=now())
    return kept.at, HeldFigures.read(kept.data, unit)


def _page(request: HttpRequest) -> "RewardsPage":
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, STEPS) else DEFAULT_DAYS
    unit = Unit.CREDIT if request.GET.get("unit") == Unit.CREDIT else Unit.POINTS
    kept = figures(f"rewards.{days}", at=now())
    period = Period(days, kept.at, ZoneInfo(get_programme().time_zone))
    held_at, held = _held(unit)
    return RewardsPage(period, unit, PointFigures.read(kept.data), held, held_at)


class RewardsPage(Teller):
    """Tells the figures of a unit: `found` of the period, `kept` of all times."""

    def __init__(self, period: Period, unit: Unit, found: PointFigures, kept: HeldFigures, held_at: Any) -> None:
        super().__init__(period, found.comparable)
        self.unit, self.found, self.kept, self.held_at = unit, found, kept, held_at
        self.currency = get_programme().currency
        self.point_cost = reward_settings().point_cost
        self.flows, self.outstanding = found.flows[unit], found.outstanding[unit]

    # --- Words ------------------------------------------------------------------------------------------------------
    def amount(self, value: int) -> str:
        return number(value) if self.unit == Unit.POINTS else format_money(value, self.currency)

    def raw(self, value: int) -> Any:
        """For a file: points as a number, credit in major units."""
        return value if self.unit == Unit.POINTS else to_major(value, self.currency)

    def cost_minor(self, value: int, unit: str | None = None) -> int:
        """What an amount costs, in minor units: points at what one costs, credit at its face."""
        if (unit or self.unit) == Unit.CREDIT:
            return value
        return int((value * self.point_cost).scaleb(minor_digits(self.currency)).to_integral_value())

    def money(self, minor: int) -> str:
        return format_money(minor, self.currency)

    def headline(self) -> str:
        held = self.kept.held
        words = {
            "amount": self.amount(held.outstanding),
            "owed": self.money(self.cost_minor(held.outstanding)),
            "soon": self.amount(held.expiring[0]),
            "days": AHEAD[0],
        }
        if self.unit == Unit.CREDIT and held.cards:
            words |= {"amount": self.amount(held.outstanding - held.cards), "cards": self.amount(held.cards)}
            text = gettext(
                "Members hold %(amount)s of store credit, and %(cards)s are on gift cards; of both, %(soon)s expire "
                "within %(days)d days."
            )
        elif self.unit == Unit.CREDIT:
            text = gettext("Members hold %(amount)s of store credit; %(soon)s of it expire within %(days)d days.")
        else:
            text = gettext(
                "Members hold %(amount)s points: %(owed)s are owed for them; %(soon)s expire within %(days)d days."
            )
        return text % words

    # --- Figures ----------------------------------------------------------------------------------------------------
    def transfers(self, **filters: str) -> str:
        return self.moved(self.unit, **filters)

    def lots(self, **filters: Any) -> str:
        return list_of("rewards_lot", unit=self.unit, **filters)

    def stats(self) -> list[Stat]:
        flows = self.flows
        shown = [
            (gettext("Issued"), flows.issued, {"flow": "issued"}, gettext("less what was taken back"), None),
            (gettext("Redeemed"), flows.redeemed, {"flow": "redeemed"}, gettext("less what was given back"), True),
            (gettext("Expired"), flows.expired, {"flow": "expired"}, gettext("less what was reinstated"), False),
            (gettext("Given by hand"), flows.adjusted, {"flow": "adjusted"}, gettext("less what staff took"), None),
        ]
        return [
            self.stat(title, figure, self.transfers(**link), note=note, good=good, value=self.amount(figure.now))
            for title, figure, link, note, good in shown
        ]

    def standing(self) -> list[Stat]:
        """What members hold now."""
        held = self.kept.held
        reserved = list_of("rewards_transfer", hold="reserved", unit=self.unit)
        shown = [
            self._stands(gettext("Spendable"), held.spendable, self.lots(left="open")),
            self._stands(gettext("Pending"), held.pending, self.lots(left="pending")),
            self._stands(gettext("Reserved"), held.reserved, reserved),
        ]
        total = self.amount(held.outstanding)
        owed = self.money(self.cost_minor(held.outstanding))
        shown.append(self._stands(gettext("Outstanding"), held.outstanding, self.lots(left="held"), note=self._debts()))
        if held.cards:
            members, cards = (self.lots(left="held", holder=holder) for holder in ("member", "card"))
            shown.append(self._stands(gettext("Of it, members'"), held.outstanding - held.cards, members))
            shown.append(self._stands(gettext("Of it, on gift cards"), held.cards, cards))
        if self.unit == Unit.POINTS:
            note = gettext("%(points)s points at %(cost)s each") % {"points": total, "cost": self._one()}
            shown.append(Stat(gettext("Owed in money"), owed, "", "", "", note, self.lots(left="held"), ""))
        for days, amount in zip(AHEAD, held.expiring, strict=True):
            until = (self.held_at + timedelta(days=days)).isoformat()
            title = gettext("Expire within %(days)d days") % {"days": days}
            shown.append(self._stands(title, amount, self.lots(left="alive", expires_at__lte=until)))
        shown.append(self._breakage())
        return shown

    def _stands(self, title: str, value: int, link: str, note: str = "") -> Stat:
        return Stat(title, self.amount(value), "", "", "", note, link, "")

    def _debts(self) -> str:
        owed = self.kept.held.owed
        return gettext("members owe %(amount)s after refunds") % {"amount": self.amount(owed)} if owed else ""

    def _one(self) -> str:
        return format_exact(self.point_cost, self.currency)

    def _breakage(self) -> Stat:
        rate = breakage(self.kept.by_issue)
        link = self.transfers(flow="expired")
        title = gettext("Breakage")
        if rate is None:
            return Stat(title, "–", "", "", "", gettext("not enough data"), link, "")
        kept = self.cost_minor(round(self.kept.held.outstanding * (1 - rate)))
        note = gettext("expected to be redeemed: %(amount)s") % {"amount": self.money(kept)}
        return Stat(title, percent(rate), "", "", "", note, link, "")

    # --- Charts -----------------------------------------------------------------------------------------------------
    def charts(self) -> list[Chart]:
        flows = self.flows
        if self.unit == Unit.CREDIT:
            return []
        came = [
            plain(gettext("Issued"), flows.issued),
            plain(gettext("Redeemed"), flows.redeemed),
            plain(gettext("Expired"), flows.expired),
        ]
        held = [plain(gettext("Points"), self.outstanding)]
        return [
            self.chart(gettext("Points that came and went"), "bar", came, self.transfers()),
            self.chart(gettext("Points outstanding"), "line", held, self.lots(left="held")),
        ]

    # --- Tables -----------------------------------------------------------------------------------------------------
    def tables(self) -> list[Table]:
        return [self._by_issue(), self._by_joining(), self._rules(), self._rewards(), self._offers()]

    def _by_issue(self) -> Table:
        rows = [
            self._cohort(cohort, self.lots(left="held", issued=cohort.month[:7]))
            for cohort in reversed(self.kept.by_issue)
        ]
        headers = [*self._cohort_headers(gettext("Issued in")), gettext("Owed in money")]
        total = self._cohort(_sum(self.kept.by_issue), "", gettext("In all")) if rows else None
        note = gettext("What became of what was given in each month, and what is still owed of it.")
        return Table("by-month-of-issue", gettext("By month of issue"), note, headers, rows, total)

    def _cohort_headers(self, first: str) -> list[str]:
        return [
            first, gettext("Issued"), gettext("Taken back"), gettext("Redeemed"), gettext("Expired"),
            gettext("Outstanding"), gettext("Redemption rate"),
        ]  # fmt: skip

    def _amounts(self, cohort: Cohort) -> list[int]:
        return [cohort.issued, cohort.taken_back, cohort.redeemed, cohort.expired, cohort.outstanding]

    def _cohort(self, cohort: Cohort, link: str, name: str = "") -> Row:
        rate, amounts = cohort.redemption_rate, self._amounts(cohort)
        owed = self.cost_minor(cohort.outstanding)
        shown = [self.amount(value) for value in amounts]
        cells = [name or _month(cohort.month), *shown, _share(rate), self.money(owed)]
        raw = [cohort.month[:7], *map(self.raw, amounts), _round(rate), to_major(owed, self.currency)]
        return Row(cells, raw, link)

    def _by_joining(self) -> Table:
        rows = []
        for cohort in reversed(self.kept.by_joining):
            amounts, rate = self._amounts(cohort), cohort.redemption_rate
            who = cohort.redeemers / cohort.members if cohort.members else None
            shown = [self.amount(value) for value in amounts]
            cells = [_month(cohort.month), *shown, _share(rate), number(cohort.members), _share(who)]
            raw = [cohort.month[:7], *map(self.raw, amounts), _round(rate), cohort.members, _round(who)]
            rows.append(Row(cells, raw, list_of("members_member", **_within("joined_at", cohort, self.period))))
        headers = [*self._cohort_headers(gettext("Joined in")), gettext("Members"), gettext("Who redeemed")]
        note = gettext("Of members who were ever given anything: how much of it they redeemed, and how many of them.")
        return Table("by-month-of-joining", gettext("By month of joining"), note, headers, rows)

    def _rules(self) -> Table:
        names = EarningRule.objects.in_bulk([rule.id for rule in self.found.rules])
        rows = []
        for rule in self.found.rules:
            if rule.unit != self.unit:
                continue
            net = rule.amount - rule.taken_back
            cost = self.cost_minor(net, rule.unit)
            share = rule.members / self.found.members if self.found.members else None
            name = str(names.get(rule.id, rule.id))
            shown = [number(rule.times), number(rule.members), _share(share), self.amount(rule.amount)]
            cells = [name, *shown, self.amount(rule.taken_back), self.money(cost)]
            raw: list[Any] = [name, rule.times, rule.members, _round(share), self.raw(rule.amount)]
            raw += [self.raw(rule.taken_back), to_major(cost, self.currency)]
            rows.append(Row(cells, raw, self.transfers(kind__exact="earn", rule=str(rule.id))))
        headers = [
            gettext("Rule"), gettext("Awards"), gettext("Members"), gettext("Share of all members"), gettext("Given"),
            gettext("Taken back"), gettext("Cost"),
        ]  # fmt: skip
        return Table("rules", gettext("Earning rules"), gettext("In the period."), headers, rows)

    def _rewards(self) -> Table:
        names = Reward.objects.in_bulk([taken.id for taken in self.found.rewards])
        rows = []
        for taken in self.found.rewards if self.unit == Unit.POINTS else []:
            name = str(names.get(taken.id, taken.id))
            cells = [name, number(taken.times), number(taken.members), number(taken.points)]
            cells += [self.money(taken.money_minor), self._cost(taken.cost_minor), number(taken.ended)]
            raw = [name, taken.times, taken.members, taken.points, to_major(taken.money_minor, self.currency)]
            raw += [self._raw_cost(taken.cost_minor), taken.ended]
            rows.append(Row(cells, raw, self._list("rewards_redemption", "created_at", reward__id__exact=taken.id)))
        headers = [
            gettext("Reward"), gettext("Taken"), gettext("Members"), gettext("Points"), gettext("Paid beside"),
            gettext("Cost"), gettext("Not taken in the end"),
        ]  # fmt: skip
        return Table("rewards", gettext("Rewards"), gettext("By when they were reserved."), headers, rows)

    def _offers(self) -> Table:
        names = Offer.objects.in_bulk([used.id for used in self.found.offers])
        rows = []
        for used in self.found.offers if self.unit == Unit.POINTS else []:
            share = used.times / used.issued if used.issued else None
            name = str(names.get(used.id, used.id))
            cells = [name, number(used.issued), number(used.times), _share(share), number(used.members)]
            cells += [self.money(used.discount_minor), self._cost(used.cost_minor)]
            raw = [name, used.issued, used.times, _round(share), used.members]
            raw += [to_major(used.discount_minor, self.currency), self._raw_cost(used.cost_minor)]
            link = self._list("rewards_couponuse", "at", state__exact="used", offer__id__exact=used.id)
            rows.append(Row(cells, raw, link))
        headers = [
            gettext("Offer"), gettext("Coupons issued"), gettext("Used"), gettext("Used of issued"),
            gettext("Members"), gettext("Discount"), gettext("Cost"),
        ]  # fmt: skip
        return Table("offers", gettext("Offers"), gettext("In the period."), headers, rows)

    def _cost(self, minor: int | None) -> str:
        return "–" if minor is None else self.money(minor)

    def _raw_cost(self, minor: int | None) -> Decimal | None:
        return None if minor is None else to_major(minor, self.currency)

    def _list(self, name: str, field: str, **filters: Any) -> str:
        """A list of the admin within the period; "" while there is no such list."""
        try:
            return f"{self.in_period(name, field)}&" + "&".join(f"{key}={value}" for key, value in filters.items())
        except NoReverseMatch:
            return ""


def _sum(cohorts: Sequence[Cohort]) -> Cohort:
    parts = points.plain(cohorts)
    return Cohort("", *(sum(part) for part in list(zip(*parts, strict=True))[1:]))


def _month(day: str) -> str:
    """ "May 2026", as the active language writes it."""
    return format_skeleton("yMMM", date.fromisoformat(day), locale=to_locale(get_language() or "en"))


def _within(field: str, cohort: Cohort, period: Period) -> dict[str, str]:
    first = date.fromisoformat(cohort.month)
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    start, end = (period._midnight(day).isoformat() for day in (first, following))
    return {f"{field}__gte": start, f"{field}__lt": end}


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _round(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
