"""The nights on which the clocks of Berlin change: a day of 23 hours, and one of 25 with an hour twice."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from members.models import Programme
from members.tests.factories import make_member
from rewards.models import Benefit, MembershipPlan, RewardSettings, Tier, Transfer
from rewards.queries import balance
from rewards.queries_benefits import entitlements, multipliers_of
from rewards.services.benefits import use_benefit
from rewards.services.checkout import Basket, BasketLine, check_out
from rewards.services.coupons.using import validate
from rewards.services.earning.occasions import reward_days
from rewards.services.grants import grant_points, why_it_waits
from rewards.services.plans import buy_plan
from rewards.tests.coupons import basket, issue, make_offer
from rewards.tests.factories import make_rule_of, make_tiers

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
TEN = {"kind": "fixed", "points": 10}
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def berlin(db):
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "Europe/Berlin", "currency": "EUR"})


def begins(day: date) -> datetime:
    """The moment at which a day of Berlin begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)


def sold(member, moment: datetime, *, zone=UTC) -> int:
    """What a purchase at that moment earned."""
    told = Basket(member.pk, "till", moment.isoformat(), "EUR", (BasketLine(Decimal(5)),), at=moment.astimezone(zone))
    (answer,) = check_out(baskets=[told], at=moment)
    return sum(one.amount for one in answer.earned)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
@pytest.mark.parametrize("limit", [{"day": 10}, {"times_day": 1}])
def test_a_limit_for_a_day_holds_all_of_its_23_or_25_hours(day, hours, limit):
    make_rule_of("Daily", {"effect": TEN, "limits": limit})
    member, start = make_member(), begins(day)
    end = begins(day + timedelta(days=1))
    assert end - start == hours * HOUR
    told = [start - MINUTE, start, start + 1.5 * HOUR, start + 2.5 * HOUR, end - MINUTE, end]
    assert [sold(member, moment, zone=zone) for moment, zone in zip(told, [UTC, BERLIN] * 3, strict=True)] == [
        10, 10, 0, 0, 0, 10,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("period", "first", "after"),
    [("week", date(2026, 3, 23), date(2026, 3, 30)), ("week", date(2026, 10, 19), date(2026, 10, 26)),
     ("month", date(2026, 3, 1), date(2026, 4, 1)), ("month", date(2026, 10, 1), date(2026, 11, 1))],
)  # fmt: skip
def test_weeks_and_months_end_at_midnight_where_the_shop_is(period, first, after):
    make_rule_of("Limited", {"effect": TEN, "limits": {period: 10}})
    member, start, end = make_member(), begins(first), begins(after)
    assert [sold(member, m) for m in (start - MINUTE, start, end - MINUTE, end)] == [10, 10, 0, 10]


def test_a_pause_is_of_hours_that_pass_not_of_hours_on_the_clock():
    make_rule_of("Paused", {"effect": TEN, "limits": {"cooldown_hours": 2}})
    member, twice = make_member(), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 2:30, and an hour later 2:30 again
    assert [sold(member, twice + n * HOUR, zone=BERLIN) for n in (0, 1, 2)] == [10, 0, 10]


def test_a_happy_hour_comes_twice_in_autumn_and_not_at_all_in_spring():
    make_rule_of("Night", {"effect": TEN, "conditions": {"hours": [["02:00", "03:00"]]}})
    twice = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert [sold(make_member(), twice + n * HOUR) for n in (-1, 0, 1, 2)] == [0, 10, 10, 0]
    never = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 1:30, and an hour later 3:30
    assert [sold(make_member(), never + n * HOUR) for n in (0, 1)] == [0, 0]
    offer = make_offer(definition={"percent": "10", "conditions": {"hours": [["02:00", "03:00"]]}})
    member = make_member()
    coupon = issue(offer, member, twice - HOUR)
    told = {"code": coupon.code, "member_id": member.pk}
    assert [validate(**told, **basket(at=twice + n * HOUR)).ok for n in (-1, 0, 1, 2)] == [False, True, True, False]


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_a_birthday_is_rewarded_once_on_its_day_and_counts_for_all_of_it(day):
    make_rule_of("Birthday", {"effect": TEN}, trigger="birthday")
    tiers = make_tiers()
    benefit = Benefit.objects.create(name_en="Triple", kind="birthday", value=3)
    benefit.tiers.set(Tier.objects.all())
    member = make_member(birthday_month=day.month, birthday_day=day.day)
    assert tiers
    start, end = begins(day), begins(day + timedelta(days=1))
    given = [reward_days(at=moment) for moment in (start - MINUTE, start, start + 2.5 * HOUR, end - MINUTE, end)]
    assert given == [0, 1, 0, 0, 0]
    assert (Transfer.objects.get().at, balance(member.pk, end)) == (start, 10)
    factors = [one.factor for one in multipliers_of([(member.pk, start - MINUTE), (member.pk, start)])]
    assert factors == [1, 3]


def test_a_membership_ends_at_the_hour_at_which_it_began():
    plan = MembershipPlan.objects.create(name_en="Plus", price_minor=100, months=1)
    benefit = Benefit.objects.create(name_en="Lounge", kind="visits", uses=1, period="month")
    benefit.plans.add(plan)
    member = make_member()
    noon = datetime(2026, 10, 10, 12, tzinfo=BERLIN).astimezone(UTC)
    bought = buy_plan(member_id=member.pk, plan_id=plan.pk, source="t", key="1", at=noon)
    bought.refresh_from_db()
    assert bought.ends_at == datetime(2026, 11, 10, 12, tzinfo=BERLIN)
    assert bought.ends_at - noon == timedelta(days=31, hours=1)
    midnight = begins(date(2026, 11, 1))
    use_benefit(member_id=member.pk, benefit_id=benefit.pk, source="t", key="1", at=midnight - MINUTE)
    left = [entitlements(member.pk, moment)[0].left for moment in (midnight - MINUTE, midnight)]
    assert left == [0, 1]
    MembershipPlan.objects.update(months=2)
    night = datetime(2026, 1, 29, 2, 30, tzinfo=BERLIN)  # to an hour that the clock leaves out
    odd = buy_plan(member_id=make_member().pk, plan_id=plan.pk, source="t", key="2", at=night)
    odd.refresh_from_db()
    assert odd.ends_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_coupons_last_to_the_end_of_their_day(day, hours):
    coupon = issue(make_offer(valid_days=1), make_member(), begins(day) - MINUTE)
    assert coupon.expires_at == begins(day) + hours * HOUR


def test_what_one_person_gave_in_a_day_is_counted_from_its_midnight(django_user_model):
    anna = django_user_model.objects.create_user("anna@example.com", is_staff=True)
    RewardSettings.objects.update(grant_limit_day=10)
    start, end = begins(AUTUMN), begins(AUTUMN + timedelta(days=1))
    told = {"member_id": make_member().pk, "amount": 10, "reason": "x", "actor_id": anna.pk}
    grant_points(**told, key="1", at=start + MINUTE)
    waits = [why_it_waits(amount=1, unit="points", actor_id=anna.pk, at=at) for at in (end - MINUTE, end)]
    assert [bool(why) for why in waits] == [True, False]
