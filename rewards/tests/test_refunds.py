"""Refunds by line and by amount: what the lines earned goes back, what was paid with comes back, each exactly once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from members.models import PurchaseLine, Refund, RefundLine
from members.services.merging import merge_members
from members.services.purchases import KeyReused, NewLine
from members.tests.factories import make_member, new_purchase
from rewards import queries
from rewards.enums import ExpiredReturn, RefundPolicy, Unit
from rewards.models import Coupon, EarningRule, Lot, RewardSettings, Transfer
from rewards.services.expiry import expire_due
from rewards.services.holds import cancel, reserve
from rewards.services.ledger import InsufficientPoints
from rewards.services.paying import Payment, pay
from rewards.services.purchases import post_purchases
from rewards.services.refunds import LinesDoNotSum, RefundTooLarge, refund_purchase
from rewards.services.verify import verify
from rewards.tests.coupons import make_offer
from rewards.tests.factories import adjust, award, event_data, make_rule, make_rule_of, make_tiers, old_award

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
CREDIT = Unit.CREDIT


@pytest.fixture
def member(at):
    make_tiers()
    return make_member()


def buy(member, at, *amounts, quantity="1"):
    """A purchase of lines at these prices, without points; its id and its lines' ids."""
    lines = tuple(NewLine(amount, sku=f"s{n}", quantity=Decimal(quantity)) for n, amount in enumerate(amounts))
    told = new_purchase(member, amount_minor=sum(amounts), purchased_at=at, lines=lines)
    (posted,) = post_purchases(purchases=[told], at=at, with_points=False)
    return posted.id, list(PurchaseLine.objects.filter(purchase=posted.id).order_by("pk").values_list("pk", flat=True))


def refund(purchase_id, at, key="r1", **what):
    return refund_purchase(purchase_id=purchase_id, source="till", key=key, at=at, **what)


def policy(**values):
    RewardSettings.objects.update_or_create(pk=1, defaults=values)


def sound():
    wrong = [(str(r.check), r.difference) for r in verify() if r.difference]
    assert wrong == []
    return True


def lots(member):
    return list(Lot.objects.filter(account__member=member).order_by("pk").values_list("amount", "remaining"))


def test_a_line_takes_back_what_it_earned_and_no_more(at, member):
    bought, (coffee, mug) = buy(member, at, 500, 1500)
    award(bought, 21, at, lines=[(coffee, "5.5"), (mug, "15.75")])
    result = refund(bought, at, lines=[(mug, Decimal(1))])
    assert (result.amount_minor, result.points_taken) == (1500, 15)  # 21 × 15.75 ÷ 21.25, rounded down
    assert list(RefundLine.objects.values_list("line", "quantity", "amount_minor")) == [(mug, Decimal(1), 1500)]
    assert refund(bought, at, "r2", lines=[(coffee, Decimal(1))]).points_taken == 6
    assert queries.balance(member.pk, at) == 0


def test_pieces_of_a_line_come_back_one_by_one_to_the_last_point_and_cent(at, member):
    bought, (line,) = buy(member, at, 1000, quantity="3")
    award(bought, 10, at, lines=[(line, "10")])
    taken = [refund(bought, at, f"r{n}", lines=[(line, Decimal(1))]) for n in range(3)]
    assert [r.amount_minor for r in taken] == [333, 333, 334]
    assert [r.points_taken for r in taken] == [3, 3, 4]
    with pytest.raises(RefundTooLarge) as refused:
        refund(bought, at, "r4", lines=[(line, Decimal("0.5"))])
    assert (refused.value.line_id, refused.value.left_quantity) == (line, 0)


def test_more_of_a_line_than_was_bought_is_refused_with_what_is_left(at, member):
    bought, (line, other) = buy(member, at, 900, 100, quantity="3")
    refund(bought, at, lines=[(line, Decimal(1))])
    with pytest.raises(RefundTooLarge) as refused:
        refund(bought, at, "r2", lines=[(line, Decimal(1)), (line, Decimal(2))])
    assert (refused.value.left_minor, refused.value.left_quantity) == (600, 2)
    assert Refund.objects.count() == 1
    refund(bought, at, "r3", amount_minor=700)
    for what in ({"lines": [(other, Decimal(3))]}, {"amount_minor": 1}, {}):
        with pytest.raises(RefundTooLarge):
            refund(bought, at, "r4", **what)


