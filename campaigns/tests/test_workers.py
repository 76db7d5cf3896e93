"""Workers that die or meet, and what staff do about the doubt they leave."""

import threading
import time
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.mail import get_connection
from django.db import OperationalError, connection

from campaigns.enums import MessageState
from campaigns.models import Message, Sender
from campaigns.services import delivery
from campaigns.services.birthdays import plan
from campaigns.services.claims import LEASE, MAX_ATTEMPTS, Outcome, alive, claim, mark, settle, sweep
from campaigns.services.content import freeze
from campaigns.services.messages import mark_sent, send_again
from campaigns.services.pace import Limit, take
from campaigns.services.senders import default_sender
from campaigns.tests.factories import AT, celebrant, due, run, states, switch_on, taken, told, utc, written
from common.sql import execute
from members.services.profile import update_profile
from rewards import queries as reward_queries
from rewards.models import Transfer

pytestmark = pytest.mark.django_db


# --- workers that die --------------------------------------------------------------------------------------------
def test_what_the_dead_held_is_taken_over_at_once_and_they_can_write_no_more(sink):
    due()
    token, (dead,) = written()
    assert run(AT + timedelta(seconds=1)) == 1
    assert not mark(message_id=dead.id, answered=0, token=token, at=AT)
    settle(outcomes=[Outcome(dead.id, MessageState.QUEUED, "late")], token=token, at=AT)
    assert states() == ["sent"]
    assert len(sink.kept) == 1


@pytest.mark.django_db(transaction=True)
def test_what_the_living_hold_is_left_alone_until_its_lease_runs_out(sink):
    due()
    held, done = threading.Event(), threading.Event()

    def work() -> None:
        with alive() as token:
            claim(sender_id=default_sender("email").pk, token=token, at=AT, limit=1)
            held.set()
            done.wait()
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    held.wait()
    assert run(AT + timedelta(seconds=1)) == 0
    assert states() == ["claimed"]
    assert run(AT + LEASE) == 1
    done.set()
    worker.join()


def test_who_died_while_handing_over_leaves_a_doubt_and_no_second_mail(sink):
    (message,) = due()
    token, (dead,) = written()
    assert mark(message_id=dead.id, answered=0, token=token, at=AT)
    later = AT + timedelta(hours=1)
    assert run(later) == 0
    message.refresh_from_db()
    assert (message.state, told(message)) == ("unknown", ["message.unknown"])
    assert sink.kept == []
    # The server's yes, should it come after all, is believed.
    settle(outcomes=[Outcome(dead.id, MessageState.SENT)], token=token, at=later)
    assert states() == ["sent"]


def test_what_the_server_took_before_the_last_mark_is_sent_whoever_died(sink):
    due(3)
    token, (first, second, third) = written()
    assert mark(message_id=first.id, answered=0, token=token, at=AT)
    assert mark(message_id=second.id, answered=first.id, token=token, at=AT + timedelta(seconds=1))
    run(AT + timedelta(hours=1))
    assert states() == ["sent", "unknown", "sent"]
    assert [mail["To"] for mail in sink.kept] == [third.to]
    assert Message.objects.get(pk=first.id).answered_at == AT + timedelta(seconds=1)


def test_a_worker_that_dies_of_a_message_does_not_do_so_for_ever(sink):
    (message,) = due(catch_up_hours=336)
    at = AT
    for _ in range(MAX_ATTEMPTS):
        taken(at)
        at += LEASE
        sweep(at=at)
    run(at)
    message.refresh_from_db()
    assert message.state == "failed"
    assert "died" in message.error


def test_what_only_stood_beside_a_message_that_kills_workers_arrives(sink):
    due(40, catch_up_hours=336)
    poison, at = Message.objects.order_by("pk")[17].pk, AT
    for _ in range(80):
        token = uuid4()
        ids = claim(sender_id=default_sender("email").pk, token=token, at=at, limit=32)
        if poison not in ids:
            freeze(ids=ids, token=token, at=at, lease=at + LEASE, sender=default_sender("email"))
            settle(outcomes=[Outcome(id_, MessageState.SENT) for id_ in ids], token=token, at=at)
        at += LEASE
        sweep(at=at)
    assert [row.pk for row in Message.objects.exclude(state="sent")] == [poison]
    assert Message.objects.get(pk=poison).state == "failed"


def test_the_outbox_on_disk_may_see_a_message_twice_and_keeps_one(settings):
    settings.EMAIL_BACKEND = "common.mail.OutboxBackend"
    (message,) = due()
    _token, (dead,) = written()
    get_connection().send_messages([dead.mail()])
    assert run(AT + LEASE) == 1
    assert states() == ["sent"]
    assert [path.name for path in settings.OUTBOX_DIR.iterdir()] == [f"{message.uid}@localhost.eml"]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_while_mails_are_written_is_no_fault_of_theirs(sink, monkeypatch):
    asked = []

    def cut(*, ids: list[int], **_told) -> None:
        asked.append(ids)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    due(3)
    with monkeypatch.context() as patched:
        patched.setattr(delivery, "freeze", cut)
        with pytest.raises(OperationalError):
            run(AT)
    assert len(asked) == 1  # and not each by itself, to find the one that is to blame
    connection.close()
    assert run(AT + LEASE) == 3
    assert {str(tries) for tries in Message.objects.values_list("tries", flat=True)} == {"[]"}


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_send_each_message_once(sink, monkeypatch):
    monkeypatch.setattr(delivery, "CHUNK", 3)
    Sender.objects.filter(pk=default_sender("email").pk).update(lanes=4)
    due(40, gift_points=5)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        try:
            delivery.deliver(clock=lambda: AT)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(states()) == {"sent"}
    assert set(sink.received().values()) == {1}
    assert len(sink.received()) == 40
    assert Transfer.objects.filter(kind="gift").count() == 40


