"""Many at once, on real connections: one code is used once, the first so many are so many."""

import io
from datetime import timedelta
from decimal import Decimal

import pytest

from common.sql import execute
from members.services.purchases import KeyReused
from members.tests.factories import make_member
from rewards.enums import CouponUseState, IssuedBy
from rewards.models import Coupon, CouponUse, Offer
from rewards.services.checkout import Basket, BasketLine, Receipt, check_out
from rewards.services.coupons import using
from rewards.services.coupons.guessing import MISSES, TooManyGuesses, attempt
from rewards.services.coupons.issuing import issue_coupons, void_coupons
from rewards.services.coupons.jobs import upload_codes
from rewards.services.coupons.releasing import release, release_due
from rewards.services.coupons.using import CouponRefused, Taken, redeem, reserve, take
from rewards.services.refunds import refund_purchase
from rewards.tests.coupons import AT, basket, issue, make_offer
from rewards.tests.factories import event_data
from rewards.tests.test_concurrency import at_once, overtaken

pytestmark = pytest.mark.django_db(transaction=True)


def used() -> int:
    return CouponUse.objects.filter(state=CouponUseState.USED).count()


def test_one_code_is_used_once():
    member = make_member()
    coupon = issue(make_offer(), member)

    def use(key):
        return redeem(code=coupon.code, member_id=member.pk, **basket(), source="till", key=key).state

    assert at_once([lambda n=n: use(str(n)) for n in range(20)]) == {"used": 1, CouponRefused: 19}
    assert used() == 1


def test_one_key_twenty_times_is_one_use_of_a_code_for_all():
    member = make_member()
    make_offer(shared_code="MANY", uses_member=None, uses_limit=50)

    def use():
        return redeem(code="MANY", member_id=member.pk, **basket(), source="till", key="one").pk

    results = at_once([use] * 20)
    assert list(results.values()) == [20]
    assert (used(), Offer.objects.get().uses, len(event_data(member, "coupon.used"))) == (1, 1, 1)


def test_one_key_with_two_bodies_is_one_use_and_a_refusal():
    members = [make_member(), make_member()]
    make_offer(shared_code="MANY", uses_member=None)

    def use(member):
        return redeem(code="MANY", member_id=member.pk, **basket(), source="till", key="one").state

    assert at_once([lambda m=m: use(m) for m in members]) == {"used": 1, KeyReused: 1}


def test_the_first_ten_are_ten():
    members = [make_member() for _n in range(25)]
    make_offer(shared_code="FIRST", uses_limit=10)

    def use(member):
        return redeem(code="FIRST", member_id=member.pk, **basket(), source="till", key=str(member.pk)).state

    assert at_once([lambda m=m: use(m) for m in members]) == {"used": 10, CouponRefused: 15}
    assert (used(), Offer.objects.get().uses) == (10, 10)


def test_counted_without_the_lock_the_first_ten_would_be_more(monkeypatch):
    """The test above can fail: what was read before is what others count up, too."""

    def count_up(uses):
        for use in uses:
            offer = Offer.objects.get(pk=use.offer_id)
            if offer.uses >= offer.uses_limit:
                raise CouponRefused("", [])
            execute("SELECT pg_sleep(0.02)")
            Offer.objects.filter(pk=offer.pk).update(uses=offer.uses + 1)

    monkeypatch.setattr(using, "_count_up", count_up)
    monkeypatch.setattr("rewards.tests.test_concurrency.verify", list)
    members = [make_member() for _n in range(25)]
    make_offer(shared_code="FIRST", uses_limit=10)
    at_once(
        [
            lambda m=m: redeem(code="FIRST", member_id=m.pk, **basket(), source="till", key=str(m.pk)).state
            for m in members
        ]
    )
    assert used() > 10


def test_a_member_uses_a_code_for_all_as_often_as_they_may():
    member = make_member()
    make_offer(shared_code="TWICE", uses_member=2)

    def use(key):
        return redeem(code="TWICE", member_id=member.pk, **basket(), source="till", key=key).state

    assert at_once([lambda n=n: use(str(n)) for n in range(12)]) == {"used": 2, CouponRefused: 10}


def test_without_the_lock_a_member_would_use_it_more_often(monkeypatch):
    find_all = using.judge

    def slowly(*args, **values):
        find_all(*args, **values)
        execute("SELECT pg_sleep(0.05)")

    monkeypatch.setattr(using, "_lock_member", lambda offer_id, member_id: None)
    monkeypatch.setattr(using, "judge", slowly)
    member = make_member()
    make_offer(shared_code="TWICE", uses_member=2)
    at_once(
        [
            lambda n=n: redeem(code="TWICE", member_id=member.pk, **basket(), source="till", key=str(n)).state
            for n in range(12)
        ]
    )
    assert used() > 2