def test_an_amount_alone_is_spread_over_the_lines_and_the_pieces_after_it_are_worth_less(at, member):
    bought, (a, b) = buy(member, at, 1000, 500)
    award(bought, 15, at, lines=[(a, "10"), (b, "5")])
    assert refund(bought, at, amount_minor=300).points_taken == 3
    assert dict(RefundLine.objects.values_list("line", "amount_minor")) == {a: 200, b: 100}
    result = refund(bought, at, "r2", lines=[(a, Decimal(1))])
    assert (result.amount_minor, result.points_taken) == (800, 8)
    result = refund(bought, at, "r3")
    assert (result.amount_minor, result.points_taken) == (400, 4)
    assert queries.balance(member.pk, at) == 0
    assert sound()


def test_lines_of_another_purchase_lines_that_do_not_sum_and_nothing_are_refused(at, member):
    bought, (line,) = buy(member, at, 1000)
    _other, (foreign,) = buy(member, at, 1000)
    with pytest.raises(PurchaseLine.DoesNotExist):
        refund(bought, at, lines=[(foreign, Decimal(1))])
    with pytest.raises(LinesDoNotSum) as refused:
        refund(bought, at, lines=[(line, Decimal(1))], amount_minor=999)
    assert refused.value.lines_minor == 1000
    for what in ({"amount_minor": 0}, {"amount_minor": -5}, {"lines": [(line, Decimal(0))]}):
        with pytest.raises(ValueError, match="gives something back"):
            refund(bought, at, **what)
    assert not Refund.objects.exists()


def test_twice_the_same_does_nothing_and_another_content_is_refused(at, member):
    bought, (a, b) = buy(member, at, 1000, 1000)
    award(bought, 20, at, lines=[(a, "10"), (b, "10")])
    first = refund(bought, at, lines=[(a, Decimal(1))])
    again = refund(bought, at + DAY, lines=[(a, Decimal(1))])
    assert (again.refund_id, again.is_new, again.points_taken) == (first.refund_id, False, 10)
    assert queries.balance(member.pk, at) == 10
    for other in ({"lines": [(b, Decimal(1))]}, {"amount_minor": 1000}, {}):
        with pytest.raises(KeyReused):
            refund(bought, at, **other)


def test_every_award_gives_back_its_own_share_and_the_rules_may_give_it_again(at, member):
    rule = make_rule()
    version = rule.versions.get()
    EarningRule.objects.filter(pk=rule.pk).update(budget=100, budget_spent=30)
    bought, (a, b) = buy(member, at, 1000, 1000)
    award(bought, 20, at, lines=[(a, "10"), (b, "10")], rule=version)
    award(bought, 10, at, lines=[(a, "10")], name="double", rule=version)
    award(bought, 55, at, lines=[(a, "50"), (b, "5")], unit=CREDIT, name="cash")
    result = refund(bought, at, lines=[(a, Decimal(1))])
    assert (result.points_taken, result.credit_taken) == (20, 50)
    assert (queries.balance(member.pk, at), queries.balance(member.pk, at, CREDIT)) == (10, 5)
    assert EarningRule.objects.get(pk=rule.pk).budget_spent == 10


def test_what_is_pending_is_taken_from_the_pending_lot(at, member):
    bought, (a,) = buy(member, at, 1000, quantity="2")
    adjust(member, 50, at)
    award(bought, 10, at, lines=[(a, "10")], pending_until=at + 14 * DAY)
    assert queries.pending(member.pk, at) == 10
    assert refund(bought, at, lines=[(a, Decimal(1))]).points_taken == 5
    assert (queries.pending(member.pk, at), queries.balance(member.pk, at)) == (5, 50)
    assert refund(bought, at, "r2").points_taken == 5
    assert (queries.pending(member.pk, at), queries.balance(member.pk, at)) == (0, 50)
    assert sound()


def test_what_was_paid_with_comes_back_into_the_lots_it_came_from(at, member):
    adjust(member, 30, at, key="soon", expires_at=at + DAY)
    adjust(member, 100, at, key="late")
    bought, _ = buy(member, at, 1000)
    pay(payments=[Payment(member.pk, bought, 50)], at=at)
    assert lots(member) == [(30, 0), (100, 80)]
    half = refund(bought, at, amount_minor=499)
    assert half.points_returned == 24  # half of it, rounded down
    assert lots(member) == [(30, 4), (100, 100)]  # what would last longest first
    assert refund(bought, at, "r2").points_returned == 26
    assert lots(member) == [(30, 30), (100, 100)]
    assert queries.explain(Transfer.objects.latest("pk")) == "Given back: refund of €5.01"
    assert sound()