@pytest.mark.django_db(transaction=True)
def test_the_mark_is_in_the_database_before_the_message_leaves(sink):
    due()
    seen = []
    act = sink.act

    async def look(stage, server, to=""):
        if stage in ("DATA", "DOT"):
            with threading.Lock():
                worker = threading.Thread(target=lambda: (seen.append((stage, *marks())), connection.close()))
                worker.start()
                worker.join()
        return await act(stage, server, to)

    def marks():
        return [(message.state, message.dot_at is not None) for message in Message.objects.all()]

    sink.act = look
    assert run() == 1
    assert seen == [("DATA", ("handing_over", False)), ("DOT", ("handing_over", True))]


# --- what staff do -----------------------------------------------------------------------------------------------
def unknown_message(sink) -> Message:
    (message,) = due(gift_points=20)
    sink.trouble = {"ACCEPTED": "drop"}
    run()
    sink.trouble = {}
    message.refresh_from_db()
    assert message.state == MessageState.UNKNOWN
    return message


def test_staff_can_send_a_doubtful_message_again_by_the_same_name(sink):
    message = unknown_message(sink)
    later = utc(2026, 5, 15)
    done = send_again(message_ids=[message.pk], at=later, reason="not in the server's log", actor_id=None)
    assert (done.queued, done.refused) == (1, 0)
    assert run(later) == 1
    assert [mail["Message-ID"] for mail in sink.kept] == [message.message_id] * 2
    assert reward_queries.balance(message.member_id, AT) == 20
    assert told(message) == ["message.sent", "message.settled", "message.unknown"]


def test_staff_can_settle_a_doubtful_message(sink):
    message = unknown_message(sink)
    assert mark_sent(message_ids=[message.pk], at=AT, reason="found in the server's log", actor_id=None) == 1
    assert states() == ["sent"]
    assert mark_sent(message_ids=[message.pk], at=AT, reason="again", actor_id=None) == 0
    assert send_again(message_ids=[message.pk], at=AT, reason="again", actor_id=None).refused == 1


def test_of_two_missed_days_of_a_member_one_is_made_up_for(sink):
    switch_on(at=utc(2026, 5, 1))
    member = celebrant(5, 3)
    plan(at=utc(2026, 5, 6))
    update_profile(member_id=member.pk, changes={"birthday_day": 7}, at=utc(2026, 5, 6))
    plan(at=AT)
    assert states() == ["missed", "missed"]
    ids = list(Message.objects.values_list("pk", flat=True))
    done = send_again(message_ids=ids, at=AT, reason="better late", actor_id=None)
    assert (done.queued, done.refused) == (1, 1)
    assert run() == 1


def test_a_missed_greeting_can_be_sent_unless_the_member_was_greeted_since(sink):
    switch_on(at=utc(2026, 5, 1))
    first, second = celebrant(5, 5), celebrant(5, 5)
    plan(at=AT)
    assert states() == ["missed", "missed"]
    update_profile(member_id=second.pk, changes={"birthday_day": 20}, at=AT)
    plan(at=utc(2026, 5, 20, 9))
    missed = list(Message.objects.filter(state="missed").values_list("pk", flat=True))
    done = send_again(message_ids=missed, at=utc(2026, 5, 20, 9), reason="better late", actor_id=None)
    assert (done.queued, done.refused) == (1, 1)
    run(utc(2026, 5, 20, 9))
    assert sink.received() == {first.email: 1, second.email: 1}


# --- limits of speed ---------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_takers_on_many_hosts_together_take_no_more_than_there_is():
    """Each names the same buckets in an order of its own, half of them a third that only they take from."""
    shared, slow = Limit("sender:1:second", 200, 1), Limit("sender:1:minute", 300, 60)
    scarce = Limit("campaign:1", 60, 60)  # six at once
    asked = [[shared, slow], [slow, shared], [scarce, shared, slow], [slow, shared, scarce]]
    barrier, taken, errors = threading.Barrier(len(asked)), Counter[str](), []
    began = time.monotonic()

    def taker(limits: list[Limit]) -> None:
        barrier.wait()
        try:
            for _turn in range(60):
                if take(limits) == 0:
                    taken.update(limit.name for limit in limits)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    takers = [threading.Thread(target=taker, args=(limits,)) for limits in asked]
    for one in takers:
        one.start()
    for one in takers:
        one.join()
    past = time.monotonic() - began
    assert not errors
    for limit in (shared, slow, scarce):
        assert taken[limit.name] <= limit.holds + limit.rate * past, limit.name
    assert shared.holds <= taken[shared.name] == taken[slow.name]


def test_a_bucket_that_is_full_beside_one_that_is_not_gives_too():
    full, other = Limit("sender:1:second", 200, 1), Limit("sender:1:hour", 7200, 3600)
    for _turn in range(5):
        assert take([other]) == 0
    for both in ([full, other], [other, full]):
        execute("UPDATE campaigns_bucket SET at = at - interval '1 second'", None)
        assert take(both) == 0
