"""The till in a real browser: by scanner and keys, without script, both languages, light and dark, on two sizes."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from members.models import Purchase
from members.services.pins import set_pin
from referrals.tests.factories import live_programme, newcomer
from rewards.models import Benefit, MembershipPlan
from rewards.queries import balance
from rewards.services.plans import buy_plan
from rewards.services.redemptions import redeem_reward
from rewards.services.settings import save_reward_settings
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_reward
from till.tests.conftest import at_the_till

pytestmark = pytest.mark.django_db(transaction=True)
LOOKS = {
    "tablet-en-light": {"viewport": {"width": 1024, "height": 768}, "color_scheme": "light", "locale": "en-GB"},
    "phone-zh-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "zh-CN"},
}

LATER = 900  # milliseconds: longer than the page waits for the end of typing


@pytest.fixture(scope="module", autouse=True)
def _catalogues():
    call_command("messages", "--compile")


@pytest.fixture
def rich(anna):
    """Anna with some of everything."""
    at = timezone.now()
    save_reward_settings(values={"points_per_unit": 100, "till_confirm_points": 300}, at=at)
    adjust(anna, 900, at)
    set_pin(member_id=anna.pk, pin="2580", at=at)
    issue(make_offer(name_en="Welcome", name_zh_hans="欢迎"), anna, at)
    plan = MembershipPlan.objects.create(name_en="Plus", name_zh_hans="尊享", price_minor=4900, price_points=300)
    Benefit.objects.create(name_en="Lounge", name_zh_hans="贵宾室", kind="visits", uses=2).plans.add(plan)
    buy_plan(member_id=anna.pk, plan_id=plan.pk, source="t", key="p", at=at)
    redeem_reward(member_id=anna.pk, reward_id=make_reward(points=50).pk, source="t", key="r", at=at)
    return anna


@pytest.fixture
def open_till(cashier, new_context, live_server):
    """Opens a signed-in till that notes every complaint of the browser; none may be left at the end."""
    complaints: list[str] = []
    session = at_the_till(cashier).cookies[django_settings.SESSION_COOKIE_NAME].value

    def opened(**look) -> Page:
        context = new_context(base_url=live_server.url, **look)
        cookies = {"sessionid": session, "till_store": "Old%20Town"}
        context.add_cookies([{"name": k, "value": v, "url": live_server.url} for k, v in cookies.items()])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith((live_server.url, "data:")) else complaints.append(r.url))
        page.set_default_timeout(10_000)
        return page

    yield opened
    assert complaints == []


def scanned(page: Page, text: str) -> None:
    """As a scanner does it: into whatever has the focus, and Enter."""
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def test_a_customer_by_scanner_and_keys_alone(rich, open_till):
    page = open_till(**LOOKS["tablet-en-light"])
    page.goto("/till/")
    scanned(page, "000000000000")
    expect(page.get_by_role("alert")).to_contain_text("Nothing is known by")
    scanned(page, rich.card_number)
    expect(page.get_by_role("heading", level=1)).to_have_text("Anna Berger")
    expect(page.get_by_label("Amount in EUR")).to_be_focused()
    page.keyboard.type("18,50")
    expect(page.get_by_role("button", name="Record · €18.50")).to_be_visible(timeout=15_000)  # while it is typed
    page.get_by_text("10% off").click()
    expect(page.get_by_role("button", name="Record · €16.65")).to_be_visible()
    page.keyboard.press("F4")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Record · €16.65")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Recorded €16.65 · +16 points")
    expect(page.locator("#scan")).to_be_focused()
    assert balance(rich.pk) == 866
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Undone")
    assert balance(rich.pk) == 850
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Scan the member's card")).to_be_visible()


@pytest.mark.parametrize("pause", [True, False])
def test_enter_weighs_enter_again_records_and_nothing_records_by_itself(rich, open_till, pause):
    page = open_till(**LOOKS["tablet-en-light"])
    page.goto(reverse("till:member", args=[rich.pk]))
    page.keyboard.type("33.00")
    record = page.get_by_role("button", name="Record · €33.00")
    if pause:
        expect(record).to_be_visible()
    page.keyboard.press("Enter")
    expect(record).to_be_focused()
    page.wait_for_timeout(LATER)
    expect(record).to_be_focused()
    assert not Purchase.objects.exists()
    # Another amount while the big button was the last to be touched.
    page.keyboard.press("F4")
    page.keyboard.type("34.00")
    expect(page.get_by_role("button", name="Record · €34.00")).to_be_visible()
    page.wait_for_timeout(LATER)
    assert not Purchase.objects.exists()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Record · €34.00")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")  # a hand too quick: the answer is waited for
    expect(page.get_by_role("status")).to_contain_text("Recorded €34.00")
    assert Purchase.objects.count() == 1


def test_a_quick_hand_types_the_pin_while_the_page_still_works(rich, open_till):
    page = open_till(**LOOKS["tablet-en-light"])
    page.goto(reverse("till:member", args=[rich.pk]))
    page.locator("#id_amount").fill("20")
    page.locator("summary").first.click()
    page.locator("#id_pay_points").fill("300")
    page.locator("#id_proof").click()  # leaves the field before: that is a change, and not a new one
    page.keyboard.type("25", delay=300)
    expect(page.locator("#id_proof")).to_be_focused()
    page.keyboard.type("80")
    expect(page.locator("#id_proof")).to_have_value("2580")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Recorded €20.00")


def test_a_scan_into_the_amount_is_understood(rich, open_till):
    page = open_till(**LOOKS["tablet-en-light"])
    page.goto(reverse("till:member", args=[rich.pk]))
    taken = rich.redemptions.get()
    expect(page.get_by_label("Amount in EUR")).to_be_focused()
    scanned(page, taken.code)
    expect(page.get_by_role("button", name="Hand over")).to_be_focused()
    page.keyboard.press("F9")
    expect(page.get_by_role("status")).to_contain_text("Handed over")


def test_a_pin_is_asked_for_and_two_quick_clicks_are_one(rich, open_till):
    page = open_till(**LOOKS["phone-zh-dark"])
    page.goto(reverse("till:member", args=[rich.pk]))
    page.locator("#id_amount").fill("20")
    page.locator("summary").first.click()
    page.locator("#id_pay_points").fill("300")
    page.locator("#id_proof").fill("1234")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("4")
    page.wait_for_timeout(LATER)
    expect(page.get_by_role("alert")).to_contain_text("4")  # a try was used up: it must be read
    expect(page.locator("#id_proof")).to_be_focused()
    page.locator("#id_proof").fill("2580")
    page.locator("button.go").dblclick()
    expect(page.get_by_role("status")).to_contain_text("已登记")
    assert Purchase.objects.count() == 1


def test_everything_works_without_script(rich, open_till):
    page = open_till(**LOOKS["tablet-en-light"], java_script_enabled=False)
    page.goto("/till/")
    page.locator("#scan").fill("anna")
    page.get_by_role("button", name="Find").click()
    page.get_by_label("Amount in EUR").fill("10")
    page.get_by_role("button", name="Work it out").last.click()
    page.get_by_role("button", name="Record · €10.00").click()
    expect(page.get_by_role("status")).to_contain_text("Recorded €10.00")
    page.get_by_role("button", name="Use: Lounge").click()
    expect(page.get_by_role("status")).to_contain_text("Benefit used")
    page.get_by_role("link", name="Rewards").click()
    page.locator(".shelf a").first.click()
    page.locator("button.go").click()
    expect(page.get_by_role("status")).to_contain_text("Redeemed")
    page.get_by_role("link", name="Memberships").click()
    page.get_by_role("button", name="Sell · €49.00 taken").click()
    expect(page.get_by_role("status")).to_contain_text("Membership sold")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Undone")


@pytest.mark.parametrize("look", LOOKS)
def test_no_barrier_nothing_too_small_or_too_wide_and_one_language(rich, open_till, look):
    page = open_till(**LOOKS[look])
    live_programme()
    new = newcomer(at=timezone.now(), name="Anna Berger")
    reward, taken = rich.redemptions.get().reward_id, rich.redemptions.get().pk
    names = [("member", [rich.pk]), ("rewards", [rich.pk]), ("reward", [rich.pk, reward]), ("plans", [rich.pk])]
    names += [("tell", [rich.pk]), ("brought", [new.pk])]
    for name, args in [("start", []), ("store", []), ("redemption", [taken]), *names]:
        page.goto(reverse(f"till:{name}", args=args))
        if name == "member":
            page.locator("#id_amount").fill("20")
            for summary in page.locator("summary").all():
                summary.click()
            page.locator("#id_pay_points").fill("300")
            page.wait_for_selector("#id_proof")
        check(page, name)


def check(page: Page, name: str) -> None:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found.response["violations"]] == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    small = page.evaluate(
        """[...document.querySelectorAll('a, button, select, summary, input:not([type=hidden])')].filter(e => {
            const target = e.closest('label') || e, box = target.getBoundingClientRect();
            return box.width > 2 && !e.matches('.hidden') && (box.height < 55.5 || box.width < 43.5);
        }).map(e => e.outerHTML.slice(0, 90))"""
    )
    assert small == [], name
    if page.evaluate("document.documentElement.lang") == "zh-Hans":
        said = page.inner_text("main").replace("Anna Berger", "")
        for code in page.locator("main .digits").all_inner_texts():
            said = said.replace(code, "")
        assert re.findall(r"[A-Za-z]{4,}", said) == [], name
