"""Links and pictures of mails, asked for as programs and people do."""

import re
from datetime import datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.db import ProgrammingError, transaction
from django.test import Client

from campaigns.admin.verdict_words import program
from campaigns.content.links import CARD
from campaigns.models import Campaign, Link, Message, TrackEvent
from campaigns.services.templates import save_template
from campaigns.services.tracking import read_token, token_of, utm_of
from campaigns.services.verdicts import judge
from campaigns.tests import factories, test_broadcasts
from campaigns.tests.factories import AT
from members.models import Member
from members.tests.factories import JOINED

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
BLOCKS = [
    {"type": "text", "text": {"en": "[Shop](https://shop.example/new?a=1#top)"}},
    {"type": "text", "text": {"en": "[Mine](https://shop.example/for/{{ member.name }})"}},
    {"type": "button", "label": {"en": "Rewards"}, "to": "rewards"},
    {"type": "text", "text": {"en": "[Write](mailto:a@example.com) [Named](https://shop.example/x?utm_source=own)"}},
]  # fmt: skip


@pytest.fixture
def sent() -> Message:
    return send()


def send(**measured) -> Message:
    version = save_template(
        template_id=None, name="News", kind="marketing", actor_id=None, at=JOINED,
        content={"subject": {"en": "News"}, "blocks": BLOCKS},
    )  # fmt: skip
    member = test_broadcasts.reader(email="a@example.com", name="Ann/@evil.example")
    broadcast = test_broadcasts.scheduled()
    broadcast.variants.update(version=version)
    Campaign.objects.filter(pk=broadcast.pk).update(**{"measure_opens": True, "name": "Spring news", **measured})
    test_broadcasts.beat()
    factories.run(AT)
    return Message.objects.get(member=member)


def hrefs(kind: str = "text/html") -> list[str]:
    html = next(part for part in mail.outbox[-1].message().walk() if part.get_content_type() == kind)
    found = re.findall(r'(?:href|src)="([^"]+)"', html.get_payload(decode=True).decode())
    return [address.replace("&amp;", "&") for address in found]


def ask(address: str, *, after: float = 3600, agent: str = FIREFOX, method: str = "GET", ip: str = "192.0.2.77"):
    with time_machine.travel(AT + timedelta(seconds=after), tick=False):
        path = address.removeprefix("http://localhost:8000")
        return Client().generic(method, path, headers={"User-Agent": agent}, REMOTE_ADDR=ip)


def verdicts(at: datetime = AT + timedelta(days=1)) -> list[tuple[str, str, str]]:
    judge(at=at)
    return list(TrackEvent.objects.order_by("at", "id").values_list("kind", "verdict", "rule"))


def link_to(url: str) -> str:
    pk = Link.objects.get(url=url).pk
    return next(address for address in hrefs() if address.endswith(f"/{pk}/"))


def test_a_link_leads_only_where_it_was_written_to_lead(sent):
    named = "utm_source=loyalty&utm_medium=email&utm_campaign=spring-news"
    leads = {
        "https://shop.example/new?a=1#top": f"https://shop.example/new?a=1&{named}#top",
        "https://shop.example/for/{{ member.name }}": f"https://shop.example/for/Ann%2F%40evil.example?{named}",
        "rewards": f"http://localhost:8000/rewards/?{named}",
        "https://shop.example/x?utm_source=own": "https://shop.example/x?utm_source=own",
    }
    for written, target in leads.items():
        answer = ask(link_to(written))
        assert (answer.status_code, answer["Location"]) == (302, target)
        assert answer["Referrer-Policy"] == "no-referrer"
    assert "mailto:a@example.com" in hrefs()
    other = Link.objects.create(version=test_broadcasts.version("Else"), url="https://else.example/")
    token = token_of(sent.pk)
    lost = (
        f"/l/{token}/{other.pk}/",
        f"/l/{token[:-2]}xx/{Link.objects.first().pk}/",
        f"/l/{token}/999999/",
        "/l/x/1/",
    )
    Member.objects.update(language="zh-hans")
    for address in lost:
        answer = ask(address)
        assert answer.status_code == 404
        assert "This link leads nowhere" in answer.content.decode()
    assert TrackEvent.objects.count() == 4
    assert read_token(token) == sent.pk


def test_the_tables_of_what_was_asked_for_cannot_be_changed(sent):
    ask(link_to("rewards"))
    for change in ({"at": AT}, {"message": sent.pk + 1}, {"method": "POST"}):
        with pytest.raises(ProgrammingError), transaction.atomic():
            TrackEvent.objects.update(**change)


