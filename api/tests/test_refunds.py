"""POST /refunds."""

from decimal import Decimal

import pytest
from django.utils import timezone

from api.tests.factories import Caller, problem
from members.models import Purchase, Refund
from members.services.purchases import NewLine
from members.tests.factories import make_member, new_purchase
from rewards.models import RewardSettings
from rewards.queries import balance
from rewards.services.purchases import post_purchases
from rewards.services.refunds import refund_purchase
from rewards.services.verify import verify
from rewards.tests.factories import adjust, make_rule, make_rule_of, make_tiers

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Caller:
    return Caller()


@pytest.fixture
def member():
    """Bought two coffees (two lines) and three cakes for 24.00, and earned 24 points."""
    make_tiers()
    make_rule()
    member = make_member()
    lines = (
        NewLine(300, sku="coffee", quantity=Decimal(1)),
        NewLine(300, sku="coffee", quantity=Decimal(1)),
        NewLine(1800, sku="cake", quantity=Decimal(3)),
    )
    now = timezone.now()
    told = new_purchase(member, source="till", key="p1", amount_minor=2400, lines=lines, purchased_at=now)
    post_purchases(purchases=[told], at=now)
    return member


def test_lines_take_back_what_they_earned_and_twice_is_once(till, member):
    body = {"key": "r1", "purchase": "p1", "lines": [{"sku": "cake", "quantity": 1}, {"sku": "coffee", "quantity": 2}]}
    first = till.post("/refunds", body)
    assert first.status_code == 201
    told = first.json()
    assert (told["amount"], told["points"]["taken"]) == ("12.00", 12)
    assert balance(member.pk) == 12
    again = till.post("/refunds", body)
    assert (again.status_code, again.json()) == (200, told)
    assert Refund.objects.count() == 1
    assert problem(till.post("/refunds", body | {"amount": "1.00"}))[:2] == (409, "key_reused")


def test_an_amount_and_then_all_that_is_left(till, member):
    assert till.post("/refunds", {"key": "r1", "purchase": "p1", "amount": "4.00"}).json()["amount"] == "4.00"
    assert till.post("/refunds", {"key": "r2", "purchase": "p1"}).json()["amount"] == "20.00"
    assert balance(member.pk) == 0
    assert problem(till.post("/refunds", {"key": "r3", "purchase": "p1"}))[:2] == (422, "nothing_left")


def test_what_is_money_and_what_comes_back_as_points_and_credit(till):
    RewardSettings.objects.update(points_per_unit=100)
    anna = make_member()
    adjust(anna, 500, timezone.now(), key="p")
    adjust(anna, 301, timezone.now(), key="c", unit="credit")
    sale = {"key": "p1", "member": anna.card_number, "currency": "EUR", "pay_with": {"points": 500, "credit": "3.01"}}
    assert till.post("/purchases", sale | {"lines": [{"unit_price": "10.00"}]}).json()["due"] == "1.99"
    parts = [till.post("/refunds", {"key": f"r{n}", "purchase": "p1", "amount": "3.33"}).json() for n in (1, 2)]
    parts.append(till.post("/refunds", {"key": "r3", "purchase": "p1"}).json())
    for told in parts:
        split = (told["money"], told["points"]["worth"], told["credit"]["returned"])
        assert sum(map(Decimal, split)) == Decimal(told["amount"])
        assert all(Decimal(part) >= 0 for part in split)
    assert sum(Decimal(told["money"]) for told in parts) == Decimal("1.99")
    assert sum(told["points"]["returned"] for told in parts) == 500
    assert sum(Decimal(told["points"]["worth"]) for told in parts) == 5
    purchase = Purchase.objects.get()
    again = refund_purchase(purchase_id=purchase.pk, source="till", key="r2", amount_minor=333, at=timezone.now())
    assert not again.is_new
    assert again.money_minor == int(Decimal(parts[1]["money"]) * 100)


