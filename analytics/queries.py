"""Figures over everything below, each as one set-based statement. docs/dashboard.md has the formulas."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Now, NullIf
from django.utils.translation import get_language
from modeltranslation.utils import build_localized_fieldname

from analytics.periods import Period
from common.sql import fetch_all, fetch_one
from members.models import Member, Purchase
from rewards.enums import AccountKind, Unit
from rewards.models import Account, Lot

ACTIVE_DAYS = 90
EXPIRING_DAYS = 30
_PRESENT = "merged_into_id IS NULL AND erased_at IS NULL"
_GONE = "SELECT id FROM members_member WHERE merged_into_id IS NOT NULL OR erased_at IS NOT NULL"


def with_overview(members: QuerySet[Member]) -> QuerySet[Member]:
    """Members with `tier_name` (in the active language), `points`, `purchase_count` and `last_purchase_at`: by
    subqueries through indexes, so that a page of 50 among a million costs 50 look-ups."""
    bought = Purchase.objects.filter(member=OuterRef("pk")).order_by().values("member")
    points = {"kind": AccountKind.WALLET, "unit": Unit.POINTS}
    wallet = Account.objects.filter(member=OuterRef("pk"), **points).values("balance")
    # What expired since the last sweep, or is not available yet, cannot be spent (rewards.queries.balances).
    shut = Lot.objects.filter(Q(expires_at__lte=Now()) | Q(available_from__gt=Now()), remaining__gt=0)
    of_member = (
        shut.filter(account__member=OuterRef("pk"), account__unit=Unit.POINTS).order_by().values("account__member")
    )
    # The manager of a model without translations does not translate the fields it joins.
    translated = build_localized_fieldname("name", get_language() or "en")
    return members.annotate(
        tier_name=Coalesce(NullIf(f"tier_status__tier__{translated}", Value("")), F("tier_status__tier__name")),
        points=Coalesce(Subquery(wallet[:1]), 0)
        - Coalesce(Subquery(of_member.annotate(n=Sum("remaining")).values("n")), 0),
        purchase_count=Coalesce(Subquery(bought.annotate(n=Count("id")).values("n")), 0),
        last_purchase_at=Subquery(bought.annotate(last=Max("purchased_at")).values("last")),
    )


@dataclass
class Figure:
    """A figure of a period: now, in the period before, and step by step. `events` are the things counted to say
    whether a change is more than chance (the same as the figure where the figure counts things)."""

    now: int = 0
    before: int = 0
    steps: list[int] = field(default_factory=list)
    events_now: int = 0
    events_before: int = 0

    def add(self, current: bool, step: int | None, amount: int, events: int) -> None:
        if current:
            self.now += amount
            self.events_now += events
            self.steps[step or 0] += amount
        else:
            self.before += amount
            self.events_before += events


def empty_figure(period: Period) -> Figure:
    """A figure of nothing."""
    return Figure(steps=[0] * len(period.steps))


# Rows of a table in the period and the one before it, by step. {moment} is the column of time.
_BY_STEP = """
SELECT {group}, {moment} >= %(start)s AS current,
       CASE WHEN {moment} >= %(start)s
            THEN (({moment} AT TIME ZONE %(zone)s)::date - %(first_day)s::date) / %(step)s END AS step,
       count(*), sum({amount})::bigint
FROM {table}
WHERE {moment} >= %(before_start)s AND {moment} <= %(at)s AND ({moment} >= %(start)s OR {moment} <= %(before_end)s)
  {where}
