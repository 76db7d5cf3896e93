"""The figures of points, against the ledger's rows counted one by one."""

import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from analytics import points, queries
from analytics.counting import HeldFigures, PointFigures, held, rewards
from analytics.periods import Period
from analytics.points import Cohort, breakage
from members.models import Programme
from members.services.merging import merge_members, undo_merge
from members.services.profile import create_member
from members.tests.factories import new_purchase
from rewards.enums import Unit
from rewards.models import Account, EarningRule, Hold, Lot, LotUse, Offer, Redemption, Reward, Transfer
from rewards.queries import balance
from rewards.services import holds
from rewards.services.adjustments import adjust_points
from rewards.services.expiry import expire_due
from rewards.services.gifts import Gift, give_points
from rewards.services.lots import reinstate
from rewards.services.purchases import post_purchases
from rewards.services.refunds import refund_purchase
from rewards.services.settings import save_reward_settings
from rewards.services.verify import verify
from rewards.tests.factories import adjust, make_rule, make_tiers

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 4, 7, 14, 30, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def busy(db) -> Random:
    """20 members and 400 days of everything that moves points and credit, merges and arrears among it."""
    random = Random(3)
    Programme.objects.create(pk=1, time_zone="Europe/Berlin")
    save_reward_settings(values={"refund_policy": "arrears"}, at=AT)
    make_rule(valid_months=3)
    make_tiers()
    members = [
        create_member(at=AT - timedelta(days=random.uniform(0, 400)), profile={"name": f"M{n}"}, source="test")
        for n in range(20)
    ]
    moments = sorted(AT - timedelta(days=random.uniform(0, 400)) for _ in range(160))
    merged = []
    for n, at in enumerate(moments):
        member = random.choice([m for m in members if m not in merged])
        amount = random.randint(100, 3000)
        (bought,) = post_purchases(purchases=[new_purchase(member, purchased_at=at, amount_minor=amount)], at=at)
        what = n % 10
        if what == 1:
            if left := balance(member.pk, at):
                adjust_points(member_id=member.pk, amount=-left, reason="x", key=f"t{n}", at=at)
            refund_purchase(purchase_id=bought.id, source="till", key=f"r{n}", amount_minor=amount, at=at)
        elif what == 2:
            refund_purchase(purchase_id=bought.id, source="till", key=f"r{n}", amount_minor=amount // 2, at=at)
        elif what == 3:
            give_points(gifts=[Gift(member.pk, 20, f"g{n}", "x", at + timedelta(days=20))], at=at)
            adjust_points(member_id=member.pk, amount=500, reason="x", key=f"c{n}", at=at, unit=Unit.CREDIT)
        elif what in (4, 5, 6):
            adjust(member, 40, at, key=f"a{n}")
            holds.reserve(member_id=member.pk, amount=25, key=f"h{n}", at=at, lapses_at=at + timedelta(days=999))
            if what > 4:
                (holds.confirm, holds.cancel)[what - 5](key=f"h{n}", at=at)
        elif what == 7:
            expire_due(at=at)
            if expired := Transfer.objects.filter(kind="expire", reversals=None).first():
                reinstate(transfer_id=expired.pk, expires_at=None, key=f"i{n}", at=at, reason="x")
        elif what == 8 and len(merged) < 4:
            other = random.choice([m for m in members if m not in [*merged, member]])
            done = merge_members(survivor_id=member.pk, merged_id=other.pk, at=at)
            if n % 20 == 8:
                undo_merge(merge_id=done.merge_id, at=at + timedelta(minutes=1))
            else:
                merged.append(other)
    assert not [result.check for result in verify() if result.difference]
    return random


def origin(lot: Lot) -> datetime:
    """When the points of a lot were first given."""
    given = lot.transfer
    while given.kind == "merge":
        used = LotUse.objects.filter(transfer=given, amount__gt=0).order_by("lot__transfer__at").first()
        given = used.lot.transfer
    return given.at


def counted(unit: Unit) -> dict[str, Counter]:
    """By month of issue, row by row, in Python."""
    months: dict[str, Counter] = defaultdict(Counter)
    sides = {"issued": "taken_back", "adjusted": "taken_back", "redeemed": "redeemed", "expired": "expired"}
    for lot in Lot.objects.filter(account__unit=unit).select_related("transfer__debit"):
        month = months[f"{origin(lot).astimezone(BERLIN):%Y-%m-01}"]
        month["remaining"] += lot.remaining
        source = lot.transfer.debit.kind
        if source in ("issued", "adjusted"):
            month["issued"] += lot.amount
        elif source in sides:
            month[sides[source]] -= lot.amount
        for use in lot.uses.select_related("transfer__debit", "transfer__credit"):
            moved = use.transfer
            side = (moved.credit if use.amount > 0 else moved.debit).kind
            hold = Hold.objects.filter(transfer=moved).first()
            if side == "held":
                month["redeemed" if hold and hold.state == "confirmed" else "reserved"] += use.amount
            elif side in sides:
                month[sides[side]] += use.amount
            elif moved.kind == "repay":
                month["taken_back"] += use.amount
    return months


@pytest.mark.parametrize("unit", list(Unit))
def test_by_month_of_issue_is_what_the_rows_say_to_the_last_point(busy, unit):
    told = points.by_issue(unit, "Europe/Berlin")
    by_hand = counted(unit)
    assert {cohort.month for cohort in told} == set(by_hand)
    for cohort in told:
        month = by_hand[cohort.month]
        for name in ("issued", "taken_back", "redeemed", "expired", "reserved", "remaining"):
            assert getattr(cohort, name) == month[name], (cohort.month, name)
    for cohorts in (told, points.by_joining(unit, "Europe/Berlin")):
        total = [sum(getattr(c, name) for c in cohorts) for name in ("issued", "taken_back", "redeemed", "expired")]
        left = sum(cohort.outstanding for cohort in cohorts)
        assert total[0] - total[1] - total[2] - total[3] == left  # issued − taken back − redeemed − expired
        assert left == points.held(unit, AT).outstanding


@pytest.mark.parametrize("unit", list(Unit))
def test_what_came_and_went_is_what_is_outstanding(busy, unit):
    accounts = dict(Account.objects.filter(member=None, unit=unit).values_list("pk", "kind"))
    came: Counter = Counter()
    for transfer in Transfer.objects.filter(debit__unit=unit):
        came[accounts.get(transfer.debit_id)] += transfer.amount
        came[accounts.get(transfer.credit_id)] -= transfer.amount
    net = came["issued"] + came["adjusted"] + came["redeemed"] + came["expired"]
    stands = points.held(unit, AT)
    assert stands.outstanding - stands.owed == net
    period = Period(365, AT, BERLIN)
    assert queries.outstanding(period, queries.point_flows(period, unit), unit).now == net
    assert stands.reserved == came["held"] * -1
    open_lots = Lot.objects.filter(account__unit=unit, remaining__gt=0)
    alive = [lot for lot in open_lots if lot.expires_at is None or lot.expires_at > AT]
    assert stands.spendable == sum(lot.remaining for lot in alive if lot.available_from <= AT)
    assert stands.pending == sum(lot.remaining for lot in alive if lot.available_from > AT)
    for days, amount in zip(points.AHEAD, stands.expiring, strict=True):
        soon = [lot for lot in alive if lot.expires_at and lot.expires_at <= AT + timedelta(days=days)]
        assert amount == sum(lot.remaining for lot in soon), days


def test_the_world_of_these_tests_holds_everything(busy):
    total = points.by_issue(Unit.POINTS, "Europe/Berlin")
    for name in ("issued", "taken_back", "redeemed", "expired", "reserved", "remaining"):
        assert sum(getattr(cohort, name) for cohort in total) > 0, name
    assert Transfer.objects.filter(kind="merge").count() > 1
    assert Transfer.objects.filter(kind="repay").exists()
    assert Transfer.objects.filter(kind="reinstate").exists()


def test_what_is_kept_in_a_snapshot_reads_back_the_same(busy):
    period = Period(365, AT, BERLIN)
    kept = json.loads(json.dumps(rewards(365)(AT, BERLIN)))
    assert PointFigures.read(kept) == PointFigures.count(period)
    everything = json.loads(json.dumps(held(AT, BERLIN)))
    read = HeldFigures.read(everything, Unit.POINTS)
    assert (read.held, read.by_issue) == (points.held(Unit.POINTS, AT), points.by_issue(Unit.POINTS, "Europe/Berlin"))


def test_rules_are_told_by_what_they_gave_and_what_was_taken_back(busy):
    rule = EarningRule.objects.get()
    (given,) = points.by_rule(Period(365, AT, BERLIN))
    start = Period(365, AT, BERLIN).start
    earned = Transfer.objects.filter(rule__rule=rule, kind="earn", at__gte=start, at__lte=AT)
    assert (given.id, given.times, given.amount) == (rule.pk, earned.count(), sum(e.amount for e in earned))
    assert given.members == len({e.credit_id for e in earned})
    back = Transfer.objects.filter(reverses__in=earned, kind="reverse")
    assert given.taken_back == sum(b.amount for b in back) > 0


def cohort(**values: int) -> Cohort:
    return replace(Cohort("2026-01-01", 0, 0, 0, 0, 0, 0), **values)


def test_breakage_is_of_closed_months_alone_and_needs_enough():
    closed = cohort(issued=1_100, taken_back=100, redeemed=740, expired=250, remaining=10)
    open_ = cohort(issued=9_000, redeemed=4_000, expired=1_000, remaining=4_000)
    assert breakage([closed, open_]) == 0.25
    assert breakage([open_]) is None
    assert breakage([cohort(issued=999, redeemed=999)]) is None
    assert breakage([]) is None
    assert (closed.redemption_rate, cohort().redemption_rate) == (0.74, None)


def test_rewards_and_offers_are_told_by_take_up_and_cost(db):
    members = [create_member(at=AT, profile={"name": f"M{n}"}, source="test") for n in range(3)]
    period = Period(30, AT, BERLIN)
    mug = Reward.objects.create(kind="goods", name="Mug", points=50, unit_cost_minor=300)
    for n, (member, state) in enumerate(
        [(members[0], "confirmed"), (members[0], "confirmed"), (members[1], "reserved"), (members[2], "cancelled")]
    ):
        Redemption.objects.create(
            source="test", key=str(n), member=member, reward=mug, points=50, money_minor=100, state=state,
            created_at=AT - timedelta(days=n), expires_at=AT,
        )  # fmt: skip
    Redemption.objects.create(
        source="test", key="old", member=members[0], reward=mug, points=50, created_at=AT - timedelta(days=40),
        expires_at=AT, state="confirmed",
    )  # fmt: skip
    assert points.by_reward(period) == [points.Taken(mug.pk, 3, 2, 150, 300, 600, 1)]
    offer = Offer.objects.create(kind="percent", name="Ten", definition={}, shared_code="TEN")
    for n, state in enumerate(("used", "used", "released")):
        offer.coupon_uses.create(
            source="t", key=str(n), member=members[n % 2], state=state, discount_minor=150, currency="EUR", at=AT
        )
    offer.coupon_uses.create(source="t", key="jpy", state="used", discount_minor=99, currency="JPY", at=AT)
    assert points.by_offer(period, "EUR") == [points.Used(offer.pk, 0, 3, 2, 300, None)]
