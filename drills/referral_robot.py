"""A robot opens a link 2,000 times, has itself counted and guesses codes: rows stay few, and guessing is stopped."""

import http.client
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

from drills._referrals import bring, programme
from drills.stage import Stage, expect, make_members, stage

VISITS, GUESSES = 2_000, 100


def run(server: str) -> Iterator[str]:
    from django.utils import timezone

    from referrals.models import Advocate, Trace, Traffic

    with stage(server, "referral_robot") as stand:
        stand.manage("collectstatic", "--noinput", "-v0")
        at = timezone.now()
        programme(at - timedelta(days=1))
        giver, friend = make_members(2)
        bring([giver], [friend], at)
        code = Advocate.objects.get().code
        browser = _Robot(stand)
        page = browser.ask("GET", f"/r/{code}/")
        expect(page[0] == 200, f"the link was answered {page[0]}")
        token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page[1])
        expect(token, "the page has no form")
        opened = Counter(browser.ask("GET", f"/r/{code}/?c=whatsapp")[0] for _n in range(VISITS))
        expect(set(opened) == {200}, f"the link was answered {dict(opened)}")
        expect(not Traffic.objects.exists(), "looking was counted")
        body = {"c": "whatsapp", "csrfmiddlewaretoken": token[0]}
        told = Counter(browser.ask("POST", f"/r/{code}/seen/", body)[0] for _n in range(VISITS))
        expect(set(told) == {204}, f"counting was answered {dict(told)}")
        row = Traffic.objects.get()
        expect(row.visits == VISITS, f"{row.visits} visits of {VISITS} were counted")
        expect(not Trace.objects.exists(), "something of the visitor was kept")
        guessed = Counter(browser.ask("GET", f"/r/QQQQ{n:04}/")[0] for n in range(GUESSES))
        expect(guessed[429] > GUESSES // 2, f"guesses were answered {dict(guessed)}")
        yield f"{VISITS} visits in 1 row, nothing of the visitor kept; of {GUESSES} guesses {guessed[429]} were stopped"
        yield stand.verify()


class _Robot:
    def __init__(self, stand: Stage) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=60)
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and body."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request(method, path, urlencode(body) if body else None, headers)
        answer = self.connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _equals, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return answer.status, answer.read().decode(errors="replace")
