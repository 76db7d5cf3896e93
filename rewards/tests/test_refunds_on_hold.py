"""Refunds while points of the purchase are on hold: it comes to the same as if the hold had ended before."""

from datetime import timedelta

import pytest

from members.tests.factories import make_member
from rewards import queries
from rewards.models import Lot, MemberTier, Transfer
from rewards.services.expiry import expire_due
from rewards.services.holds import cancel, confirm, lapse_due, reserve
from rewards.services.purchases import refund_purchase
from rewards.services.verify import verify
from rewards.tests.factories import adjust, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
ENDS = {
    "cancelled": cancel,
    "confirmed": confirm,
    "lapsed": lambda *, key, at: lapse_due(at=at),
}


@pytest.fixture
def member(at):
    """A member with 100 points for a purchase, until tomorrow."""
    make_rule(valid_months=1)
    make_tiers()
    return make_member()


def buy(member, at):
    """100 points that expire a day after `at`, a month after they were earned."""
    return post(member, at, amount_minor=10_000, purchased_at=at - 29 * DAY).id  # in April, which has 30 days


def hold(member, at, amount=100, key="h1"):
    reserve(member_id=member.pk, amount=amount, key=key, at=at, lapses_at=at + DAY / 2)


def refund(purchase_id, at, amount_minor=10_000, key="r1"):
    result = refund_purchase(purchase_id=purchase_id, source="till", key=key, amount_minor=amount_minor, at=at)
    return result.points_taken, result.points_short


def sound():
    return [r for r in verify() if r.difference] == []


def test_what_a_cancelled_hold_gives_back_of_a_refunded_purchase_is_taken_back(at, member):
    bought = buy(member, at)
    hold(member, at)
    assert refund(bought, at) == (0, 100)
    cancel(key="h1", at=at)
    assert queries.balance(member.pk, at) == 0
    earn, _, release, back = Transfer.objects.order_by("id")
    refund_id, hold_id = back.why["refund"], release.why["hold"]
    assert (back.key, back.amount, back.reverses) == (f"refund:{refund_id}:{earn.pk}:{hold_id}", 100, earn)
    assert queries.explain(back) == "Taken back: refund of €100.00"
    assert MemberTier.objects.get().qualifying_points == 0
    assert refund(bought, at) == (0, 100)  # answered as before
    assert sound()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("others", [0, 30, 200])
@pytest.mark.parametrize("minor", [10_000, 5_000, 1])
@pytest.mark.parametrize("refunded_after", [0, 1.5])
def test_it_does_not_matter_whether_the_hold_ends_before_the_refund(at, member, end, others, minor, refunded_after):
    left = []
    for who, order in ((make_member(), "end first"), (make_member(), "refund first")):
        bought, key = buy(who, at), f"h{who.pk}"
        hold(who, at, key=key)
        if others:
            adjust(who, others, at, key=f"a{who.pk}")
        later = at + refunded_after * DAY
        acts = [
            lambda key=key, later=later: ENDS[end](key=key, at=at if end == "confirmed" else later + DAY),
            lambda bought=bought, who=who, later=later: refund(bought, later, minor, key=f"r{who.pk}"),
        ]
        for act in acts if order == "end first" else reversed(acts):
            act()
        expire_due(at=at + 9 * DAY)
        left.append(queries.balance(who.pk, at + 9 * DAY))
    assert left[0] == left[1]
    assert sound()


def test_what_expires_while_it_is_held_is_not_taken_from_other_points(at, member):
    bought = buy(member, at)
    hold(member, at)
    adjust(member, 100, at)
    assert refund(bought, at + 2 * DAY) == (0, 0)
    assert lapse_due(at=at + 2 * DAY) == 1
    assert expire_due(at=at + 2 * DAY) == (1, 100)
    assert queries.balance(member.pk, at + 2 * DAY) == 100
    assert sound()


def test_what_is_held_at_the_refund_and_expires_before_the_hold_ends_is_lost_once(at, member):
    bought = buy(member, at)
    hold(member, at)
    adjust(member, 100, at)
    assert refund(bought, at) == (0, 100)
    assert lapse_due(at=at + 2 * DAY) == 1
    assert expire_due(at=at + 2 * DAY) == (1, 100)
    assert queries.balance(member.pk, at + 2 * DAY) == 100


def test_a_confirmed_hold_was_spent_and_what_is_not_there_stays_short(at, member):
    bought = buy(member, at)
    hold(member, at)
    adjust(member, 30, at)
    assert refund(bought, at, 5000) == (0, 50)
    confirm(key="h1", at=at)
    assert queries.balance(member.pk, at) == 0
    adjust(member, 100, at, key="a2")
    assert refund(bought, at, 5000, key="r2") == (70, 0)  # the later refund asks for it again
    assert queries.balance(member.pk, at) == 30


def test_each_of_two_holds_settles_its_own_part(at, member):
    bought = buy(member, at)
    for key, amount in (("h1", 30), ("h2", 50)):
        hold(member, at, amount, key)
    assert refund(bought, at) == (20, 80)
    adjust(member, 500, at)
    cancel(key="h1", at=at)
    assert queries.balance(member.pk, at) == 500
    confirm(key="h2", at=at)
    assert queries.balance(member.pk, at) == 450
    assert sound()


def test_holds_that_lapse_together_settle_together(at, member):
    bought, other = buy(member, at), buy(member, at)
    for key in ("h1", "h2"):
        hold(member, at, 90, key)  # the second out of both lots
    assert refund(bought, at, 5000) == (0, 50)
    assert lapse_due(at=at + DAY / 2) == 2
    left = dict(Lot.objects.values_list("transfer__purchase", "remaining"))
    assert left == {bought: 50, other: 100}
    assert sound()


def test_an_old_shortage_is_asked_only_of_what_the_hold_kept(at, member):
    bought = buy(member, at)
    adjust(member, -60, at, key="spent")
    hold(member, at, 40)
    assert refund(bought, at) == (0, 100)
    adjust(member, 60, at, key="new")
    cancel(key="h1", at=at)
    assert queries.balance(member.pk, at) == 60
