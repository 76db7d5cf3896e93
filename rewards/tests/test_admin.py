"""What staff do with purchases, rules, tiers and the ledger."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from members.models import Member, Programme, Purchase, Refund, User
from members.tests.factories import make_member
from rewards import queries
from rewards.admin.programme import rule_words
from rewards.models import EarningRule, MemberTier, RuleVersion, Tier
from rewards.tests.factories import adjust, make_rule, make_tiers, post

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


def test_points_spent_already_are_said_before_the_refund(bought, manager):
    adjust(bought.member, -10, NOW)
    asked = text(refunding(manager, bought, amount="12.50", reason="x", key=KEY))
    assert "and 2 points are taken back." in asked
    assert "10 more points are spent or reserved" in asked


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
    assert "points_per_unit 1.0" in seen
    assert "taken back by Taken back: refund of €5.00" in seen.replace("Taken back by", "taken back by")
    listed = text(manager.get(reverse("admin:rewards_transfer_changelist")))
    assert "+12" in listed
    assert "−4" in listed


# --- Rules and tiers --------------------------------------------------------------------------------------------------
def test_a_rule_says_what_it_means_and_is_published_once(bought, manager):
    Programme.objects.create(pk=1, currency="EUR")
    url, form = reverse("admin:rewards_earningrule_add"), {"currency": "EUR", "points_per_unit": "2", "valid_months": 6}
    asked = text(manager.post(url, form))
    assert "A purchase of €10.00 earns 20 points, Silver 25, Gold 30." in asked
    assert "They expire 6 months after the purchase." in asked
    assert "Until now: A purchase of €10.00 earns 10 points, Silver 12, Gold 15." in asked
    assert RuleVersion.objects.count() == 1
    for _click in range(2):
        manager.post(url, {**form, "confirmed": "1"})
    version = RuleVersion.objects.get(valid_until=None)
    assert (version.number, version.created_by.email, RuleVersion.objects.count()) == (2, "manager@example.com", 2)
    assert "nothing will change" in text(manager.post(url, form))


@pytest.mark.parametrize(("currency", "rate"), [("EUR", "1.2345"), ("EUR", "0.0999"), ("JPY", "0.0125")])
def test_the_words_are_what_the_ledger_gives(db, currency, rate):
    make_rule(currency, rate)
    tiers = make_tiers(bronze="1.33")
    minor = 1000  # 10.00 EUR, 1,000 JPY
    posted = post(make_member(), NOW, currency=currency, amount_minor=minor, purchased_at=NOW)
    words = rule_words(queries.plain_rate(currency, NOW), [tiers["bronze"]])
    given = re.search(r"Bronze ([\d,]+)\.$", words)
    assert given, words
    assert int(given[1]) == posted.points


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("currency", "EURO", "at most 3 characters"), ("currency", "XXY", "is not a currency code"),
     ("points_per_unit", "0", "greater than or equal to"), ("valid_months", "121", "less than or equal to")],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_beside_the_field(manager, field, value, words):
    form = {"currency": "EUR", "points_per_unit": "1", "valid_months": "12", field: value, "confirmed": "1"}
    assert words in text(manager.post(reverse("admin:rewards_earningrule_add"), form))
    assert not EarningRule.objects.exists()


def test_a_tier_is_named_in_both_languages_and_says_whom_it_moves(bought, manager):
    gold, member = Tier.objects.get(threshold=1000), Member.objects.get()
    MemberTier.objects.update_or_create(
        member=member,
        defaults={
            "tier": Tier.objects.get(threshold=500), "qualifying_points": 950, "since": NOW, "assessed_at": NOW,
        },
    )  # fmt: skip
    url = reverse("admin:rewards_tier_change", args=[gold.pk])
    form = {"name_en": "Gold", "name_zh_hans": "黄金", "threshold": "900", "multiplier": "2.00"}
    page = text(manager.post(url, form))
    assert "1 member will stand on it, after 0 now." in page
    assert "1 member moves up." in page
    assert "moves down" not in page
    gold.refresh_from_db()
    assert gold.threshold == 1000
    assert "being assessed anew" in text(manager.post(url, {**form, "confirmed": "1"}, follow=True))
    gold.refresh_from_db()
    assert (gold.name_en, gold.name_zh_hans, gold.threshold, gold.multiplier) == ("Gold", "黄金", 900, Decimal("2.00"))
    assert "This field is required" in text(manager.post(url, {**form, "name_en": ""}))
    renamed = text(manager.post(url, {**form, "name_en": "Top", "confirmed": "1"}, follow=True))
    assert "Top is saved." in renamed
    assert "being assessed anew" not in renamed


@pytest.mark.parametrize(
    ("changed", "threshold", "words"),
    [
        (1000, 400, "That would put Gold below Silver, which begins at 500 points."),
        (500, 2000, "That would put Silver above Gold, which begins at 1000 points."),
        (1000, 500, "Silver begins at 500 points already."),
        (0, 10, "The lowest tier begins at 0 points"),
        (None, 0, "Bronze begins at 0 points already."),
    ],
)
def test_the_tiers_stay_in_their_order_and_the_lowest_is_everyones(manager, changed, threshold, words):
    make_tiers()
    page = reverse("admin:rewards_tier_add")
    if changed is not None:
        page = reverse("admin:rewards_tier_change", args=[Tier.objects.get(threshold=changed).pk])
    name = Tier.objects.get(threshold=changed).name_en if changed is not None else "New"
    form = {"name_en": name, "threshold": threshold, "multiplier": "1", "confirmed": "1"}
    assert words in text(manager.post(page, form))
    assert sorted(Tier.objects.values_list("threshold", flat=True)) == [0, 500, 1000]


def test_a_tier_between_two_others_takes_from_the_lower(bought, manager):
    member = Member.objects.get()
    silver = Tier.objects.get(threshold=500)
    MemberTier.objects.update_or_create(
        member=member, defaults={"tier": silver, "qualifying_points": 800, "since": NOW, "assessed_at": NOW}
    )
    form = {"name_en": "Rose", "threshold": "750", "multiplier": "1"}
    page = text(manager.post(reverse("admin:rewards_tier_add"), form))
    assert "1 member will stand on it, after 0 now." in page
    assert "1 member moves up." in page
    form["threshold"] = "850"
    assert "Nobody moves to another tier." in text(manager.post(reverse("admin:rewards_tier_add"), form))
