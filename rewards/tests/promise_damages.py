"""Coupons, memberships and gifts of every kind that `verify` looks at, and what damages each: for test_verify."""

from decimal import Decimal

from members.models import User
from members.services.segments import refresh, save_segment
from rewards.earning.basket import Basket, BasketLine
from rewards.models import MembershipPlan
from rewards.services.checkout import check_out
from rewards.services.grant_runs import give_due
from rewards.services.grants import grant_points, grant_segment
from rewards.services.plans import buy_plan
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust


def every_promise(member, at):
    """A coupon taken by a purchase, a gift card, a membership bought with points, and gifts to one and to a segment."""
    adjust(member, 100, at, key="for a membership")
    coupon = issue(make_offer(uses_limit=9), member, at)
    line = BasketLine(Decimal("10.00"), name="Tea")
    told = Basket(member.pk, "till", "promise", "EUR", (line,), at, coupons=(coupon.code,))
    (bought,) = check_out(baskets=[told], at=at)
    assert bought.due_minor == 900
    issue(make_offer("card", {"currency": "EUR", "amount": "10.00"}), member, at)
    plan = MembershipPlan.objects.create(name_en="Club", price_points=50)
    buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="plan", at=at, with_points=True)
    who = {"actor_id": User.objects.create_user("promise@example.com", is_staff=True).pk, "reason": "x", "at": at}
    grant_points(member_id=member.pk, amount=3, key="one", **who)
    segment = save_segment(names={"en": "All"}, definition={"all": []}, at=at)
    refresh(segment_id=segment.pk, at=at)
    grant_segment(segment_id=segment.pk, amount=2, key="many", **who)
    give_due(at=at)


_USED = "WHERE id = (SELECT max(id) FROM rewards_couponuse)"
PROMISE_DAMAGES = [
    ("What is counted of an offer", "UPDATE rewards_offer SET uses = uses + 1 WHERE uses_limit IS NOT NULL"),
    ("A coupon is reserved or used where", "UPDATE rewards_coupon SET state = 'issued' WHERE state = 'used'"),
    (
        "A coupon was used for its own offer",
        f"UPDATE rewards_couponuse SET member_id = (SELECT max(id) FROM members_member) {_USED}",
    ),
    (
        "A gift card that was issued has an account",
        "UPDATE rewards_coupon SET state = 'used' WHERE id IN (SELECT coupon_id FROM rewards_account)",
    ),
    ("What coupons took off a purchase", f"UPDATE rewards_couponuse SET discount_minor = 9999 {_USED}"),
    (
        "A member stands where the last change",
        "UPDATE rewards_tierchange SET to_tier_id = (SELECT id FROM rewards_tier WHERE rank = 0)"
        " WHERE id = (SELECT max(id) FROM rewards_tierchange)",
    ),
    ("What a membership cost in points", "UPDATE rewards_planmembership SET paid_points = paid_points + 1"),
    (
        "Issued, less redeemed and expired",
        "UPDATE rewards_lot SET remaining = remaining - 1"
        " WHERE id = (SELECT max(id) FROM rewards_lot WHERE remaining > 0)",
    ),
    ("A gift that was approved", "UPDATE rewards_grantrequest SET amount = 4 WHERE segment_id IS NULL"),
    ("A segment's gift", "UPDATE rewards_grantrequest SET done = 1 WHERE segment_id IS NOT NULL"),
]
