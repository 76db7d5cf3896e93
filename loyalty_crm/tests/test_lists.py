"""The lists: what they find, what they cost, what they give away."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from common import admin as desk_admin
from common.sql import execute
from members import views
from members.enums import Channel, Purpose
from members.models import Member, PendingReaction, TimelineEvent, User
from members.services.consent import state_consent
from members.services.profile import link_account
from members.tests.factories import make_member
from rewards.admin import ledger, purchases
from rewards.enums import Unit
from rewards.models import Benefit, MembershipPlan
from rewards.services.benefits import use_benefit
from rewards.services.coupons.using import redeem
from rewards.services.expiry import expire_due
from rewards.services.grants import grant_points
from rewards.services.plans import buy_plan
from rewards.services.purchases import refund_purchase
from rewards.services.redemptions import redeem_reward
from rewards.tests.coupons import basket, issue, make_offer
from rewards.tests.factories import adjust, make_reward, make_rule, make_tiers, post

NOW = datetime.now(UTC)


def listed(client, model: str, **query) -> list:
    """The records a list shows."""
    return list(client.get(reverse(f"admin:{model}_changelist"), query).context["cl"].result_list)


@pytest.fixture
def rules(db) -> None:
    make_rule()
    make_tiers(gold="1.5")


def busy_member(n: int) -> Member:
    """A member with something of everything."""
    member = make_member(city="Berlin")
    bought = post(member, NOW, purchased_at=NOW - timedelta(days=n + 1))
    refund_purchase(purchase_id=bought.id, source="till", key=f"r{n}", amount_minor=300, at=NOW)
    adjust(member, 5, NOW, key=f"a{n}")
    event = TimelineEvent.objects.filter(member=member).first()
    PendingReaction.objects.create(event=event, reaction="gone", parked_at=NOW, error="ValueError: no")
    User.objects.create_user(f"user{n}@example.com").groups.add(Group.objects.get(name="Till"))
    return member


def test_a_list_costs_the_same_for_three_rows_and_thirty(rules, desk):
    client = desk("Manager")
    models = ("members_member", "members_purchase", "members_pendingreaction", "members_user")
    models += ("rewards_transfer", "rewards_lot", "rewards_earningrule", "rewards_tier")

    def costs() -> dict[str, int]:
        found = {}
        for model in models:
            with CaptureQueriesContext(connection) as caught:
                assert client.get(reverse(f"admin:{model}_changelist")).status_code == 200
            found[model] = len(caught)
        return found

    for n in range(3):
        busy_member(n)
    few = costs()
    for n in range(3, 30):
        busy_member(n)
        make_rule(currency="USD", points_per_unit=str(n))
    assert costs() == few


def test_the_list_shows_what_a_member_has_and_did(rules, desk):
    member, idle = make_member(name="Busy"), make_member(name="Idle")
    for days in (3, 5):
        post(member, NOW, purchased_at=NOW - timedelta(days=days))
    post(member, NOW - timedelta(days=400), purchased_at=NOW - timedelta(days=400))  # expired, not yet swept
    rows = {row.name: row for row in listed(desk("Manager"), "members_member")}
    busy = rows["Busy"]
    assert (busy.points, busy.purchase_count, busy.tier_name) == (20, 3, "Bronze")
    assert busy.last_purchase_at == NOW - timedelta(days=3)
    assert (rows["Idle"].points, rows["Idle"].purchase_count, rows["Idle"].last_purchase_at) == (0, 0, None)
    assert rows["Idle"].pk == idle.pk
    expire_due(at=NOW)
    assert listed(desk_again(desk), "members_member", q="Busy")[0].points == 20


def desk_again(desk):
    return desk("Marketer")


def test_members_are_found_and_filtered(rules, desk):
    anna = make_member(name="Anna Becker", phone="+4915112340001", city="Berlin")
    mei = make_member(name="陈梅", phone="+8613800000001", city="上海", language="zh-hans")
    post(anna, NOW, purchased_at=NOW - timedelta(days=2), amount_minor=60_000)
    post(mei, NOW, purchased_at=NOW - timedelta(days=91))
    for granted, at in ((True, NOW - timedelta(days=2)), (False, NOW)):
        state_consent(member_id=mei.pk, channel=Channel.SMS, purpose=Purpose.OFFERS, granted=granted, source="x", at=at)
    state_consent(member_id=anna.pk, channel=Channel.SMS, purpose=Purpose.OFFERS, granted=True, source="x", at=NOW)
    link_account(member_id=anna.pk, user=User.objects.create_user("anna@portal.example"), at=NOW)
    client = desk("Marketer")
    for query, expected in (
        ({"q": "becker"}, {anna}),
        ({"q": anna.card_number[-5:], "language__exact": "en"}, {anna}),
        ({"q": mei.card_number_grouped, "active": "no"}, {mei}),
        ({"q": "陈"}, {mei}),
        ({"q": "nobody"}, set()),
        ({"city__icontains": "berl"}, {anna}),
        ({"consent": "sms.offers"}, {anna}),  # the last word counts
        ({"consent": "nonsense"}, {anna, mei}),
        ({"active": "yes"}, {anna}),
        ({"active": "no"}, {mei}),
        ({"account": "yes"}, {anna}),
        ({"tier_status__tier__id__exact": anna.tier_status.tier_id}, {anna}),
        ({"language__exact": "zh-hans", "q": "陈"}, {mei}),
        ({"joined_at__gte": "2025-06-01T00:00:00+00:00"}, set()),
    ):
        assert set(listed(client, "members_member", **query)) == expected, query


def test_the_ledger_is_found_by_member_and_purchases_by_number(rules, desk, monkeypatch):
    anna, mei = make_member(name="Anna"), make_member(name="Mei")
    posted = post(anna, NOW, purchased_at=NOW - timedelta(days=1), key="bon-77")
    post(mei, NOW, purchased_at=NOW - timedelta(days=1))
    client = desk("Marketer")
    assert [t.purchase_id for t in listed(client, "rewards_transfer", q="anna")] == [posted.id]
    assert [lot.account.member for lot in listed(client, "rewards_lot", q=mei.card_number)] == [mei]
    assert [p.pk for p in listed(client, "members_purchase", q="bon-77")] == [posted.id]
    assert [p.member for p in listed(client, "members_purchase", q="mei")] == [mei]
    monkeypatch.setattr(ledger, "FOUND_AT_MOST", 1)
    monkeypatch.setattr(purchases, "FOUND_AT_MOST", 1)
    for model in ("members_purchase", "rewards_transfer", "rewards_lot"):
        assert len(listed(client, model)) == 2, model  # without a search nobody is left out


def test_a_big_table_is_estimated_and_a_filtered_one_counted(rules, desk, monkeypatch):
    for _n in range(5):
        make_member(city="Berlin")
    make_member(city="Wien")
    execute("ANALYZE members_member")
    client = desk("Marketer")

    def seen(**query) -> str:
        return client.get(reverse("admin:members_member_changelist"), query).content.decode()

    assert "about 6 members" not in seen()
    monkeypatch.setattr(desk_admin, "ESTIMATE_FROM", 2)
    assert "about 6 members" in seen()
    assert "5 members" in seen(city__icontains="berlin")
    monkeypatch.setattr(desk_admin, "COUNT_UP_TO", 3)
    assert "more than 3 members" in seen(city__icontains="berlin")


def test_only_a_small_table_is_sorted_by_computed_columns(rules, desk, monkeypatch):
    rich, poor = make_member(), make_member()
    adjust(rich, 50, NOW)
    adjust(poor, 5, NOW, key="a2")
    client = desk("Marketer")
    assert listed(client, "members_member", o="3") == [poor, rich]
    execute("ANALYZE members_member")
    monkeypatch.setattr(desk_admin.DeskAdmin, "sortable_up_to", 1)
    assert listed(client, "members_member", o="3") == listed(client, "members_member")


# --- Export ---------------------------------------------------------------------------------------------------------
def test_an_export_holds_what_the_filter_leaves_as_text_that_no_spreadsheet_runs(rules, desk):
    member = make_member(name="=HYPERLINK(1)", city="@SUM", phone="+4915112340001")
    make_member(name="Other")
    adjust(member, 7, NOW)
    url = f"{reverse('admin:members_member_export')}?city__icontains=sum"
    asked = {"export": "1", "format": "csv", "columns": ["name", "city", "phone", "points"]}
    client = desk("Marketer")
    content = downloaded(client, client.post(url, asked))
    assert content.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    assert (row["Name"], row["City"], row["Phone"], row["Points"]) == ("'=HYPERLINK(1)", "'@SUM", "+4915112340001", "7")
    manager = desk("Manager")
    assert downloaded(manager, manager.post(url, {**asked, "format": "xlsx"})).startswith(b"PK")
    assert desk("Till").post(url.partition("?")[0], asked).status_code == 403


def downloaded(client, answer) -> bytes:
    """The file that stands ready after a small export."""
    assert answer.status_code == 302, answer.content
    return b"".join(client.get(answer.url.replace("/change/", "/download/")).streaming_content)


def test_a_large_export_is_left_to_a_worker_and_may_be_stopped(rules, desk, monkeypatch):
    monkeypatch.setattr(views, "AT_ONCE", 0)
    make_member()
    client = desk("Marketer")
    page = client.post(reverse("admin:members_member_export"), {"export": "1", "format": "csv", "columns": "name"}).url
    assert "Waiting for a worker" in client.get(page).content.decode()
    assert client.get(page.replace("/change/", "/download/")).status_code == 404
    assert "There is no file." in client.post(page, {"cancel": "1"}, follow=True).content.decode()


def test_an_export_of_no_column_is_refused_in_words(rules, desk):
    answer = desk("Marketer").post(reverse("admin:members_member_export"), {"export": "1", "format": "csv"})
    assert "Choose at least one column." in answer.content.decode()


def test_an_export_of_too_many_purchases_is_refused_in_words(rules, desk, monkeypatch):
    monkeypatch.setattr(desk_admin, "EXPORT_UP_TO", 0)
    post(make_member(), NOW)
    answer = desk("Marketer").post(reverse("admin:members_purchase_export"), {"format": "0", "resource": "0"})
    assert "Please filter the list first." in answer.content.decode()


def test_what_members_did_is_found_by_their_name_and_taken_along_in_words(rules, desk, staff):
    anna, other = make_member(name="Anna Becker"), make_member(name="Ben")
    post(anna, NOW, amount_minor=125_000)  # up to Gold
    plan = MembershipPlan.objects.create(name_en="Plus", price_minor=4900)
    buy_plan(member_id=anna.pk, plan_id=plan.pk, source="t", key="p", at=NOW)
    benefit = Benefit.objects.create(name_en="Lounge", kind="visits", uses=2)
    benefit.plans.add(plan)
    use_benefit(member_id=anna.pk, benefit_id=benefit.pk, source="t", key="u", at=NOW)
    asked = {"reason": "Sorry", "key": "g", "actor_id": staff("Marketer").pk, "unit": Unit.CREDIT}
    grant_points(member_id=anna.pk, amount=1250, at=NOW, **asked)
    code = issue(make_offer(name_en="Welcome"), anna, NOW).code
    redeem(**basket(at=NOW), code=code, member_id=anna.pk, source="t", key="c")
    redeem_reward(member_id=anna.pk, reward_id=make_reward(money_minor=250).pk, source="t", key="r", at=NOW)
    client = desk("Manager")
    for model, said in {
        "members_purchase": {"amount": "1250.00", "points": "1250"},
        "rewards_tierchange": {"to": "Gold"},
        "rewards_planmembership": {"plan": "Plus", "paid in money": "49.00"},
        "rewards_benefituse": {"benefit": "Lounge"},
        "rewards_couponuse": {"offer": "Welcome", "code": code, "discount": "2.00"},
        "rewards_grantrequest": {"amount for each": "12.50", "reason": "Sorry", "asked by": "marketer@example.com"},
        "rewards_redemption": {"reward": "Free coffee", "money": "2.50"},
    }.items():
        assert {row.member_id for row in listed(client, model, q="becker")} == {anna.pk}, model
        assert not listed(client, model, q=other.card_number)
        answer = client.post(f"{reverse(f'admin:{model}_export')}?q=becker", {"format": "0", "resource": "0"})
        row = next(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert {**row, **said, "card number": anna.card_number, "member": "Anna Becker"} == row


@pytest.mark.parametrize(
    ("value", "safe"),
    [("=1+1", "'=1+1"), ("+49 30 123", "+49 30 123"), ("-5", "-5"), ("-5+cmd|x", "'-5+cmd|x"), ("\t=1", "'\t=1"),
     ("@a", "'@a"), ("Anna", "Anna"), (5, 5), (None, None), ("", "")],
)  # fmt: skip
def test_plain_cells(value, safe):
    assert desk_admin.plain_cell(value) == safe
