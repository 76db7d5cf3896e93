"""The figures, against the same counted one by one."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from analytics import queries
from analytics.periods import STEPS, Period
from members.models import Member, Purchase
from members.services.profile import create_member
from members.tests.factories import make_member, new_purchase
from rewards.models import Lot, Transfer
from rewards.services import holds
from rewards.services.expiry import expire_due
from rewards.services.gifts import Gift, give_points
from rewards.services.purchases import post_purchases, refund_purchase
from rewards.tests.factories import adjust, make_rule, make_tiers

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 4, 7, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("days", STEPS)
def test_a_period_is_whole_days_and_compared_with_the_same_hours(days):
    period = Period(days, AT, BERLIN)
    assert period.first_day == date(2026, 4, 7) - timedelta(days=days - 1)
    assert period.start.astimezone(BERLIN).time().isoformat() == "00:00:00"
    assert period.before_end.astimezone(BERLIN).replace(tzinfo=None) == datetime(2026, 4, 7, 16, 30) - timedelta(days)  # noqa: DTZ001
    assert len(period.steps) * STEPS[days] == days
    assert (period.steps[0], period.step_ends[-1]) == (period.first_day, AT)
    assert len(period.step_ends) == len(period.steps)
    assert period.step_ends == sorted(period.step_ends)


def test_the_night_the_clocks_change_belongs_to_its_day():
    period = Period(30, datetime(2026, 3, 30, 10, tzinfo=UTC), BERLIN)
    start, end = period.step_ends[-3], period.step_ends[-2]  # 29 March 2026 has 23 hours
    assert end.timestamp() - start.timestamp() == 23 * 3600


@pytest.fixture
def busy(db) -> Random:
    """30 members and 460 days of purchases, refunds, gifts, adjustments, redemptions and expiry."""
    random = Random(5)
    make_rule(valid_months=3)
    make_rule("JPY", "0.01", 3)
    make_tiers()
    members = [
        create_member(at=AT - timedelta(days=random.uniform(0, 800)), profile={"name": f"M{n}"}, source="test")
        for n in range(30)
    ]
    bought = [
        new_purchase(
            random.choice(members),
            purchased_at=AT - timedelta(days=random.uniform(0, 460)),
            currency=random.choices(("EUR", "JPY"), (9, 1))[0],
            amount_minor=random.randint(0, 3000),
            store=random.choice(("A", "B", "")),
        )
        for _ in range(130)
    ]
    for n, purchase in enumerate(sorted(bought, key=lambda p: p.purchased_at)):
        at = purchase.purchased_at
        (posted,) = post_purchases(purchases=[purchase], at=at)
        if n % 9 == 0 and purchase.amount_minor:
            refund_purchase(purchase_id=posted.id, source="till", key=f"r{n}", amount_minor=1, at=at)
        if n % 12 == 0:
            adjust(members[n % 30], 40, at, key=f"a{n}")
            adjust(members[n % 30], -15, at, key=f"b{n}")
            give_points(gifts=[Gift(members[n % 30].pk, 20, f"g{n}", "x", at + timedelta(days=20))], at=at)
            for key, settle in ((f"c{n}", holds.confirm), (f"d{n}", holds.cancel), (f"e{n}", None)):
                holds.reserve(
                    member_id=members[n % 30].pk, amount=5, key=key, at=at, lapses_at=at + timedelta(days=999)
                )
                if settle:
                    settle(key=key, at=at)
        if n % 30 == 0:
            expire_due(at=at)
    expire_due(at=AT)
    return random


def in_steps(period: Period, moments_and_amounts) -> tuple[int, int, list[int]]:
    """(in the period, in the one before, by step), counted one by one."""
    now, before, steps = 0, 0, [0] * len(period.steps)
    for moment, amount in moments_and_amounts:
        day = moment.astimezone(BERLIN).date()
        if period.first_day <= day and moment <= period.at:
            now += amount
            steps[(day - period.first_day).days // STEPS[period.days]] += amount
        elif period.before_start <= moment <= period.before_end:
            before += amount
    return now, before, steps


def parts(figure: queries.Figure) -> tuple[int, int, list[int]]:
    return figure.now, figure.before, figure.steps


@pytest.mark.usefixtures("busy")
def test_figures_equal_what_a_loop_counts():
    members, purchases = list(Member.objects.all()), list(Purchase.objects.all())
    transfers = list(Transfer.objects.select_related("debit", "credit"))
    for days in STEPS:
        check(Period(days, AT, BERLIN), members, purchases, transfers)

    soon = AT + timedelta(days=queries.EXPIRING_DAYS)
    lots = Lot.objects.filter(remaining__gt=0, expires_at__gt=AT, expires_at__lte=soon)
    assert queries.expiring(AT) == sum(lot.remaining for lot in lots) > 0
    assert queries.beginning() == min(*(m.joined_at for m in members), *(p.purchased_at for p in purchases))


def check(period: Period, members: list[Member], purchases: list[Purchase], transfers: list[Transfer]) -> None:
    ends = period.step_ends
    moments = [period.before_end, *ends]
    assert queries.active_members(moments) == [
        len({p.member_id for p in purchases if end - timedelta(days=queries.ACTIVE_DAYS) < p.purchased_at <= end})
        for end in moments
    ]

    new = queries.joined(period)
    assert parts(new) == in_steps(period, [(m.joined_at, 1) for m in members])
    count = queries.member_count(period, new)
    assert count.steps == [sum(m.joined_at < end for m in members) for end in period.step_ends]
    assert count.before == sum(m.joined_at < period.start for m in members)

    for currency, figure in queries.revenue(period).items():
        own = [p for p in purchases if p.currency == currency]
        assert parts(figure) == in_steps(period, [(p.purchased_at, p.amount_minor - p.refunded_minor) for p in own])
        assert (figure.events_now, figure.events_before) == in_steps(period, [(p.purchased_at, 1) for p in own])[:2]
    stores = queries.purchases_by_store(period)
    for store, (now, before) in stores.items():
        assert (now, before) == in_steps(period, [(p.purchased_at, 1) for p in purchases if p.store == store])[:2]

    def flow(kind: str, sign: int) -> list:
        """Points that went into a system account (sign 1) or came from it (-1)."""
        into = [(t.at, sign * t.amount) for t in transfers if t.credit.kind == kind]
        return into + [(t.at, -sign * t.amount) for t in transfers if t.debit.kind == kind]

    flows = queries.point_flows(period)
    assert parts(flows.issued) == in_steps(period, flow("issued", -1))
    assert parts(flows.redeemed) == in_steps(period, flow("redeemed", 1))
    assert parts(flows.expired) == in_steps(period, flow("expired", 1))
    assert parts(flows.adjusted) == in_steps(period, flow("adjusted", -1))
    assert min(flows.issued.now, flows.redeemed.now + 1, flows.expired.now + 1) > 0

    held = queries.outstanding(period, flows)

    def outstanding(end: datetime) -> int:
        left = [(at, -amount) for kind in ("issued", "redeemed", "expired", "adjusted") for at, amount in flow(kind, 1)]
        return sum(amount for at, amount in left if at <= end)

    assert held.steps == [outstanding(end) for end in period.step_ends]
    assert held.before == outstanding(period.start)


def test_an_empty_programme_has_figures_of_nothing(db):
    period = Period(30, AT, BERLIN)
    assert queries.beginning() is None
    new = queries.joined(period)
    assert parts(queries.member_count(period, new)) == (0, 0, [0] * 30)
    assert queries.revenue(period) == {}
    assert set(queries.active_members(period.step_ends)) == {0}
    flows = queries.point_flows(period)
    assert parts(queries.outstanding(period, flows)) == (0, 0, [0] * 30)
    assert queries.expiring(AT) == queries.messages_sent(period).now == 0


def test_the_overview_of_a_member_without_anything(db):
    make_member()
    row = queries.with_overview(Member.objects.all()).get()
    assert (row.points, row.purchase_count, row.last_purchase_at, row.tier_name) == (0, 0, None, None)
