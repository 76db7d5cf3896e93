"""Rewards that are a coupon in the end: made as they are needed, or out of a pool that may be empty."""

from datetime import timedelta

import pytest

from members.tests.factories import make_member
from rewards import queries
from rewards.models import Coupon, CouponJob, Redemption
from rewards.queries_catalogue import catalogue
from rewards.services.handing_over import CannotTakeBack
from rewards.services.redemptions import (
    RedemptionRefused,
    cancel_redemption,
    confirm_redemption,
    redeem_reward,
    refund_redemption,
    reserve_reward,
)
from rewards.services.verify import verify
from rewards.tests.coupons import make_offer
from rewards.tests.factories import adjust, make_reward

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(at):
    member = make_member()
    adjust(member, 500, at)
    return member


def pool(offer, *codes) -> None:
    job = CouponJob.objects.create(offer=offer, uploaded=True, total=len(codes), created_at=offer.created_at)
    Coupon.objects.bulk_create([Coupon(code=code, offer=offer, job=job) for code in codes])


def reserve(member, reward, at, key) -> Redemption:
    return reserve_reward(member_id=member.pk, reward_id=reward.pk, source="t", key=key, at=at)


def codes(error) -> list[str]:
    return [reason.code for reason in error.value.reasons]


@pytest.mark.parametrize("kind", ["coupon", "gift_card", "trial"])
def test_a_coupon_is_made_for_the_member_and_withdrawn_when_it_is_given_back(at, anna, kind):
    reward = make_reward(kind=kind, offer=make_offer())
    done = redeem_reward(member_id=anna.pk, reward_id=reward.pk, source="t", key="k", at=at)
    assert (done.coupon.member, done.coupon.state, done.coupon.issued_by) == (anna, "issued", "redemption")
    assert (done.fulfilment, done.code) == ("none", None)
    refund_redemption(redemption_id=done.pk, at=at)
    done.coupon.refresh_from_db()
    assert (done.coupon.state, queries.balance(anna.pk, at)) == ("void", 500)
    assert [str(r.check) for r in verify() if r.difference] == []


def test_a_used_coupon_is_not_taken_back(at, anna):
    done = redeem_reward(
        member_id=anna.pk, reward_id=make_reward(kind="coupon", offer=make_offer()).pk, source="t", key="k", at=at
    )
    Coupon.objects.update(state="used")
    with pytest.raises(CannotTakeBack):
        refund_redemption(redemption_id=done.pk, at=at)
    assert queries.balance(anna.pk, at) == 400


def test_a_pool_promises_each_code_once_and_says_when_it_is_empty(at, anna):
    offer = make_offer()
    pool(offer, "AAA", "BBB")
    reward = make_reward(kind="gift_card", offer=offer, points=10)
    first, second = reserve(anna, reward, at, "1"), reserve(anna, reward, at, "2")
    with pytest.raises(RedemptionRefused) as refused:
        reserve(anna, reward, at, "3")
    assert codes(refused) == ["no_codes"]
    (shelf,) = catalogue(member_id=anna.pk, at=at)
    assert [reason.code for reason in shelf.reasons] == ["no_codes"]
    cancel_redemption(redemption_id=second.pk, at=at)
    reserve(anna, reward, at, "4")
    assert confirm_redemption(redemption_id=first.pk, at=at).coupon.code == "AAA"
    assert queries.balance(anna.pk, at) == 480


def test_a_reservation_whose_code_somebody_else_got_stays_and_can_be_cancelled(at, anna):
    offer = make_offer()
    pool(offer, "AAA")
    taken = reserve(anna, make_reward(kind="coupon", offer=offer), at, "1")
    Coupon.objects.all().delete()
    with pytest.raises(RedemptionRefused) as refused:
        confirm_redemption(redemption_id=taken.pk, at=at)
    assert codes(refused) == ["no_codes"]
    assert cancel_redemption(redemption_id=taken.pk, at=at).state == "cancelled"
    assert queries.balance(anna.pk, at) == 500


@pytest.mark.parametrize("end", [{"state": "paused"}, {"ends_at": timedelta(0)}, {"shared_code": "ALL"}])
def test_nothing_is_promised_of_an_offer_that_is_over(at, anna, end):
    offer = make_offer()
    reward = make_reward(kind="coupon", offer=offer)
    if "ends_at" in end:
        end = {"ends_at": at + end["ends_at"]}
    type(offer).objects.update(**end)
    with pytest.raises(RedemptionRefused) as refused:
        reserve(anna, reward, at, "1")
    assert codes(refused) == ["offer_over"]