@pytest.mark.parametrize(("setting", "left", "later"), [(ExpiredReturn.STAY, 20, 20), (ExpiredReturn.GRACE, 50, 20)])
def test_what_has_expired_since_stays_expired_or_lives_some_days_more(at, member, setting, left, later):
    policy(expired_return=setting, expired_return_days=7)
    adjust(member, 30, at, key="soon", expires_at=at + DAY)
    adjust(member, 20, at, key="late")
    bought, _ = buy(member, at, 1000)
    pay(payments=[Payment(member.pk, bought, 50)], at=at)
    for _again in range(2):
        result = refund(bought, at + 2 * DAY)
        assert (result.points_returned, result.points_expired) == (50, 50 - left)
    assert queries.balance(member.pk, at + 2 * DAY) == left
    expire_due(at=at + 2 * DAY)
    assert queries.balance(member.pk, at + 2 * DAY) == left
    assert queries.balance(member.pk, at + 10 * DAY) == later
    expire_due(at=at + 10 * DAY)
    assert sound()


def test_credit_pays_comes_back_and_is_never_mixed_with_points(at, member):
    first, _ = buy(member, at, 1000)
    award(first, 300, at, unit=CREDIT)
    adjust(member, 5, at)
    bought, _ = buy(member, at, 1000)
    with pytest.raises(InsufficientPoints) as refused:
        pay(payments=[Payment(member.pk, bought, 301)], unit=CREDIT, at=at)
    assert refused.value.available == 300
    pay(payments=[Payment(member.pk, bought, 200)], unit=CREDIT, at=at)
    assert pay(payments=[Payment(member.pk, bought, 200)], unit=CREDIT, at=at) == []  # paid already
    assert (queries.balance(member.pk, at, CREDIT), queries.balance(member.pk, at)) == (100, 5)
    assert refund(bought, at, amount_minor=500).credit_returned == 100
    reserve(member_id=member.pk, amount=150, key="h", at=at, lapses_at=at + DAY, unit=CREDIT)
    assert queries.balance(member.pk, at, CREDIT) == 50
    cancel(key="h", at=at)
    assert queries.balance(member.pk, at, CREDIT) == 200
    assert sound()


def test_what_is_spent_is_short_or_owed_and_later_earning_repays_it_first(at, member):
    policy(refund_policy=RefundPolicy.ARREARS)
    bought, _ = buy(member, at, 1000)
    award(bought, 100, at)
    adjust(member, -70, at, key="spent")
    result = refund(bought, at)
    assert (result.points_taken, result.points_short, result.points_owed) == (30, 70, 70)
    assert (queries.arrears(member.pk), queries.balance(member.pk, at)) == (70, 0)
    adjust(member, 5, at, key="gift")  # only what is earned repays
    assert queries.balance(member.pk, at) == 5
    second, _ = buy(member, at, 500)
    award(second, 50, at)
    assert (queries.arrears(member.pk), queries.balance(member.pk, at)) == (20, 5)
    third, _ = buy(member, at, 500)
    award(third, 50, at)
    assert (queries.arrears(member.pk), queries.balance(member.pk, at)) == (0, 35)
    assert sound()
    result = refund(third, at, "r3")  # what it repaid is owed again
    assert (result.points_taken, result.points_owed) == (35, 15)
    assert queries.arrears(member.pk) == 15
    assert event_data(member, "purchase.refunded")[-1]["points_owed"] == 15
    assert sound()


@pytest.mark.parametrize("bought_first", [True, False])
def test_what_comes_back_repays_so_that_the_order_of_refunds_makes_no_difference(at, member, bought_first):
    policy(refund_policy=RefundPolicy.ARREARS)
    adjust(member, 50, at)
    bought, _ = buy(member, at, 10_000)
    award(bought, 100, at)
    paid, _ = buy(member, at, 150)
    pay(payments=[Payment(member.pk, paid, 150)], at=at)
    for purchase in (bought, paid) if bought_first else (paid, bought):
        refund(purchase, at, f"r{purchase}")
    assert (queries.balance(member.pk, at), queries.arrears(member.pk)) == (50, 0)
    assert sound()


