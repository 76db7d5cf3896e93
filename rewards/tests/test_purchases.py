"""Earning by purchase, and refunds."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from members.models import Purchase, Refund
from members.services.purchases import KeyReused, record_purchases
from members.tests.factories import make_member, new_purchase
from rewards import queries
from rewards.enums import TransferKind
from rewards.models import Evaluation, Lot, Transfer
from rewards.services.gifts import Gift, give_points
from rewards.services.ledger import PointsOutOfRange
from rewards.services.purchases import RefundTooLarge, award_purchases, post_purchases, refund_purchase
from rewards.tests.factories import adjust, event_data, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db


def refund(purchase_id, amount_minor, at, key="r1", **values):
    return refund_purchase(purchase_id=purchase_id, source="till", key=key, amount_minor=amount_minor, at=at, **values)


# --- Earning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "amount_minor", "rate", "multiplier", "points"),
    [
        ("EUR", 1250, "1", "1", 12),
        ("EUR", 99, "1", "1", 0),
        ("EUR", 100, "1", "1", 1),
        ("EUR", 0, "1", "1", 0),
        ("EUR", 999, "1", "1.5", 14),  # 14.985: rounded once, at the end, not 9 × 1.5
        ("EUR", 1000, "0.1", "1", 1),  # 1/10 has no exact binary fraction
        ("EUR", 10_000, "0.07", "1", 7),  # 100 * 0.07 is 7.000000000000001 in binary, 0.07 * 100 may be less
        ("EUR", 110, "1", "1.1", 1),
        ("EUR", 1000, "1", "1.1", 11),
        ("JPY", 1250, "0.01", "1", 12),
        ("KWD", 1250, "1", "1", 1),
        ("EUR", 999_999_999_999_999, "99999.9999", "0.99", 989_999_999_009_999_010),
    ],
)
def test_points_are_exact_and_rounded_down_once(at, currency, amount_minor, rate, multiplier, points):
    make_rule(currency, rate)
    make_tiers(bronze=multiplier)
    member = make_member()
    assert post(member, at, currency=currency, amount_minor=amount_minor).points == points
    assert queries.balance(member.pk, at) == points
    assert Transfer.objects.count() == Lot.objects.count() == (1 if points else 0)


def test_an_award_keeps_its_why(at):
    rule = make_rule(points_per_unit="2")
    make_tiers(bronze="1.5")
    member = make_member()
    posted = post(member, at, amount_minor=1250)
    transfer = Transfer.objects.get()
    assert transfer.key == f"earn:purchase:{posted.id}:{rule.pk}"
    assert (transfer.purchase_id, transfer.rule) == (posted.id, rule.versions.get())
    assert transfer.why == {
        "rule": rule.pk,
        "version": 1,
        "effect": {"kind": "per_amount", "points": "2", "per": "1"},
        "factor": "1.5",
        "currency": "EUR",
        "lines": [[None, 1250, "37.5"]],
        "exact": "37.5",
        "asked": 37,
        "granted": 37,
        "cut": None,
    }
    assert queries.explain(transfer) == "Bought for €12.50, points × 1.5 · Purchases in EUR"
    assert not Evaluation.objects.exists()  # every rule fired: the transfers say it all


def test_without_a_rule_for_its_currency_a_purchase_earns_nothing(at):
    make_rule("EUR")
    assert post(make_member(), at, currency="USD").points == 0
    assert not Transfer.objects.exists()


def test_the_present_tier_multiplies_and_a_batch_counts_with_what_was_held_before_it(at):
    make_rule()
    make_tiers(silver="2")
    member = make_member()
    answers = post_purchases(
        purchases=[new_purchase(member, amount_minor=50_000, purchased_at=at), new_purchase(member, purchased_at=at)],
        at=at,
    )
    assert [answer.points for answer in answers] == [500, 10]
    assert post(member, at, purchased_at=at).points == 20


@pytest.mark.parametrize(
    ("bought", "months", "expires"),
    [
        (datetime(2024, 2, 29, 8, 30, tzinfo=UTC), 12, datetime(2025, 2, 28, 8, 30, tzinfo=UTC)),
        (datetime(2024, 1, 31, 23, 59, tzinfo=UTC), 1, datetime(2024, 2, 29, 23, 59, tzinfo=UTC)),
        (datetime(2023, 8, 31, 0, 0, tzinfo=UTC), 6, datetime(2024, 2, 29, 0, 0, tzinfo=UTC)),
        (datetime(2024, 2, 29, 8, 30, tzinfo=UTC), 48, datetime(2028, 2, 29, 8, 30, tzinfo=UTC)),
    ],
)
def test_points_live_for_calendar_months(at, bought, months, expires):
    make_rule(valid_months=months)
    post(make_member(), at, purchased_at=bought)
    assert Lot.objects.get().expires_at == expires
    assert Lot.objects.get().available_from == Transfer.objects.get().at == bought


def test_points_of_a_purchase_that_is_dated_ahead_are_there_at_once(at):
    make_rule()
    member = make_member()
    post(member, at, purchased_at=at + timedelta(minutes=3))
    assert queries.balance(member.pk, at) == 10
    adjust(member, -10, at)


def test_a_purchase_told_again_is_answered_as_before(at):
    make_rule()
    member = make_member()
    told = [new_purchase(member, key="1"), new_purchase(member, key="2", amount_minor=2000)]
    first = post_purchases(purchases=told, at=at)
    again = post_purchases(purchases=[*told, new_purchase(member, key="3")], at=at + timedelta(days=1))
    assert [(a.is_new, a.points) for a in first] == [(True, 10), (True, 20)]
    assert [(a.is_new, a.points) for a in again] == [(False, 10), (False, 20), (True, 10)]
    assert queries.balance(member.pk, at) == 40


def test_a_purchase_recorded_without_points_gets_them_only_when_asked(at):
    make_rule()
    member = make_member()
    told = new_purchase(member)
    first = post_purchases(purchases=[told], at=at, with_points=False)[0]
    again = post_purchases(purchases=[told], at=at)[0]
    assert (first.points, again.points, queries.balance(member.pk, at)) == (0, 0, 0)
    assert award_purchases(purchase_ids=[first.id], at=at) == 10
    assert award_purchases(purchase_ids=[first.id], at=at) == 0
    assert queries.balance(member.pk, at) == 10


def test_a_batch_for_many_members_is_one_set_of_statements(at, django_assert_num_queries):
    make_rule()
    members = [make_member() for _ in range(30)]
    recorded = record_purchases(purchases=[new_purchase(member) for member in members for _ in range(3)])
    with django_assert_num_queries(13):  # with the savepoint and its release
        assert award_purchases(purchase_ids=[p.id for p in recorded], at=at) == 900
    assert set(queries.balances([m.pk for m in members], at).values()) == {30}


def test_more_points_than_the_ledger_can_count_are_refused_by_name(at):
    make_rule("JPY", "99999")
    for amount_minor in (10**15, 9 * 10**13, 9 * 10**13):
        with pytest.raises(PointsOutOfRange) if amount_minor == 10**15 else nullcontext():
            post(member := make_member(), at, currency="JPY", amount_minor=amount_minor)
    with pytest.raises(PointsOutOfRange):  # each is fine, the wallet would not be
        post(member, at, currency="JPY", amount_minor=9 * 10**13)
    assert Purchase.objects.count() == 2


# --- Refunds ------------------------------------------------------------------------------------------------------


def test_a_full_refund_takes_back_exactly_what_the_purchase_gave(at):
    make_rule(points_per_unit="1.37")
    member = make_member()
    posted = post(member, at, amount_minor=1234)
    assert posted.points == 16
    result = refund(posted.id, 1234, at)
    assert (result.is_new, result.points_taken, result.points_short) == (True, 16, 0)
    assert queries.balance(member.pk, at) == 0
    purchase = Purchase.objects.get()
    assert purchase.refunded_minor == purchase.amount_minor
    taken = Transfer.objects.get(kind=TransferKind.REVERSE)
    assert taken.key == f"refund:{result.refund_id}:{taken.reverses_id}"
    assert queries.explain(taken) == "Taken back: refund of €12.34"
    assert event_data(member, "purchase.refunded") == [
        {
            "refund": result.refund_id,
            "purchase": posted.id,
            "amount_minor": 1234,
            "currency": "EUR",
            "points_taken": 16,
            "points_short": 0,
        }
    ]


def test_partial_refunds_add_up_without_losing_or_winning_a_point(at):
    make_rule()
    member = make_member()
    posted = post(member, at, amount_minor=1000)
    taken = [refund(posted.id, part, at, key=f"r{part}").points_taken for part in (333, 334, 99, 234)]
    assert taken == [3, 3, 1, 3]  # 3.33, 6.67, 7.66, 10 in all, each rounded down
    assert queries.balance(member.pk, at) == 0
    with pytest.raises(RefundTooLarge) as refused:
        refund(posted.id, 1, at, key="more")
    assert (refused.value.left_minor, refused.value.currency) == (0, "EUR")


def test_a_refund_told_again_is_answered_as_before_and_another_under_its_key_is_refused(at):
    make_rule()
    member = make_member()
    posted, other = post(member, at), post(member, at)
    adjust(member, -17, at)
    first = refund(posted.id, 500, at)
    again = refund(posted.id, 500, at + timedelta(days=2))
    assert (first.points_taken, first.points_short) == (3, 2)
    assert (again.refund_id, again.points_taken, again.points_short, again.is_new) == (first.refund_id, 3, 2, False)
    for purchase_id, amount in ((posted.id, 501), (other.id, 500)):
        with pytest.raises(KeyReused):
            refund(purchase_id, amount, at)
    assert Refund.objects.count() == 1
    assert Purchase.objects.get(pk=posted.id).refunded_minor == 500


def test_more_than_was_paid_is_refused_and_nothing_is_written(at):
    make_rule()
    member = make_member()
    posted = post(member, at)
    refund(posted.id, 600, at)
    with pytest.raises(RefundTooLarge) as refused:
        refund(posted.id, 401, at, key="r2")
    assert refused.value.left_minor == 400
    with pytest.raises(RefundTooLarge):
        refund(posted.id, 10**30, at, key="r2")
    assert Refund.objects.count() == 1
    assert queries.balance(member.pk, at) == 4
    with pytest.raises(ValueError, match="gives something back"):
        refund(posted.id, 0, at, key="r3")


def test_a_refund_takes_from_the_lot_of_its_purchase_first_then_from_what_expires_soonest(at):
    rule = make_rule()
    member = make_member()
    old = post(member, at, purchased_at=at - timedelta(days=30))
    mine = post(member, at, purchased_at=at - timedelta(days=20))
    young = post(member, at, purchased_at=at - timedelta(days=10))
    adjust(member, -14, at)  # all of old, 4 of mine
    give_points(gifts=[Gift(member.pk, 3, "g1", expires_at=at + timedelta(days=1))], at=at)
    assert refund(mine.id, 1000, at).points_taken == 10
    left = dict(Lot.objects.values_list("transfer__key", "remaining"))
    assert left == {
        f"earn:purchase:{old.id}:{rule.pk}": 0,
        f"earn:purchase:{mine.id}:{rule.pk}": 0,
        "gift:g1": 0,
        f"earn:purchase:{young.id}:{rule.pk}": 9,
    }


def test_spent_points_make_a_refund_short_and_it_says_so(at):
    make_rule()
    member = make_member()
    posted = post(member, at)
    adjust(member, -8, at)
    result = refund(posted.id, 1000, at)
    assert (result.points_taken, result.points_short) == (2, 8)
    assert queries.balance(member.pk, at) == 0
    assert Transfer.objects.get(kind=TransferKind.REVERSE).why["due"] == 10
    assert event_data(member, "purchase.refunded")[0]["points_short"] == 8


def test_what_expired_is_not_taken_twice(at):
    make_rule(valid_months=1)
    member = make_member()
    posted = post(member, at, purchased_at=at - timedelta(days=60))
    adjust(member, 50, at)
    assert queries.balance(member.pk, at) == 50
    result = refund(posted.id, 1000, at)
    assert (result.points_taken, result.points_short) == (0, 0)
    assert queries.balance(member.pk, at) == 50


def test_a_purchase_that_was_partly_refunded_before_its_award_gives_and_takes_the_rest(at):
    make_rule()
    member = make_member()
    posted = post_purchases(purchases=[new_purchase(member, amount_minor=1000)], at=at, with_points=False)[0]
    assert refund(posted.id, 400, at).points_taken == 0
    assert award_purchases(purchase_ids=[posted.id], at=at) == 6
    assert refund(posted.id, 300, at, key="r2").points_taken == 3
    assert refund(posted.id, 300, at, key="r3").points_taken == 3
