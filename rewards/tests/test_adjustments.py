"""Points by hand, gifts, earning rules, and what the database itself refuses."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from members.services.purchases import KeyReused
from members.tests.factories import make_member
from rewards import queries
from rewards.models import Account, Lot, LotUse, RuleVersion, Transfer
from rewards.services.adjustments import adjust_points
from rewards.services.gifts import Gift, give_points
from rewards.services.ledger import InsufficientPoints
from rewards.services.rules import publish_rule
from rewards.tests.factories import FOUNDED, adjust, event_data, make_rule, post

pytestmark = pytest.mark.django_db


def test_an_adjustment_gives_and_takes_with_a_reason(at):
    member = make_member()
    given = adjust(member, 50, at)
    assert (given.amount, given.reason, Lot.objects.get().expires_at) == (50, "Goodwill", None)
    assert adjust(member, 50, at + timedelta(days=1)) == given
    adjust(member, -20, at, key="a2")
    assert queries.balance(member.pk, at) == 30
    assert event_data(member, "points.adjusted") == [
        {"points": 50, "reason": "Goodwill"},
        {"points": -20, "reason": "Goodwill"},
    ]
    for amount, key in ((51, "a1"), (-50, "a1"), (20, "a2")):
        with pytest.raises(KeyReused):
            adjust(member, amount, at, key=key)
    with pytest.raises(KeyReused):
        adjust(make_member(), 50, at)


def test_no_more_can_be_taken_than_is_there(at):
    member = make_member()
    adjust(member, 10, at, key="never")
    adjust(member, 5, at, key="gone", expires_at=at + timedelta(days=1))
    later = at + timedelta(days=1)
    with pytest.raises(InsufficientPoints) as refused:
        adjust(member, -11, later, key="take")
    assert (refused.value.available, refused.value.asked) == (10, 11)
    assert not LotUse.objects.exists()
    adjust(member, -10, later, key="take")
    assert queries.balance(member.pk, later) == 0
    assert Account.objects.get(member=member).balance == 5  # expired, not yet swept


@pytest.mark.parametrize(("amount", "reason"), [(0, "x"), (1, " ")])
def test_an_adjustment_of_nothing_or_for_nothing_is_refused(at, amount, reason):
    with pytest.raises(ValueError, match="for a reason"):
        adjust_points(member_id=make_member().pk, amount=amount, reason=reason, key="k", at=at)


def test_what_expires_soonest_goes_first_and_what_never_expires_last(at):
    member = make_member()
    for key, days in (("never", None), ("late", 90), ("soon", 5), ("soon too", 5)):
        adjust(member, 10, at, key=key, expires_at=days and at + timedelta(days=days))
    adjust(member, -25, at, key="take")
    left = dict(Lot.objects.values_list("transfer__key", "remaining"))
    assert left == {"adjust:soon": 0, "adjust:soon too": 0, "adjust:late": 5, "adjust:never": 10}
    assert list(LotUse.objects.order_by("lot_id").values_list("amount", flat=True)) == [5, 10, 10]


def test_gifts_are_given_once_per_key(at):
    members = [make_member() for _ in range(3)]
    gifts = [
        Gift(m.pk, 50, f"birthday:{m.pk}:2026", "Gift for your birthday", at + timedelta(days=90), {"year": 2026})
        for m in members
    ]
    first = give_points(gifts=gifts[:2], at=at)
    again = give_points(gifts=gifts, at=at + timedelta(hours=1))
    assert again.keys() == {gift.key for gift in gifts}
    assert {key: again[key] for key in first} == first
    assert queries.balances([m.pk for m in members], at + timedelta(hours=1)) == {m.pk: 50 for m in members}
    assert [event_data(m, "points.gifted") for m in members] == [
        [{"points": 50, "reason": "Gift for your birthday"}]
    ] * 3
    transfer = Transfer.objects.get(pk=again[gifts[0].key])
    assert (transfer.kind, transfer.why, transfer.lot.expires_at) == ("gift", {"year": 2026}, at + timedelta(days=90))
    assert give_points(gifts=[], at=at) == {}
    with pytest.raises(ValueError, match="twice"):
        give_points(gifts=[gifts[0], gifts[0]], at=at)


def test_a_bad_gift_leaves_nothing_of_its_batch(at):
    members = [make_member() for _ in range(2)]
    with pytest.raises(DatabaseError), transaction.atomic():
        give_points(gifts=[Gift(m.pk, amount, f"g{m.pk}") for m, amount in zip(members, (5, 0), strict=True)], at=at)
    assert not Transfer.objects.exists()


def test_a_changed_rule_is_a_new_version_and_earned_points_keep_theirs(at):
    member = make_member()
    first = make_rule(points_per_unit="1")
    post(member, at)
    second = make_rule(points_per_unit="2")
    assert post(member, at).points == 20
    assert first == second == make_rule(points_per_unit="2")
    assert list(Transfer.objects.order_by("id").values_list("why__version", flat=True)) == [1, 2]
    with pytest.raises(DatabaseError), transaction.atomic():
        first.versions.filter(number=1).update(definition={})


@pytest.mark.parametrize(
    "change", [{"points_per_unit": Decimal("-1")}, {"valid_months": 0}, {"currency": "EURO"}, {"valid_months": 1000}]
)
def test_a_rule_that_cannot_be_is_refused_and_the_present_one_stays(at, change):
    present = make_rule()
    assert present.created_at == FOUNDED
    values = {"currency": "EUR", "points_per_unit": Decimal(5), "valid_months": 6, **change}
    with pytest.raises(ValidationError) as refused:
        publish_rule(at=at, **values)
    assert refused.value.message_dict.keys() == change.keys()
    assert RuleVersion.objects.get().rule == present


@pytest.mark.parametrize("model", [Transfer, LotUse])
def test_the_ledger_cannot_be_rewritten(at, model):
    member = make_member()
    adjust(member, 5, at)
    adjust(member, -5, at, key="a2")
    rows = model.objects.all()
    for act in (lambda: rows.update(amount=1), lambda: rows._raw_delete(using="default")):
        with pytest.raises(DatabaseError, match="pgtrigger: Cannot update or delete"), transaction.atomic():
            act()


def test_a_lot_changes_only_in_what_remains(at):
    adjust(make_member(), 5, at)
    for act in (
        lambda: Lot.objects.update(amount=6),
        lambda: Lot.objects.update(expires_at=at),
        lambda: Lot.objects.update(remaining=6),
        lambda: Lot.objects.update(remaining=-1),
        lambda: Account.objects.filter(kind="wallet").update(balance=-1),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
