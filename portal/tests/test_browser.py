"""The portal in a real browser: with and without script, in both languages, on phone and desktop, by day and night.

Any console error, refused resource or request to another site fails the test.
"""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import expect

from members.enums import Channel, Purpose
from members.models import Member
from members.queries import has_consented
from members.services.profile import update_profile
from portal.tests.browser import LOOKS, check, sign_in
from portal.tests.conftest import PASSWORD, make_account
from rewards.tests.factories import adjust, post

pytestmark = pytest.mark.django_db(transaction=True)
PUBLIC = ["/", "/accounts/login/", "/accounts/signup/", "/accounts/login/code/", "/accounts/password/reset/"]
OWN = ["/", "/history/", "/history/purchases/", "/card/", "/me/", "/me/profile/", "/me/birthday/", "/me/consents/"]
OWN += ["/history/expiring/", "/rewards/", "/rewards/mine/", "/coupons/", "/tier/", "/me/pin/"]
OWN += ["/me/data/", "/accounts/email/", "/accounts/password/change/", "/accounts/2fa/", "/accounts/2fa/webauthn/add/"]
FIRST_VISIT_BYTES = 150_000


@pytest.fixture(scope="module", autouse=True)
def _catalogues():
    call_command("messages", "--compile")


@pytest.fixture
def anna(club):
    member = make_account("anna@example.com", name="Anna Berger", time_zone="Europe/Berlin")
    now = timezone.now()
    for week in range(30):
        at = now - timedelta(weeks=week, hours=1)
        post(member, at, amount_minor=2000 + week, purchased_at=at, store="Market Street")
    adjust(member, -7, now)
    return member


def code_in(mail) -> str:
    return re.search(r"\d{4}-\d{4}", mail.body).group()


@pytest.mark.parametrize("look", LOOKS)
def test_no_serious_barrier_and_nothing_too_small_or_too_wide(anna, open_page, look):
    page = open_page(**LOOKS[look])
    if "zh" in look:
        update_profile(member_id=anna.pk, changes={"language": "zh-hans"}, at=timezone.now())
    for path in PUBLIC:
        check(page, path)
    sign_in(page, "anna@example.com")
    for path in OWN:
        check(page, path)


def test_sign_up_join_and_show_the_card(club, open_page, mailoutbox):
    page = open_page(**LOOKS["phone-en-light"])
    page.goto("/")
    page.get_by_role("link", name="Join the club").click()
    page.get_by_label("Your name").fill("Sam Reed")
    page.get_by_label("E-mail").fill("sam@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Code").fill(code_in(mailoutbox[-1]))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("link", name="I already have a card")).to_be_visible()
    page.get_by_label("You may send me greetings.").check()
    page.get_by_label("I am 14 or older").check()
    page.get_by_role("button", name="Get my card").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sam Reed")
    member = Member.objects.get()
    assert has_consented(member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.GREETINGS)
    page.get_by_role("link", name="Show card").click()
    code = page.get_by_role("img", name="QR code of your card")
    expect(code).to_be_visible()
    assert code.bounding_box()["width"] > 250
    expect(page.get_by_text(member.card_number_grouped)).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.get_by_role("link", name="Close").click()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("link", name="首页")).to_be_visible()
    member.refresh_from_db()
    assert member.language == "zh-hans"


def test_history_filters_and_pages_without_a_reload(anna, open_page):
    page = open_page(**LOOKS["phone-en-light"])
    sign_in(page, "anna@example.com")
    page.get_by_role("link", name="See all").click()
    page.wait_for_load_state()
    page.evaluate("window.stayed = true")
    expect(page.get_by_role("status")).to_have_text("31 entries")
    page.get_by_label("What").select_option("adjust")
    expect(page.get_by_role("status")).to_have_text("1 entry")
    assert urlsplit(page.url).query.startswith("kind=adjust")
    page.get_by_label("What").select_option("earn")
    expect(page.get_by_role("status")).to_have_text("30 entries")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_text("Page 2 of 2")).to_be_visible()
    assert page.evaluate("window.stayed") is True
    page.go_back()
    expect(page.get_by_text("Page 1 of 2")).to_be_visible()


def test_a_birthday_and_a_consent(anna, open_page):
    page = open_page(**LOOKS["phone-en-light"])
    sign_in(page, "anna@example.com")
    page.goto("/me/birthday/")
    leap = page.get_by_label("Leap month")
    expect(leap).to_be_hidden()
    page.get_by_label("Month", exact=True).select_option("2")
    page.get_by_label("Day").select_option("30")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("This month has at most 29 days.")).to_be_visible()
    expect(page.get_by_label("Day")).to_be_focused()
    page.get_by_label("Day").select_option("29")
    page.get_by_label("1 March").check()
    page.get_by_label("Chinese lunar").check()
    expect(leap).to_be_visible()
    expect(page.get_by_label("1 March")).to_be_hidden()
    page.get_by_label("Solar").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    anna.refresh_from_db()
    assert (anna.birthday_month, anna.birthday_day, anna.leap_day_rule) == (2, 29, "mar1")
    page.goto("/me/consents/")
    offers = page.get_by_role("region", name="Offers and news").get_by_role("switch", name="E-mail")
    expect(offers).to_have_attribute("aria-checked", "false")
    offers.click()
    expect(offers).to_have_attribute("aria-checked", "true")
    assert has_consented(member_id=anna.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS)


def test_everything_works_without_script(anna, open_page):
    page = open_page(**LOOKS["phone-en-light"], java_script_enabled=False)
    sign_in(page, "anna@example.com")
    expect(page.get_by_text("points to", exact=False).first).to_be_visible()
    page.goto("/history/")
    page.get_by_label("What").select_option("earn")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("30 entries")).to_be_visible()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_text("Page 2 of 2")).to_be_visible()
    page.goto("/me/profile/")
    page.get_by_label("City").fill("Köln")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.goto("/card/")
    expect(page.get_by_role("img", name="QR code of your card")).to_be_visible()
    page.goto("/me/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Join the club")).to_be_visible()


def test_a_passkey_is_added_and_signs_in(anna, open_page):
    page = open_page(**LOOKS["phone-en-light"])
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    key |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": key})
    sign_in(page, "anna@example.com")
    page.goto("/accounts/2fa/")
    page.get_by_role("link", name="Add a passkey").click()
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form .button").first.click()
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url("**/recovery-codes/**")
    page.goto("/me/")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Anna Berger")


@pytest.mark.parametrize("path", ["/", "/history/", "/rewards/"])
def test_the_first_visit_is_light(anna, open_page, path):
    page = open_page(**LOOKS["phone-en-light"])
    sign_in(page, "anna@example.com")
    fresh = open_page(**LOOKS["phone-en-light"])
    fresh.context.add_cookies(page.context.cookies())
    sizes: list[int] = []
    fresh.on("response", lambda response: sizes.append(len(response.body())))
    fresh.goto(path, wait_until="networkidle")
    assert len(sizes) >= 3
    assert sum(sizes) < FIRST_VISIT_BYTES
