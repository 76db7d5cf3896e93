"""Out and back again, in every order: nobody ends with more than they came with."""

from decimal import Decimal

import pytest

from members.services.merging import merge_members
from members.tests.factories import make_member
from rewards import queries
from rewards.enums import ExpiredReturn, RefundPolicy
from rewards.models import Coupon, MembershipPlan, RewardSettings
from rewards.services.checkout import Basket, BasketLine, Receipt, check_out
from rewards.services.coupons.using import redeem
from rewards.services.expiry import expire_due
from rewards.services.plans import buy_plan, cancel_plan
from rewards.services.redemptions import confirm_redemption, redeem_reward, refund_redemption, reserve_reward
from rewards.services.refunds import refund_purchase
from rewards.services.verify import verify
from rewards.tests.coupons import make_offer
from rewards.tests.factories import adjust, make_reward, make_rule, make_rule_of

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[RefundPolicy.ZERO, RefundPolicy.ARREARS])
def policy(request):
    settings = {"refund_policy": request.param, "points_per_unit": 100, "expired_return": ExpiredReturn.STAY}
    RewardSettings.objects.update_or_create(pk=1, defaults=settings)
    return request.param


@pytest.fixture
def anna(at, policy):
    make_rule()
    return make_member()


def buy(member, at, key, amount="100.00", **values) -> Receipt:
    told = Basket(member.pk, "till", key, "EUR", (BasketLine(Decimal(amount)),), **values)
    (answer,) = check_out(baskets=[told], at=at)
    assert isinstance(answer, Receipt), answer
    return answer


def give_back(bought: Receipt, at, key="r", **what):
    return refund_purchase(purchase_id=bought.purchase_id, source="till", key=key, at=at, **what)


def has(member, at) -> int:
    """Points, less what is owed; once all adds up."""
    assert [(str(r.check), r.difference) for r in verify() if r.difference] == []
    return queries.balance(member.pk, at) - queries.arrears(member.pk)


def test_points_that_paid_come_back_and_go_with_the_purchase_that_gave_them(at, anna, policy):
    first = buy(anna, at, "1")
    second = buy(anna, at, "2", "1.00", pay_points=100)
    lost = give_back(first, at)
    assert (lost.points_taken, lost.points_short) == (0, 100)
    assert give_back(second, at, "s").points_returned == 100
    assert has(anna, at) == 0


def test_half_of_each_comes_back_and_half_is_kept(at, anna):
    first = buy(anna, at, "1")
    second = buy(anna, at, "2", "1.00", pay_points=100)
    give_back(first, at, amount_minor=5000)  # 50 points too many are spent
    give_back(second, at, "s", amount_minor=50)  # 50 come back, and go
    assert has(anna, at) == 0
    give_back(second, at, "t")  # 50 more, that are earned for good
    assert has(anna, at) == 50
    give_back(first, at, "u")
    assert has(anna, at) == 0


def test_a_reward_given_back_after_the_purchase_that_paid_for_it(at, anna, policy):
    bought = buy(anna, at, "1")
    taken = redeem_reward(member_id=anna.pk, reward_id=make_reward().pk, source="t", key="k", at=at)
    give_back(bought, at)
    refund_redemption(redemption_id=taken.pk, at=at)
    assert has(anna, at) == 0


def test_the_same_where_the_purchase_was_refunded_while_the_reward_was_reserved(at, anna):
    bought = buy(anna, at, "1")
    taken = reserve_reward(member_id=anna.pk, reward_id=make_reward().pk, source="t", key="k", at=at)
    adjust(anna, 40, at)
    give_back(bought, at)
    confirm_redemption(redemption_id=taken.pk, at=at)  # 40 of the 100 are taken now, out of the gift
    refund_redemption(redemption_id=taken.pk, at=at)
    assert has(anna, at) == 40


def test_a_membership_cancelled_after_the_purchase_that_paid_for_it(at, anna):
    plan = MembershipPlan.objects.create(name_en="Plus", months=12, price_points=100, active=True)
    bought = buy(anna, at, "1")
    held = buy_plan(member_id=anna.pk, plan_id=plan.pk, source="t", key="k", at=at, with_points=True)
    give_back(bought, at)
    cancel_plan(membership_id=held.pk, at=at)
    assert has(anna, at) == 0


def test_a_merge_in_between_is_no_way_out(at, anna):
    first = buy(anna, at, "1")
    second = buy(anna, at, "2", "1.00", pay_points=100)
    other = make_member()
    merge_members(survivor_id=other.pk, merged_id=anna.pk, at=at)
    give_back(first, at)
    give_back(second, at, "s")
    assert has(other, at) + has(anna, at) == 0


def test_gifts_that_paid_stay_the_members(at, anna):
    adjust(anna, 100, at)
    bought = buy(anna, at, "1", "1.00", pay_points=100)
    give_back(bought, at)
    assert has(anna, at) == 100


def test_what_expired_meanwhile_is_not_asked_for(at, anna):
    first = buy(anna, at, "1")
    second = buy(anna, at, "2", "1.00", pay_points=100)
    give_back(first, at)
    adjust(anna, 30, at)
    later = at.replace(year=at.year + 2)
    before = has(anna, later)
    give_back(second, later, "s")  # into a lot that is over
    expire_due(at=later)
    assert has(anna, later) == before


def test_the_coupon_that_a_purchase_brought_goes_with_it(at, anna):
    rule = make_rule_of("Coupon", {"effect": {"kind": "coupon", "offer": make_offer().pk}})
    first, second = buy(anna, at, "1"), buy(anna, at, "2")
    one, two = Coupon.objects.order_by("pk")
    redeem(code=two.code, member_id=anna.pk, at=at, source="shop", key="u")
    give_back(first, at, "r1", amount_minor=1)
    one.refresh_from_db()
    assert one.state == "issued"
    give_back(first, at, "r2")
    give_back(second, at, "r3")
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.state, two.state) == ("void", "used")
    assert one.issue_key == f"rule:{rule.pk}:purchase:{first.purchase_id}"
    assert has(anna, at) == 0


def test_a_purchase_that_cost_no_money_brings_no_coupon(at, anna):
    offer = make_offer(definition={"percent": "100"})
    make_rule_of("Coupon", {"effect": {"kind": "coupon", "offer": offer.pk}})
    buy(anna, at, "1")
    answer = buy(anna, at, "2", coupons=(Coupon.objects.get().code,))
    assert (answer.due_minor, answer.earned) == (0, ())
    assert list(Coupon.objects.values_list("state", flat=True)) == ["used"]  # and not one more for ever
