"""What tests in a real browser share: how it looks, signing in, and what every page must hold."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from portal.tests.conftest import PASSWORD

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LOOKS = {
    "phone-en-light": {"viewport": PHONE, "color_scheme": "light", "locale": "en-GB"},
    "desktop-zh-dark": {"viewport": DESKTOP, "color_scheme": "dark", "locale": "zh-CN"},
}


def sign_in(page: Page, email: str) -> None:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form .button").first.click()
    page.wait_for_url("/")


def check(page: Page, path: str) -> None:
    page.goto(path)
    if page.url.endswith("next=" + path.replace("/", "%2F")):  # asked for the password once more
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("main form .button").first.click()
        page.wait_for_url(path)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    bad = [(v["id"], [n["target"] for n in v["nodes"]]) for v in found.response["violations"]]
    assert bad == [], path
    look = page.viewport_size
    for width in (look["width"], 320):  # 320 px is a desktop at four times the size (WCAG 1.4.10)
        page.set_viewport_size({**look, "width": width})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
    page.set_viewport_size(look)
    small = page.evaluate(
        """[...document.querySelectorAll('a, button, select, input:not([type=hidden])')].filter(e => {
            const target = e.closest('label') || e, box = target.getBoundingClientRect();
            const inText = e.matches('p a, small a, address a, footer a, .hint a, .skip');
            return box.width && !inText && (box.height < 43.5 || box.width < 43.5);
        }).map(e => e.outerHTML.slice(0, 90))"""
    )
    assert small == [], path
