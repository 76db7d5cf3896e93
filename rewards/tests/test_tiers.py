"""Tiers by points earned in the last 12 months."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import translation

from members import events
from members.models import TimelineEvent
from members.segments.asking import sample
from members.tests.factories import make_member, new_purchase
from rewards.models import MemberTier, TierNight
from rewards.queries_tiers import Criterion, tier_standing
from rewards.services import tier_nights
from rewards.services.gifts import Gift, give_points
from rewards.services.purchases import award_purchases, post_purchases
from rewards.services.refunds import refund_purchase
from rewards.services.tier_nights import reassess_all
from rewards.services.tiers import reassess
from rewards.tests.factories import adjust, event_data, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def steps():
    make_rule()
    return make_tiers()


def buy(member, at, euros, purchased_at=None):
    return post(member, at, amount_minor=euros * 100, purchased_at=purchased_at or at)


def standing(member):
    status = MemberTier.objects.select_related("tier").get(member=member)
    return status.tier.name_en, status.qualifying_points


def test_the_threshold_itself_reaches_the_tier(at, steps):
    member = make_member()
    buy(member, at, 499)
    assert standing(member) == ("Bronze", 499)
    buy(member, at, 1)
    assert standing(member) == ("Silver", 500)
    buy(member, at, 500)
    assert standing(member) == ("Gold", 1000)
    assert [(d["from"], d["to"], d["up"]) for d in event_data(member, "tier.changed")] == [
        (steps["bronze"].pk, steps["silver"].pk, True),
        (steps["silver"].pk, steps["gold"].pk, True),
    ]


def test_only_what_is_earned_counts(at, steps):
    member = make_member()
    adjust(member, 5000, at)
    give_points(gifts=[Gift(member.pk, 5000, "g")], at=at)
    buy(member, at, 10)
    assert standing(member) == ("Bronze", 10)
    adjust(member, -9000, at, key="spend")
    reassess_all(at=at)
    assert standing(member) == ("Bronze", 10)


def test_a_refund_takes_the_tier_back(at, steps):
    member = make_member()
    bought = buy(member, at, 600)
    assert standing(member) == ("Silver", 600)
    refund_purchase(purchase_id=bought.id, source="till", key="r", amount_minor=10_001, at=at)
    assert standing(member) == ("Silver", 500)
    refund_purchase(purchase_id=bought.id, source="till", key="r2", amount_minor=100, at=at)
    assert standing(member) == ("Bronze", 499)


def test_points_count_for_twelve_calendar_months(at, steps):
    member = make_member()
    bought = datetime(2024, 2, 29, 12, tzinfo=UTC)
    buy(member, bought, 500, bought)
    end = datetime(2025, 2, 28, 12, tzinfo=UTC)
    assert reassess_all(at=end - MOMENT) == 0
    assert standing(member) == ("Silver", 500)
    assert reassess_all(at=end) == 1
    assert standing(member) == ("Bronze", 0)
    assert event_data(member, "tier.changed")[-1]["up"] is False


def test_a_refund_of_an_old_purchase_does_not_cost_newer_points(at, steps):
    member = make_member()
    old = buy(member, at - timedelta(days=360), 300)
    buy(member, at, 500)
    later = at + timedelta(days=30)
    reassess_all(at=later)
    assert standing(member) == ("Silver", 500)
    refund_purchase(purchase_id=old.id, source="till", key="r", amount_minor=30_000, at=later)
    assert standing(member) == ("Silver", 500)


def test_an_assessment_never_goes_back_in_time(at, steps):
    member, other = make_member(), make_member()
    for who in (member, other):
        buy(who, at - timedelta(days=360), 300)
    later = at + timedelta(days=30)
    buy(member, later, 500)
    assert reassess(at=at, member_ids=[member.pk, other.pk]) == 0  # an import that counts as of then goes on
    assert standing(member) == ("Silver", 500)
    assert MemberTier.objects.get(member=member).assessed_at == later
    assert (standing(other), MemberTier.objects.get(member=other).assessed_at) == (("Bronze", 300), at)
    award_purchases(purchase_ids=[post_purchases_without_tiers(member, at, 500)], at=at)
    assert reassess(at=at, member_ids=[member.pk]) == 1
    assert standing(member) == ("Gold", 1000)
    status, moved = MemberTier.objects.get(member=member), TimelineEvent.objects.filter(kind="tier.changed").last()
    assert (status.assessed_at, status.since, moved.at) == (later, later, later)


def test_a_night_looks_at_who_was_told_of_late_and_at_whom_something_ceased_to_count(at, steps):
    late, member = make_member(), make_member()
    buy(member, at + timedelta(days=36), 600)
    reassess_all(at=at + timedelta(days=400))
    buy(late, at, 600)  # as of then Silver; ceased to count before that night
    TierNight.objects.update(began_at=datetime(2200, 1, 1, tzinfo=UTC))
    assert reassess_all(at=at + timedelta(days=402)) == 1
    assert (standing(late), standing(member)) == (("Silver", 600), ("Bronze", 0))
    assert reassess_all(at=at + timedelta(days=403)) == 1
    assert standing(late) == ("Bronze", 0)


def test_everyone_is_assessed_in_chunks_and_only_changes_are_written(at, steps, monkeypatch):
    monkeypatch.setattr(tier_nights, "CHUNK", 2)
    monkeypatch.setattr(tier_nights, "LOOK", 3)
    members = [make_member() for _ in range(5)]
    recorded = [
        post_purchases_without_tiers(member, at, euros)
        for member, euros in zip(members, (100, 500, 999, 1000, 499), strict=True)
    ]
    award_purchases(purchase_ids=recorded, at=at)
    assert not MemberTier.objects.exists()
    assert reassess_all(at=at) == 3
    assert [standing(m)[0] for m in members] == ["Bronze", "Silver", "Silver", "Gold", "Bronze"]
    assert reassess_all(at=at + timedelta(days=1)) == 0
    assert set(MemberTier.objects.values_list("assessed_at", flat=True)) == {at}
    steps["silver"].threshold = 499
    steps["silver"].save()
    assert reassess_all(at=at + timedelta(days=2)) == 1
    assert standing(members[4]) == ("Silver", 499)


def test_history_that_comes_in_tells_once_of_a_loss_to_come_and_never_of_one_that_is_past(at, steps):
    soon, past = make_member(), make_member()
    old = post_purchases_without_tiers(past, at - timedelta(days=370), 600)
    young = post_purchases_without_tiers(soon, at - timedelta(days=360), 600)
    award_purchases(purchase_ids=[old, young], at=at)
    for _ in range(2):  # as at the end of one import, and of the next
        reassess(at=at, member_ids=[soon.pk, past.pk])
    (told,) = event_data(soon, "tier.will_drop")
    assert date.fromisoformat(told["until"]) > at.date()
    assert (standing(soon), standing(past)) == (("Silver", 600), ("Bronze", 0))
    assert event_data(past, "tier.will_drop") == event_data(past, "tier.changed") == []


def post_purchases_without_tiers(member, at, euros):
    bought = new_purchase(member, amount_minor=euros * 100, purchased_at=at)
    return post_purchases(purchases=[bought], at=at, with_points=False)[0].id


def test_without_a_tier_from_zero_one_may_stand_on_none(at, steps):
    member = make_member()
    steps["bronze"].delete()
    buy(member, at, 500)
    assert reassess_all(at=at + timedelta(days=400)) == 1
    assert not MemberTier.objects.exists()
    assert events.describe(TimelineEvent.objects.filter(kind="tier.changed").last()) == "No tier any more"
    assert tier_standing(member.pk, at + timedelta(days=400)).tier is None


def test_the_change_reads_in_both_languages(at, steps):
    member = make_member()
    buy(member, at, 500)
    reassess_all(at=at + timedelta(days=400))
    up, down = TimelineEvent.objects.filter(kind="tier.changed").order_by("id")
    assert (events.describe(up), events.describe(down)) == ("Reached Silver", "Now Bronze")
    with translation.override("zh-hans"):
        assert "银卡" in events.describe(up)


def test_standing_says_what_is_missing_and_until_when_the_tier_is_kept(at, steps, django_assert_num_queries):
    member = make_member()
    buy(member, at - timedelta(days=300), 100)
    buy(member, at - timedelta(days=200), 350)
    buy(member, at - timedelta(days=10), 310)
    with django_assert_num_queries(2):
        now = tier_standing(member.pk, at)
    assert (now.tier, now.qualifying_points) == (steps["silver"], 760)
    assert (now.next_tier, now.points_to_next) == (steps["gold"], 240)
    # without the 100 there are 660 left, without the 350 as well 310
    assert now.keep_until == date(2026, 10, 24)
    assert now.points_to_keep == 190
    assert reassess_all(at=datetime(2026, 10, 24, 9, 59, tzinfo=UTC)) == 0
    assert reassess_all(at=datetime(2026, 10, 24, 10, 0, tzinfo=UTC)) == 1


def test_who_stands_on_the_highest_tier_lacks_nothing_for_a_next_one(at, steps):
    near, top = make_member(), make_member()
    buy(near, at, 260)
    buy(top, at, 1000)
    for most in (240, 1_000_000):
        assert sample({"trait": "tier.to_next", "op": "at_most", "value": most}, at=at) == [near.pk]


def test_standing_at_the_ends_of_the_ladder(at, steps):
    member = make_member()
    fresh = tier_standing(member.pk, at)
    assert (fresh.tier, fresh.next_tier, fresh.to_next) == (
        steps["bronze"],
        steps["silver"],
        (Criterion("points", 0, 500),),
    )
    assert (fresh.keep_until, fresh.points_to_next, fresh.progress) == (None, 500, 0)
    buy(member, at, 1000)
    top = tier_standing(member.pk, at)
    assert (top.tier, top.next_tier, top.points_to_next) == (steps["gold"], None, None)
    assert (top.keep_until, top.points_to_keep) == (date(2027, 5, 12), 1000)
    later = at + timedelta(days=400)  # the night's assessment has not been yet
    lost = tier_standing(member.pk, later)
    assert (lost.tier, lost.qualifying_points) == (steps["gold"], 0)
    assert (lost.keep_until, lost.points_to_keep) == (later.date(), 1000)