GROUP BY 1, 2, 3
"""


def _by_step(
    period: Period, *, table: str, moment: str, amount: str, group: str = "''", where: str = "", **params: Any
):
    statement = _BY_STEP.format(table=table, moment=moment, amount=amount, group=group, where=where)
    figures: dict[str, Figure] = defaultdict(lambda: empty_figure(period))
    for key, current, step, events, total in fetch_all(statement, {**period.params(), **params}):
        figures[key].add(current, step, total, events)
    return figures


def beginning() -> datetime | None:
    """When the programme began: the first member, purchase or movement of points. None while there is nothing."""
    return fetch_one(
        "SELECT least((SELECT min(joined_at) FROM members_member), (SELECT min(purchased_at) FROM members_purchase),"
        " (SELECT min(at) FROM rewards_transfer)) AS at"
    ).at


def joined(period: Period) -> Figure:
    """Members who joined."""
    return _by_step(period, table="members_member", moment="joined_at", amount="1", where=f"AND {_PRESENT}")[""]


def joined_by_source(period: Period) -> dict[str, Figure]:
    """Members who joined, by what they came by (Member.source; "" is unknown)."""
    return dict(
        _by_step(
            period, table="members_member", moment="joined_at", amount="1", group="source", where=f"AND {_PRESENT}"
        )
    )


def member_count(period: Period, new: Figure) -> Figure:
    """Members at the end of the period, of the one before it, and of each step. `new` are those who joined."""
    counted = f"SELECT count(*) AS n FROM members_member WHERE joined_at <= %(at)s AND {_PRESENT}"
    total = fetch_one(counted, period.params()).n
    at_start = total - new.now
    return Figure(total, at_start, [at_start + n for n in accumulate(new.steps)], total, at_start)


def revenue(period: Period) -> dict[str, Figure]:
    """What was paid for the purchases of the period, less what has been given back of it since: minor units by
    currency. `events` are the purchases."""
    return _by_step(
        period,
        table="members_purchase",
        moment="purchased_at",
        amount="amount_minor - refunded_minor",
        group="currency",
    )


def purchases_by_store(period: Period) -> dict[str, tuple[int, int]]:
    """Purchases now and before, by store; "" is unknown."""
    statement = """
    SELECT store, count(*) FILTER (WHERE purchased_at >= %(start)s),
           count(*) FILTER (WHERE purchased_at <= %(before_end)s)
    FROM members_purchase WHERE purchased_at >= %(before_start)s AND purchased_at <= %(at)s GROUP BY store
    """
    return {store: (now, before) for store, now, before in fetch_all(statement, period.params())}


# A purchase keeps its member active until the next one or for ACTIVE_DAYS, whichever comes first: spans of a member
# never overlap, so the active members at a moment are the spans around it. width_bucket finds the moment's place.
_ACTIVE = f"""
WITH span AS (
    SELECT purchased_at AS since,
           least(lead(purchased_at) OVER (PARTITION BY member_id ORDER BY purchased_at),
                 purchased_at + %(active)s) AS until
    FROM members_purchase
    WHERE purchased_at > %(first)s - %(active)s AND purchased_at <= %(last)s
      AND member_id NOT IN ({_GONE})
)
SELECT width_bucket(since, %(moments)s) AS since, width_bucket(until, %(moments)s) AS until, count(*)
FROM span GROUP BY 1, 2
"""


def active_members(moments: list[datetime]) -> list[int]:
    """How many members had bought within ACTIVE_DAYS before each of these moments (ascending)."""
    params = {"moments": moments, "first": moments[0], "last": moments[-1], "active": timedelta(days=ACTIVE_DAYS)}
    change = [0] * (len(moments) + 1)
    for since, until, spans in fetch_all(_ACTIVE, params):
        change[since] += spans
        change[until] -= spans
    return list(accumulate(change))[:-1]


@dataclass(frozen=True)
class PointFlows:
    """Points that came and went in a period. `adjusted` counts what staff gave less what they took."""

    issued: Figure
    redeemed: Figure
    expired: Figure
    adjusted: Figure


_FLOW = """CASE WHEN %(issued)s IN (debit_id, credit_id) THEN 'issued'
     WHEN %(redeemed)s IN (debit_id, credit_id) THEN 'redeemed'
     WHEN %(expired)s IN (debit_id, credit_id) THEN 'expired'
     WHEN %(adjusted)s IN (debit_id, credit_id) THEN 'adjusted' END"""
_SIGNED = """CASE WHEN debit_id IN (%(issued)s, %(adjusted)s) OR credit_id IN (%(redeemed)s, %(expired)s)
     THEN amount ELSE -amount END"""


def point_flows(period: Period, unit: Unit = Unit.POINTS) -> PointFlows:
    """Points (or credit, in minor units) by the account they came from or went to. What was taken back counts against
    what it takes back."""
    system: dict[str, int | None] = dict.fromkeys(("issued", "redeemed", "expired", "adjusted"))
    system.update(Account.objects.filter(member=None, unit=unit, kind__in=system).values_list("kind", "pk"))
    params: dict[str, Any] = {**system}
    flows = _by_step(period, table="rewards_transfer", moment="at", amount=_SIGNED, group=_FLOW, **params)
    return PointFlows(*(flows[kind] for kind in system))


# What members owe is theirs to earn yet: off what they hold, as it is off what was issued.
_OUTSTANDING = """
SELECT (coalesce(sum(balance), 0) + (
    SELECT coalesce(sum(hold.amount), 0) FROM rewards_hold AS hold
    JOIN rewards_account AS wallet ON wallet.id = hold.account_id
    WHERE hold.state = 'reserved' AND wallet.unit = %(unit)s
))::bigint AS amount
FROM rewards_account WHERE balance IS NOT NULL AND unit = %(unit)s
"""


def outstanding(period: Period, flows: PointFlows, unit: Unit = Unit.POINTS) -> Figure:
    """Points that members hold, reserved ones among them, less what they owe, and what is on gift cards: now, and
    worked back from the flows."""
    total = fetch_one(_OUTSTANDING, {"unit": unit}).amount
    came = zip(flows.issued.steps, flows.adjusted.steps, flows.redeemed.steps, flows.expired.steps, strict=True)
    net = [issued + adjusted - redeemed - expired for issued, adjusted, redeemed, expired in came]
    at_start = total - sum(net)
    return Figure(total, at_start, [at_start + n for n in accumulate(net)])


def expiring(at: datetime) -> int:
    """Points that expire within EXPIRING_DAYS, as far as nobody spends them."""
    return fetch_one(
        "SELECT coalesce(sum(remaining), 0)::bigint AS points FROM rewards_lot AS lot"
        " JOIN rewards_account AS wallet ON wallet.id = lot.account_id AND wallet.unit = 'points'"
        " WHERE remaining > 0 AND expires_at > %(at)s AND expires_at <= %(until)s",
        {"at": at, "until": at + timedelta(days=EXPIRING_DAYS)},
    ).points


def messages_sent(period: Period) -> Figure:
    """Messages handed over."""
    sent = "AND sent_at IS NOT NULL"
    return _by_step(period, table="campaigns_message", moment="sent_at", amount="1", where=sent)[""]


def messages_answered(period: Period) -> dict[str, int]:
    """Messages of the period that people `opened` and `clicked` until now (campaigns.services.verdicts judges who is
    one). Opens are known only of campaigns that measure them."""
    row = fetch_one(
        "SELECT count(opened_at) AS opened, count(clicked_at) AS clicked FROM campaigns_message"
        " WHERE sent_at >= %(start)s AND sent_at <= %(at)s",
        {"start": period.start, "at": period.at},
    )
    return {"opened": row.opened, "clicked": row.clicked}
