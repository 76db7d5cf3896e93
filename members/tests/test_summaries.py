"""Purchases added up: what counts, and that adding up again changes nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from members.models import Programme, Purchase, PurchaseSummary
from members.services.purchases import record_purchases
from members.services.summaries import recompute
from members.tests.factories import make_member, new_purchase

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def buy(member, *days: float, **values):
    record_purchases(
        purchases=[new_purchase(member, purchased_at=NOON + timedelta(days=day), **values) for day in days]
    )


def of(member) -> PurchaseSummary:
    return PurchaseSummary.objects.get(member=member)


def test_purchases_visits_spent_and_rhythm():
    member, other = make_member(), make_member()
    buy(member, 0, 0.1, 7, 14, 100)  # two on one day; gaps of 7, 7 and 86 days
    buy(member, 101, currency="USD")
    buy(other, 3)
    assert recompute() == 2
    summary = of(member)
    assert (summary.purchases, summary.visit_days, summary.spent_minor) == (6, 5, 5000)
    assert (summary.first_at, summary.last_at) == (NOON, NOON + timedelta(days=101))
    assert summary.rhythm_days == 7  # the median of 1, 7, 7, 86; an average says 25
    assert of(other).rhythm_days is None


def test_three_days_make_a_rhythm_and_two_do_not():
    member = make_member()
    buy(member, 0, 10)
    recompute()
    assert of(member).rhythm_days is None
    buy(member, 14)
    recompute(member_ids=[member.pk])
    assert of(member).rhythm_days == 7


def test_a_day_is_one_of_the_programme(at):
    member = make_member()
    buy(member, 0.45, 0.55)  # 22:48 and 01:12 UTC
    recompute()
    assert of(member).visit_days == 2
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "Asia/Shanghai"})
    assert recompute() == 1
    assert of(member).visit_days == 1


def test_only_the_members_asked_for_and_only_what_differs_is_written():
    one, two = make_member(), make_member()
    buy(one, 0)
    buy(two, 0)
    assert recompute(member_ids=[one.pk]) == 1
    assert list(PurchaseSummary.objects.values_list("member", flat=True)) == [one.pk]
    assert recompute() == 1
    assert recompute() == 0


def test_what_was_given_back_is_not_spent():
    member = make_member()
    buy(member, 0, 5)
    Purchase.objects.filter(member=member, purchased_at=NOON).update(refunded_minor=1000)
    recompute()
    assert (of(member).purchases, of(member).spent_minor) == (2, 1000)


def test_more_money_than_a_number_holds_is_capped_and_stops_nobody_else():
    rich, other = make_member(), make_member()
    buy(rich, *range(0, 10_000), amount_minor=10**15)
    buy(other, 0)
    recompute()
    assert of(rich).spent_minor == 2**63 - 1
    assert of(other).spent_minor == 1000


def test_summaries_go_with_the_purchases(at):
    member = make_member()
    PurchaseSummary.objects.create(
        member=member, purchases=1, visit_days=1, spent_minor=1, first_at=NOON, last_at=NOON, rhythm_days=None
    )
    assert recompute(member_ids=[member.pk]) == 1
    assert not PurchaseSummary.objects.exists()
