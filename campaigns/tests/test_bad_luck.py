"""Broadcasts from the front door to the mail server, with bad luck on the way."""

import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from celery import Celery, current_app
from django.conf import settings as product
from django.core import mail
from django.db import connection
from django.utils import timezone

from campaigns.enums import CampaignState
from campaigns.models import Broadcast, Campaign, Message, Sender
from campaigns.services import delivery
from campaigns.services.broadcasts import control, planning, running
from campaigns.services.delivery import deliver
from campaigns.services.senders import default_sender
from campaigns.tasks import deliver_messages, run_broadcasts
from campaigns.tests.factories import AT, states
from campaigns.tests.test_broadcasts import beat, draft, many, reader, scheduled
from campaigns.tests.test_sending import service
from common import doorbell, sql
from members.models import Member, Programme
from members.tests.killed import kill_at_call, killed_in


def _take_down_and_die(place: str, times: int) -> None:
    running.take_down = partial(running.take_down, chunk=10)
    kill_at_call(
        {"planning": planning, "running": running}[place], "write_chunk" if place == "planning" else "take_down", times
    )
    beat()


@pytest.mark.django_db(transaction=True)
def test_a_fan_out_that_is_killed_goes_on_and_writes_to_each_member_once():
    """Once with the rows of a chunk written and not committed, once between two chunks."""
    many(60)
    made = scheduled()
    killed_in(_take_down_and_die, "planning", 3)
    assert (Message.objects.count(), Broadcast.objects.get(pk=made.pk).planned_at) == (20, None)
    killed_in(_take_down_and_die, "running", 2)
    assert Message.objects.count() == 40
    beat()
    assert deliver(clock=lambda: AT) == 60
    assert sorted(one.to[0] for one in mail.outbox) == sorted(Member.objects.values_list("email", flat=True))
    beat(AT + timedelta(minutes=1))
    assert Campaign.objects.get(pk=made.pk).state == CampaignState.DONE


@pytest.mark.django_db(transaction=True)
def test_with_the_broker_away_the_ticks_send_what_is_due(monkeypatch):
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    away.conf.broker_transport_options = current_app.conf.broker_transport_options
    away.conf.task_publish_retry = False
    monkeypatch.setattr(doorbell, "current_app", away)
    monkeypatch.setattr(doorbell, "_rung", {})
    reader()
    control.ask(campaign_id=draft().pk, at=timezone.now(), actor_id=None)
    ticks = {one["task"] for one in product.CELERY_BEAT_SCHEDULE.values()}
    for task in (run_broadcasts, deliver_messages):
        assert task.name in ticks
        task()
    assert (states(), len(mail.outbox)) == (["sent"], 1)


class _Clock(datetime):
    """The clock of a host, each of whose threads thinks that it is another."""

    ahead = threading.local()

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + getattr(cls.ahead, "by", timedelta())


@pytest.mark.django_db(transaction=True)
def test_hosts_whose_clocks_differ_by_hours_agree_on_what_is_due(monkeypatch, sink):
    """None of 20 leaves twice; one that is due in an hour waits for both, one that has an hour left goes."""
    monkeypatch.setattr(delivery, "CHUNK", 2)
    monkeypatch.setattr(sql, "datetime", _Clock)
    monkeypatch.setattr(timezone, "datetime", _Clock)
    messages, now, hour = service(22), datetime.now(UTC), timedelta(hours=1)
    Sender.objects.filter(pk=default_sender("email").pk).update(lanes=2)
    Message.objects.update(due_at=now, next_try_at=now, expires_at=now + 9 * hour, changed_at=now)
    early, last = (Message.objects.filter(pk=one.pk) for one in messages[:2])
    early.update(next_try_at=now + hour)
    last.update(expires_at=now + hour)
    start = threading.Barrier(2)

    def host(by: timedelta) -> None:
        _Clock.ahead.by = by
        assert abs(timezone.now() - now - by) < hour / 2
        start.wait()
        try:
            deliver_messages()
        finally:
            connection.close()

    hosts = [threading.Thread(target=host, args=(by,)) for by in (-2 * hour, 2 * hour)]
    for one in hosts:
        one.start()
    for one in hosts:
        one.join()
    assert states() == ["queued", *["sent"] * 21]
    assert (len(sink.kept), set(sink.received().values())) == (21, {1})
    sent = Message.objects.filter(state="sent").values_list("sent_at", flat=True)
    assert all(now <= moment < now + hour / 2 for moment in sent)


NASTY = '<b>Zoë</b>\u202e\u2067\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script> 🎂\u200f & "名"'


@pytest.mark.django_db
@pytest.mark.parametrize("shop", ['Café, "Zur <Post>"', 'Shop, "Ltd" <x@example.org>', "店铺 🎂"])
def test_whatever_names_hold_is_text_in_header_and_body(sink, shop):
    Programme.objects.update_or_create(pk=1, defaults={"name": shop})
    member, bad = reader(email="a@example.com"), reader(email="b@example.com")
    Member.objects.filter(pk=member.pk).update(name=NASTY)
    Member.objects.filter(pk=bad.pk).update(email="b@example.com\r\nBcc: all@example.com")
    made = draft()
    said = [control.Version(made.variants.get().version_id, {"en": "For {{ member.name }}"})]
    control.edit(campaign_id=made.pk, versions=said)
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    beat()
    deliver(clock=lambda: AT)
    (came,) = sink.kept
    name = '<b>Zoë</b> Bcc: all@example.com <script>alert(1)</script> 🎂 & "名"'
    assert (came["To"], came["Subject"], came["Bcc"]) == ("a@example.com", f"For {name}", None)
    (sender,) = came["From"].addresses
    assert sender.display_name == "".join(c for c in shop if c not in '"<>')
    assert sender.addr_spec == "loyalty@localhost"
    html = came.get_body(("html",)).get_content()
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 🎂" in html
    assert name in " ".join(came.get_body(("plain",)).get_content().split())
    assert Message.objects.get(member=bad).state in ("failed", "skipped")