def test_reservations_that_lapse_while_they_are_used_end_one_way():
    offer = make_offer(uses_limit=100)
    coupons = [issue(offer, make_member()) for _n in range(12)]
    for n, coupon in enumerate(coupons):
        reserve(code=coupon.code, member_id=coupon.member_id, **basket(), source="till", key=str(n), minutes=1)
    later = AT + timedelta(minutes=1)

    def use(n):
        told = {"code": coupons[n].code, "member_id": coupons[n].member_id, "source": "till", "key": str(n)}
        return redeem(**told, **basket(at=later)).state

    acts = [lambda n=n: use(n) for n in range(12)]
    acts += [lambda: release_due(at=later) and None] * 3 + [lambda: release(source="till", key="3", at=later) and None]
    at_once(acts)
    assert Offer.objects.get().uses == used()
    for coupon in Coupon.objects.all():
        live = CouponUse.objects.filter(coupon=coupon, state=CouponUseState.USED).exists()
        assert coupon.state == ("used" if live else "issued")


def test_a_code_for_all_whose_reservation_lapses_at_this_moment_is_counted_anew():
    member = make_member()
    offer = make_offer(shared_code="MANY", uses_limit=5)
    reserve(code="MANY", member_id=member.pk, **basket(), source="till", key="r", minutes=1)
    later = AT + timedelta(minutes=1)
    told = {"codes": ["MANY"], "member_id": member.pk, "source": "till", "key": "p"}
    taken = overtaken(lambda: release_due(at=later), lambda: take(**told, **basket(at=later)))
    offer.refresh_from_db()
    assert isinstance(taken, Taken), taken
    assert sorted(CouponUse.objects.values_list("state", flat=True)) == ["released", "used"]
    assert offer.uses == 1


def test_a_pool_gives_each_code_to_one_member():
    offer = make_offer()
    upload_codes(offer_id=offer.pk, file=io.BytesIO("\n".join(f"POOL-{n}" for n in range(10)).encode()), at=AT)
    members = [make_member() for _n in range(12)]

    def give(member):
        told = {"offer_id": offer.pk, "member_ids": [member.pk], "keys": [f"k{member.pk}"]}
        return len(issue_coupons(**told, issued_by=IssuedBy.API, at=AT))

    results = at_once([lambda m=m: give(m) for m in members])
    assert results[1] == 10
    assert Coupon.objects.filter(member__isnull=False).values("code").distinct().count() == 10


def test_one_key_at_once_is_one_coupon():
    offer, member = make_offer(), make_member()

    def give():
        told = {"offer_id": offer.pk, "member_ids": [member.pk], "keys": ["earn:1"]}
        return issue_coupons(**told, issued_by=IssuedBy.RULE, at=AT)[0].pk

    assert list(at_once([give] * 12).values()) == [12]
    assert len(event_data(member, "coupon.issued")) == 1


def test_guesses_at_once_are_counted_one_by_one(at):
    results = at_once([lambda: attempt("ip:1", at)] * (MISSES + 8))
    assert results == {None: MISSES, TooManyGuesses: 8}


def test_a_gift_card_used_by_twenty_at_once_never_pays_more_than_is_on_it():
    card = issue(make_offer("card", {"currency": "EUR", "amount": "10.00"}), make_member())
    members = [make_member() for _n in range(20)]

    def pay(member):
        line = BasketLine(Decimal("3.00"))
        told = Basket(
            member_id=member.pk, source="till", key=str(member.pk), currency="EUR", lines=(line,), coupons=(card.code,)
        )
        answer = check_out(baskets=[told], at=AT)[0]
        return answer.cards[0].paid_minor if isinstance(answer, Receipt) else answer.code

    assert at_once([lambda m=m: pay(m) for m in members]) == {300: 3, 100: 1, "coupon": 16}
    assert card.account.balance == 0


def test_a_gift_card_paying_while_it_is_refunded_and_withdrawn_loses_nothing():
    card = issue(make_offer("card", {"currency": "EUR", "amount": "10.00"}), make_member())

    def basket_of(member, key):
        line = BasketLine(Decimal("2.00"))
        return Basket(member_id=member.pk, source="t", key=key, currency="EUR", lines=(line,), coupons=(card.code,))

    buyers = [make_member() for _n in range(4)]
    bought = [check_out(baskets=[basket_of(buyer, "first")], at=AT)[0].purchase_id for buyer in buyers[:1]]
    bought += [check_out(baskets=[basket_of(buyer, f"f{buyer.pk}")], at=AT)[0].purchase_id for buyer in buyers[1:]]
    acts = [lambda p=p: bool(refund_purchase(purchase_id=p, source="t", key=f"r{p}", at=AT)) for p in bought]
    acts += [lambda b=b: bool(check_out(baskets=[basket_of(b, f"s{b.pk}")], at=AT)[0]) for b in buyers]
    acts += [lambda: bool(void_coupons(coupon_ids=[card.pk], reason="lost", at=AT)) or True]
    assert at_once(acts) == {True: 9}
    assert 0 <= card.account.balance <= 1000
