"""POST /purchases, POST /purchases/batch."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from api.enums import Scope
from api.models import Answer, ApiKey
from api.services import answers as answers_
from api.services.keys import revoke_key
from api.tests.factories import Caller, problem
from common import sql
from members.models import Member, Purchase
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.tests.factories import make_member
from rewards.models import Transfer
from rewards.queries import balance
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import make_rule, make_rule_of, make_tiers

pytestmark = pytest.mark.django_db
LINES = [
    {"sku": "coffee", "category": "drinks", "quantity": 2, "unit_price": "3.50"},
    {"sku": "beans", "quantity": "0.500", "unit_price": "30.00", "discount": "2.00"},
]


@pytest.fixture
def till() -> Caller:
    make_tiers()
    make_rule()
    return Caller()


@pytest.fixture
def anna(till) -> Member:
    return make_member()


def sale(buyer, key="p1", **more):
    return {"key": key, "member": buyer.card_number, "currency": "EUR", "lines": LINES, **more}


def test_a_purchase_earns_and_says_why_and_twice_is_once(till, anna):
    first = till.post("/purchases", sale(anna))
    assert first.status_code == 201, first.content
    told = first.json()
    assert (told["total"], told["due"], told["currency"]) == ("20.00", "20.00", "EUR")
    (earned,) = told["earned"]
    assert (earned["points"], earned["state"]) == (20, "spendable")
    assert "20" in earned["why"]
    assert told["points"] == {"spendable": 20, "pending": 0}
    assert (told["tier"], told["tier_changed"]) == ("Bronze", False)
    again = till.post("/purchases", sale(anna))
    assert (again.status_code, again.json()) == (200, told)
    assert (Purchase.objects.count(), balance(anna.pk)) == (1, 20)
    assert problem(till.post("/purchases", sale(anna, store="Elsewhere"))) == (409, "key_reused", "key")
    assert balance(anna.pk) == 20


def test_who_buys_is_asked_first_and_nobody_buys_nothing(till, anna):
    for more in ({}, {"currency": "XXQ"}, {"at": "2001-01-01T00:00:00Z"}, {"coupons": ["NOPE"]}, {"dry_run": True}):
        for nobody in ("999999999999", "key:nobody", "email:nobody@example.com", "nothing:of-this"):
            answer = problem(till.post("/purchases", sale(anna, **more, member=nobody)))
            assert answer == (404, "no_such_member", "member"), (more, nobody)
    assert not Answer.objects.exists()
    assert till.post("/purchases", sale(anna)).status_code == 201  # the key is still free


def test_a_purchase_of_a_busy_till_is_two_questions_whoever_bought_before(till, anna, monkeypatch):
    """Each costs both sides more than many a statement: docs/benchmarks.md."""
    asked, run = [], sql._Plans.run
    monkeypatch.setattr(sql._Plans, "run", lambda *told: asked.append(told) or run(*told))
    till.post("/purchases", sale(make_member(), "p0"))
    till.post("/purchases", sale(anna))  # which opens their wallet
    asked.clear()
    assert till.post("/purchases", sale(anna, "p2")).json()["points"]["spendable"] == balance(anna.pk) == 40
    assert len(asked) == 2
    make_rule_of("More", {"effect": {"kind": "fixed", "points": 5}, "conditions": {"not_segments": [*range(1, 31)]}})
    assert till.post("/purchases", sale(anna, "p3")).json()["points"]["spendable"] == 65
    assert till.post("/purchases", sale(anna, "p4")).json()["points"]["spendable"] == 90


def test_a_busy_till_is_known_for_a_second_and_a_key_that_changed_opens_nothing_all_the_same(till, anna):
    assert till.post("/purchases", sale(anna)).status_code == 201
    with CaptureQueriesContext(connection) as asked:
        assert till.post("/purchases", sale(anna, "p2")).status_code == 201
    assert not any("last_used_at" in one["sql"] for one in asked)  # who calls was not asked by itself
    for body, told in (
        (sale(anna, "p3"), 201),
        (sale(anna), 200),
        (sale(anna, store="Elsewhere"), 409),
        (sale(anna, "p4", dry_run=True), 200),
        ({**sale(anna, "p4"), "member": "key:nobody"}, 404),
        (sale(anna, "p4", lines=[{"sku": "coffee", "unit_price": "3.505"}]), 422),
    ):
        assert till.post("/purchases", body).status_code == told, body
    ApiKey.objects.update(scopes=[Scope.MEMBERS_READ])
    for body in (sale(anna, "p4"), sale(anna), sale(anna, "p4", dry_run=True), {**sale(anna), "member": "key:nobody"}):
        assert problem(till.post("/purchases", body)) == (403, "scope_missing", None), body
    ApiKey.objects.update(scopes=[Scope.PURCHASES_WRITE])
    assert till.post("/purchases", sale(anna, "p4")).status_code == 201
    revoke_key(key_id=till.row.pk, at=timezone.now())
    wrong = sale(anna, "p5", lines=[{"sku": "coffee", "unit_price": "3.505"}])
    for body in (sale(anna, "p5"), sale(anna), wrong, {**sale(anna), "member": "key:nobody"}):
        assert problem(till.post("/purchases", body)) == (401, "key_revoked", None), body
    assert Purchase.objects.count() == 4


def test_a_dry_run_says_what_would_be_and_writes_nothing(till, anna):
    dry = till.post("/purchases", sale(anna, dry_run=True))
    assert (dry.status_code, dry.json()["purchase"]) == (200, None)
    assert dry.json()["earned"][0]["points"] == 20
    assert not Purchase.objects.exists()
    assert not Transfer.objects.exists()
    assert not Answer.objects.exists()
    assert till.post("/purchases", sale(anna)).status_code == 201


def test_coupons_and_points_pay_and_what_they_pay_earns_nothing(till, anna):
    coupon = issue(make_offer(), anna, at=timezone.now())
    told = till.post("/purchases", sale(anna, coupons=[coupon.code])).json()
    assert (told["total"], told["points"]["spendable"]) == ("18.00", 18)
    used = till.post("/purchases", sale(anna, "p2", coupons=[coupon.code]))
    assert problem(used) == (422, "coupon", "coupons")
    assert used.json()["error"]["facts"]["reasons"][0]["code"] == "used"
    assert Purchase.objects.count() == 1


def test_a_tier_that_is_reached_is_said(till, anna):
    told = till.post("/purchases", sale(anna, lines=[{"unit_price": "600.00"}])).json()
    assert (told["tier"], told["tier_changed"]) == ("Silver", True)


NOW = timezone.now()


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"currency": "EURO"}, 422, "currency"),
        ({"currency": "XXX"}, 422, "currency"),
        ({"lines": []}, 422, "lines"),
        ({"lines": [{"unit_price": "0.005"}]}, 422, "lines.0.unit_price"),
        ({"lines": [{"unit_price": "-1.00"}]}, 422, "lines.0.unit_price"),
        ({"lines": [{"unit_price": "1000000000000"}]}, 422, "lines"),
        ({"lines": [{"unit_price": "9999999999.99", "quantity": 999_999}]}, 422, "lines"),
        ({"lines": [{"unit_price": 12.5}]}, 422, "lines.0.unit_price"),
        ({"lines": [{"unit_price": "12,50"}]}, 422, "lines.0.unit_price"),
        ({"lines": [{"unit_price": "１２.50"}]}, 422, "lines.0.unit_price"),
        ({"lines": [{"unit_price": "1e3"}]}, 422, "lines.0.unit_price"),
        ({"lines": [{"unit_price": "1.00", "discount": "1.01"}]}, 422, "lines.0.discount"),
        ({"lines": [{"unit_price": "1.00", "quantity": 0}]}, 422, "lines.0.quantity"),
        ({"lines": [{"unit_price": "1.00", "quantity": "0.0005"}]}, 422, "lines.0.quantity"),
        ({"at": (NOW + timedelta(days=3)).isoformat()}, 422, "at"),
        ({"at": (NOW - timedelta(days=3653)).isoformat()}, 422, "at"),
        ({"at": "2026-05-12T09:30:00"}, 422, "at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, 422, "at"),
        ({"at": "2026-02-30T00:00:00Z"}, 422, "at"),
        ({"at": 1_700_000_000}, 422, "at"),
        ({"member": "000000000000"}, 404, "member"),
        ({"member": ""}, 422, "member"),
        ({"pay_with": {"points": 1}}, 422, "pay_with.points"),
        ({"pay_with": {"credit": "0.01"}}, 422, "pay_with.credit"),
        ({"pay_with": {"credit": "-1.00"}}, 422, "pay_with.credit"),
        ({"pay_with": {"points": 10**13}}, 422, "pay_with.points"),
        ({"coupons": ["NOPE"]}, 422, "coupons"),
        ({"coupons": [""]}, 422, "coupons.0"),
        ({"channel": "fax"}, 422, "channel"),
        ({"total": "20.00"}, 422, "total"),
    ],
)
def test_what_cannot_be_is_told_beside_its_field_and_changes_nothing(till, anna, more, status, field):
    told = problem(till.post("/purchases", sale(anna, **more)))
    assert (told[0], told[2]) == (status, field), told
    assert not Purchase.objects.exists()
    assert not Answer.objects.exists()
    batch = till.post("/purchases/batch", {"purchases": [sale(anna, **more), sale(anna, "good")]}).json()["answers"]
    assert (batch[0]["status"], batch[0]["error"]["field"]) == (status, field)
    assert batch[1]["status"] == 201


def test_a_clock_two_hours_off_is_no_matter(till, anna):
    for n, hours in enumerate((-2, 2)):
        at = (timezone.now() + timedelta(hours=hours)).isoformat()
        assert till.post("/purchases", sale(anna, f"p{n}", at=at)).status_code == 201


def test_a_merged_member_buys_as_who_they_are_now_and_an_erased_one_not_at_all(till, anna):
    survivor = make_member()
    merge_members(survivor_id=survivor.pk, merged_id=anna.pk, at=timezone.now())
    assert till.post("/purchases", sale(anna)).status_code == 201
    assert balance(survivor.pk) == 20
    erase_member(member_id=survivor.pk, at=timezone.now())
    assert problem(till.post("/purchases", sale(anna, "p2")))[:2] == (404, "no_such_member")
    assert problem(till.post("/purchases", sale(anna)))[:2] == (410, "member_erased")


@pytest.mark.parametrize("at_once", [200, 2])
def test_a_batch_answers_each_for_itself(till, anna, monkeypatch, at_once):
    monkeypatch.setattr(answers_, "AT_ONCE", at_once)
    other = make_member()
    till.post("/purchases", sale(anna, "known"))
    batch = [
        sale(anna, "a"),
        sale(other, "b", lines=[{"unit_price": "1.00"}]),
        sale(anna, "known"),
        sale(anna, "known", store="X"),
        sale(anna, "a"),
        sale(anna, "a", store="X"),
        {"key": "c"},
        5,
        sale(anna, "d", member="key:nobody"),
        sale(anna, "e", dry_run=True),
        sale(anna, "f", coupons=["NOPE"]),
    ]
    answers = till.post("/purchases/batch", {"purchases": batch}).json()["answers"]
    told = [(one["status"], one.get("error", {}).get("code")) for one in answers]
    assert told == [
        (201, None),
        (201, None),
        (200, None),
        (409, "key_reused"),
        (200, None),
        (409, "key_reused"),
        (422, "invalid"),
        (422, "invalid"),
        (404, "no_such_member"),
        (422, "invalid"),
        (422, "coupon"),
    ]
    assert answers[0]["receipt"] == answers[4]["receipt"]
    assert (balance(anna.pk), balance(other.pk)) == (40, 1)
    again = till.post("/purchases/batch", {"purchases": batch}).json()["answers"]
    assert [one["status"] for one in again[:3]] == [200, 200, 200]
    assert again[0]["receipt"] == answers[0]["receipt"]
    assert Purchase.objects.count() == 3
    assert set(Answer.objects.values_list("key", flat=True)) == {"a", "b", "known"}


def test_a_long_batch_goes_through_in_parts(till, anna, monkeypatch):
    """Each says what there is once its part is through."""
    monkeypatch.setattr(answers_, "AT_ONCE", 2)
    batch = [sale(anna, key) for key in "abcd"]
    till.post("/purchases", batch[2] | {"store": "X"})
    receipts = [one.get("receipt") for one in till.post("/purchases/batch", {"purchases": batch}).json()["answers"]]
    assert receipts[2] is None
    assert [receipt["points"]["spendable"] for receipt in receipts if receipt] == [60, 60, 80]
    assert balance(anna.pk) == 80


def test_a_batch_costs_no_statement_more_with_more_in_it(till):
    members = [make_member() for _ in range(30)]

    def statements(prefix: str, n: int) -> int:
        batch = [sale(member, f"{prefix}{i}") for i, member in enumerate(members[:n])]
        with CaptureQueriesContext(connection) as captured:
            answers = till.post("/purchases/batch", {"purchases": batch}).json()["answers"]
        assert {one["status"] for one in answers} == {201}
        return len(captured)

    statements("warm", 2)
    assert statements("few", 3) == statements("many", 30)


def test_how_many_a_batch_may_hold(till):
    assert problem(till.post("/purchases/batch", {"purchases": [5] * 1_001})) == (422, "invalid", "purchases")
    assert problem(till.post("/purchases/batch", {"purchases": []})) == (422, "invalid", "purchases")
    assert problem(till.post("/purchases/batch", {"purchases": {"key": 1}})) == (422, "invalid", "purchases")


@pytest.mark.django_db(transaction=True)
def test_one_key_fifty_times_at_once_is_one_purchase(till, anna):
    def send(_n: int):
        try:
            return till.post("/purchases", sale(anna))
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(send, range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert (Purchase.objects.count(), balance(anna.pk)) == (1, 20)
