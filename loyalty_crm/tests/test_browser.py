"""The admin in a real browser, under its real policy: no error, no request that leaves the site."""

from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from members.models import Member, Programme, User
from members.tests.factories import make_member
from referrals.enums import BlockKind
from referrals.services.blocks import block
from referrals.tests.factories import bring, buys, live_programme, newcomer
from rewards.models import Transfer
from rewards.tests.factories import make_rule, make_tiers, post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def member(live_server, settings) -> Member:
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.create(pk=1, name="Corner Café", time_zone="Europe/Berlin")
    make_rule()
    make_tiers()
    member = make_member(name="Anna Becker")
    for n in range(40):
        post(member, datetime.now(UTC), purchased_at=datetime.now(UTC) - timedelta(days=n))
    return member


@pytest.fixture
def desk(member, page: Page, live_server) -> Page:
    """A marketer's browser. Whatever it complains of, or asks of another site, fails the test."""
    user = User.objects.create_user("marketer@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((live_server.url, "data:")) else complaints.append(r.url))
    yield page
    assert complaints == []


def accessible(page: Page, context: str = "#content") -> None:
    """No serious violation (axe) in what is ours; unfold's frame around it is not ours to mend."""
    found = Axe().run(page, context=context, options={"resultTypes": ["violations"]})
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in serious] == []


def test_the_morning_paper_and_its_charts(desk, live_server):
    desk.goto(live_server.url + reverse("admin:index"))
    expect(desk.get_by_text("Points outstanding").first).to_be_visible()
    drawn = "Array.from(document.querySelectorAll('canvas.chart')).every(c => Chart.getChart(c))"
    desk.wait_for_function(drawn)
    desk.get_by_text("As a table").first.click()
    expect(desk.get_by_role("columnheader", name="Revenue")).to_be_visible()
    accessible(desk)
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.wait_for_function("document.documentElement.scrollWidth <= 390")
    desk.get_by_role("link", name="7 days", exact=True).click()
    expect(desk.get_by_role("link", name="7 days", exact=True)).to_have_attribute("aria-current", "true")


def test_the_pages_of_referrals(desk, live_server):
    live_programme()
    giver = make_member(name="Anna Berger")
    friend = newcomer()
    bring(giver, friend)
    buys(friend)
    block(kind=BlockKind.MAIL, value="@example.test", reason="Throw-away", at=datetime.now(UTC))
    names = ("programme_changelist", "referral_changelist", "block_changelist", "programme_figures")
    for path in (*(reverse(f"admin:referrals_{name}") for name in names),
                 reverse("admin:referrals_referral_tree", args=[giver.pk])):  # fmt: skip
        desk.goto(live_server.url + path)
        accessible(desk)
    expect(desk.get_by_text(friend.name)).to_be_visible()


def test_the_member_page_and_a_double_click_on_adjust(desk, member, live_server):
    desk.goto(live_server.url + reverse("admin:members_member_changelist"))
    desk.get_by_role("textbox", name="Name, phone, card number or e-mail").fill(member.card_number)
    desk.keyboard.press("Enter")  # what belongs to one member alone opens their page
    expect(desk.get_by_role("heading", name="Anna Becker", level=2)).to_be_visible()
    accessible(desk)
    events = desk.locator("#timeline .desk-event")
    expect(events).to_have_count(20)
    desk.locator("#timeline .desk-more").scroll_into_view_if_needed()  # scrolling alone brings older ones
    expect(events.nth(39)).to_be_attached()
    desk.get_by_label("Add a tag").fill("Poet")
    desk.keyboard.press("Enter")
    expect(desk.locator("#panel-tags").get_by_role("link", name="Poet")).to_be_visible()
    expect(events.first).to_contain_text("Tagged “Poet”")
    desk.locator("#timeline label").filter(has_text="Tags").click()
    expect(events).to_have_count(1)
    accessible(desk)
    desk.get_by_role("link", name="Adjust balance").click()
    desk.get_by_label("How much").fill("25")
    desk.get_by_label("Reason").fill("Sorry for the wait")
    accessible(desk)
    desk.get_by_role("button", name="Continue").click()
    expect(desk.get_by_text("has 400 points now and 425 points after this")).to_be_visible()
    desk.get_by_role("button", name="Adjust", exact=True).dblclick()
    expect(desk.get_by_text("now has 425 points").first).to_be_visible()  # each click may be answered
    assert Transfer.objects.filter(kind="adjust").count() == 1
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.wait_for_function("document.documentElement.scrollWidth <= 390")
