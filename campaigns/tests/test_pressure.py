"""Caps, priority, putting off, topics, and two workers at once."""

import threading
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from campaigns.models import Campaign, Cap, ContactPace, Message, Topic, TopicChoice
from campaigns.queries_pressure import PutOff, room_for
from campaigns.services import topics
from campaigns.services.breaker import pause_sender
from campaigns.services.broadcasts import control
from campaigns.services.broadcasts.audience import estimate
from campaigns.services.broadcasts.running import run_broadcasts
from campaigns.services.pressure import admit
from campaigns.services.senders import default_sender
from campaigns.tests.factories import due, run, states, switch_on, utc
from campaigns.tests.test_broadcasts import version
from members.models import Member
from members.services.consent import state_consent
from members.tests.factories import JOINED, make_member

AT = utc(2026, 5, 12, 9)
pytestmark = pytest.mark.django_db


def campaign(priority: int = 50, kind: str = "broadcast", **values) -> Campaign:
    purpose = "service" if kind == "service" else "offers"
    counts = kind != "service"
    return Campaign.objects.create(
        kind=kind, purpose=purpose, counts_for_cap=counts, state="running", priority=priority, **values
    )


def queued(member: Member, of: Campaign, *, due_at: datetime = AT, hours: int = 48, **values) -> Message:
    return Message.objects.create(
        campaign=of,
        member=member,
        sender=default_sender("email"),
        **{
            "channel": "email",
            "state": "queued",
            "due_at": due_at,
            "next_try_at": due_at,
            "changed_at": due_at,
            **values,
        },
        expires_at=due_at + timedelta(hours=hours),
    )


def sent(member: Member, at: datetime, **values) -> Message:
    return queued(member, campaign(), due_at=at, state="sent", sent_at=at, frozen_at=at, **values)


def admitted(*messages: Message, at: datetime = AT) -> list[int]:
    with transaction.atomic():
        return sorted(admit(message_ids=[message.pk for message in messages], at=at))


def test_without_limits_all_may_go():
    member, of = make_member(), campaign()
    first, second = queued(member, of), queued(member, campaign())
    assert admitted(first, second) == [first.pk, second.pk]
    assert room_for([member.pk], "email", AT)[member.pk] == (None, None)


def test_a_rolling_window_puts_off_to_the_moment_of_room():
    Cap.objects.create(number=2, days=7)
    member = make_member()
    sent(member, AT - timedelta(days=6))
    sent(member, AT - timedelta(days=1))
    sent(member, AT - timedelta(days=8))  # out of the window
    message = queued(member, campaign())
    assert admitted(message) == []
    message.refresh_from_db()
    assert (message.state, message.next_try_at) == ("queued", AT + timedelta(days=1))
    assert message.why["put_off"] == 1
    later = AT + timedelta(days=1)
    assert admitted(message, at=later) == [message.pk]
    assert room_for([member.pk], "email", AT)[member.pk] == (0, later)


def test_what_would_be_too_late_is_dropped_with_its_reason():
    Cap.objects.create(number=1, days=7)
    member = make_member()
    sent(member, AT - timedelta(days=1))
    message = queued(member, campaign(), hours=24)
    assert admitted(message) == []
    message.refresh_from_db()
    assert (message.state, message.reason) == ("skipped", "over_cap")


def test_caps_of_a_channel_count_that_channel_alone():
    Cap.objects.create(channel="sms", number=1, days=7)
    member = make_member()
    message, text = queued(member, campaign()), queued(member, campaign(), channel="sms")
    other = queued(member, campaign(), channel="sms")
    assert admitted(message, text, other) == [message.pk, text.pk]


def test_the_more_important_goes_first_even_if_another_looks_first():
    Cap.objects.create(number=1, days=7)
    member = make_member()
    low = queued(member, campaign(priority=10), due_at=AT - timedelta(hours=3))
    high = queued(member, campaign(priority=90))
    assert admitted(low) == []
    low.refresh_from_db()
    assert low.next_try_at == AT + timedelta(minutes=5)  # the other may yet not go
    assert admitted(low, high) == [high.pk]


def test_what_waits_for_a_sender_that_is_paused_holds_up_nothing():
    Cap.objects.create(number=1, days=7)
    member = make_member()
    text = queued(member, campaign(90), channel="sms")
    sms = default_sender("sms")
    pause_sender(sender_id=sms.pk, at=AT, actor_id=None)
    Message.objects.filter(pk=text.pk).update(sender=sms)
    mail = queued(member, campaign(10))
    assert admitted(mail) == [mail.pk]


