"""Messages: one's own and nobody else's, new until they are opened, and looking is not opening."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.content.ready import READY
from campaigns.enums import CampaignKind
from campaigns.models import Campaign, Message
from campaigns.services.erasure import erase_messages
from campaigns.services.templates import example, save_template

NOW = timezone.now()


@pytest.fixture
def write(club):
    """Messages that were sent, the first one longest ago."""
    campaign = Campaign.objects.create(kind=CampaignKind.BROADCAST, purpose="offers", name="News", state="done")
    content = READY["new-arrivals"].content
    version = save_template(template_id=None, name="News", kind="marketing", content=content, actor_id=None, at=NOW)
    values = json.loads(json.dumps(example(), default=str))

    def write(member, count=1, channel="app"):
        return Message.objects.bulk_create(
            Message(
                campaign=campaign, member=member, channel=channel, occurrence=str(n), state="sent", version=version,
                due_at=NOW, expires_at=NOW, next_try_at=NOW, changed_at=NOW, frozen_at=NOW, values=values,
                sent_at=NOW + timedelta(minutes=n), language=member.language, to=member.email, subject=f"News no. {n}",
            )
            for n in range(count)
        )  # fmt: skip

    return write


def test_new_until_it_is_opened_and_looking_is_not_opening(as_anna, anna, write):
    first, second = write(anna, 2)
    assert '<b class="new-count">2' in as_anna.get("/").content.decode()
    page = as_anna.get(f"/messages/{first.pk}/").content.decode()
    assert '<div class="letter">' in page
    assert "News no. 0" in page
    assert "noscript" in page
    assert '<b class="new-count">1' in page  # the one that is open counts no more
    assert not Message.objects.exclude(read_at=None).exists()
    assert as_anna.get(f"/messages/{first.pk}/read/").status_code == 405
    assert as_anna.post(f"/messages/{first.pk}/read/").status_code == 204
    assert Message.objects.get(pk=first.pk).read_at
    assert "data-tell" not in as_anna.get(f"/messages/{first.pk}/").content.decode()
    assert as_anna.post(f"/messages/{second.pk}/read/", {"back": ""}).url == "/messages/"
    assert "new-count" not in as_anna.get("/messages/").content.decode()


def test_only_ones_own(as_anna, anna, bob, write, client):
    (his,) = write(bob)
    assert "News no." not in as_anna.get("/messages/").content.decode()
    assert as_anna.get(f"/messages/{his.pk}/").status_code == 404
    as_anna.post(f"/messages/{his.pk}/read/")
    as_anna.post("/messages/read/")
    assert Message.objects.get(pk=his.pk).read_at is None
    assert client.get(f"/messages/{his.pk}/").status_code == 302


def test_a_mail_stands_there_as_a_copy_and_is_never_new(as_anna, anna, write):
    (mail,) = write(anna, channel="email")
    assert "by e-mail" in as_anna.get("/messages/").content.decode()
    page = as_anna.get(f"/messages/{mail.pk}/").content.decode()
    assert "sent to anna@example.com" in page
    assert "new-count" not in page
    assert "data-tell" not in page


def test_what_is_not_sent_or_not_kept_is_not_shown(as_anna, anna, write):
    assert "No messages yet" in as_anna.get("/messages/").content.decode()
    write(anna)
    Message.objects.update(state="failed", sent_at=None)
    assert "No messages yet" in as_anna.get("/messages/").content.decode()
    Message.objects.update(state="sent", sent_at=NOW)
    erase_messages([anna.pk], NOW)
    assert "No messages yet" in as_anna.get("/messages/").content.decode()


def test_pages_of_twenty_whose_rows_cost_nothing_and_a_count_that_ends_at_nine(as_anna, anna, write):
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            as_anna.get("/messages/")
        return len(captured)

    write(anna)
    one = cost()
    Message.objects.all().delete()
    write(anna, 25)
    assert cost() == one
    page = as_anna.get("/messages/").content.decode()
    assert page.count('class="row new"') == 20
    assert '<b class="new-count">9+' in page
    assert as_anna.get("/messages/?page=2").content.decode().count('class="row new"') == 5
    as_anna.post("/messages/read/")
    assert not Message.objects.filter(read_at=None).exists()
