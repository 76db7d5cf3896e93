"""Workers that die or meet, and what staff do about the doubt they leave."""

import threading
from datetime import timedelta

import pytest
from django.core.mail import get_connection
from django.db import connection

from campaigns.enums import MessageState
from campaigns.models import Message
from campaigns.services import delivery
from campaigns.services.birthdays import plan
from campaigns.services.delivery import MAX_ATTEMPTS, claim, sweep
from campaigns.services.messages import mark_sent, send_again
from campaigns.tests.factories import AT, celebrant, due, run, states, switch_on, told, utc
from members.services.profile import update_profile
from rewards import queries as reward_queries
from rewards.models import Transfer

pytestmark = pytest.mark.django_db


# --- workers that die --------------------------------------------------------------------------------------------
def test_a_claim_that_ran_out_is_taken_over_and_the_dead_can_write_no_more(sink):
    due()
    (dead,) = claim(at=AT)
    assert run(AT + timedelta(seconds=1)) == 0
    later = AT + delivery.LEASE
    assert run(later) == 1
    with pytest.raises(delivery.LostClaim):
        delivery._begin(dead, later)
    delivery._retry(dead, later, "late")
    assert states() == ["sent"]
    assert len(sink.kept) == 1


def test_who_died_while_handing_over_leaves_a_doubt_and_no_second_mail(sink):
    (message,) = due()
    (dead,) = delivery._freeze(claim(at=AT), lambda: AT)
    delivery._begin(dead, AT)
    later = AT + timedelta(hours=1)
    assert run(later) == 0
    message.refresh_from_db()
    assert (message.state, told(message)) == ("unknown", ["message.unknown"])
    assert sink.kept == []
    # The server's yes, should it come after all, is believed.
    delivery._sent(dead, later)
    assert states() == ["sent"]


def test_a_worker_that_dies_of_a_message_does_not_do_so_for_ever(sink):
    (message,) = due(catch_up_hours=336)
    at = AT
    for _ in range(MAX_ATTEMPTS):
        claim(at=at)
        at += delivery.LEASE
        sweep(at=at)
    run(at)
    message.refresh_from_db()
    assert message.state == "failed"
    assert "died" in message.error


def test_the_outbox_on_disk_may_see_a_message_twice_and_keeps_one(settings):
    settings.EMAIL_BACKEND = "common.mail.OutboxBackend"
    (message,) = due()
    (dead,) = delivery._freeze(claim(at=AT), lambda: AT)
    get_connection().send_messages([delivery.email(dead, name="Club", reply_to="")])
    assert run(AT + delivery.LEASE) == 1
    assert states() == ["sent"]
    assert [path.name for path in settings.OUTBOX_DIR.iterdir()] == [f"{message.uid}@localhost.eml"]


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_send_each_message_once(sink, monkeypatch):
    monkeypatch.setattr(delivery, "BATCH", 3)
    due(40, gift_points=5)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        try:
            # Without the lock that keeps deliverers apart: claims alone must hold.
            while claimed := claim(at=AT, limit=3):
                delivery._deliver_batch(claimed, lambda: AT)
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
                worker = threading.Thread(target=lambda: (seen.append((stage, *states())), connection.close()))
                worker.start()
                worker.join()
        return await act(stage, server, to)

    sink.act = look
    assert run() == 1
    assert seen == [("DATA", "claimed"), ("DOT", "handing_over")]


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
