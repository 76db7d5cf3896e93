"""The link at the foot of every mail."""

import importlib
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client, override_settings
from django.utils.timezone import now

from campaigns.models import Message
from campaigns.services import unsubscribe as service
from campaigns.services.birthdays import plan
from campaigns.services.claims import mark
from campaigns.services.delivery import deliver
from campaigns.services.unsubscribe import unsubscribe_url
from campaigns.tests.factories import AT, JOINED, agree, celebrant, due, switch_on, utc, written
from members.models import Consent
from members.queries import has_consented
from members.services.erasure import erase_member
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db
ONE_CLICK = {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"}


def link(member) -> str:
    return unsubscribe_url(member_id=member.pk, channel="email", purpose="greetings").removeprefix(
        "http://localhost:8000"
    )


def agreed(member) -> bool:
    return has_consented(member_id=member.pk, channel="email", purpose="greetings")


def test_the_link_in_the_mail_works():
    switch_on(at=utc(2026, 5, 11))
    member = celebrant(5, 12)
    plan(at=utc(2026, 5, 12, 9))
    deliver(clock=lambda: utc(2026, 5, 12, 9))
    url = mail.outbox[0].extra_headers["List-Unsubscribe"][1:-1]
    assert url in mail.outbox[0].alternatives[0][0]
    answer = Client(enforce_csrf_checks=True).post(url.removeprefix("http://localhost:8000"), **ONE_CLICK)
    assert answer.status_code == 200
    assert not agreed(member)
    assert Consent.objects.latest("at").source == "unsubscribe link"


def test_who_leaves_between_claim_and_hand_over_gets_nothing(client):
    leaves, stays = due(2)
    token, ready = written()
    assert {one.id for one in ready} == {leaves.id, stays.id}
    assert client.post(link(leaves.member), **ONE_CLICK).status_code == 200
    Message.objects.filter(pk__in=[leaves.id, stays.id]).update(state="handing_over")
    told = {one: mark(message_id=one, answered=0, token=token, at=AT) for one in (leaves.id, stays.id)}
    assert told == {leaves.id: False, stays.id: True}


def test_get_only_asks(client):
    member = celebrant(5, 12)
    for method in (client.get, client.head):
        assert method(link(member)).status_code == 200
    assert "No more birthday and holiday greetings?" in client.get(link(member)).content.decode()
    assert agreed(member)


def test_post_acts_at_once_and_twice_is_once(client):
    member = celebrant(5, 12)
    for _ in range(2):
        assert "You are unsubscribed" in client.post(link(member)).content.decode()
    assert not agreed(member)
    assert Consent.objects.filter(member=member).count() == 2
    assert "You are unsubscribed" in client.get(link(member)).content.decode()  # it asks no second time


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded; charset=ISO-8859-1", "List-Unsubscribe=One-Click"),
        ("application/x-www-form-urlencoded; charset=none-such", "List-Unsubscribe=One-Click"),
        ("multipart/form-data", "List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=a", "nothing of the kind"),
        ("application/json", "{"),
        ("application/x-www-form-urlencoded", "a=1&" * 2_000),
        ("application/x-www-form-urlencoded", "x" * 3_000_000),
    ],
)
def test_one_click_counts_however_its_body_is_written(client, content_type, body):
    switch_on()
    member = celebrant(5, 12)
    assert client.generic("POST", link(member), body, content_type=content_type).status_code == 200
    assert not agreed(member)


@pytest.mark.parametrize(
    "topic", ["9" * 5_000, "9" * 30, "²", "１", "-1"], ids=["longest", "long", "raised", "wide", "less"]
)
def test_a_topic_that_is_none_changes_nothing(client, topic):
    switch_on()
    member = celebrant(5, 12)
    for said in ("stop", "undo"):
        answer = client.post(f"{link(member)}choices/", {said: f"topic.{topic}.email"})
        assert answer.status_code == 200
    assert agreed(member)


def test_it_can_be_undone(client):
    member = celebrant(5, 12)
    client.post(link(member))
    assert "again" in client.post(link(member), {"undo": "1"}).content.decode()
    assert agreed(member)


def test_a_link_gives_no_consent_that_it_did_not_take(client):
    never = make_member()
    client.post(link(never), {"undo": "1"})
    assert not agreed(never)
    elsewhere = celebrant(5, 12)
    agree(elsewhere, at=utc(2026, 1, 1), granted=False)
    said = client.post(link(elsewhere), {"undo": "1"}).content.decode()
    assert not agreed(elsewhere)
    assert "You are unsubscribed" in said  # nor does it say so
    assert "keep sending them" not in said


@pytest.mark.parametrize("change", [lambda url: url[:-6] + "/", lambda url: url.replace("/u/", "/u/9")])
def test_an_altered_or_cut_link_does_nothing(client, change):
    member = celebrant(5, 12)
    answer = client.post(change(link(member)))
    assert answer.status_code == 404
    assert "This link is not complete" in answer.content.decode()
    assert agreed(member)


def test_a_link_is_good_for_one_member_only(client):
    member, other = celebrant(5, 12), celebrant(5, 12)
    client.post(link(member))
    assert agreed(other)


def test_it_speaks_the_members_language_whatever_the_browser_says(client):
    member = make_member(language="zh-hans")
    agree(member, at=JOINED)
    answer = client.get(link(member), headers={"accept-language": "en"})
    assert answer["Content-Language"] == "zh-hans"
    assert 'lang="zh-Hans"' in answer.content.decode()


def test_it_speaks_of_what_the_link_is_about(client):
    member = celebrant(5, 12)
    url = unsubscribe_url(member_id=member.pk, channel="email", purpose="offers").removeprefix("http://localhost:8000")
    for answer in (client.get(url), client.post(url), client.post(url, {"undo": "1"})):
        page = answer.content.decode()
        assert "offers and news" in page
        assert "greetings" not in page


def test_it_can_be_read_in_the_other_language(client):
    page = client.get(link(celebrant(5, 12)), {"language": "zh-hans"})
    assert page["Content-Language"] == "zh-hans"
    assert 'href="?language=en"' in page.content.decode()
    assert client.get(link(celebrant(5, 12)), {"language": "xx"})["Content-Language"] == "en"


def test_the_page_keeps_out_of_caches_and_search(client):
    answer = client.get(link(celebrant(5, 12)))
    assert "no-store" in answer["Cache-Control"]


@pytest.fixture
def another_key(settings):
    """The site signs with a new key, and still knows the old one."""
    former = ["one in between", settings.SECRET_KEY]
    with override_settings(SECRET_KEY="a new key", SECRET_KEY_FALLBACKS=former):
        importlib.reload(service)
        yield
    importlib.reload(service)


def test_it_works_many_years_later_with_nothing_left_of_the_mail_and_another_key(client, request):
    member = celebrant(5, 12)
    old = link(member)
    request.getfixturevalue("another_key")
    with time_machine.travel(now() + timedelta(days=12 * 365)):
        assert client.post(old, **ONE_CLICK).status_code == 200
    assert not agreed(member)


def test_who_is_erased_is_told_that_it_is_done(client):
    member = celebrant(5, 12)
    erase_member(member_id=member.pk, at=now())
    answer = client.post(link(member), **ONE_CLICK)
    assert answer.status_code == 200
    assert "nothing can be sent to you" in answer.content.decode()
    assert "You are unsubscribed" in client.get(link(member)).content.decode()
