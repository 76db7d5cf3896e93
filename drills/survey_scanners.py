"""A wave of invitations whose every link a mail scanner opens three times: nothing is recorded; then people answer."""

import http.client
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from drills.stage import Stage, at_once, expect, make_members, stage

MEMBERS, TIMES = 20, 3
AGENTS = ("Mozilla/5.0 (compatible; SafeLinks)", "python-requests/2.32", "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0")


def run(server: str) -> Iterator[str]:
    from django.core import mail
    from django.test.utils import override_settings
    from django.utils import timezone

    from campaigns.models import TrackEvent
    from campaigns.services.delivery import deliver
    from campaigns.services.verdicts import judge
    from members.services.consent import state_consent
    from members.services.profile import update_profile
    from members.services.reactions import run_due as react
    from surveys.models import Answer, Invitation, Response
    from surveys.services.inviting import invite
    from surveys.services.publishing import make_survey, move

    with stage(server, "scanners") as stand:
        stand.manage("collectstatic", "--noinput", "-v0")  # pages are asked for, not only the API
        at = timezone.now()
        question = {"id": "q1", "kind": "nps", "required": True, "title": {"en": "Would you?", "zh-hans": "会吗？"}}
        survey = make_survey(
            name="Drill", definition={"sections": [{"id": "s1", "questions": [question]}]}, at=at, thanks_points=10
        )
        move(survey_id=survey.pk, to="open", at=at)
        members = make_members(MEMBERS)
        for n, member in enumerate(members):
            update_profile(member_id=member.pk, at=at, changes={"email": f"m{n}@example.com"})
            state_consent(member_id=member.pk, channel="email", purpose="offers", granted=True, source="drill", at=at)
        done = invite(survey_id=survey.pk, member_ids=[one.pk for one in members], key="wave:1", at=at, days_open=30)
        expect(done.invited == MEMBERS, f"{done.invited} were invited")
        with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
            mail.outbox = []
            while react(at=timezone.now() + timedelta(minutes=1)):
                pass
            deliver(clock=lambda: timezone.now() + timedelta(minutes=1))
            links = [
                link
                for one in mail.outbox
                for link in re.findall(r'survey-step"[^>]* href="https?://[^"/]+([^"]+)"', _html(one))
            ]
        expect(len(links) == 11 * MEMBERS, f"{len(links)} links in {len(mail.outbox)} mails")
        yield f"{len(mail.outbox)} mails, {len(links)} links"

        opened = Counter(
            _open(stand, method, link, agent)
            for link in links
            for method, agent in zip(("HEAD", "GET", "GET"), AGENTS, strict=True)
        )
        expect(set(opened) == {200}, f"the scanner was answered {dict(opened)}")
        expect(not Response.objects.exists(), "a response was begun")
        expect(not Answer.objects.exists(), "an answer was recorded")
        states = set(Invitation.objects.values_list("state", flat=True))
        expect(states == {"open"}, f"invitations are {states}")
        judge(at=timezone.now() + timedelta(minutes=5))
        taken = Counter(TrackEvent.objects.values_list("verdict", flat=True))
        expect(set(taken) == {"scanner"}, f"the scanner is taken for {dict(taken)}")
        expect(sum(taken.values()) <= 20 * MEMBERS, f"{sum(taken.values())} rows of {sum(opened.values())} visits")
        rows = sum(taken.values())
        yield f"opened {sum(opened.values())} times: nothing is recorded; all taken for a scanner, in {rows} rows"

        asked = Invitation.objects.order_by("pk").first()
        address = f"/s/i/{asked.uid}/?q1=9"
        told = Counter(at_once([lambda: _answer(stand, address)] * 10))
        expect(Response.objects.filter(state="complete").count() == 1, "ten tabs made more than one answer")
        yield f"one of them answers, in ten tabs at once: {dict(told)}"
        yield stand.verify()


def _html(message: object) -> str:
    return message.alternatives[0][0]  # type: ignore[attr-defined]


def _open(stand: Stage, method: str, path: str, agent: str) -> int:
    """Follows a link to where it leads."""
    line = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=30)
    try:
        while True:
            line.request(method, path, headers={"User-Agent": agent})
            reply = line.getresponse()
            reply.read()
            if reply.status != 302:
                return reply.status
            target = urlsplit(reply.headers["Location"])
            path = f"{target.path}?{target.query}"
    finally:
        line.close()


def _answer(stand: Stage, path: str) -> int:
    """A person: looks at the page, and sends it."""
    line = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=30)
    try:
        line.request("GET", path)
        page = line.getresponse()
        body = page.read().decode()
        cookie = (page.getheader("Set-Cookie") or "").partition(";")[0]
        if "csrfmiddlewaretoken" not in body:
            return page.status
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', body)
        sent = f"csrfmiddlewaretoken={token[1] if token else ''}&at=0&q1=9"
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        line.request("POST", path, sent, headers)
        reply = line.getresponse()
        reply.read()
        return reply.status
    finally:
        line.close()