def test_people_proxies_and_scanners_are_told_apart(sent):
    picture = next(address for address in hrefs() if "/o/" in address)
    trap = next(address for address in hrefs() if address.endswith("/0/"))
    rewards, shop = link_to("rewards"), link_to("https://shop.example/new?a=1#top")
    assert ask(picture, after=1).headers["Content-Type"] == "image/gif"
    ask(picture, after=60, agent=GMAIL)
    ask(picture, after=120, agent="Mozilla/5.0")
    ask(rewards, after=300, method="HEAD")
    ask(rewards, after=400, agent="python-requests/2.32")
    ask(shop, after=600, ip="198.51.100.1")  # the trap's neighbour, whatever it calls itself
    ask(trap, after=610, ip="198.51.100.9", agent="Mozilla/5.0 (sandbox)")
    for n, url in enumerate(("rewards", "https://shop.example/new?a=1#top", "https://shop.example/x?utm_source=own")):
        ask(link_to(url), after=900 + n, ip=f"203.0.{n}.1")
    ask(rewards, after=2000, agent="Lynx/2.9")
    ask(picture, after=3600)
    assert verdicts(AT) == [(kind, "unsure", "") for kind, _verdict, _rule in verdicts(AT)]
    assert verdicts() == [
        ("open", "scanner", "early"),
        ("open", "proxy", "proxy"),
        ("open", "proxy", "proxy"),
        ("click", "scanner", "method"),
        ("click", "scanner", "agent"),
        ("click", "scanner", "trap"),
        ("trap", "scanner", "trap"),
        *[("click", "scanner", "all_links")] * 3,
        ("click", "unsure", "unknown"),
        ("open", "person", "person"),
    ]
    sent.refresh_from_db()
    assert (sent.opened_at, sent.clicked_at) == (AT + timedelta(hours=1), None)
    assert {event.network for event in TrackEvent.objects.filter(kind="trap")} == {"198.51.100.0/24"}
    for _ in range(3):
        ask(rewards, after=7200)
    assert verdicts()[-1] == ("click", "person", "person")
    assert TrackEvent.objects.latest("id").times == 3
    sent.refresh_from_db()
    assert sent.clicked_at == AT + timedelta(hours=2)


def test_programs_are_called_as_people_call_them():
    webkit = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
    agents = {
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {webkit} Mobile/15E148": "iPhone Mail",
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) {webkit} Version/18.0 Safari/604.1": "Safari on iPhone",
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {webkit}": "Mac Mail",
        "Mozilla/5.0": "Apple Mail, by its proxy",
        "Mozilla/5.0 (Windows NT 10.0) Chrome/129.0 Safari/537.36 Edg/129.0": "Edge on Windows",
        FIREFOX: "Firefox on Linux",
        GMAIL: "Gmail, by its proxy",
        "curl/8.5.0": "curl/8.5.0",
        "": "",
    }
    assert {agent: program(agent) for agent in agents} == agents


def test_who_does_not_want_it_is_led_on_and_not_counted(sent, django_assert_num_queries):
    Member.objects.update(personalised=False)
    address = link_to("rewards")
    with django_assert_num_queries(1):
        assert ask(address).status_code == 302
    assert not TrackEvent.objects.exists()
    assert ask("/o/nonsense.gif").status_code == 200


def test_unmeasured_links_stand_as_they_were_written_with_the_name_of_the_campaign():
    message = send(measure_clicks=False, measure_opens=False, utm_campaign="own")
    found = hrefs()
    assert "https://shop.example/new?a=1&utm_source=loyalty&utm_medium=email&utm_campaign=own#top" in found
    assert "https://shop.example/x?utm_source=own" in found
    assert not any("/l/" in address or "/o/" in address for address in found)
    Message.objects.filter(pk=message.pk).update(values={})


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("双十一 大促", "%E5%8F%8C%E5%8D%81%E4%B8%80-%E5%A4%A7%E4%BF%83"),
        ("Spring & News", "spring-news"),
        ("☃", "broadcast"),
    ],
)
def test_web_statistics_know_a_campaign_by_its_name_in_any_script(name, named):
    assert utm_of("broadcast", name, "", "email") == f"utm_source=loyalty&utm_medium=email&utm_campaign={named}"


def test_what_a_purged_message_said_is_led_to_the_front_page(sent):
    Message.objects.update(values={})
    answer = ask(link_to("https://shop.example/for/{{ member.name }}"))
    assert answer["Location"].startswith("https://shop.example/?utm_")


def test_a_birthday_mail_counts_its_button():
    (message,) = factories.due()
    factories.run(AT)
    button = next(address for address in hrefs() if "/l/" in address and not address.endswith("/0/"))
    assert ask(button)["Location"].startswith("http://localhost:8000/rewards/?utm_source=loyalty")
    assert verdicts() == [("click", "person", "person")]
    message.refresh_from_db()
    assert message.clicked_at is not None


def test_each_reward_card_of_a_mail_leads_to_its_own_page(sent):
    link = Link.objects.create(version=sent.version, url=CARD)
    cards = {"all": [{"url": "http://localhost:8000/rewards/7/"}, {"url": "http://evil.example/"}]}
    Message.objects.update(values={"cards_affordable": cards})
    token = token_of(sent.pk)
    assert ask(f"/l/{token}/{link.pk}/0/")["Location"].startswith("http://localhost:8000/rewards/7/?utm_")
    assert ask(f"/l/{token}/{link.pk}/1/")["Location"].startswith("http://localhost:8000?utm_")
    assert ask(f"/l/{token}/{link.pk}/9/")["Location"].startswith("http://localhost:8000?utm_")


def test_service_mail_is_never_measured():
    from campaigns.tests.test_sending import service

    service()
    factories.run(AT)
    assert not any("/l/" in address or "/o/" in address or "utm_" in address for address in hrefs())


def test_templates_with_cards_count_them():
    saved = save_template(
        template_id=None, name="Cards", kind="marketing", actor_id=None, at=JOINED,
        content={"subject": {"en": "x"}, "blocks": [{"type": "rewards", "which": "affordable", "rewards": []}]},
    )  # fmt: skip
    assert list(Link.objects.filter(version=saved).values_list("url", flat=True)) == [CARD]
