"""POST /coupons/{code}/validate, /reserve, /redeem, /release."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from api.tests.factories import Caller, problem
from members.models import Programme
from members.tests.factories import make_member
from rewards.models import CouponUse
from rewards.services.coupons.guessing import MISSES
from rewards.services.coupons.releasing import release_due
from rewards.tests.coupons import issue, make_offer

pytestmark = pytest.mark.django_db
LINES = [{"sku": "A", "category": "coffee", "quantity": 2, "unit_price": "10.00"}]


@pytest.fixture
def till() -> Caller:
    return Caller()


@pytest.fixture
def anna():
    return make_member()


@pytest.fixture
def coupon(anna):
    return issue(make_offer(), anna, at=timezone.now())


def basket(member, **more):
    return {"member": member.card_number, "currency": "EUR", "lines": LINES, **more}


def test_a_coupon_is_checked_used_and_released(till, anna, coupon):
    checked = till.post(f"/coupons/{coupon.code}/validate", basket(anna)).json()
    assert (checked["ok"], checked["discount"], checked["per_line"], checked["reasons"]) == (True, "2.00", ["2.00"], [])
    assert not CouponUse.objects.exists()
    used = till.post(f"/coupons/{coupon.code}/redeem", basket(anna, key="u1"))
    assert (used.status_code, used.json()["state"], used.json()["discount"]) == (201, "used", "2.00")
    again = till.post(f"/coupons/{coupon.code}/redeem", basket(anna, key="u1"))
    assert (again.status_code, again.json()) == (200, used.json())
    assert problem(till.post(f"/coupons/{coupon.code}/redeem", basket(anna, key="u1", store="X")))[0] == 409
    assert problem(till.post(f"/coupons/{coupon.code}/redeem", basket(anna, key="u2")))[:2] == (422, "coupon_used")
    assert till.post(f"/coupons/{coupon.code}/release", {"key": "u1"}).json()["state"] == "released"
    assert till.post(f"/coupons/{coupon.code}/validate", basket(anna)).json()["ok"]
    assert problem(till.post(f"/coupons/{coupon.code}/release", {"key": "u9"})) == (404, "no_such_use", "key")


def test_a_coupon_is_reserved_and_then_used_released_or_free_again(till, anna):
    first, second, third = (issue(make_offer(), anna, at=timezone.now()) for _ in range(3))
    kept = till.post(f"/coupons/{first.code}/reserve", basket(anna, key="r1", minutes=5))
    assert (kept.status_code, kept.json()["state"], kept.json()["discount"]) == (201, "reserved", "2.00")
    until = datetime.fromisoformat(kept.json()["reserved_until"])
    assert timedelta(minutes=4) < until - timezone.now() <= timedelta(minutes=5)
    again = till.post(f"/coupons/{first.code}/reserve", basket(anna, key="r1", minutes=5))
    assert (again.status_code, again.json()) == (200, kept.json())
    assert problem(till.post(f"/coupons/{first.code}/reserve", basket(anna, key="r1", minutes=6)))[0] == 409
    assert problem(till.post(f"/coupons/{first.code}/redeem", basket(anna, key="other")))[:2] == (
        422,
        "coupon_reserved",
    )
    used = till.post(f"/coupons/{first.code}/redeem", basket(anna, key="r1"))
    assert (used.status_code, used.json()["state"], used.json()["reserved_until"]) == (201, "used", None)
    assert CouponUse.objects.count() == 1
    assert till.post(f"/coupons/{second.code}/reserve", basket(anna, key="r2")).status_code == 201
    assert till.post(f"/coupons/{second.code}/release", {"key": "r2"}).json()["state"] == "released"
    assert till.post(f"/coupons/{second.code}/validate", basket(anna)).json()["ok"]
    assert till.post(f"/coupons/{third.code}/reserve", basket(anna, key="r3", minutes=1)).status_code == 201
    release_due(at=timezone.now() + timedelta(minutes=2))
    assert till.post(f"/coupons/{third.code}/validate", basket(anna)).json()["ok"]


def test_a_coupon_is_released_under_its_own_code_only(till, anna, coupon):
    make_offer(shared_code="SPRING")
    assert till.post(f"/coupons/{coupon.code}/redeem", basket(anna, key="u1")).status_code == 201
    assert till.post("/coupons/SPRING/redeem", basket(anna, key="u2")).status_code == 201
    for code in ("SPRING", "NOTHING"):
        assert problem(till.post(f"/coupons/{code}/release", {"key": "u1"})) == (404, "no_such_use", "key")
    assert problem(till.post(f"/coupons/{coupon.code}/release", {"key": "u2"}))[0] == 404
    assert set(CouponUse.objects.values_list("state", flat=True)) == {"used"}
    assert till.post("/coupons/spring/release", {"key": "u2"}).json()["state"] == "released"
    assert till.post(f"/coupons/{coupon.code.lower()}/release", {"key": "u1"}).json()["state"] == "released"


def test_another_members_coupon_is_told_as_such(till, coupon):
    other = make_member()
    checked = till.post(f"/coupons/{coupon.code}/validate", basket(other)).json()
    assert (checked["ok"], [reason["code"] for reason in checked["reasons"]]) == (False, ["other_member"])
    answer = till.post(f"/coupons/{coupon.code}/redeem", basket(other, key="u1"))
    assert problem(answer)[:2] == (422, "coupon_other_member")
    assert not CouponUse.objects.exists()


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"currency": "XXY"}, "invalid", "currency"),
        ({"lines": [{"unit_price": "0.005"}]}, "too_many_decimals", "lines.0.unit_price"),
        ({"lines": [{"unit_price": "1.00", "discount": "0.005"}]}, "too_many_decimals", "lines.0.discount"),
        ({"lines": [{"unit_price": "1.00", "discount": "2.00"}]}, "invalid", "lines.0.discount"),
        ({"lines": [{"unit_price": "1.00", "quantity": "-1"}]}, "invalid", "lines.0.quantity"),
        ({"lines": [{}]}, "invalid", "lines.0.unit_price"),
        ({"channel": "fax"}, "invalid", "channel"),
    ],
)
def test_strange_baskets(till, anna, coupon, more, code, field):
    answer = till.post(f"/coupons/{coupon.code}/validate", basket(anna, **more))
    assert problem(answer) == (422, code, field)


def test_who_guesses_has_to_wait_and_who_does_not_need_not(till, anna, coupon):
    for n in range(2 * MISSES):  # what is there is no guess
        assert till.post(f"/coupons/{coupon.code}/validate", basket(anna)).status_code == 200, n
    answers = [till.post(f"/coupons/GUESS{n}/redeem", basket(anna, key=f"g{n}")) for n in range(MISSES + 2)]
    codes = [problem(answer)[:2] for answer in answers]
    assert codes[0] == (404, "coupon_unknown")
    assert (429, "too_many_guesses") in codes
    waiting = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(waiting["Retry-After"]) <= 60


def test_who_guesses_keeps_no_other_from_their_codes(till, anna, coupon):
    if timezone.now().second > 50:
        time.sleep(10)  # guesses are counted by the minute
    other, shared = make_member(), make_offer(shared_code="SPRING")
    mine = issue(make_offer(), other, at=timezone.now())
    nobody = {"currency": "EUR", "lines": LINES}
    for n in range(MISSES):
        till.post(f"/coupons/GUESS{n}/validate", basket(anna))
        till.post(f"/coupons/GUESS{n}/validate", {**nobody, "member": f"key:nobody{n}"})  # that is nobody's miss
    for code in ("SPRING", "GUESS"):  # nobody is told whether it is one
        assert problem(till.post(f"/coupons/{code}/validate", basket(anna)))[:2] == (429, "too_many_guesses")
    for n in range(2):  # made here, and no guess; nor does it win another one
        assert till.post(f"/coupons/{coupon.code}/validate", basket(anna)).json()["ok"], n
    assert problem(till.post("/coupons/SPRING/validate", basket(anna)))[0] == 429
    for code in (mine.code, shared.shared_code):
        assert till.post(f"/coupons/{code}/validate", basket(other)).json()["ok"], code
    assert till.post("/coupons/SPRING/validate", nobody).status_code == 200
    for n in range(MISSES):
        till.post(f"/coupons/GUESS{n}/validate", nobody)
    assert problem(till.post("/coupons/SPRING/validate", nobody))[0] == 429  # as of every code, right or wrong
    batch = [purchase(anna, 1, "SPRING"), purchase(other, 2, "SPRING")]
    told = till.post("/purchases/batch", {"purchases": batch}).json()["answers"]
    assert [one["status"] for one in told] == [429, 201]


def test_a_sentence_tells_the_shops_time(till, anna, coupon):
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "Asia/Shanghai"})
    till.post(f"/coupons/{coupon.code}/redeem", basket(anna, key="u1"))
    CouponUse.objects.update(at=datetime(2026, 11, 22, 17, 5, tzinfo=UTC))
    told = till.post(f"/coupons/{coupon.code}/redeem", basket(anna, key="u2")).json()["error"]
    assert "Nov 23, 2026 01:05" in told["message"]


def purchase(member, n, code, **more):
    return {"key": f"p{n}", "member": member.card_number, "currency": "EUR", "lines": LINES, "coupons": [code], **more}


def test_a_purchases_coupon_takes_no_key_of_the_callers(till, anna, coupon):
    other = issue(make_offer(), anna, at=timezone.now())
    assert till.post(f"/coupons/{other.code}/redeem", basket(anna, key="purchase:p1:0")).status_code == 201
    assert till.post("/purchases", purchase(anna, 1, coupon.code)).status_code == 201
    assert CouponUse.objects.count() == 2


def test_codes_are_not_guessed_by_purchases(till, anna, coupon):
    if timezone.now().second > 55:
        time.sleep(5)  # guesses are counted by the minute
    plain = {"key": "plain", "member": anna.card_number, "currency": "EUR", "lines": LINES}
    for n in range(2 * MISSES):
        assert till.post("/purchases", purchase(anna, 0, coupon.code, dry_run=True)).status_code == 200, n
    for n in range(MISSES):
        told = purchase(anna, n, f"GUESS{n}", dry_run=bool(n % 2))
        assert problem(till.post("/purchases", told))[:2] == (422, "coupon")
    make_offer(shared_code="SPRING")
    for code in ("GUESS", "SPRING"):  # nobody is told whether it is one
        answer = till.post("/purchases", purchase(anna, 99, code))
        assert problem(answer)[:2] == (429, "too_many_guesses")
        assert 1 <= int(answer["Retry-After"]) <= 60
    assert till.post("/purchases", plain).status_code == 201
    assert till.post("/purchases", purchase(anna, 99, coupon.code)).status_code == 201  # that is no guess


def test_nor_by_a_batch(till, anna, coupon):
    make_offer(shared_code="SPRING")
    guesses = [purchase(anna, n, f"GUESS{n}") for n in range(3 * MISSES)]
    plain = {"key": "plain", "member": anna.card_number, "currency": "EUR", "lines": LINES}
    body = {"purchases": [purchase(anna, 100, coupon.code), *guesses, purchase(anna, 101, "SPRING"), plain]}
    answers = till.post("/purchases/batch", body).json()["answers"]
    statuses = [answer["status"] for answer in answers]
    assert statuses == [201, *[422] * MISSES, *[429] * (2 * MISSES), 429, 201]
