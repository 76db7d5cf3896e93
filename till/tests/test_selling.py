"""Purchases at the till: weighed, recorded once, undone; and with the member's word where they cost much."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from members.models import Purchase
from members.services.merging import merge_members
from members.services.pins import set_pin
from members.tests.factories import make_member
from rewards.enums import CouponState, Unit
from rewards.models import Benefit, Tier, Transfer
from rewards.queries import balance
from rewards.services.settings import save_reward_settings
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust
from till.tests.conftest import hidden


@pytest.fixture
def url(anna) -> str:
    return reverse("till:member", args=[anna.pk])


def paying(**values) -> None:
    save_reward_settings(values={"points_per_unit": 100, **values}, at=timezone.now())


def test_a_purchase_is_weighed_without_a_trace_and_recorded_with_one(till, cashier, anna, url, sale):
    form = sale("12,50")
    assert not Purchase.objects.exists()
    shown = till.post(url, {**form, "act": "try"}).content.decode()
    assert "€12.50" in shown
    assert "+12 points" in shown
    done = till.post(url, form)
    assert done["Location"] == f"{url}?done"
    bought = Purchase.objects.get()
    assert (bought.amount_minor, bought.store, bought.source, bought.channel) == (
        1250,
        "Old Town",
        "till-page",
        "store",
    )
    assert balance(anna.pk) == 12
    page = till.get(done["Location"]).content.decode()
    assert "Recorded" in page
    assert "€12.50 · +12 points" in page
    assert 'id="scan"' in page
    assert re.search(r'id="scan"[^>]*autofocus', page)


def test_a_members_own_price_is_taken_off_unless_the_cashier_unticks_it(till, anna, url, sale):
    benefit = Benefit.objects.create(name_en="House price", kind="price", value="7.5")
    benefit.tiers.add(Tier.objects.get(rank=0))
    page = till.get(url).content.decode()
    assert re.search(r'name="member_price" checked', page)
    assert page.count("7.5% off") == 2  # to be ticked, and among the benefits
    assert "€12.49" in till.post(url, {**sale("13.50", member_price="on"), "act": "try"}).content.decode()  # 1.01 off
    assert "€13.50" in till.post(url, {**sale("13.50"), "act": "try"}).content.decode()
    till.post(url, sale("13.50", member_price="on"))
    line = Purchase.objects.get().lines.get()
    assert (line.amount_minor, line.purchase.amount_minor, balance(anna.pk)) == (1249, 1249, 12)
    benefit.tiers.clear()
    assert "member_price" not in till.get(url).content.decode()
    assert "€13.50" in till.post(url, {**sale("13.50", member_price="on"), "act": "try"}).content.decode()


def test_a_coupon_that_takes_nothing_off_is_named_beside_the_sum(till, anna, url, sale):
    coupon = issue(make_offer("shipping", {}), anna, timezone.now())
    strip = till.post(url, {**sale(coupons=coupon.code), "act": "try"}, headers={"hx-request": "true"}).content.decode()
    assert "Free shipping" in strip
    assert "Free shipping" not in till.post(url, sale(), headers={"hx-request": "true"}).content.decode()


def test_the_same_form_twice_has_one_effect_and_another_content_is_refused(till, anna, url, sale):
    form = sale("20")
    for _n in range(3):
        assert till.post(url, form)["Location"] == f"{url}?done"
    assert Purchase.objects.count() == 1
    assert balance(anna.pk) == 20
    other = till.post(url, {**form, "amount": "30"}).content.decode()
    assert "recorded already" in other
    assert Purchase.objects.count() == 1


def test_what_the_cashier_was_not_shown_is_not_recorded(till, anna, url, sale):
    form = sale("20")
    shown = till.post(url, {**form, "amount": "200"}).content.decode()
    assert "Please look again" in shown
    assert "€200.00" in shown
    assert till.post(url, {**form, "seen": ""}).status_code == 200
    assert not Purchase.objects.exists()


def test_undo_takes_everything_back_once(till, anna, url, sale):
    coupon = issue(make_offer(), anna, timezone.now())
    paying()
    adjust(anna, 500, timezone.now())
    till.post(url, sale("20", coupons=coupon.code, pay_points="500"))
    bought = Purchase.objects.get()
    assert (bought.amount_minor, balance(anna.pk)) == (1800, 13)
    for _n in range(2):
        undone = till.post(reverse("till:undo"), {"act_id": f"purchase:{bought.pk}"})
        assert undone["Location"] == f"{url}?done"
    assert "Undone" in till.get(undone["Location"]).content.decode()
    bought.refresh_from_db()
    coupon.refresh_from_db()
    assert (bought.refunded_minor, balance(anna.pk), coupon.state) == (1800, 500, CouponState.ISSUED)


def test_what_was_undone_is_not_said_to_be_done_when_it_is_sent_again(till, anna, url, sale):
    form = sale("20")
    till.post(url, form)
    till.post(reverse("till:undo"), {"act_id": f"purchase:{Purchase.objects.get().pk}"})
    again = till.post(url, form)
    assert again.status_code == 200
    assert "This was undone" in again.content.decode()
    assert balance(anna.pk) == 0


def test_undo_is_for_minutes_and_for_this_till_alone(till, anna, url, sale):
    till.post(url, sale("20"))
    bought = Purchase.objects.get()
    till.post(reverse("till:undo"), {"act_id": f"purchase:{bought.pk + 1}"})
    session = till.session
    late = timezone.now() - timedelta(minutes=11)
    session["till_last"] = {**session["till_last"], "at": late.isoformat()}
    session.save()
    assert "too long ago" in till.post(reverse("till:undo"), {"act_id": f"purchase:{bought.pk}"}).content.decode()
    bought.refresh_from_db()
    assert bought.refunded_minor == 0


def test_undo_stands_on_the_page_of_its_own_member_and_by_name_where_none_is_open(till, anna, url, sale):
    till.post(url, sale("20"))
    other = make_member(name="Bert Adler")
    assert 'name="act_id"' in till.get(url).content.decode()
    for name in ("member", "rewards", "plans"):
        assert 'name="act_id"' not in till.get(reverse(f"till:{name}", args=[other.pk])).content.decode()
    start = till.get(reverse("till:start")).content.decode()
    assert "Anna Berger · €20.00" in start
    assert 'name="act_id"' in start
    merge_members(survivor_id=other.pk, merged_id=anna.pk, at=timezone.now())
    assert "€20.00" not in till.get(reverse("till:start")).content.decode()


def test_articles_have_their_kinds_and_coupons_find_them(till, anna, url, sale):
    coupon = issue(make_offer(definition={"percent": "50", "items": {"categories": ["Tea"]}}), anna, timezone.now())
    lines = {"line-0-article": "T1", "line-0-category": "Tea", "line-0-quantity": "2", "line-0-price": "3.00"}
    lines |= {"line-1-article": "C1", "line-1-category": "Cake", "line-1-price": "4,00"}
    till.post(url, sale("", coupons=coupon.code, receipt="R-77", **lines))
    bought = Purchase.objects.get()
    assert bought.amount_minor == 700
    assert bought.key.startswith("R-77 · ")
    assert list(bought.lines.order_by("pk").values_list("sku", "category", "amount_minor")) == [
        ("T1", "Tea", 300),
        ("C1", "Cake", 400),
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"amount": ""}, "What does it come to?"),
        ({"amount": "-5"}, "Please type a number"),
        ({"amount": "1.2.3"}, "Please type a number"),
        ({"amount": "5.005"}, "EUR has 2 decimals at most"),
        ({"amount": "5", "line-0-price": "3"}, "Either an amount or articles"),
        ({"amount": "", "line-0-article": "Tea"}, "What does it cost?"),
        ({"amount": "5", "code": "NOSUCH"}, "no such"),
        ({"amount": "5", "pay_points": "10"}, "Points cannot be paid with here"),
        ({"amount": "5", "pay_points": "1.5"}, "whole numbers"),
        ({"amount": "5", "pay_credit": "1"}, "There is only"),
        ({"amount": "5", "coupons": "STRANGE"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_recorded(till, anna, url, typed, said):
    key = hidden(till.get(url).content.decode(), "key")
    form = {"key": key, "line-TOTAL_FORMS": "3", "line-INITIAL_FORMS": "0", "act": "record", "seen": "500:500", **typed}
    page = till.post(url, form).content.decode()
    assert said in page
    assert not Purchase.objects.exists()


def test_above_a_value_the_member_s_pin_is_asked_for(till, anna, url, sale):
    paying(till_confirm_points=300)
    adjust(anna, 500, timezone.now())
    set_pin(member_id=anna.pk, pin="2580", at=timezone.now())
    form = sale("20", pay_points="300")
    assert "ask the member" in till.post(url, form).content.decode()
    assert "4 tries are left" in till.post(url, {**form, "by": "pin", "proof": "1111"}).content.decode()
    assert not Purchase.objects.exists()
    right = {**form, "by": "pin", "proof": "2580"}
    for _n in range(2):  # the second time nobody is asked again
        assert till.post(url, right)["Location"] == f"{url}?done"
    assert Purchase.objects.count() == 1
    less = sale("20", pay_points="200")
    assert till.post(url, less)["Location"] == f"{url}?done"


def test_five_wrong_pins_lock_it_and_a_code_by_mail_opens_once(till, anna, url, sale):
    paying(till_confirm_points=300)
    adjust(anna, 900, timezone.now())
    set_pin(member_id=anna.pk, pin="2580", at=timezone.now())
    form = sale("20", pay_points="300")
    for n in range(5):
        page = till.post(url, {**form, "by": "pin", "proof": f"111{n}"}).content.decode()
    assert "locked until" in page
    assert "locked until" in till.post(url, {**form, "by": "pin", "proof": "2580"}).content.decode()
    shown = till.post(url, {**form, "act": "send"}).content.decode()
    assert "a…@example.com" in shown
    assert "anna@example.com" not in shown
    assert hidden(shown, "by") == "code"
    code = re.search(r"\d{6}", mail.outbox[0].body).group()
    assert code not in shown
    wrong = "000000" if code != "000000" else "000001"
    assert "4 tries are left" in till.post(url, {**form, "by": "code", "proof": wrong}).content.decode()
    right = {**form, "by": "code", "proof": code}
    for _n in range(2):
        assert till.post(url, right)["Location"] == f"{url}?done"
    assert Transfer.objects.filter(kind="pay").count() == 1
    another = sale("20", pay_points="300")
    assert "no longer holds" in till.post(url, {**another, "by": "code", "proof": code}).content.decode()


def test_codes_are_few_and_nobody_without_an_address_gets_one(till, anna, url, sale):
    paying(till_confirm_points=1)
    adjust(anna, 900, timezone.now())
    form = {**sale("20", pay_points="300"), "act": "send"}
    for _n in range(6):
        page = till.post(url, form).content.decode()
    assert "Enough codes" in page
    assert len(mail.outbox) == 5


def test_credit_counts_as_the_points_it_is_worth(till, anna, url, sale):
    from rewards.services.adjustments import adjust_points

    paying(till_confirm_points=300)
    adjust_points(member_id=anna.pk, amount=1000, reason="x", key="c", at=timezone.now(), unit=Unit.CREDIT)
    assert till.post(url, sale("20", pay_credit="2.99"))["Location"] == f"{url}?done"
    assert "ask the member" in till.post(url, sale("20", pay_credit="3.00")).content.decode()


def test_who_is_erased_or_merged_is_nobody(till, anna, url):
    from members.services.merging import merge_members
    from members.tests.factories import make_member

    bob = make_member(name="Bob Stone")
    merge_members(survivor_id=bob.pk, merged_id=anna.pk, at=timezone.now())
    assert till.get(url).status_code == 404
    assert till.get(reverse("till:member", args=[2**63])).status_code == 404
