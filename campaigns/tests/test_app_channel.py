"""Messages to members in WeChat or another app: agreed to, addressed, and called for once, against a server of this
test."""

from collections import Counter

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.enums import SuppressionReason
from campaigns.forms_broadcasts import AudienceForm
from campaigns.forms_sending import SenderForm
from campaigns.models import Message, Sender
from campaigns.queries import address_of
from campaigns.services.broadcasts import control
from campaigns.services.broadcasts.audience import estimate
from campaigns.services.journeys.running import run as run_journeys
from campaigns.services.suppression import Entry, suppress
from campaigns.tests.factories import run
from campaigns.tests.test_broadcasts import AT, beat, draft, rows
from campaigns.tests.test_journeys import join, journey, template
from members.channels import offered
from members.models import Identity, Member, User
from members.services.consent import state_consent
from members.services.profile import link_account
from members.tests.factories import JOINED, make_member

pytestmark = pytest.mark.django_db


def agree(member: Member, *channels: str) -> None:
    for channel in channels:
        state_consent(member_id=member.pk, channel=channel, purpose="offers", granted=True, source="test", at=JOINED)


def follower(openid: str = "", **profile) -> Member:
    member = make_member(**profile)
    agree(member, "webhook")
    if openid:
        Identity.objects.create(member=member, system="wechat", value=openid)
    return member


def test_a_broadcast_calls_for_each_once_and_counts_who_it_does_not_reach(app):
    good = [follower(f"o-{n}") for n in range(3)]
    shut, unknown, silent = follower("o-shut"), follower(), make_member()
    agree(silent, "email")
    Identity.objects.create(member=silent, system="wechat", value="o-silent")
    suppress(entries=[Entry("webhook", "o-shut", SuppressionReason.BY_HAND, "")], at=JOINED)
    broadcast = draft(campaign={"channels": ["webhook"]})
    found = estimate(broadcast, at=AT)
    assert {why.reason.value: why.some for why in found.whys} == {
        "no_consent": [silent.pk], "no_address": [unknown.pk], "suppressed": [shut.pk],
    }  # fmt: skip
    assert found.channels == {"webhook": 3}
    control.ask(campaign_id=broadcast.pk, at=AT, actor_id=None)
    beat()
    assert Counter(rows(broadcast).values())["queued", ""] == 3
    assert (run(AT), run(AT)) == (3, 0)
    calls = app.provider.asked
    assert sorted(body["touser"] for _path, _headers, body in calls) == ["o-0", "o-1", "o-2"]
    uids = {str(uid) for uid in Message.objects.filter(state="sent").values_list("uid", flat=True)}
    assert {headers["Idempotency-Key"] for _path, headers, _body in calls} == uids == {b["id"] for *_x, b in calls}
    assert "Dear" in calls[0][2]["text"]
    stop = calls[0][2]["stop"]
    assert "/u/" in stop
    assert Client().post(stop).status_code == 200
    gone = next(one for one in good if address_of(one, "webhook") == calls[0][2]["touser"])
    assert not gone.consents.order_by("-id")[0].granted
    assert gone.consents.order_by("-id")[0].channel == "webhook"


def test_who_leaves_between_claim_and_call_is_not_called(app):
    member = follower("o-1")
    broadcast = control.ask(campaign_id=draft(campaign={"channels": ["webhook"]}).pk, at=AT, actor_id=None)
    beat()
    state_consent(member_id=member.pk, channel="webhook", purpose="offers", granted=False, source="test", at=AT)
    assert (run(AT), app.provider.asked) == (0, [])
    assert rows(broadcast)[member.pk] == ("skipped", "no_consent")


def test_the_order_of_channels_holds(app):
    """Whom the app does not reach gets a mail; nobody gets both."""
    first, second = follower("o-1", email="a@example.com"), follower(email="b@example.com")
    agree(first, "email")
    agree(second, "email")
    control.ask(campaign_id=draft(campaign={"channels": ["webhook", "email"]}).pk, at=AT, actor_id=None)
    beat()
    assert dict(Message.objects.values_list("member", "channel")) == {first.pk: "webhook", second.pk: "email"}
    assert run(AT) == 2
    assert [body["touser"] for _path, _headers, body in app.provider.asked] == ["o-1"]


@pytest.mark.parametrize("goes_to", ["card", "phone"])
def test_the_set_up_says_what_members_are_known_by(app, goes_to):
    Sender.objects.filter(pk=app.pk).update(goes_to=goes_to, goes_to_system="")
    member = follower("o-1", phone="+491701234567")
    control.ask(campaign_id=draft(campaign={"channels": ["webhook"]}).pk, at=AT, actor_id=None)
    beat()
    assert run(AT) == 1
    assert app.provider.asked[0][2]["touser"] == (member.card_number if goes_to == "card" else "+491701234567")


def test_a_journey_sends_by_it(app):
    journey({"id": "s", "kind": "send", "template": template().pk, "channels": ["webhook", "email"]})
    member = join(AT)
    agree(member, "webhook")
    Identity.objects.create(member=member, system="wechat", value="o-9")
    run_journeys(at=AT)
    assert run(AT) == 1
    ((_path, headers, body),) = app.provider.asked
    assert body["touser"] == "o-9"
    assert body["text"].startswith("Hello")
    assert headers["Idempotency-Key"] == str(Message.objects.get(channel="webhook").uid)


def test_it_is_offered_only_where_it_is_set_up(client):
    """Forms, the member's own page and the sender's set-up."""

    def choices():
        return [value for value, _label in AudienceForm().fields["channel"].choices]

    assert "webhook" not in choices()
    assert "webhook" not in [*offered()]
    told = {
        "label": "WeChat", "channel": "webhook", "transport": "http", "is_default": True, "lanes": 1, "timeout": 5,
        "message_cost": 0, "url": "https://example.com/push", "body": "{}", "goes_to": "identity",
    }  # fmt: skip
    assert "goes_to_system" in SenderForm(told).errors
    assert "goes_to" in SenderForm({**told, "channel": "sms"}).errors
    form = SenderForm({**told, "goes_to_system": "wechat"})
    assert form.is_valid(), form.errors
    form.save()
    assert "webhook" in choices()
    assert "webhook" in [*offered()]
    user = User.objects.create_user("anna@example.com", "a-long-word-and-7")
    link_account(member_id=make_member(email=user.email).pk, user=user, at=JOINED)
    client.force_login(user)
    page = client.get(reverse("portal:consents")).content.decode()
    assert "webhook.offers:yes" in page
    assert "We do not know you there yet" in page
