"""Draws the mails of the ready journeys as they arrive on a phone: a sheet for each language, light and dark in turn.

python docs/images/journey_mails.py [FOLDER], where the demo's data are. FOLDER keeps the mails.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Route, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PHONE, HEIGHT, SHOWN, ROW = 390, 860, 244, 7
SHEET = ("welcome-hello", "welcome-thanks", "welcome-news", "birthday-wish", "birthday-remind", "festival-wish",
         "win-back-miss", "win-back-more", "win-back-last", "thanks-thanks", "expiring-month", "expiring-week",
         "tier-news", "anniversary-thanks")  # fmt: skip
PAGE = """<style>body {{ margin: 0; padding: 12px; background: #d6d6d2; display: grid; gap: 12px;
grid-template-columns: repeat({row}, {shown}px) }} img {{ width: {shown}px; display: block }}</style>{images}"""


def draw(browser: Browser, mail: Path, scheme: str) -> Path:
    page = browser.new_page(viewport={"width": PHONE, "height": HEIGHT}, color_scheme=scheme)  # type: ignore[arg-type]
    page.route("**/*", picture)
    page.goto(mail.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, f"{mail.name} is wider than a phone"
    page.screenshot(path=(to := mail.with_suffix(".png")))
    page.close()
    return to


def picture(route: Route) -> None:
    """Pictures of the shop come from its folder: no server runs."""
    address = urlsplit(route.request.url)
    if address.scheme == "file":
        route.continue_()
    elif (found := media() / address.path.partition("/media/")[2]).is_file():
        route.fulfill(path=found)
    else:
        route.abort()


def media() -> Path:
    from django.conf import settings

    return Path(settings.MEDIA_ROOT)


def main(folder: Path) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_crm.settings")
    subprocess.run([sys.executable, "manage.py", "ready_journeys", str(folder)], cwd=ROOT, check=True)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language in ("en", "zh-hans"):
            mails = [folder / f"{name}-{language}.html" for name in SHEET]
            shown = [draw(browser, mail, ("light", "dark")[n % 2]) for n, mail in enumerate(filter(Path.exists, mails))]
            sheet = folder / f"sheet-{language}.html"
            images = "".join(f'<img src="{one.as_uri()}">' for one in shown)
            sheet.write_text(PAGE.format(row=ROW, shown=SHOWN, images=images))
            page = browser.new_page(viewport={"width": ROW * (SHOWN + 12) + 12, "height": 100})
            page.goto(sheet.as_uri())
            page.screenshot(path=HERE / f"journey-mails-{language}.jpg", type="jpeg", full_page=True, quality=72)
        browser.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]).resolve())
    else:
        with TemporaryDirectory() as made:
            main(Path(made))