def test_what_was_free_comes_back_by_itself_with_what_it_earned(till):
    make_rule_of("Per item", {"effect": {"kind": "per_item", "points": 5}})
    anna = make_member()
    paid = [
        {"sku": "cake", "quantity": 1, "unit_price": "4.00"},
        {"sku": "sample", "quantity": 2, "unit_price": "0.00"},
    ]
    for key, lines in (("mixed", paid), ("free", paid[1:])):
        sale = {"key": key, "member": anna.card_number, "currency": "EUR", "lines": lines}
        assert till.post("/purchases", sale).status_code == 201
    before = balance(anna.pk)
    one = {"lines": [{"sku": "sample", "quantity": 1}]}
    told = till.post("/refunds", {"key": "r1", "purchase": "mixed", **one})
    assert (told.status_code, told.json()["amount"], told.json()["points"]["taken"]) == (201, "0.00", 5)
    assert till.post("/refunds", {"key": "r1", "purchase": "mixed", **one}).json() == told.json()
    assert till.post("/refunds", {"key": "r2", "purchase": "mixed", **one}).json()["points"]["taken"] == 5
    assert problem(till.post("/refunds", {"key": "r3", "purchase": "mixed", **one}))[1] == "too_many"
    for key, sku, n in (("r3", "sample", 1), ("r3b", "cake", 2)):
        answer = till.post("/refunds", {"key": key, "purchase": "mixed", "lines": [{"sku": sku, "quantity": n}]})
        assert answer.json()["error"]["facts"] == {"too_many": "1"}
    assert till.post("/refunds", {"key": "r4", "purchase": "mixed"}).json()["points"]["taken"] == 5
    assert balance(anna.pk) == before - 15
    free = [till.post("/refunds", {"key": f"f{n}", "purchase": "free", **more}) for n, more in enumerate((one, {}, {}))]
    assert [answer.json().get("amount") for answer in free] == ["0.00", "0.00", None]
    assert problem(free[2])[:2] == (422, "nothing_left")
    assert [str(r.check) for r in verify() if r.difference] == []


@pytest.mark.parametrize(
    ("more", "status", "code", "field"),
    [
        ({"purchase": "p2"}, 404, "no_such_purchase", "purchase"),
        ({"amount": "24.01"}, 422, "refund_too_large", "amount"),
        ({"amount": "0.00"}, 422, "invalid", "amount"),
        ({"amount": "-1.00"}, 422, "invalid", "amount"),
        ({"amount": "0.005"}, 422, "too_many_decimals", "amount"),
        ({"amount": "1000000000000"}, 422, "refund_too_large", "amount"),
        ({"amount": 5}, 422, "invalid", "amount"),
        ({"amount": "NaN"}, 422, "invalid", "amount"),
        ({"lines": [{"sku": "tea", "quantity": 1}]}, 422, "not_bought", "lines.0.sku"),
        ({"lines": [{"sku": "cake", "quantity": 4}]}, 422, "too_many", "lines.0.quantity"),
        ({"lines": [{"sku": "cake", "quantity": 0}]}, 422, "invalid", "lines.0.quantity"),
        ({"lines": [{"sku": "cake", "quantity": 1}], "amount": "1.00"}, 422, "lines_do_not_sum", "amount"),
        ({"lines": []}, 422, "invalid", "lines"),
        ({"at": "2999-01-01T00:00:00Z"}, 422, "in_future", "at"),
        ({"at": "0001-01-01T00:00:00Z"}, 422, "before_purchase", "at"),
        ({"at": "yesterday"}, 422, "invalid", "at"),
    ],
)
def test_what_cannot_be_given_back_is_told_and_changes_nothing(till, member, more, status, code, field):
    assert problem(till.post("/refunds", {"key": "r1", "purchase": "p1", **more})) == (status, code, field)
    assert not Refund.objects.exists()
    assert balance(member.pk) == 24


def test_another_systems_purchase_is_not_ours(member):
    answer = Caller(source="shop").post("/refunds", {"key": "r1", "purchase": "p1"})
    assert problem(answer) == (404, "no_such_purchase", "purchase")
