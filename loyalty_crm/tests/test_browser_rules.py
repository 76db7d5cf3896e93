"""A marketer makes a rule in a real browser, reads what it will do, publishes it, tries a basket and reads why."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from loyalty_crm.tests.test_browser import accessible, desk  # noqa: F401  a fixture
from members.models import Member, Programme
from members.services.purchases import NewLine
from members.tests.factories import make_member
from rewards.models import EarningRule, Transfer
from rewards.tests.factories import make_rule, make_tiers, post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def member(live_server, settings) -> Member:
    """Twenty purchases of €10.00 in four weeks, every other of tea; each earned a point per euro."""
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.create(pk=1, name="Corner Café", time_zone="Europe/Berlin")
    make_rule()
    make_tiers()
    member, at = make_member(name="Anna Becker"), datetime.now(UTC)
    for n in range(20):
        lines = (NewLine(amount_minor=1000, sku=f"A{n % 2}", category="Tea" if n % 2 else "Cake, whole"),)
        post(member, at, purchased_at=at - timedelta(days=n), lines=lines)
    return member


def text_of(page: Page, name: str):
    return page.locator(f"[data-rule={name}]")


def test_a_rule_is_made_read_published_and_tried(desk, member, live_server):  # noqa: F811
    desk.goto(live_server.url + reverse("admin:rewards_earningrule_add"))
    accessible(desk)
    desk.get_by_role("link", name="Happy hour").click()
    expect(text_of(desk, "sentences")).to_contain_text("from 14:00 to 17:00, double points")
    expect(desk.get_by_label("Times", exact=True)).to_be_visible()
    expect(desk.get_by_label("Percent")).to_be_hidden()
    desk.get_by_label("Name in English").fill("Treble tea")
    desk.get_by_label("Name in Chinese").fill("茶饮三倍积分")
    desk.get_by_label("Times", exact=True).fill("3")
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        desk.get_by_role("checkbox", name=day).click()
    desk.get_by_label("Only at these hours").fill("")
    desk.get_by_label("at most a day").fill("")
    desk.get_by_text("Which purchases").click()
    words = desk.get_by_role("combobox", name="Only these categories")
    words.fill("te")
    desk.get_by_role("option", name="Tea").click()
    expect(desk.get_by_role("button", name="Take away: Tea")).to_be_visible()
    expect(text_of(desk, "sentences")).to_contain_text("oints × 3 on Tea")
    expect(text_of(desk, "estimate")).to_have_text("about 50 points a week")  # 10 times 10 × (3 − 1), in 4 weeks
    accessible(desk)
    desk.get_by_role("button", name="Save and publish…").click()
    rule = EarningRule.objects.get(name_en="Treble tea")
    expect(desk.get_by_text("oints × 3 on Tea").first).to_be_visible()
    desk.get_by_role("button", name="Continue").click()
    expect(desk.get_by_text("A published version cannot be changed")).to_be_visible()
    desk.get_by_role("button", name="Publish").click()
    expect(desk.get_by_role("heading", name="Treble tea", level=2)).to_be_visible()
    accessible(desk)
    rule.refresh_from_db()
    assert (rule.state, rule.name_zh_hans) == ("live", "茶饮三倍积分")
    version = rule.versions.get()
    assert version.definition["conditions"] == {"categories": ["Tea"]}
    before = Transfer.objects.count()
    desk.get_by_role("link", name="Try a basket").last.click()
    desk.get_by_label("Member").fill("Anna")
    desk.get_by_label("Category").first.fill("Tea")
    desk.get_by_label("Price each").first.fill("10")
    desk.get_by_role("button", name="Try it").click()
    expect(desk.locator(".rule-fired")).to_have_count(2)
    expect(desk.locator(".rule-fired", has_text="Treble tea")).to_contain_text("20 points")
    accessible(desk)
    assert Transfer.objects.count() == before


def test_words_with_a_comma_stay_one_and_what_is_wrong_keeps_what_was_typed(desk, member, live_server):  # noqa: F811
    desk.goto(live_server.url + reverse("admin:rewards_earningrule_add") + "?blank")
    desk.get_by_label("Name in English").fill("Cakes")
    desk.get_by_text("Which purchases").click()
    desk.get_by_role("combobox", name="Only these categories").fill("cake")
    desk.get_by_role("option", name="Cake, whole").click()
    desk.get_by_label("Points", exact=True).fill("")
    expect(text_of(desk, "problems")).to_contain_text("Please say how much")
    desk.get_by_role("button", name="Save the draft").click()
    expect(desk.locator(".rule-wrong")).to_have_count(1)
    expect(desk.get_by_label("Points", exact=True)).to_be_focused()
    expect(desk.get_by_role("button", name="Take away: Cake, whole")).to_be_visible()
    accessible(desk)
    desk.get_by_label("Points", exact=True).fill("2")
    expect(desk.locator(".rule-wrong")).to_have_count(0)
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.wait_for_function("document.documentElement.scrollWidth <= 390")
    desk.get_by_role("button", name="Save the draft").click()
    expect(desk.get_by_role("heading", name="Cakes", level=2)).to_be_visible()
    conditions = EarningRule.objects.get(name_en="Cakes").versions.get().definition["conditions"]
    assert conditions == {"categories": ["Cake, whole"], "currency": "EUR"}


def test_what_only_purchases_give_is_not_offered_for_an_event(desk, member, live_server):  # noqa: F811
    desk.goto(live_server.url + reverse("admin:rewards_earningrule_add") + "?template=cashback")
    expect(desk.get_by_text("What never earns")).to_be_visible()
    desk.get_by_label("Trigger").select_option("birthday")
    expect(desk.get_by_label("Members get")).to_have_value("fixed")
    expect(desk.get_by_text("What never earns")).to_be_hidden()
    desk.get_by_label("Points", exact=True).fill("25")
    expect(text_of(desk, "sentences")).to_contain_text("25 points")
    expect(text_of(desk, "basis")).to_contain_text("Depends on how often")
