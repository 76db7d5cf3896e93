"""The marketer's page and the member's page in a real browser. Any console error fails the test."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from campaigns.models import Journey
from campaigns.services.greeting import get_greeting
from campaigns.services.unsubscribe import unsubscribe_url
from campaigns.tests.factories import celebrant
from members.models import User
from members.queries import has_consented

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tab(new_context, live_server, settings):
    """A tab that notes every complaint of the browser; with a user, signed in."""
    settings.REQUIRE_STAFF_MFA = False
    complaints: list[str] = []

    def opened(user: User | None = None, **look):
        context = new_context(base_url=live_server.url, **look)
        if user is not None:
            client = Client()
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            name = django_settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield opened
    assert complaints == []


def test_the_page_says_what_it_will_do_while_one_types(tab):
    marketer = User.objects.create_user("marketer@example.com", is_staff=True)
    marketer.groups.add(Group.objects.get(name="Marketer"))
    get_greeting()
    today = timezone.localdate()
    celebrant(today.month, today.day)
    page = tab(marketer)
    page.goto("/admin/campaigns/birthdaygreeting/1/change/")
    expect(page.locator("#birthdaygreeting_form")).to_contain_text("1 will be greeted")
    panel = page.locator("div.greeting-panel")
    expect(panel).to_contain_text("No points are given with it.")
    page.fill("#id_gift_points", "500")
    expect(panel).to_contain_text("500 points are given with it")
    mail = page.frame_locator(".mail-frame iframe").first
    expect(mail.locator("body")).to_contain_text("Dear Mei Lin")
    expect(mail.locator("body")).to_contain_text("500 points")


@pytest.mark.parametrize("scripted", [True, False])
def test_a_member_leaves_and_comes_back(tab, live_server, scripted):
    member = celebrant(5, 12, language="zh-hans")
    path = unsubscribe_url(member_id=member.pk, channel="email", purpose="greetings").split("8000")[1]
    page = tab(viewport={"width": 390, "height": 844}, java_script_enabled=scripted)
    page.goto(path)
    assert has_consented(member_id=member.pk, channel="email", purpose="greetings")
    page.locator("main button").click()
    expect(page.locator("main button[name=undo]")).to_be_visible()
    assert not has_consented(member_id=member.pk, channel="email", purpose="greetings")
    if scripted:
        serious = [v["id"] for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
        assert serious == []
    page.locator("main button[name=undo]").click()
    page.wait_for_load_state()
    assert has_consented(member_id=member.pk, channel="email", purpose="greetings")


def test_a_journey_is_made_with_the_keyboard_alone(tab):
    marketer = User.objects.create_user("marketer@example.com", is_staff=True)
    marketer.groups.add(Group.objects.get(name="Marketer"))
    page = tab(marketer)
    page.goto("/admin/campaigns/journey/add/?empty=1")

    def go(name: str) -> None:
        """By the tabulator to what has this name, or is called so for who cannot see."""
        for _ in range(120):
            page.keyboard.press("Tab")
            if (
                page.evaluate(
                    "e => (e.ariaLabel || e.innerText || e.name || '').trim()", page.locator(":focus").element_handle()
                )
                == name
            ):
                return
        raise AssertionError(f"{name} cannot be come to")

    page.focus("#id_name")
    page.keyboard.type("By hand")
    for kind in ("Wait", "Give points"):
        go("Add a step")
        page.keyboard.type(kind)
        page.keyboard.press("Enter")
        expect(page.locator(":focus")).to_contain_text(kind)  # the step that was added
    expect(page.locator(".jou-words").last).to_have_text("Give 50 points")
    go("Move up")  # of the step that has the focus
    page.keyboard.press("Enter")
    expect(page.locator(".jou-kind").first).to_have_text("Give points")
    expect(page.locator("[data-journey=said]")).to_have_text("Moved.")
    go("Save the draft")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("“By hand” is saved as a draft.")
    steps = Journey.objects.get(campaign__name="By hand").draft["steps"]
    assert [step["kind"] for step in steps] == ["points", "wait"]
    assert Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).violations_count == 0
