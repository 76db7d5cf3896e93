"""Staff look at what was sent, of every kind: the page says why, shows it, and holds no link that acts."""

from datetime import timedelta

import pytest
from django.core import mail

from campaigns.enums import CampaignKind
from campaigns.models import Campaign, Message
from campaigns.services.journeys.advancing import advance
from campaigns.tests import factories, test_broadcasts, test_journeys
from campaigns.tests.factories import AT

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def without_second_factor(settings):
    settings.REQUIRE_STAFF_MFA = False


def birthday():
    factories.due()
    return "Birthday on"


def broadcast():
    test_broadcasts.reader(email="a@example.com", name="Ann")
    test_broadcasts.scheduled(versions=2)
    test_broadcasts.beat()
    return "Meant for: Everybody. Drawn for version"


def journey():
    step = {"id": "m", "kind": "send", "template": test_journeys.template().pk, "channels": []}
    test_journeys.journey(step, trigger={"kind": "joined"})
    member = test_journeys.join()
    test_journeys.agree(member)
    advance(at=AT + timedelta(minutes=1))
    return "Came into the journey “Test”"


@pytest.mark.parametrize("kind", [birthday, broadcast, journey])
def test_a_message_is_shown_with_its_why_and_without_links(kind, admin_client):
    why = kind()
    address = f"/admin/campaigns/message/{Message.objects.get().pk}/change/"
    assert "Not written yet." in admin_client.get(address).content.decode()
    factories.run(AT + timedelta(minutes=2))
    message, page = Message.objects.get(), admin_client.get(address).content.decode()
    assert message.state == "sent"
    assert len(mail.outbox) == 1
    assert why in page
    assert message.subject in page
    assert "srcdoc=" in page
    assert "Unsubscribe" in page
    assert "/u/" not in page
    Message.objects.update(values={}, text="", why={})
    assert "no longer kept" in admin_client.get(address).content.decode()


@pytest.mark.parametrize("channel", ["sms", "webhook"])
def test_what_is_only_text_is_shown_as_text(channel, admin_client):
    member = test_broadcasts.reader(phone="+8613800000001")
    service = Campaign.objects.create(
        kind=CampaignKind.SERVICE, purpose="service", counts_for_cap=False, name="Receipts", state="running"
    )
    message = Message.objects.create(
        campaign=service, member=member, channel=channel, due_at=AT, expires_at=AT, next_try_at=AT, changed_at=AT,
        state="sent", sent_at=AT, frozen_at=AT, text="Your code is <7>",
    )  # fmt: skip
    page = admin_client.get(f"/admin/campaigns/message/{message.pk}/change/").content.decode()
    assert "Your code is &lt;7&gt;" in page
    assert "<iframe" not in page
    assert "about the member" in page
