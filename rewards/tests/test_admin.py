"""What staff do with purchases, rules, tiers and the ledger."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from members.models import Purchase, Refund, User
from members.services.purchases import NewLine
from members.tests.factories import make_member
from rewards import queries
from rewards.enums import Unit
from rewards.services.checkout import Basket, BasketLine, check_out
from rewards.services.settings import save_reward_settings
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_rule, make_rule_of, make_tiers, post

NOW = datetime.now(UTC)
KEY = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def manager(db, settings) -> Client:
    settings.REQUIRE_STAFF_MFA = False
    user = User.objects.create_user("manager@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="Manager"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def bought(db) -> Purchase:
    make_rule()
    make_tiers(silver="1.25", gold="1.5")
    member = make_member(name="Anna")
    return Purchase.objects.get(pk=post(member, NOW, purchased_at=NOW - timedelta(days=1), amount_minor=1250).id)


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def refunding(client, purchase, **data):
    return client.post(reverse("admin:members_purchase_refund", args=[purchase.pk]), data, follow=True)


def test_a_refund_asks_once_and_a_double_click_has_one_effect(bought, manager):
    assert "Anna paid €12.50; €12.50 of it can still be given back." in text(
        manager.get(reverse("admin:members_purchase_refund", args=[bought.pk]))
    )
    form = {"amount": "5.00", "reason": "Cold", "key": KEY}
    assert "Anna gets €5.00 back, and 4 points are taken back." in text(refunding(manager, bought, **form))
    assert not Refund.objects.exists()
    for _click in range(2):
        refunding(manager, bought, **form, confirmed="1")
    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.reason, refund.actor.email) == (500, "Cold", "manager@example.com")
    assert queries.balance(bought.member_id) == 8


def test_articles_are_given_back_for_what_they_cost(manager):
    make_rule()
    lines = (NewLine(amount_minor=340, name="Bun"), NewLine(amount_minor=500, name="Tea", quantity=Decimal(2)))
    purchase = Purchase.objects.get(pk=post(make_member(name="Ben"), NOW, amount_minor=840, lines=lines).id)
    page = text(manager.get(reverse("admin:members_purchase_refund", args=[purchase.pk])))
    assert "Bun · €3.40" in page
    assert "Tea × 2 · €5.00" in page
    bun = purchase.lines.get(name="Bun")
    form = {"lines": [str(bun.pk)], "amount": "8.40", "reason": "Burnt", "key": KEY}
    assert "Ben gets €3.40 back, and 3 points are taken back." in text(refunding(manager, purchase, **form))
    for said in ("Ben gets €3.40 back", "This form was used already"):
        assert said in text(refunding(manager, purchase, **form, confirmed="1"))
    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.lines.get().line) == (340, bun)
    assert "Bun" not in text(manager.get(reverse("admin:members_purchase_refund", args=[purchase.pk])))
    nothing = {"amount": "", "reason": "x", "key": "2c7d2f0e-7a53-4a61-9b4d-4a1f4a1f4a1f"}
    assert "How much, or which articles?" in text(refunding(manager, purchase, **nothing))


def test_of_an_article_as_many_are_given_back_as_came_back_and_its_coupons_are_named(manager):
    make_rule()
    ben = make_member(name="Ben")
    coupon = issue(make_offer("amount", {"currency": "EUR", "amount": "1"}, name_en="One off"), ben, NOW)
    tea = BasketLine(Decimal(3), quantity=Decimal(3), sku="Tea", name="Tea")
    told = Basket(member_id=ben.pk, source="till", key="b", currency="EUR", lines=(tea,), coupons=(coupon.code,))
    purchase = Purchase.objects.get(pk=check_out(baskets=[told], at=NOW)[0].purchase_id)
    field = f"quantity_{purchase.lines.get().pk}"
    form = {"amount": "8", "reason": "Cold", "key": KEY}
    assert "How many of “Tea”" in text(manager.get(reverse("admin:members_purchase_refund", args=[purchase.pk])))
    assert "Only 3 can still be given back." in text(refunding(manager, purchase, **form, **{field: "4"}))
    part = text(refunding(manager, purchase, **form, **{field: "1"}))
    assert "Ben gets €2.66 back" in part
    assert "Can be used again" not in part
    for _click in range(2):
        refunding(manager, purchase, **form, **{field: "1"}, confirmed="1")
    assert Refund.objects.get().amount_minor == 266
    rest = {**form, "key": "2c7d2f0e-7a53-4a61-9b4d-4a1f4a1f4a1f", "lines": [str(purchase.lines.get().pk)]}
    whole = text(refunding(manager, purchase, **rest))
    assert "Ben gets €5.34 back" in whole
    assert "Can be used again: One off." in whole


def test_points_spent_already_are_said_before_the_refund(bought, manager):
    adjust(bought.member, -10, NOW)
    asked = text(refunding(manager, bought, amount="12.50", reason="x", key=KEY))
    assert "and 2 points are taken back." in asked
    assert "10 more points are spent or reserved" in asked


def test_a_refund_says_what_becomes_of_credit_and_of_what_is_owed(manager):
    make_rule()
    back = {"effect": {"kind": "cashback", "percent": "10"}}
    make_rule_of("Cashback", back, unit=Unit.CREDIT)
    save_reward_settings(values={"refund_policy": "arrears", "points_per_unit": 100}, at=NOW)
    ben = make_member(name="Ben")
    adjust(ben, 300, NOW)
    told = Basket(
        member_id=ben.pk, source="till", key="b", currency="EUR", lines=(BasketLine(Decimal(20)),), pay_points=300
    )
    purchase = Purchase.objects.get(pk=check_out(baskets=[told], at=NOW)[0].purchase_id)
    assert manager.get(reverse("admin:members_purchase_changelist")).context["cl"].result_list[0].earned == 17
    adjust(ben, -10, NOW, key="spent")
    adjust(ben, -70, NOW, key="too", unit=Unit.CREDIT)
    said = text(refunding(manager, purchase, amount="20", reason="Cold", key=KEY))
    for words in (
        "Ben gets €20.00 back, and 17 points are taken back.",
        "Of that, €17.00 is to be paid out; the rest returns as 300 points.",
        "€1.00 of store credit is taken back. €0.70 more of store credit is spent or reserved.",
        "€0.70 of it is owed: what is earned later repays that first.",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("amount", "words"),
    [("12.51", "Only €12.50 can still be given back."), ("1.001", "EUR has no such fraction."),
     ("0", "greater than or equal to"), ("-1", "greater than or equal to"), ("NaN", "Enter a number.")],
)  # fmt: skip
def test_what_cannot_be_refunded_is_said_beside_the_field(bought, manager, amount, words):
    for confirmed in ({}, {"confirmed": "1"}):
        assert words in text(refunding(manager, bought, amount=amount, reason="x", key=KEY, **confirmed))
    assert not Refund.objects.exists()


def test_nothing_left_is_said_instead_of_asked(bought, manager):
    refunding(manager, bought, amount="12.50", reason="x", key=KEY, confirmed="1")
    answer = manager.get(reverse("admin:members_purchase_refund", args=[bought.pk]), follow=True)
    assert "Nothing is left of this purchase to give back." in text(answer)


def test_the_purchase_and_its_movements_are_shown_with_their_why(bought, manager):
    refunding(manager, bought, amount="5.00", reason="Cold", key=KEY, confirmed="1")
    seen = text(manager.get(reverse("admin:members_purchase_change", args=[bought.pk])))
    assert "Bought for €12.50" in seen
    assert "Taken back: refund of €5.00" in seen
    earned = bought.transfers.get(kind="earn")
    seen = text(manager.get(reverse("admin:rewards_transfer_change", args=[earned.pk])))
    assert "€12.50" in seen
    assert "taken back by Taken back: refund of €5.00" in seen.replace("Taken back by", "taken back by")
    listed = text(manager.get(reverse("admin:rewards_transfer_changelist")))
    assert "+12" in listed
    assert "−4" in listed