def test_what_comes_back_to_a_merged_wallet_repays_what_the_survivor_owes(at, member):
    policy(refund_policy=RefundPolicy.ARREARS)
    other = make_member()
    adjust(other, 40, at, key="other")
    paid, _ = buy(other, at, 100)
    pay(payments=[Payment(other.pk, paid, 30)], at=at)
    bought, _ = buy(member, at, 1000)
    award(bought, 20, at)
    adjust(member, -20, at, key="spent")
    refund(bought, at, "r1")
    merge_members(survivor_id=member.pk, merged_id=other.pk, at=at)
    assert (queries.balance(member.pk, at), queries.arrears(member.pk)) == (10, 20)
    refund(paid, at, "r2")
    assert (queries.balance(member.pk, at), queries.arrears(member.pk)) == (20, 0)
    assert sound()


@pytest.mark.parametrize(
    ("conditions", "lines", "left"),
    [
        ({}, [1], "issued"),  # something paid for is left
        ({"minimum": "5.00"}, [1], "void"),
        ({"minimum": "5.00"}, [0], "issued"),
        ({"products": ["s1"]}, [1], "void"),
        ({"products": ["s0"]}, [1], "issued"),
    ],
)
def test_a_coupon_goes_when_what_is_left_no_longer_meets_its_rule(at, member, conditions, lines, left):
    make_rule_of("Coupon", {"effect": {"kind": "coupon", "offer": make_offer().pk}, "conditions": conditions})
    told = new_purchase(
        member, amount_minor=1000, purchased_at=at, lines=(NewLine(400, sku="s0"), NewLine(600, sku="s1"))
    )
    (posted,) = post_purchases(purchases=[told], at=at)
    bought = list(PurchaseLine.objects.filter(purchase=posted.id).order_by("pk").values_list("pk", flat=True))
    refund(posted.id, at, lines=[(bought[n], Decimal(1)) for n in lines])
    assert Coupon.objects.get().state == left
    refund(posted.id, at, "rest")
    assert Coupon.objects.get().state == "void"


def test_a_used_coupon_stays_used_when_its_rule_is_no_longer_met(at, member):
    definition = {"effect": {"kind": "coupon", "offer": make_offer().pk}, "conditions": {"minimum": "5.00"}}
    make_rule_of("Coupon", definition)
    (posted,) = post_purchases(purchases=[new_purchase(member, amount_minor=1000, purchased_at=at)], at=at)
    Coupon.objects.update(state="used")
    refund(posted.id, at, amount_minor=999)
    assert Coupon.objects.get().state == "used"


def test_what_a_hold_keeps_is_owed_only_once_it_was_spent(at, member):
    policy(refund_policy=RefundPolicy.ARREARS)
    bought, _ = buy(member, at, 1000)
    award(bought, 100, at)
    reserve(member_id=member.pk, amount=100, key="h", at=at, lapses_at=at + DAY)
    assert refund(bought, at).points_owed == 0
    from rewards.services.holds import confirm

    confirm(key="h", at=at)
    assert queries.arrears(member.pk) == 100
    assert sound()


def test_after_a_merge_everything_finds_its_way(at, member):
    policy(refund_policy=RefundPolicy.ARREARS)
    other = make_member()
    adjust(other, 40, at)
    bought, _ = buy(other, at, 1000)
    award(bought, 10, at)
    pay(payments=[Payment(other.pk, bought, 45)], at=at)
    merge_members(survivor_id=member.pk, merged_id=other.pk, at=at)
    assert queries.balance(member.pk, at) == 5
    result = refund(bought, at)
    assert (result.points_returned, result.points_taken) == (45, 10)
    assert (queries.balance(member.pk, at), queries.balance(other.pk, at)) == (40, 0)
    assert sound()


def test_a_purchase_of_the_old_kind_gives_back_by_amount(at, member):
    bought, (line, _) = buy(member, at, 410, 590)
    old_award(bought, at)
    assert refund(bought, at, lines=[(line, Decimal(1))]).points_taken == 4
    assert refund(bought, at, "r2").points_taken == 6
    assert sound()
