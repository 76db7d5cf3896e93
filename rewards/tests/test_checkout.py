"""The till's own call: what it refuses and how it says so, paying, coupons, dry runs, batches, keys."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils.timezone import now

from members.models import Member, Purchase, PurchaseLine, TimelineEvent
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.tests.factories import make_member
from rewards import queries
from rewards.enums import OfferKind, OfferState, Unit
from rewards.models import Coupon, CouponUse, Evaluation, Lot, Offer, RewardSettings, Transfer
from rewards.services.checkout import Basket, BasketLine, Receipt, Refusal, check_out
from rewards.services.coupons.issuing import issue_coupons
from rewards.tests.factories import adjust, make_rule, make_rule_of, make_tiers

pytestmark = pytest.mark.django_db


def basket(member: Member, key="b1", lines=None, **values) -> Basket:
    """Two lattes at 3.50 and a bag of beans at 13.00, unless told otherwise: 20.00."""
    lines = lines or (
        BasketLine(Decimal("3.50"), Decimal(2), "LATTE", "Latte", "Drinks"),
        BasketLine(Decimal("13.00"), Decimal(1), "BEANS", "Beans", "Coffee"),
    )
    return Basket(member_id=member.pk, source="till", key=key, currency="EUR", lines=tuple(lines), **values)


def taken(at, *baskets, **values) -> Receipt:
    answer = check_out(baskets=baskets, at=at, **values)[0]
    assert isinstance(answer, Receipt), answer
    return answer


def refused(at, told: Basket) -> Refusal:
    purchases = Purchase.objects.count()
    (answer,) = check_out(baskets=[told], at=at)
    assert isinstance(answer, Refusal), answer
    assert Purchase.objects.count() == purchases
    assert answer.message.endswith((".", "?"))
    return answer


def test_a_basket_is_recorded_and_says_what_it_earned_and_what_not(at):
    base = make_rule()
    drinks = make_rule_of(
        "Double drinks", {"effect": {"kind": "multiplier", "factor": "2"}, "conditions": {"categories": ["drinks"]}}
    )
    tea = make_rule_of("Tea", {"effect": {"kind": "fixed", "points": 5}, "conditions": {"categories": ["tea"]}})
    tiers = make_tiers()
    member = make_member()
    answer = taken(at, basket(member))
    assert (answer.total_minor, answer.due_minor, answer.spendable, answer.pending) == (2000, 2000, 27, 0)
    assert [(e.rule_id, e.amount, e.why, e.state) for e in answer.earned] == [
        (base.pk, 20, "Bought for €20.00 · Purchases in EUR", "spendable"),
        (drinks.pk, 7, "Double drinks: points × 2", "spendable"),
    ]
    assert answer.unfired == ((tea.pk, "lines", {}),)
    assert (answer.tier_before, answer.tier_after, answer.tier) == (tiers["bronze"].pk, tiers["bronze"].pk, "Bronze")
    evaluation = Evaluation.objects.get(purchase=answer.purchase_id)
    assert [(row["rule"], row["fired"], row["points"], row["reason"]) for row in evaluation.trace] == [
        (base.pk, True, 20, ""), (drinks.pk, True, 7, ""), (tea.pk, False, 0, "lines"),
    ]  # fmt: skip
    line = PurchaseLine.objects.get(sku="LATTE")
    assert Transfer.objects.get(rule__rule=drinks).why["lines"] == [[line.pk, 700, "7"]]


def test_a_rise_in_tier_is_told(at):
    make_rule()
    tiers = make_tiers()
    answer = taken(at, basket(make_member(), lines=[BasketLine(Decimal(600))]))
    assert (answer.tier_before, answer.tier_after, answer.tier_changed) == (
        tiers["bronze"].pk,
        tiers["silver"].pk,
        True,
    )


LINE = BasketLine(Decimal("3.50"))


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"lines": [replace(LINE, unit_price=Decimal("0.005"))]}, "amount", "lines.0.unit_price"),
        ({"lines": [LINE, replace(LINE, unit_price=Decimal("-1"))]}, "amount", "lines.1.unit_price"),
        ({"lines": [replace(LINE, unit_price=Decimal("1e12"))]}, "amount", "lines"),
        ({"lines": [replace(LINE, unit_price=Decimal("1e999999"))]}, "amount", "lines.0.unit_price"),
        ({"lines": [replace(LINE, unit_price=Decimal("NaN"))]}, "amount", "lines.0.unit_price"),
        ({"lines": [replace(LINE, quantity=Decimal("0"))]}, "quantity", "lines.0.quantity"),
        ({"lines": [replace(LINE, quantity=Decimal("-2"))]}, "quantity", "lines.0.quantity"),
        ({"lines": [replace(LINE, quantity=Decimal("0.0001"))]}, "quantity", "lines.0.quantity"),
        ({"lines": [replace(LINE, quantity=Decimal("Infinity"))]}, "quantity", "lines.0.quantity"),
        ({"lines": [replace(LINE, discount=Decimal("3.51"))]}, "discount", "lines.0.discount"),
        ({"lines": [replace(LINE, discount=Decimal("-1"))]}, "amount", "lines.0.discount"),
        ({"lines": [replace(LINE, name="\0")]}, "text", "lines.0.name"),
        ({"lines": [LINE] * 501}, "lines", "lines"),
        ({"currency": "EURO"}, "currency", "currency"),
        ({"currency": "XXY"}, "currency", "currency"),
        ({"channel": "pigeon"}, "channel", "channel"),
        ({"store": "x" * 81}, "text", "store"),
        ({"key": ""}, "key", "key"),
        ({"pay_points": -1}, "pay_with", "pay_with.points"),
        ({"member_id": 10**9}, "member", "member"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_field(at, change, code, field):
    make_rule()
    told = replace(
        basket(make_member(), lines=change.get("lines")), **{k: v for k, v in change.items() if k != "lines"}
    )
    answer = refused(at, told)
    assert (answer.code, answer.field) == (code, field)


def test_a_free_basket_is_a_purchase_that_earns_nothing(at):
    make_rule()
    answer = taken(at, basket(make_member(), lines=[BasketLine(Decimal(0))]))
    assert (answer.total_minor, answer.earned, answer.unfired[0][1]) == (0, (), "nothing")


@pytest.mark.parametrize(
    ("ago", "ok"), [(-2, True), (-24, True), (-25, False), (24 * 366, True), (24 * 366 + 1, False)]
)
def test_a_clock_may_be_a_day_ahead_and_a_purchase_a_year_late(at, ago, ok):
    make_rule(valid_months=60)
    member = make_member()
    told = basket(member, at=at - timedelta(hours=ago))
    if ok:
        assert taken(at, told).spendable == 20
    else:
        assert refused(at, told).code == "at"


def test_a_key_told_again_gets_its_answer_and_another_content_is_refused():
    make_rule()
    at, member = now(), make_member()
    first = taken(at, basket(member))
    again = taken(at + timedelta(days=1), basket(member))
    assert (again.is_new, again.purchase_id, again.earned) == (False, first.purchase_id, first.earned)
    assert refused(at, basket(member, lines=[LINE])).code == "key_reused"
    assert refused(at, basket(member, pay_points=5)).code == "key_reused"
    assert queries.balance(member.pk, at) == 20


def test_in_a_batch_one_refusal_harms_no_other_and_a_key_may_stand_twice(at):
    make_rule()
    members = [make_member() for _ in range(3)]
    known = taken(at, basket(members[0], "old"))
    answers = check_out(
        baskets=[
            basket(members[0], "k1"),
            basket(members[1], "k2", lines=[replace(LINE, quantity=Decimal(0))]),
            basket(members[0], "old"),
            basket(members[2], "old"),
            basket(members[0], "k1"),
            basket(members[1], "k1"),
            basket(members[1], "k3", pay_points=1),
            basket(members[1], "k4"),
        ],
        at=at,
    )
    assert [getattr(answer, "code", None) for answer in answers] == [
        None, "quantity", None, "key_reused", None, "key_reused", "pay_points", None,
    ]  # fmt: skip
    assert answers[2].purchase_id == known.purchase_id
    assert answers[4].purchase_id == answers[0].purchase_id
    assert queries.balances([m.pk for m in members], at) == dict(zip([m.pk for m in members], [40, 20, 0], strict=True))


def test_points_too_many_for_the_ledger_harm_only_their_own_basket(at):
    make_rule(points_per_unit="999999999")
    members = [make_member() for _ in range(2)]
    huge = basket(members[0], "huge", lines=[BasketLine(Decimal(10**10))])
    answers = check_out(baskets=[huge, basket(members[1], "small")], at=at)
    assert (answers[0].code, answers[1].earned[0].amount) == ("points_range", 20 * 999999999)


def test_a_dry_run_answers_the_same_and_leaves_nothing(at):
    make_rule()
    make_tiers()
    member = make_member()
    counts = [model.objects.count() for model in (Purchase, Transfer, Lot, TimelineEvent, Evaluation)]
    tried = taken(at, basket(member), dry_run=True)
    assert [model.objects.count() for model in (Purchase, Transfer, Lot, TimelineEvent, Evaluation)] == counts
    real = taken(at, basket(member))
    assert (tried.total_minor, tried.spendable, tried.tier_after) == (real.total_minor, real.spendable, real.tier_after)
    assert [e.amount for e in tried.earned] == [e.amount for e in real.earned]


def pay_settings(points_per_unit=100):
    RewardSettings.objects.update_or_create(pk=1, defaults={"points_per_unit": points_per_unit})


def test_what_is_paid_with_points_earns_nothing(at):
    make_rule()
    pay_settings()
    member = make_member()
    adjust(member, 1000, at)
    answer = taken(at, basket(member, pay_points=500))
    assert (answer.total_minor, answer.due_minor, answer.spendable) == (2000, 1500, 515)
    assert Transfer.objects.get(kind="earn").why["lines"][0][1:] == [525, "5.25"]
    again = taken(at, basket(member, pay_points=500))
    assert (again.is_new, again.due_minor, again.spendable) == (False, 1500, 515)


@pytest.mark.parametrize(
    ("paid", "code"),
    [({"pay_points": 1001}, "points_short"), ({"pay_points": 2001}, "pay_too_much"),
     ({"pay_credit_minor": 1}, "credit_short"), ({"pay_points": 100, "pay_credit_minor": 1950}, "pay_too_much")],
)  # fmt: skip
def test_paying_more_than_there_is_leaves_no_trace(at, paid, code):
    make_rule()
    pay_settings()
    member = make_member()
    adjust(member, 1000, at)
    assert refused(at, basket(member, **paid)).code == code
    assert queries.balance(member.pk, at) == 1000


def test_points_do_not_pay_where_nobody_said_what_they_are_worth(at):
    member = make_member()
    assert refused(at, basket(member, pay_points=10)).code == "pay_points"
    pay_settings()
    assert refused(at, replace(basket(member, pay_points=10), currency="USD")).code == "pay_currency"


def test_credit_that_was_earned_pays(at):
    make_rule_of("Back", {"effect": {"kind": "cashback", "percent": "10"}}, unit=Unit.CREDIT)
    member = make_member()
    first = taken(at, basket(member))
    assert (first.credit, first.earned[0].why) == (200, "10% of €20.00 back · Back")
    second = taken(at, basket(member, "b2", pay_credit_minor=150))
    assert (second.due_minor, second.credit) == (1850, 200 - 150 + 185)


def offer(**values) -> Offer:
    told = {"kind": OfferKind.AMOUNT, "definition": {"amount": "5.00", "currency": "EUR"}, "state": OfferState.LIVE}
    return Offer.objects.create(name_en="Five off", **told | values)


def test_a_coupon_takes_its_share_off_each_line_and_is_used_once(at):
    make_rule()
    member = make_member()
    (coupon,) = issue_coupons(offer_id=offer().pk, member_ids=[member.pk], keys=["c"], issued_by="staff", at=at)
    told = basket(member, coupons=(coupon.code,))
    answer = taken(at, told)
    assert (answer.total_minor, answer.discount_minor, answer.earned[0].amount) == (1500, 500, 15)
    assert sum(PurchaseLine.objects.values_list("discount_minor", flat=True)) == 500
    assert CouponUse.objects.get().purchase_id == answer.purchase_id
    again = taken(at, told)
    assert (again.is_new, again.total_minor, again.discount_minor) == (False, 1500, 500)
    other = refused(at, basket(member, "b2", coupons=(coupon.code,)))
    assert (other.code, other.field) == ("coupon", "coupons")


def test_a_rule_may_give_a_coupon_and_an_offer_that_is_over_harms_nothing(at):
    running, over = offer(), offer(state=OfferState.ENDED)
    for one in (running, over):
        make_rule_of(
            f"Coupon {one.pk}", {"effect": {"kind": "coupon", "offer": one.pk}, "limits": {"times_lifetime": 1}}
        )
    member = make_member()
    answer = taken(at, basket(member))
    assert [(e.state, e.amount) for e in answer.earned] == [("coupon", 1)]
    assert [reason for _rule, reason, _facts in answer.unfired] == ["offer"]
    assert Coupon.objects.get().member == member
    assert taken(at, basket(member)).earned == answer.earned
    assert [reason for _rule, reason, _facts in taken(at, basket(member, "b2")).unfired] == ["times", "offer"]


def test_pending_points_are_told_apart(at):
    make_rule_of("Later", {"effect": {"kind": "fixed", "points": 50}, "pending": {"days": 14}})
    answer = taken(at, basket(make_member()))
    assert (answer.spendable, answer.pending, answer.earned[0].state) == (0, 50, "pending")
    assert answer.earned[0].available_from == at + timedelta(days=14)


@pytest.mark.parametrize("expiry", [{"kind": "rolling", "months": 12}, {"kind": "inactivity", "months": 6}])
def test_a_purchase_told_too_late_says_that_its_points_have_expired(at, expiry):
    make_rule_of("Long ago", {"effect": {"kind": "fixed", "points": 50}, "expiry": expiry})
    told = basket(make_member(), at=at - timedelta(days=365))
    for answer in (taken(at, told), taken(at, told)):
        assert ([(e.amount, e.state) for e in answer.earned], answer.spendable) == ([(50, "expired")], 0)


def test_a_merged_member_buys_as_who_they_are_now_and_an_erased_one_cannot(at):
    make_rule()
    survivor, merged, erased = make_member(), make_member(), make_member()
    merge_members(survivor_id=survivor.pk, merged_id=merged.pk, at=at)
    erase_member(member_id=erased.pk, at=at)
    assert taken(at, basket(merged)).member_id == survivor.pk
    assert queries.balance(survivor.pk, at) == 20
    assert refused(at, basket(erased, "b2")).code == "member_gone"
