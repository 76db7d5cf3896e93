"""Lists of movements and purchases: filters, pages, and the same cost for a page of any length."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from members.services.purchases import NewLine
from rewards.services import holds
from rewards.services.purchases import refund_purchase
from rewards.tests.factories import adjust, make_rule_of, post


@pytest.fixture
def moved(anna):
    """25 purchases in 25 weeks, one gift by hand and one refund."""
    now = timezone.now()
    for week in range(25):
        at = now - timedelta(weeks=week, hours=1)
        lines = (NewLine(amount_minor=1000 + week, name=f"Tea {week}"),)
        bought = post(anna, at, amount_minor=1000 + week, purchased_at=at, store=f"Shop {week}", lines=lines)
    adjust(anna, 30, now)
    refund_purchase(purchase_id=bought.id, source="till", key="r1", amount_minor=500, at=now)
    return anna


@pytest.mark.parametrize("otherwise", ["activate", "cancel"])
def test_what_waits_for_an_event_says_so_on_every_page(as_anna, anna, otherwise):
    pending = {"event": "order.delivered", "days": 30, "otherwise": otherwise}
    make_rule_of("Delivered", {"effect": {"kind": "fixed", "points": 10}, "pending": pending})
    post(anna, timezone.now(), purchased_at=timezone.now())
    for page in ("/history/", "/history/expiring/"):
        seen = as_anna.get(page).content.decode()
        assert "Waits until “order delivered”" in seen
        assert "9000" not in seen
    home = as_anna.get("/").content.decode()
    assert "more points are coming" in home
    assert ("more points are coming, from" in home) == (otherwise == "activate")


def test_newest_first_twenty_a_page(as_anna, moved):
    first = as_anna.get("/history/").content.decode()
    assert "27 entries" in first
    assert "Page 1 of 2" in first
    assert first.count("<tr>") == 21
    assert first.index("Taken back: refund of €5.00") < first.index("Bought for €10.00")
    second = as_anna.get("/history/?page=2").content.decode()
    assert second.count("<tr>") == 8
    assert "Bought for €10.24" in second


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("kind=earn", 25),
        ("kind=adjust", 1),
        ("kind=reverse&period=30", 1),
        ("period=30", 7),
        ("kind=earn&period=90", 13),
        ("kind=nonsense&period=-1", 27),
        ("kind=expire", 0),
    ],
)
def test_filters(as_anna, moved, query, count):
    page = as_anna.get(f"/history/?{query}").content.decode()
    if count:
        assert f"{count} entr{'y' if count == 1 else 'ies'}" in page
    else:
        assert "Nothing fits" in page


def test_pages_keep_the_filter(as_anna, moved):
    page = as_anna.get("/history/?kind=earn").content.decode()
    assert 'href="?kind=earn&amp;page=2"' in page


@pytest.mark.parametrize("number", ["0", "99", "x"])
def test_a_page_that_is_not_there_shows_one_that_is(as_anna, moved, number):
    assert as_anna.get(f"/history/?page={number}").status_code == 200


def test_purchases_show_their_lines_points_and_refunds(as_anna, moved):
    page = as_anna.get("/history/purchases/?page=2").content.decode()
    assert "Shop 24" in page
    assert "Tea 24" in page
    assert "€5.00 refunded" in page
    assert '<span class="change gain">+6</span>' in page  # 10 given, 4 taken back


@pytest.mark.parametrize("path", ["/history/", "/history/purchases/"])
def test_a_row_costs_no_query(as_anna, anna, path):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            as_anna.get(path)
        return len(captured)

    post(anna, timezone.now(), lines=(NewLine(amount_minor=1000, name="Tea"),))
    one = queries()
    for _ in range(4):
        post(anna, timezone.now(), lines=(NewLine(amount_minor=1000, name="Tea"),))
    assert queries() == one


@pytest.mark.parametrize("path", ["/history/", "/history/purchases/"])
def test_an_empty_list_says_what_to_do(as_anna, path):
    assert "Show your card when you next pay" in as_anna.get(path).content.decode()


def test_what_was_reserved_and_confirmed_counts_as_redeemed(as_anna, moved):
    now = timezone.now()
    for key in ("a", "b"):
        until = now + timedelta(hours=1)
        holds.reserve(member_id=moved.pk, amount=10, key=key, at=now, lapses_at=until, reason=f"Coffee {key}")
    holds.confirm(key="a", at=now)
    redeemed = as_anna.get("/history/?kind=redeem").content.decode()
    assert "1 entry" in redeemed
    assert "Redeemed: Coffee a" in redeemed
    reserved = as_anna.get("/history/?kind=hold").content.decode()
    assert "1 entry" in reserved
    assert "Reserved: Coffee b" in reserved


def test_purchases_are_found_by_store_and_time(as_anna, moved):
    page = as_anna.get("/history/purchases/?store=Shop+3").content.decode()
    assert "1 entry" in page
    assert "Shop 24</option>" in page
    assert "5 entries" in as_anna.get("/history/purchases/?period=30").content.decode()
    nothing = as_anna.get("/history/purchases/?store=Shop+24&period=30").content.decode()
    assert "Nothing fits" in nothing
    assert 'href="/history/purchases/">Show everything' in nothing
    assert "25 entries" in as_anna.get("/history/purchases/?store=Elsewhere").content.decode()
