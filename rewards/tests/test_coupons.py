"""Coupons issued, asked about, used and given back."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from common.sql import execute
from members.models import Programme, Segment, SegmentMember
from members.services.purchases import KeyReused, NewLine, record_purchases
from members.tests.factories import make_member, new_purchase
from rewards.coupons.definition import BadOffer
from rewards.enums import CouponState, CouponUseState, IssuedBy, OfferState
from rewards.models import Coupon, CouponUse, RewardSettings
from rewards.services.coupons.guessing import MISSES, TooManyGuesses, attempt, hit
from rewards.services.coupons.issuing import OfferNotRunning, issue_coupons, mark_seen, void_coupons
from rewards.services.coupons.offers import WrongState, save_offer, set_state
from rewards.services.coupons.releasing import PartOfPurchase, UnknownUse, release, release_due, release_for_purchase
from rewards.services.coupons.using import CouponRefused, attach, quote, redeem, reserve, take, validate
from rewards.services.verify import verify
from rewards.tests.coupons import AT, basket, issue, make_offer
from rewards.tests.factories import event_data

pytestmark = pytest.mark.django_db


def reasons(code, member=None, **values):
    """The codes of the reasons why not; each of them has a sentence."""
    found = validate(code=code, member_id=member.pk if member else None, **{**basket(), **values})
    assert all(len(reason.sentence) > 10 for reason in found.reasons)
    assert found.ok is not bool(found.reasons)
    return [reason.code for reason in found.reasons]


def test_a_coupon_is_issued_asked_about_and_used():
    member, offer = make_member(), make_offer()
    coupon = issue(offer, member)
    told = validate(code=coupon.code.lower(), member_id=member.pk, **basket(2000, 1000))
    assert (told.ok, told.discount_minor, told.per_line) == (True, 300, (200, 100))
    use = redeem(code=coupon.code, member_id=member.pk, **basket(2000, 1000), source="till", key="1")
    coupon.refresh_from_db()
    assert (use.state, use.discount_minor, coupon.state) == (CouponUseState.USED, 300, CouponState.USED)
    assert reasons(coupon.code, member) == ["used"]
    assert event_data(member, "coupon.used")[0]["discount_minor"] == 300
    assert event_data(member, "coupon.issued")[0]["name"]["en"] == offer.name


def test_why_not_says_all_that_is_missing_at_once():
    member = make_member()
    conditions = {
        "minimum": "30.00",
        "stores": ["Harbour"],
        "channels": ["online"],
        "weekdays": [5],
        "hours": [["14:00", "17:00"]],
    }
    offer = make_offer(definition={"percent": "10", "currency": "EUR", "conditions": conditions})
    coupon = issue(offer, member)
    assert reasons(coupon.code, member) == ["wrong_time", "wrong_store", "wrong_channel", "minimum_not_met"]
    found = validate(code=coupon.code, member_id=member.pk, **basket(2550))
    missing = next(reason for reason in found.reasons if reason.code == "minimum_not_met")
    assert missing.facts == {"missing_minor": 450, "minimum_minor": 3000, "currency": "EUR"}
    assert missing.sentence == "€4.50 more is needed: it is for purchases from €30.00."
    assert reasons(coupon.code, member, lines=None) == ["wrong_time"]
    assert "wrong_currency" in reasons(coupon.code, member, currency="USD")


def test_why_not_of_the_code_itself():
    anna, ben = make_member(), make_member()
    offer = make_offer(starts_at=AT - timedelta(days=5), ends_at=AT + timedelta(days=5))
    coupon = issue(offer, anna)
    assert reasons("NOSUCHCODE", anna) == ["unknown"]
    assert reasons(coupon.code, ben) == ["other_member"]
    assert reasons(coupon.code) == ["needs_member"]
    assert reasons(coupon.code, anna, at=AT + timedelta(days=5)) == ["expired"]
    assert reasons(coupon.code, anna, at=AT - timedelta(days=6)) == ["not_yet"]
    set_state(offer_id=offer.pk, state=OfferState.PAUSED)
    assert reasons(coupon.code, anna) == ["paused"]
    set_state(offer_id=offer.pk, state=OfferState.ENDED)
    assert reasons(coupon.code, anna) == ["ended"]
    with pytest.raises(WrongState):
        set_state(offer_id=offer.pk, state=OfferState.LIVE)


def test_the_hours_are_the_programmes():
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "Asia/Shanghai"})
    definition = {"percent": "10", "conditions": {"weekdays": [1], "hours": [["18:00", "19:00"]]}}
    coupon = issue(make_offer(definition=definition), member := make_member())
    assert reasons(coupon.code, member) == []  # Tuesday 10:00 UTC is 18:00 in Shanghai
    assert reasons(coupon.code, member, at=AT + timedelta(hours=1)) == ["wrong_time"]


def test_valid_days_end_with_the_day_of_the_programme():
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "Asia/Shanghai"})
    coupon = issue(make_offer(valid_days=7), make_member(), at=AT)
    assert coupon.expires_at == datetime(2026, 5, 20, tzinfo=ZoneInfo("Asia/Shanghai"))
    ends = AT + timedelta(days=2)
    assert issue(make_offer(valid_days=7, ends_at=ends), make_member(), at=AT).expires_at == ends


def test_a_code_for_all_is_good_so_often_for_each():
    anna, ben = make_member(), make_member()
    offer = make_offer(shared_code="welcome-10", uses_member=2)
    assert offer.shared_code == "WELCOME10"
    for n in range(2):
        redeem(code="Welcome 1O", member_id=anna.pk, **basket(), source="till", key=str(n))
    assert reasons("WELCOME10", anna) == ["member_limit_reached"]
    assert reasons("WELCOME10", ben) == []
    assert reasons("WELCOME10") == ["needs_member"]
    with pytest.raises(OfferNotRunning):
        issue(offer, anna)


def test_a_code_for_a_segment_is_for_who_is_in_it():
    anna, ben = make_member(), make_member()
    segment = Segment.objects.create(name="Regulars", definition={})
    SegmentMember.objects.create(segment=segment, member=anna, entered_at=AT)
    make_offer(shared_code="REGULAR", segment=segment)
    assert reasons("REGULAR", anna) == []
    assert reasons("REGULAR", ben) == ["not_in_segment"]
    own = make_offer(segment=segment)
    given = issue_coupons(
        offer_id=own.pk, member_ids=[anna.pk, ben.pk], keys=["a", "b"], issued_by=IssuedBy.SEGMENT, at=AT
    )
    assert [coupon.member_id for coupon in given] == [anna.pk]


def test_the_same_key_is_the_same_use_and_another_body_is_refused():
    member, coupon = make_member(), None
    coupon = issue(make_offer(), member)
    first = redeem(code=coupon.code, member_id=member.pk, **basket(), source="till", key="1")
    again = redeem(code=coupon.code, member_id=member.pk, **basket(), source="till", key="1")
    assert (again.pk, CouponUse.objects.count()) == (first.pk, 1)
    with pytest.raises(KeyReused):
        redeem(code=coupon.code, member_id=member.pk, **basket(999), source="till", key="1")
    with pytest.raises(CouponRefused) as refused:
        redeem(code=coupon.code, member_id=member.pk, **basket(), source="till", key="2")
    assert [reason.code for reason in refused.value.reasons] == ["used"]


def test_reserved_then_used_or_given_back_or_lapsed():
    member = make_member()
    offer = make_offer(uses_limit=1)
    coupon = issue(offer, member)
    told = {"code": coupon.code, "member_id": member.pk, "source": "shop"}
    held = reserve(**told, **basket(), key="r1", minutes=10)
    offer.refresh_from_db()
    assert (held.reserved_until, offer.uses) == (AT + timedelta(minutes=10), 1)
    assert reasons(coupon.code, member) == ["reserved"]
    with pytest.raises(CouponRefused):
        redeem(**told, **basket(), key="other")
    assert release_due(at=AT + timedelta(minutes=9)) == 0
    assert release_due(at=AT + timedelta(minutes=10)) == 1
    offer.refresh_from_db()
    assert (reasons(coupon.code, member), offer.uses) == ([], 0)
    reserve(**told, **basket(), key="r2")
    used = redeem(**told, **basket(3000), key="r2")
    assert (used.state, used.discount_minor, used.reserved_until) == (CouponUseState.USED, 300, None)
    release(source="shop", key="r2", at=AT)
    again = release(source="shop", key="r2", at=AT)
    offer.refresh_from_db()
    assert (again.state, offer.uses, reasons(coupon.code, member)) == (CouponUseState.RELEASED, 0, [])
    with pytest.raises(UnknownUse):
        release(source="shop", key="r3", at=AT)


def test_coupons_of_a_purchase_go_together_where_they_say_so():
    member = make_member()
    percent, amount = make_offer(stackable=True), make_offer("amount", {"amount": "5.00", "currency": "EUR"})
    codes = [issue(percent, member).code, issue(amount, member).code]
    told = quote(codes=codes, member_id=member.pk, **basket())
    assert [[reason.code for reason in one.reasons] for one in told] == [[], ["not_with_others"]]
    save_offer(offer_id=amount.pk, stackable=True)
    taken = take(codes=codes, member_id=member.pk, **basket(2000, 1000), source="till", key="p1")
    # 10 % of 30.00 first, then 5.00 off what is left, shared out.
    assert (taken.discount_minor, taken.per_line) == (800, (533, 267))
    assert Coupon.objects.filter(state=CouponState.USED).count() == 2
    with pytest.raises(CouponRefused):
        take(codes=[codes[0]], member_id=member.pk, **basket(), source="till", key="p2")


def test_two_of_one_offer_do_not_go_together():
    member, offer = make_member(), make_offer(stackable=True)
    codes = [issue(offer, member).code, issue(offer, member).code]
    assert not any(one.ok for one in quote(codes=codes, member_id=member.pk, **basket()))
    assert len(quote(codes=[codes[0], f" {codes[0].lower()}"], member_id=member.pk, **basket())) == 1


def test_a_coupon_for_which_nothing_is_left_is_not_used_up():
    member = make_member()
    codes = [
        issue(make_offer("amount", {"amount": amount, "currency": "EUR"}, stackable=True), member).code
        for amount in ("20.00", "5.00")
    ]
    with pytest.raises(CouponRefused) as refused:
        take(codes=codes, member_id=member.pk, **basket(), source="till", key="p1")
    assert [reason.code for reason in refused.value.reasons] == ["nothing_left"]
    assert CouponUse.objects.count() == 0


def test_what_was_reserved_is_taken_over_by_the_purchase():
    member, offer = make_member(), make_offer(shared_code="ONCE", uses_limit=1)
    reserve(code="ONCE", member_id=member.pk, **basket(), source="till", key="r")
    with pytest.raises(CouponRefused):  # another system's
        take(codes=["ONCE"], member_id=member.pk, **basket(), source="shop", key="p")
    taken = take(codes=["ONCE"], member_id=member.pk, **basket(), source="till", key="p")
    offer.refresh_from_db()
    assert (CouponUse.objects.get().pk, offer.uses) == (taken.uses[0], 1)


def test_a_refund_gives_the_coupon_back_where_the_programme_does():
    member = make_member()
    coupon = issue(make_offer(), member)
    taken = take(codes=[coupon.code], member_id=member.pk, **basket(), source="till", key="p1")
    purchase = record_purchases(purchases=[new_purchase(member)])[0].id
    attach(uses=taken.uses, purchase_id=purchase)
    key = CouponUse.objects.get().key
    with pytest.raises(PartOfPurchase):
        release(source="till", key=key, at=AT)
    RewardSettings.objects.update_or_create(pk=1, defaults={"coupons_return": False})
    assert release_for_purchase(purchase_id=purchase, at=AT) == 0
    RewardSettings.objects.update(coupons_return=True)
    assert release_for_purchase(purchase_id=purchase, at=AT) == 1
    assert release_for_purchase(purchase_id=purchase, at=AT) == 0
    assert reasons(coupon.code, member) == []
    assert len(event_data(member, "coupon.returned")) == 1


def test_the_first_so_many_and_a_limit_set_later():
    offer = make_offer(shared_code="FIRST", uses_limit=2)
    for n in range(2):
        redeem(code="FIRST", member_id=make_member().pk, **basket(), source="till", key=str(n))
    assert reasons("FIRST", make_member()) == ["limit_reached"]
    with pytest.raises(BadOffer):
        save_offer(offer_id=offer.pk, uses_limit=1)
    assert save_offer(offer_id=offer.pk, uses_limit=None).uses == 0
    redeem(code="FIRST", member_id=make_member().pk, **basket(), source="till", key="3")
    assert save_offer(offer_id=offer.pk, uses_limit=3).uses == 3


def test_one_key_is_one_coupon_and_the_expired_offer_issues_none():
    member, offer = make_member(), make_offer(ends_at=AT + timedelta(days=1))
    told = {"offer_id": offer.pk, "member_ids": [member.pk], "issued_by": IssuedBy.RULE}
    (first,) = issue_coupons(**told, keys=["earn:1"], at=AT)
    (again,) = issue_coupons(**told, keys=["earn:1"], at=AT + timedelta(days=2))
    assert (first.pk, Coupon.objects.count(), len(event_data(member, "coupon.issued"))) == (again.pk, 1, 1)
    with pytest.raises(OfferNotRunning):
        issue_coupons(**told, keys=["earn:2"], at=AT + timedelta(days=1))


def test_withdrawn_coupons_are_told_so_and_used_ones_stay():
    member, offer = make_member(), make_offer()
    one, two = issue(offer, member), issue(offer, member)
    redeem(code=one.code, member_id=member.pk, **basket(), source="till", key="1")
    assert void_coupons(coupon_ids=[one.pk, two.pk], reason="Printed wrongly", at=AT) == 1
    assert reasons(two.code, member) == ["void"]
    assert reasons(one.code, member) == ["used"]


def test_new_coupons_are_new_until_they_were_seen():
    member, offer = make_member(), make_offer()
    issue(offer, member)
    assert [mark_seen(member_id=member.pk, at=AT) for _n in range(2)] == [1, 0]


def test_guesses_are_few_and_good_codes_cost_none(at):
    for _n in range(3 * MISSES):
        attempt("ip:1", at)
        hit("ip:1", at)
    for _n in range(MISSES):
        attempt("ip:1", at)
    with pytest.raises(TooManyGuesses) as refused:
        attempt("ip:1", at + timedelta(seconds=20))
    assert refused.value.retry_after == 40
    attempt("ip:2", at)
    attempt("ip:1", at + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"shared_code": "A-B"}, "shared_code"),
        ({"shared_code": "特价优惠"}, "shared_code"),
        ({"shared_code": "TAKEN"}, "shared_code"),
        ({"starts_at": AT, "ends_at": AT}, "ends_at"),
        ({"flash": True}, "ends_at"),
        ({"definition": {"percent": "0"}}, "percent"),
        ({"uses_limit": 0}, "uses_limit"),
    ],
)
def test_an_offer_that_cannot_be_is_refused(values, path):
    make_offer(shared_code="TAKEN")
    with pytest.raises(BadOffer) as refused:
        make_offer(**values)
    assert [problem.path for problem in refused.value.problems] == [path]


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE rewards_offer SET uses = 2", "What is counted of an offer"),
        ("UPDATE rewards_coupon SET state = 'issued'", "A coupon is reserved or used"),
        ("UPDATE rewards_couponuse SET member_id = %(other)s", "A coupon was used for its own offer"),
        ("UPDATE rewards_couponuse SET purchase_id = %(purchase)s", "What coupons took off a purchase"),
    ],
)
def test_verify_finds_what_does_not_agree(statement, check):
    member, offer = make_member(), make_offer(uses_limit=5)
    redeem(code=issue(offer, member).code, member_id=member.pk, **basket(), source="till", key="1")
    bought = record_purchases(purchases=[new_purchase(member, lines=(NewLine(amount_minor=1000),))])[0].id
    assert [result.check for result in verify() if result.difference] == []
    execute(statement, {"other": make_member().pk, "purchase": bought})
    assert [str(result.check)[: len(check)] for result in verify() if result.difference] == [check]