def test_service_is_never_held_up_and_does_not_count():
    Cap.objects.create(number=1, days=7)
    member = make_member()
    sent(member, AT - timedelta(days=1))
    receipt = queued(member, campaign(kind="service"))
    assert admitted(receipt) == [receipt.pk]
    fresh = make_member()
    queued(fresh, campaign(kind="service"), state="sent", sent_at=AT, frozen_at=AT)
    assert room_for([fresh.pk], "email", AT)[fresh.pk].left == 1


@pytest.mark.parametrize(("pace", "days"), [("weekly", 7), ("monthly", 30)])
def test_the_members_own_wish_is_a_limit_like_any_other(pace, days):
    member, other = make_member(), make_member()
    ContactPace.objects.create(member=member, pace=pace, source="test", at=AT)
    sent(member, AT - timedelta(days=2))
    sent(other, AT - timedelta(days=2))
    rooms = room_for([member.pk, other.pk], "sms", AT)
    assert rooms[member.pk] == (0, AT + timedelta(days=days - 2))
    assert rooms[other.pk] == (None, None)


def test_the_estimate_says_who_is_put_off_as_hand_over_does():
    Cap.objects.create(channel="email", number=2, days=7)
    Cap.objects.create(channel="sms", number=1, days=7)
    free, full, late, wish, unread, texts = members = [make_member(email=f"m{n}@example.com") for n in range(6)]
    for member in [*members[:4], texts]:
        state_consent(member_id=member.pk, channel="email", purpose="offers", granted=True, source="test", at=JOINED)
    for days, member in ((6, free), (8, free), (6, full), (5, full), (1, late), (2, late), (9, wish), (1, unread)):
        sent(member, AT - timedelta(days=days))
    sent(unread, AT - timedelta(days=2))
    sent(texts, AT - timedelta(days=1), channel="sms")
    queued(free, campaign(priority=1))  # waits, and has not gone out
    ContactPace.objects.create(member=wish, pace="monthly", source="test", at=AT)
    made = control.create(name="News", actor_id=None)
    made = control.edit(
        campaign_id=made.pk,
        campaign={"holdout_percent": 0},
        broadcast={"everybody": True, "late_hours": 72},
        versions=[control.Version(version().pk)],
    )
    told = estimate(made, at=AT)
    assert told.reached == 5
    assert told.put_off == PutOff(3, 2, sorted([full.pk, late.pk, wish.pk]))  # room is there on 13 May, 17 May, 2 June
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    run_broadcasts(clock=lambda: AT)
    rows = list(Message.objects.filter(campaign=made.pk, state="queued"))
    assert admitted(*rows) == sorted(row.pk for row in rows if row.member_id in (free.pk, texts.pk))
    dropped = Message.objects.filter(campaign=made.pk, reason="over_cap").values_list("member", flat=True)
    assert sorted(dropped) == sorted([late.pk, wish.pk])
    Cap.objects.all().delete()
    ContactPace.objects.all().delete()
    assert estimate(made, at=AT).put_off.members == 0


def test_a_topic_that_is_not_wanted_is_skipped():
    member, topic = make_member(), Topic.objects.create(name_en="Events", purpose="offers")
    TopicChoice.objects.create(member=member, topic=topic, channel="email", wanted=False, source="test", at=AT)
    message = queued(member, campaign(topic=topic))
    text = queued(member, campaign(topic=topic), channel="sms")
    page = queued(member, campaign(topic=topic), channel="app")
    assert admitted(message, text, page) == [text.pk]
    for one in (message, page):  # by the pages, who let go of it anywhere does not get it
        one.refresh_from_db()
        assert (one.state, one.reason) == ("skipped", "topic_off")
    TopicChoice.objects.create(member=member, topic=topic, channel="sms", wanted=False, source="test", at=AT)
    assert topics.unwanted([SimpleNamespace(id=text.pk)], AT).keys() == {text.pk}  # said between claim and hand-over


def test_the_greeting_obeys_too(mailoutbox):
    Cap.objects.create(number=1, days=7)
    (message,) = due()
    sent(message.member, AT - timedelta(days=1))
    assert run(AT) == 0
    message.refresh_from_db()
    assert message.reason == "over_cap"
    assert mailoutbox == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_not_both_pass_a_cap_of_one():
    Cap.objects.create(number=1, days=7)
    switch_on(at=AT)
    member = make_member()
    messages = [queued(member, campaign()) for _ in range(2)]
    both, passed = threading.Barrier(2, timeout=10), []

    def work(message: Message) -> None:
        try:
            with transaction.atomic():
                both.wait()
                if admit(message_ids=[message.pk], at=AT):
                    passed.append(message.pk)
                    claimed = {"state": "claimed", "lease_until": AT + timedelta(minutes=2), "token": message.uid}
                    Message.objects.filter(pk=message.pk).update(**claimed, changed_at=AT)
        finally:
            connection.close()

    workers = [threading.Thread(target=work, args=[message]) for message in messages]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(passed) == 1
    assert states().count("claimed") == 1
