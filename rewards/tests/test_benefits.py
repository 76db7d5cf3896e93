"""Benefits: who has them, what is left, having them once; memberships that are bought."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection, connections
from django.utils import translation

from common.sql import fetch_all
from members import events
from members.models import Member, Segment, SegmentMember, TimelineEvent
from members.segments.compile import selecting
from members.services.erasure import erase_member
from members.services.merging import merge_members, undo_merge
from members.services.purchases import KeyReused
from members.tests.factories import make_member
from rewards.models import Benefit, BenefitUse, Lot, MembershipPlan, MemberTier, PlanMembership
from rewards.queries import balance
from rewards.queries_benefits import entitlements, entitlements_of, multiplier_of, multipliers_of, value_words
from rewards.services.benefits import AppliesByItself, NotEntitled, NothingLeft, undo_use, use_benefit
from rewards.services.ledger import InsufficientPoints
from rewards.services.plans import AlreadyOver, LaterMembership, NotOnSale, buy_plan, cancel_plan
from rewards.services.verify import verify
from rewards.tests.factories import adjust, event_data, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def steps():
    make_rule()
    return make_tiers()


def make_benefit(*, tiers=(), plans=(), segment=None, **values) -> Benefit:
    """Two lounge visits a calendar year unless told otherwise."""
    told = {"name_en": "Lounge", "name_zh_hans": "贵宾室", "kind": "visits", "uses": 2, "period": "year", **values}
    benefit = Benefit.objects.create(segment=segment, **told)
    benefit.tiers.set(tiers)
    benefit.plans.set(plans)
    return benefit


def make_plan(**values) -> MembershipPlan:
    told = {"name_en": "Plus", "name_zh_hans": "尊享", "months": 12, "price_minor": 4900, "price_points": 500}
    return MembershipPlan.objects.create(**{**told, **values})


def silver(steps, at, **values) -> Member:
    member = make_member(**values)
    post(member, at, amount_minor=60_000, purchased_at=at)
    assert MemberTier.objects.get(member=member).tier == steps["silver"]
    return member


def use(member, benefit, at, key="k", **values) -> BenefitUse:
    return use_benefit(member_id=member.pk, benefit_id=benefit.pk, source="till", key=key, at=at, **values)


def shown(member, at):
    return [(one.benefit.name_en, one.left, one.used, one.from_what) for one in entitlements(member.pk, at)]


def test_benefits_come_by_tier_plan_and_segment(at, steps):
    member, plan = silver(steps, at), make_plan()
    segment = Segment.objects.create(name_en="Friends", version=1, definition={})
    make_benefit(tiers=[steps["silver"], steps["gold"]], position=1)
    make_benefit(name_en="Shipping", kind="shipping", uses=None, plans=[plan], segment=segment, position=2)
    make_benefit(name_en="Gold only", tiers=[steps["gold"]])
    make_benefit(name_en="Resting", tiers=[steps["silver"]], active=False)
    assert shown(member, at) == [("Lounge", 2, 0, ("Silver",))]
    SegmentMember.objects.create(segment=segment, member=member, entered_at=at)
    buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="p", at=at)
    assert shown(member, at) == [("Lounge", 2, 0, ("Silver",)), ("Shipping", None, 0, ("Friends", "Plus"))]
    assert shown(make_member(), at) == []


def test_asking_for_many_takes_no_more_queries_than_for_one(at, steps, django_assert_max_num_queries):
    plan = make_plan()
    make_benefit(tiers=[steps["bronze"]], plans=[plan])
    members = [make_member() for _ in range(4)]
    buy_plan(member_id=members[0].pk, plan_id=plan.pk, source="till", key="p", at=at)
    with django_assert_max_num_queries(5):
        found = entitlements_of([member.pk for member in members], at)
    assert {pk: [one.left for one in held] for pk, held in found.items()} == {m.pk: [2] for m in members}


def test_each_use_counts_once_by_its_key_until_none_is_left(at, steps):
    member, benefit = silver(steps, at), make_benefit(tiers=[steps["silver"]])
    first = use(member, benefit, at, "a", store="Hamburg", note="with a friend")
    assert use(member, benefit, at + timedelta(hours=1), "a") == first
    assert shown(member, at)[0][1:3] == (1, 1)
    use(member, benefit, at, "b")
    with pytest.raises(NothingLeft) as refused:
        use(member, benefit, at, "c")
    assert (refused.value.entitlement.used, refused.value.entitlement.period_end.year) == (2, at.year + 1)
    with pytest.raises(KeyReused):
        use(silver(steps, at), benefit, at, "a")
    assert undo_use(use_id=first.pk, at=at).undone_at == at
    undo_use(use_id=first.pk, at=at + timedelta(days=1))
    assert use(member, benefit, at, "c").pk
    assert [d["name"]["zh-hans"] for d in event_data(member, "benefit.used")] == ["贵宾室"] * 3
    assert len(event_data(member, "benefit.undone")) == 1
    with translation.override("zh-hans"):
        assert "贵宾室" in events.describe(TimelineEvent.objects.filter(kind="benefit.used").last())


def test_who_has_no_benefit_is_refused_and_what_holds_by_itself_is_not_used(at, steps):
    benefit, double = make_benefit(tiers=[steps["gold"]]), make_benefit(kind="multiplier", value=2)
    with pytest.raises(NotEntitled):
        use(silver(steps, at), benefit, at)
    with pytest.raises(AppliesByItself):
        use(silver(steps, at), double, at)
    assert not BenefitUse.objects.exists()


@pytest.mark.parametrize(
    ("period", "before", "after"),
    [
        # The programme's clock is an hour or two ahead of UTC.
        ("month", datetime(2026, 5, 31, 21, 59, tzinfo=UTC), datetime(2026, 5, 31, 22, tzinfo=UTC)),
        ("year", datetime(2026, 12, 31, 22, 59, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("membership", datetime(2027, 2, 27, 22, 59, tzinfo=UTC), datetime(2027, 2, 27, 23, tzinfo=UTC)),
    ],
)
def test_a_period_begins_anew_at_midnight_in_the_shop(period, before, after, at, steps, berlin):
    member = make_member()
    Member.objects.filter(pk=member.pk).update(joined_at=datetime(2024, 2, 29, 12, tzinfo=UTC))
    benefit = make_benefit(tiers=[steps["bronze"]], uses=1, period=period)
    use(member, benefit, before, "a")
    with pytest.raises(NothingLeft):
        use(member, benefit, before, "b")
    assert use(member, benefit, after, "b").pk
    once = make_benefit(name_en="Once", tiers=[steps["bronze"]], uses=1, period="once")
    use(member, once, before, "c")
    with pytest.raises(NothingLeft):
        use(member, once, after + timedelta(days=4000), "d")


@pytest.fixture
def berlin():
    from members.models import Programme

    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "Europe/Berlin", "currency": "EUR"})


@pytest.mark.django_db(transaction=True)
def test_twenty_tills_at_once_give_two_visits_and_no_more(at):
    make_rule()
    steps = make_tiers()
    member, benefit = silver(steps, at), make_benefit(tiers=[steps["silver"]])
    start, told = Barrier(20), []

    def till(n: int) -> None:
        try:
            start.wait()
            use(member, benefit, at, f"till {n}")
            told.append("had")
        except NothingLeft:
            told.append("none left")
        finally:
            connections.close_all()

    threads = [Thread(target=till, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["had"] * 2 + ["none left"] * 18
    assert BenefitUse.objects.count() == 2
    connection.close()


def test_multipliers_the_best_counts_and_a_birthdays_for_a_week(at, steps, django_assert_num_queries):
    member = silver(steps, at, birthday_month=at.month, birthday_day=at.day)
    other = make_member()
    with django_assert_num_queries(1):
        assert multiplier_of([member.pk], at)[member.pk] == (Decimal(1), None)
    half = make_benefit(kind="multiplier", value=Decimal("1.5"), tiers=[steps["silver"]])
    triple = make_benefit(kind="birthday", value=3, tiers=[steps["silver"]])
    make_benefit(kind="multiplier", value=9, tiers=[steps["gold"]])
    make_benefit(kind="price", value=50, tiers=[steps["silver"]])
    days = [at - timedelta(days=1), at, at + timedelta(days=6), at + timedelta(days=7)]
    with django_assert_num_queries(3):
        found = multipliers_of([*((member.pk, day) for day in days), (other.pk, at)])
    expected = [(Decimal("1.5"), half.pk), (3, triple.pk), (3, triple.pk), (Decimal("1.5"), half.pk), (1, None)]
    assert found == expected
    assert multiplier_of([], at) == {}
    assert value_words(triple) == "points × 3"


def test_a_plan_is_bought_with_money_and_renewed_where_it_ends(at, steps):
    member, plan = make_member(), make_plan(months=1)
    moment = datetime(2026, 1, 31, 10, tzinfo=UTC)
    first = buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="1", at=moment)
    assert buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="1", at=at) == first
    again = buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="2", at=moment, paid_minor=100)
    assert (first.starts_at, first.ends_at) == (moment, datetime(2026, 2, 28, 10, tzinfo=UTC))
    assert (again.starts_at, again.paid_minor, first.paid_minor) == (first.ends_at, 100, 4900)
    with pytest.raises(KeyReused):
        buy_plan(member_id=make_member().pk, plan_id=plan.pk, source="till", key="1", at=moment)
    with pytest.raises(LaterMembership):
        cancel_plan(membership_id=first.pk, at=moment)
    cancel_plan(membership_id=again.pk, at=moment)
    with pytest.raises(AlreadyOver):
        cancel_plan(membership_id=again.pk, at=moment)
    with pytest.raises(AlreadyOver):
        cancel_plan(membership_id=first.pk, at=first.ends_at)


def test_a_plan_bought_with_points_gives_them_back_to_their_lots_when_cancelled(at, steps):
    member, plan = make_member(), make_plan(price_minor=None)
    adjust(member, 700, at)
    lots = list(Lot.objects.values_list("pk", "remaining", "expires_at"))
    benefit = make_benefit(plans=[plan])
    bought = buy_plan(member_id=member.pk, plan_id=plan.pk, source="portal", key="1", at=at, with_points=True)
    assert (balance(member.pk, at), bought.paid_points, bought.paid_minor) == (200, 500, 0)
    assert buy_plan(member_id=member.pk, plan_id=plan.pk, source="portal", key="1", at=at, with_points=True) == bought
    with pytest.raises(InsufficientPoints):
        buy_plan(member_id=member.pk, plan_id=plan.pk, source="portal", key="2", at=at, with_points=True)
    with pytest.raises(NotOnSale):
        buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="3", at=at)
    assert shown(member, at) == [("Lounge", 2, 0, ("Plus",))]
    assert shown(member, bought.ends_at) == []
    cancel_plan(membership_id=bought.pk, at=at + timedelta(days=1))
    assert list(Lot.objects.values_list("pk", "remaining", "expires_at")) == lots
    assert shown(member, at + timedelta(days=1)) == []
    with pytest.raises(NotEntitled):
        use(member, benefit, at)
    assert [(r.check, r.difference) for r in verify() if r.difference] == []


def test_what_two_cards_had_counts_together_once_they_are_merged(at, steps):
    anna, double = silver(steps, at), silver(steps, at)
    benefit, plan = make_benefit(tiers=[steps["silver"], steps["gold"]]), make_plan()
    use(anna, benefit, at, "a")
    use(double, benefit, at, "b")
    buy_plan(member_id=double.pk, plan_id=plan.pk, source="till", key="p", at=at)
    merge = merge_members(survivor_id=anna.pk, merged_id=double.pk, at=at)
    assert shown(anna, at)[0][1:3] == (0, 2)
    assert use(double, benefit, at, "b").member == anna
    assert buy_plan(member_id=double.pk, plan_id=plan.pk, source="till", key="p", at=at).member == anna
    undo_merge(merge_id=merge.merge_id, at=at)
    assert (shown(anna, at)[0][1:3], shown(double, at)[0][1:3]) == ((1, 1), (1, 1))
    assert PlanMembership.objects.get().member == double


def test_what_staff_typed_goes_with_the_member(at, steps):
    member, benefit = silver(steps, at), make_benefit(tiers=[steps["silver"]])
    use(member, benefit, at, note="brought her husband")
    erase_member(member_id=member.pk, at=at)
    assert BenefitUse.objects.get().note == ""


def test_dates_are_plain(at, steps):
    member, plan = make_member(), make_plan()
    buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="1", at=datetime(2026, 3, 1, tzinfo=UTC))
    assert event_data(member, "plan.bought")[0]["until"] == date(2027, 3, 1).isoformat()


def test_a_segment_of_those_who_have_something_left_agrees_with_what_each_is_told(at, steps):
    lounge = make_benefit(tiers=[steps["silver"]], uses=1, period="membership")
    plan = make_plan()
    coffee = make_benefit(name_en="Coffee", kind="other", uses=1, period="month", plans=[plan])
    members = [silver(steps, at) for _ in range(3)] + [make_member()]
    use(members[0], lounge, at, "a")
    undo_use(use_id=use(members[1], lounge, at, "b").pk, at=at)
    for member in (members[2], members[3]):
        buy_plan(member_id=member.pk, plan_id=plan.pk, source="t", key=f"p{member.pk}", at=at)
        use(member, coffee, at, f"c{member.pk}")

    def inside(benefit, moment, op="any_of") -> set[int]:
        query, params = selecting({"trait": "benefit.left", "op": op, "value": [benefit.pk]}, at=moment)
        return {row[0] for row in fetch_all(query, params)}

    for moment in (at, at + timedelta(days=31), at + timedelta(days=400)):
        for benefit in (lounge, coffee):
            told = entitlements_of([one.pk for one in members], moment)
            left = {id_ for id_, held in told.items() for one in held if one.benefit == benefit and one.left != 0}
            assert inside(benefit, moment) & {one.pk for one in members} == left, (moment, benefit)
            assert not inside(benefit, moment, "none_of") & left
    assert inside(coffee, at) == set()
    assert inside(coffee, at + timedelta(days=31)) == {members[2].pk, members[3].pk}
