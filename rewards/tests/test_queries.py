"""What members and staff are told about points."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone, translation

from common.moments import format_day, format_end, format_last_day, format_moment
from common.sql import execute
from members import events as timeline
from members.models import TimelineEvent
from members.tests.factories import make_member
from rewards import queries
from rewards.models import Transfer
from rewards.queries_tiers import tier_standing
from rewards.services.gifts import Gift, give_points
from rewards.services.holds import cancel, confirm, reserve
from rewards.services.purchases import refund_purchase
from rewards.tests.factories import adjust, make_rule, post

pytestmark = pytest.mark.django_db


def test_a_balance_is_what_can_be_spent_then(at, django_assert_num_queries):
    anna, mei, nobody = make_member(), make_member(), make_member()
    adjust(anna, 5, at, key="1", expires_at=at + timedelta(days=1))
    adjust(anna, 7, at, key="2")
    adjust(mei, 3, at, key="3")
    with django_assert_num_queries(1):
        assert queries.balances([anna.pk, mei.pk, nobody.pk], at) == {anna.pk: 12, mei.pk: 3, nobody.pk: 0}
    assert queries.balance(anna.pk, at + timedelta(days=1)) == 7
    assert queries.balance(anna.pk) == 7  # by the clock, at + 1 day is past
    assert queries.balances([]) == {}


def test_what_expires_next_is_summed_by_the_members_own_day(at):
    member = make_member()
    assert queries.expiring_next(member.pk, at) is None
    adjust(member, 1, at, key="never")
    assert queries.expiring_next(member.pk, at) is None
    for key, hours in (("a", 13), ("b", 13.5), ("c", 15), ("d", 100)):
        adjust(member, 10, at, key=key, expires_at=at + timedelta(hours=hours))
    assert queries.expiring_next(member.pk, at) == (at + timedelta(hours=13), 20)  # 23:00 and 23:30, before midnight
    with timezone.override(ZoneInfo("Asia/Shanghai")):  # there it is 07:00, 07:30 and 09:00
        assert queries.expiring_next(member.pk, at) == (at + timedelta(hours=13), 30)
    midnight = make_member()
    adjust(midnight, 10, at, key="m", expires_at=at + timedelta(hours=14))  # good until the end of today
    adjust(midnight, 10, at, key="n", expires_at=at + timedelta(hours=12))
    assert [one.points for one in queries.expiring(midnight.pk, at)] == [20]
    assert format_end(at + timedelta(hours=14)) == format_last_day(at + timedelta(hours=14)) == format_day(at)
    assert format_end(at + timedelta(hours=12)) == format_moment(at + timedelta(hours=12))
    later = at + timedelta(hours=13)
    assert queries.expiring_next(member.pk, later) == (at + timedelta(hours=13.5), 10)


def test_a_history_is_newest_first_with_signed_changes(at, django_assert_num_queries):
    make_rule()
    member, other = make_member(), make_member()
    adjust(other, 99, at, key="other")
    bought = post(member, at, purchased_at=at - timedelta(days=3))
    adjust(member, -4, at - timedelta(days=2))
    reserve(member_id=member.pk, amount=2, key="h", at=at - timedelta(days=1), lapses_at=at)
    confirm(key="h", at=at - timedelta(hours=1))
    refund_purchase(purchase_id=bought.id, source="till", key="r", amount_minor=300, at=at)
    with django_assert_num_queries(2):
        rows = list(queries.history(member.pk))
    assert [(row.kind, row.change) for row in rows] == [("reverse", -3), ("hold", -2), ("adjust", -4), ("earn", 10)]
    assert sum(row.change for row in rows) == queries.balance(member.pk, at)
    assert not queries.history(make_member().pk).exists()


def test_a_history_is_found_by_index(at):
    members = [make_member() for _ in range(30)]
    for member in members:
        adjust(member, 1, at, key=f"start{member.pk}")
    execute(
        "INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at)"
        " SELECT wallet.id || '.' || n, 'adjust', system.id, wallet.id, 1, %s"
        " FROM rewards_account AS wallet, rewards_account AS system, generate_series(1, 200) AS n"
        " WHERE wallet.kind = 'wallet' AND system.kind = 'adjusted' AND system.unit = 'points'",
        [at],
    )
    execute("ANALYZE rewards_transfer")
    plan = queries.history(members[0].pk)[:20].explain()
    assert "rewards_transfer_credit" in plan
    assert "rewards_transfer_debit" in plan
    assert "Seq Scan on rewards_transfer" not in plan


def sentences(member):
    return [queries.explain(row) for row in queries.history(member.pk).order_by("id")]


def test_every_movement_explains_itself(at):
    make_rule()
    member = make_member()
    bought = post(member, at, amount_minor=125_000, purchased_at=at)
    give_points(gifts=[Gift(member.pk, 50, "g", "Gift for your birthday")], at=at)
    adjust(member, -1, at, key="a")
    reserve(member_id=member.pk, amount=2, key="h", at=at, lapses_at=at + timedelta(1), reason="Coffee")
    cancel(key="h", at=at)
    reserve(member_id=member.pk, amount=1, key="h2", at=at, lapses_at=at + timedelta(1))
    cancel(key="h2", at=at)
    reserve(member_id=member.pk, amount=4, key="h3", at=at, lapses_at=at + timedelta(1), reason="Free cake")
    confirm(key="h3", at=at)
    refund_purchase(purchase_id=bought.id, source="till", key="r", amount_minor=1000, at=at)
    assert sentences(member) == [
        "Bought for €1,250.00 · Purchases in EUR",
        "Gift for your birthday",
        "Adjustment",
        "Reserved: Coffee",
        "Given back: Coffee",
        "Reserved: 1 point",
        "Given back: reservation ended",
        "Redeemed: Free cake",
        "Taken back: refund of €10.00",
    ]


def test_a_list_of_movements_explains_itself_in_a_constant_number_of_queries(at, django_assert_num_queries):
    member = make_member()
    adjust(member, 100, at)
    for n in range(20):
        reserve(member_id=member.pk, amount=1, key=f"h{n}", at=at, lapses_at=at + timedelta(1), reason=f"Cake {n}")
        if n % 2:
            confirm(key=f"h{n}", at=at)
    with django_assert_num_queries(2):
        told = sentences(member)
    assert told[1:] == [f"{'Redeemed' if n % 2 else 'Reserved'}: Cake {n}" for n in range(20)]


def test_a_reason_that_the_catalogue_knows_is_translated(at):
    member = make_member()
    give_points(gifts=[Gift(member.pk, 5, "g", "Points")], at=at)  # any message of the catalogue
    with translation.override("de"):
        translated = translation.gettext("Points")
        assert queries.explain(Transfer.objects.get()) == translated


def test_the_timeline_reads_as_sentences(at):
    member = make_member()
    adjust(member, 1200, at, key="1")
    adjust(member, -1, at, key="2")
    give_points(gifts=[Gift(member.pk, 1, "g")], at=at)
    give_points(gifts=[Gift(member.pk, 2, "g2", "Thank you")], at=at)
    told = [timeline.describe(e) for e in TimelineEvent.objects.filter(kind__startswith="points.").order_by("id")]
    assert told == [
        "1,200 points added: Goodwill",
        "1 point taken: Goodwill",
        "1 point given",
        "2 points given: Thank you",
    ]


def test_at_two_thousand_movements_the_same_queries_run(at, django_assert_num_queries):
    make_rule()
    member = make_member()
    post(member, at, purchased_at=at)
    for _ in range(2):
        with django_assert_num_queries(6):
            queries.balance(member.pk, at)
            queries.expiring_next(member.pk, at)
            tier_standing(member.pk, at)
            list(queries.history(member.pk)[:3])
        give_points(gifts=[Gift(member.pk, 1, f"g{n}", expires_at=at + timedelta(n + 1)) for n in range(2000)], at=at)
    assert connection.in_atomic_block
    assert queries.expiring_next(member.pk, datetime(2026, 5, 12, 10, tzinfo=UTC)).points == 1
