"""Clocks that change, quiet hours that begin meanwhile, people who move; and what a test of versions finds in clicks
that really happened."""

import re
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.core import mail
from django.utils.timezone import now

from campaigns.models import BroadcastVariant, Message
from campaigns.services.birthdays import plan
from campaigns.services.broadcasts import control
from campaigns.services.delivery import deliver
from campaigns.services.templates import save_template
from campaigns.services.verdicts import judge
from campaigns.tests.factories import celebrant, run, switch_on, utc
from campaigns.tests.test_broadcasts import AT, beat, draft, many, reader, scheduled
from members.models import Member
from members.tests.factories import JOINED

pytestmark = pytest.mark.django_db
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
    " Safari/605.1.15"
)


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2027, 3, 28), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),  # there is no 2:30: at 3:30
        (date(2026, 10, 25), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),  # there are two: the second
    ],
)
def test_an_hour_that_the_clocks_leave_out_or_repeat_comes_once(day, due):
    reader(time_zone="Europe/Berlin", email="b@example.com")
    made = scheduled(when="local", day=day, hour=time(2, 30), late_hours=24)
    beat(made.starts_at)
    message = Message.objects.get(campaign=made.pk)
    assert message.due_at == due
    for moment in (due - timedelta(minutes=1), due, due + timedelta(hours=1), due + timedelta(hours=2)):
        run(moment)
    assert (len(mail.outbox), Message.objects.get().sent_at) == (1, due)


def test_versions_that_differ_by_their_time_alone_go_out_apart():
    many(60)
    made = draft(versions=2)
    BroadcastVariant.objects.filter(broadcast=made, number=2).update(minutes_later=90)
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    beat()
    due = set(Message.objects.filter(campaign=made.pk).values_list("variant", "due_at"))
    assert due == {(1, AT), (2, AT + timedelta(minutes=90))}
    run(AT)
    assert set(Message.objects.filter(state="sent").values_list("variant", flat=True)) == {1}
    run(AT + timedelta(minutes=90))
    assert not Message.objects.exclude(state="sent").exists()


def test_quiet_hours_that_began_before_it_was_handed_over_put_it_off():
    reader(email="a@example.com", time_zone="UTC")
    evening = AT.replace(hour=21, minute=50)
    scheduled(when="moment", send_at=evening, late_hours=24, campaign={"quiet_from": time(22), "quiet_until": time(8)})
    beat(evening)
    assert Message.objects.get().due_at == evening
    run(evening + timedelta(minutes=20))  # the server was away for so long
    assert (len(mail.outbox), Message.objects.get().state) == (0, "queued")
    run(AT.replace(day=13, hour=7, minute=59))
    assert len(mail.outbox) == 0
    run(AT.replace(day=13, hour=8))
    assert len(mail.outbox) == 1


def test_quiet_hours_that_end_at_a_time_that_comes_twice_end_once():
    reader(email="a@example.com", time_zone="Europe/Berlin")
    quiet = {"quiet_from": time(22), "quiet_until": time(2, 30)}
    scheduled(when="moment", send_at=datetime(2026, 10, 24, 21, tzinfo=UTC), late_hours=24, campaign=quiet)
    beat(datetime(2026, 10, 24, 21, tzinfo=UTC))
    for minutes in range(0, 260, 20):  # from 23:00 in summer time to 2:20 in winter time
        run(datetime(2026, 10, 24, 21, tzinfo=UTC) + timedelta(minutes=minutes))
    message = Message.objects.get()
    end = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert (len(mail.outbox), message.state, message.next_try_at, message.attempts) == (0, "queued", end, 0)
    run(end)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("zones", [("Asia/Shanghai", "America/Los_Angeles"), ("America/Los_Angeles", "Asia/Shanghai")])
def test_who_moves_on_their_birthday_is_wished_once(zones):
    switch_on(at=utc(2026, 5, 10))
    member = celebrant(5, 12, time_zone=zones[0])
    moved = False
    for hour in range(0, 48):
        at = utc(2026, 5, 12) + timedelta(hours=hour - 8)
        if at >= utc(2026, 5, 12, 3) and not moved:  # nine has been in Shanghai, and not in Los Angeles
            Member.objects.filter(pk=member.pk).update(time_zone=zones[1])
            moved = True
        plan(at=at)
        deliver(clock=lambda at=at: at)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(("second", "winner"), [(5, None), (2, 2)])
def test_of_two_versions_alike_none_wins_and_the_better_one_does(client, second, winner):
    """Every fifth reader of the first version follows its link; of the second every fifth, or every other."""
    many(300)
    content = {
        "subject": {"en": "News"},
        "blocks": [{"type": "button", "label": {"en": "Look"}, "to": "https://shop.example/new"}],
    }
    text = save_template(template_id=None, name="News", kind="marketing", content=content, actor_id=None, at=JOINED)
    made = draft(test_hours=4, minimum=30)
    control.edit(campaign_id=made.pk, versions=[control.Version(text.pk), control.Version(text.pk)])
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    beat()
    run(AT)
    sent = {one.to[0]: one for one in mail.outbox}
    assert len(sent) == 300
    places: dict[int, int] = {1: 0, 2: 0}
    for message in Message.objects.order_by("pk"):
        places[message.variant] += 1
        if places[message.variant] % {1: 5, 2: second}[message.variant] == 0:
            link = re.search(r"/l/[\w=-]+/\d+/", str(sent[message.to].alternatives[0][0]))
            answer = client.get(link[0], headers={"user-agent": SAFARI})
            assert answer["Location"].startswith("https://shop.example/new")
    judge(at=now() + timedelta(minutes=5))
    beat(AT + timedelta(hours=4))
    made.refresh_from_db()
    assert Message.objects.filter(clicked_at__isnull=False).count() >= 55
    assert made.verdict["winner"] == winner
