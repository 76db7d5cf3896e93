"""Gift cards: money on a code that keeps its rest, for whoever has it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from members.models import Purchase
from members.services.erasure import erase_member
from members.tests.factories import make_member
from rewards.coupons.definition import BadOffer
from rewards.enums import AccountKind, CouponState, ExpiredReturn, OfferState, TransferKind, Unit
from rewards.models import Account, Coupon, RewardSettings, Transfer
from rewards.queries_cards import rests
from rewards.queries_coupons import usable_coupons
from rewards.services.checkout import Basket, BasketLine, Receipt, check_out
from rewards.services.coupons.issuing import activate_card, void_coupons
from rewards.services.coupons.jobs import create_codes, run_job
from rewards.services.coupons.offers import save_offer, set_state
from rewards.services.coupons.using import CouponRefused, redeem, validate
from rewards.services.expiry import expire_due
from rewards.services.handing_over import CannotTakeBack
from rewards.services.redemptions import redeem_reward, refund_redemption
from rewards.services.refund_lines import Tender, shares
from rewards.services.refunds import refund_purchase
from rewards.services.verify import verify
from rewards.tests import coupons
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_reward

pytestmark = pytest.mark.django_db


def make_card(at, member=None, amount="10.00", **values) -> Coupon:
    offer = make_offer("card", {"currency": "EUR", "amount": amount}, **values)
    return issue(offer, member or make_member(), at)


def buy(at, member, price, *codes, key="b1", **values):
    lines = (BasketLine(Decimal(price)),)
    told = Basket(member_id=member.pk, source="till", key=key, currency="EUR", lines=lines, coupons=codes, **values)
    return check_out(baskets=[told], at=at)[0]


def rest(card, at) -> int:
    return rests([card.pk], at)[card.pk]


def state(card) -> str:
    card.refresh_from_db()
    return card.state


def differences() -> list:
    return [result for result in verify() if result.difference]


def test_it_keeps_its_rest_and_anybody_pays_with_it_until_it_is_empty(at):
    card, bearer = make_card(at), make_member()
    first = buy(at, bearer, "4.00", card.code)
    assert (first.total_minor, first.due_minor, first.discount_minor) == (400, 0, 0)
    assert [tuple(one) for one in first.cards] == [(card.code, 400, 600)]
    assert (state(card), rest(card, at)) == (CouponState.ISSUED, 600)
    second = buy(at, make_member(), "9.00", card.code, key="b2")
    assert (second.due_minor, second.cards[0].rest_minor, state(card)) == (300, 0, CouponState.USED)
    refused = buy(at, bearer, "1.00", card.code, key="b3")
    assert (refused.code, refused.facts["reasons"][0]["code"]) == ("coupon", "card_empty")
    again = buy(at, bearer, "4.00", card.code)
    assert (again.is_new, again.due_minor, again.cards[0].paid_minor) == (False, 0, 400)
    assert Purchase.objects.count() == 2
    assert differences() == []


def test_several_cards_a_coupon_and_credit_pay_one_purchase(at):
    member = make_member()
    cards = [make_card(at, amount=amount) for amount in ("3.00", "5.00", "7.00")]
    adjust(member, 100, at, unit=Unit.CREDIT)
    off = issue(make_offer(), member, at)
    codes = (cards[0].code, off.code, cards[1].code, cards[2].code)
    answer = buy(at, member, "10.00", *codes, pay_credit_minor=100)
    assert (answer.total_minor, answer.due_minor, answer.discount_minor) == (900, 0, 100)
    assert [(one.paid_minor, one.rest_minor) for one in answer.cards] == [(300, 0), (500, 0)]
    assert rest(cards[2], at) == 700
    assert differences() == []


def test_a_refund_puts_back_what_the_card_paid(at):
    card, member = make_card(at), make_member()
    bought = buy(at, member, "25.00", card.code)
    told = {"purchase_id": bought.purchase_id, "source": "till", "at": at}
    half = refund_purchase(**told, key="r1", amount_minor=1250)
    assert (half.cards_returned, half.credit_returned, half.money_minor, rest(card, at)) == (500, 0, 750, 500)
    assert state(card) == CouponState.ISSUED
    all_ = refund_purchase(**told, key="r2")
    assert (all_.cards_returned, all_.money_minor, rest(card, at)) == (500, 750, 1000)
    again = refund_purchase(**told, key="r2")
    assert (again.is_new, again.cards_returned, rest(card, at)) == (False, 500, 1000)
    assert differences() == []


@pytest.mark.parametrize(("setting", "left"), [(ExpiredReturn.GRACE, 1000), (ExpiredReturn.STAY, 0)])
def test_what_comes_back_after_its_expiry_goes_by_the_setting(at, setting, left):
    RewardSettings.objects.update_or_create(pk=1, defaults={"expired_return": setting, "expired_return_days": 14})
    card, member = make_card(at, valid_days=30), make_member()
    bought = buy(at, member, "10.00", card.code)
    later = at + timedelta(days=60)
    back = refund_purchase(purchase_id=bought.purchase_id, source="till", key="r", at=later)
    assert (back.cards_returned, back.cards_expired, rest(card, later)) == (1000, 1000 - left, left)
    (reason,) = [one.code for one in validate(code=card.code, member_id=None, at=later).reasons] or [None]
    assert reason == (None if left else "expired")
    expire_due(at=later)
    assert differences() == []


def test_the_rest_expires_as_breakage_and_not_with_the_offer(at):
    card = make_card(at, valid_days=30)
    set_state(offer_id=card.offer_id, state=OfferState.ENDED)
    assert buy(at, make_member(), "4.00", card.code).due_minor == 0
    later = at + timedelta(days=40)
    assert expire_due(at=later).points == 600
    (expired,) = Transfer.objects.filter(kind=TransferKind.EXPIRE)
    assert (expired.amount, expired.credit.kind) == (600, AccountKind.EXPIRED)
    assert [one.code for one in validate(code=card.code, member_id=None, at=later).reasons] == ["expired"]
    assert differences() == []


def test_asked_about_it_says_its_rest_and_what_it_would_pay(at):
    card = make_card(at)
    basket = coupons.basket(400, at=at)
    told = validate(code=card.code.lower(), member_id=None, **basket)
    assert (told.ok, told.rest_minor, told.pays_minor, told.discount_minor) == (True, 1000, 400, 0)
    with pytest.raises(CouponRefused) as refused:
        redeem(code=card.code, member_id=None, **basket, source="api", key="1")
    assert refused.value.reasons[0].code == "card_in_purchase"
    (mine,) = usable_coupons(card.member_id, at)
    assert (mine.is_card, mine.effect) == (True, "Gift card: €10.00 left")


def test_a_redemption_is_taken_back_while_the_card_is_whole(at):
    member = make_member()
    adjust(member, 500, at)
    offer = make_offer("card", {"currency": "EUR", "amount": "10.00"})
    reward = make_reward(kind="gift_card", offer=offer, points=200)
    one, two = (redeem_reward(member_id=member.pk, reward_id=reward.pk, source="t", key=k, at=at) for k in "ab")
    bought = buy(at, make_member(), "4.00", one.coupon.code)
    with pytest.raises(CannotTakeBack):
        refund_redemption(redemption_id=one.pk, at=at)
    refund_redemption(redemption_id=two.pk, at=at)
    assert (state(two.coupon), two.coupon.account.balance) == (CouponState.VOID, 0)
    refund_purchase(purchase_id=bought.purchase_id, source="t", key="r", at=at)
    refund_redemption(redemption_id=one.pk, at=at)  # whole again
    assert Account.objects.filter(kind=AccountKind.CARD, balance__gt=0).count() == 0
    assert differences() == []


def test_a_printed_card_has_its_money_once_it_is_sold(at):
    offer = make_offer("card", {"currency": "EUR", "amount": "10.00"})
    run_job(job_id=create_codes(offer_id=offer.pk, total=1, at=at).pk)
    card = Coupon.objects.get()
    assert [one.code for one in validate(code=card.code, member_id=None, at=at).reasons] == ["not_issued"]
    assert [activate_card(coupon_id=card.pk, at=at) for _n in range(2)] == [True, False]
    assert buy(at, make_member(), "4.00", card.code).cards[0].rest_minor == 600
    assert differences() == []


def test_it_survives_its_members_erasure(at):
    card = make_card(at)
    erase_member(member_id=card.member_id, at=at)
    assert isinstance(buy(at, make_member(), "4.00", card.code), Receipt)


def test_a_card_is_money_and_has_no_terms(at):
    for definition in ({"amount": "5.00", "currency": "EUR", "bearer": True}, {"amount": "5.00", "currency": "USD"}):
        with pytest.raises(BadOffer):
            save_offer(kind="card", name_en="Card", definition=definition)
    card = make_card(at)
    assert void_coupons(coupon_ids=[card.pk], reason="lost", at=at) == 1
    assert buy(at, make_member(), "4.00", card.code).facts["reasons"][0]["code"] == "void"
    assert differences() == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=5), st.integers(0, 500), st.data())
def test_refunds_in_any_steps_give_each_card_what_it_paid_and_never_more(paid, money, data):
    amount, refunded = sum(paid) + money, 0
    tenders = [Tender(n, "cards", minor, 0) for n, minor in enumerate(paid)]
    while refunded < amount:
        refunded += data.draw(st.integers(1, amount - refunded))
        parts = dict(shares(tenders, refunded, amount))
        assert all(0 <= part <= one.paid - one.before for one, part in parts.items())
        tenders = [one._replace(before=one.before + part) for one, part in parts.items()]
        assert sum(one.before for one in tenders) == sum(paid) * refunded // amount
    assert [one.before for one in tenders] == paid
