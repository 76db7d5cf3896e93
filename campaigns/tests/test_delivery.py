"""Delivery: each member once, whatever the mail server does."""

import threading
from datetime import timedelta

import pytest
from django.core.mail import get_connection
from django.db import connection
from django.utils import timezone

from campaigns.enums import MessageState
from campaigns.models import BirthdayGreeting, Message
from campaigns.services import delivery
from campaigns.services.birthdays import plan
from campaigns.services.delivery import MAX_ATTEMPTS, claim, deliver, pause, sweep
from campaigns.services.messages import mark_sent, send_again
from campaigns.tests.factories import agree, celebrant, switch_on, utc
from members import queries as member_queries
from members.models import Member
from members.services.profile import update_profile
from members.services.reactions import run_due
from rewards import queries as reward_queries
from rewards.models import Transfer

pytestmark = pytest.mark.django_db
AT = utc(2026, 5, 12, 9)


def due(count: int = 1, **settings) -> list[Message]:
    """Members whose greeting is due at AT, and their messages."""
    switch_on(at=utc(2026, 5, 11), **settings)
    for _ in range(count):
        celebrant(5, 12)
    plan(at=AT)
    return list(Message.objects.order_by("pk"))


def run(at=AT) -> int:
    return deliver(clock=lambda: at)


def states() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("state", flat=True))


def told(message: Message) -> list[str]:
    events = member_queries.timeline(message.member_id)
    return [event.kind for event in events if event.kind.startswith("message.")]


def test_a_greeting_arrives_with_its_gift(sink):
    (message,) = due(gift_points=100, gift_valid_days=60)
    assert run() == 1
    message.refresh_from_db()
    (mail,) = sink.kept
    assert mail["Message-ID"] == message.message_id
    assert mail["To"] == message.member.email == message.to
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].strip()[1:-1] in mail.get_body("plain").get_content()
    assert "100 points" in mail.get_body("plain").get_content()
    assert mail.get_body("html").get_content().splitlines() == message.html.splitlines()
    assert (message.state, message.sent_at) == ("sent", AT)
    assert message.gift.amount == reward_queries.balance(message.member_id, AT) == 100
    assert message.gift.lot.expires_at == utc(2026, 7, 12)
    assert told(message) == ["message.sent"]
    assert run(AT + timedelta(days=1)) == 0
    assert len(sink.kept) == 1


def test_many_go_by_one_connection_in_few_queries(sink, django_assert_max_num_queries):
    due(3, gift_points=10)
    with django_assert_max_num_queries(200) as three:
        run()
    switch_on(at=utc(2026, 6, 1), gift_points=10)
    for _ in range(30):
        celebrant(6, 12)
    plan(at=utc(2026, 6, 12, 9))
    with django_assert_max_num_queries(1000) as thirty:
        run(utc(2026, 6, 12, 9))
    assert len(sink.kept) == 33
    assert sink.connections == 2
    # Handing over commits twice for each message; nothing else grows with their number.
    commits = [q for q in thirty.captured_queries if "handing_over" in q["sql"] and q["sql"].startswith("UPDATE")]
    assert len(commits) == 60
    assert (len(thirty) - len(three)) / 27 <= 5


def test_a_server_that_refuses_connections_is_tried_again(sink, settings):
    (message,) = due()
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert run() == 0
    message.refresh_from_db()
    assert (message.state, message.next_try_at, message.attempts) == ("queued", AT + pause(1), 1)
    assert "refused" in message.error
    settings.EMAIL_PORT = port
    assert run(AT + timedelta(seconds=59)) == 0
    assert run(AT + pause(1)) == 1
    assert sink.received()[message.member.email] == 1


@pytest.mark.parametrize(
    ("stage", "answer", "state", "error"),
    [
        ("MAIL", "421 too busy", "queued", "421 too busy"),
        ("MAIL", "451 later", "queued", "451 later"),
        ("MAIL", "550 who are you", "queued", "550 who are you"),
        ("RCPT", "450 greylisted", "queued", "450 greylisted"),
        ("RCPT", "550 no such user", "failed", "550 no such user"),
        ("RCPT", "hang", "queued", "timed out"),
        ("RCPT", "drop", "queued", "SMTPServerDisconnected"),
        ("DATA", "hang", "queued", "timed out"),
        ("DATA", "drop", "queued", "SMTPServerDisconnected"),
        ("DATA", "451 disk full", "queued", "451 disk full"),
        ("DOT", "452 disk full", "queued", "452 disk full"),
        ("DOT", "554 spam", "failed", "554 spam"),
        ("DOT", "hang", "unknown", "timed out"),
        ("DOT", "drop", "unknown", "SMTPServerDisconnected"),
        ("ACCEPTED", "hang", "unknown", "timed out"),
        ("ACCEPTED", "drop", "unknown", "SMTPServerDisconnected"),
    ],
)
def test_what_a_server_says_or_does_not_say(sink, stage, answer, state, error):
    (message,) = due(gift_points=50)
    sink.trouble = {stage: answer}
    assert run() == 0
    message.refresh_from_db()
    assert message.state == state
    assert error in message.error
    assert told(message) == {"queued": [], "failed": ["message.failed"], "unknown": ["message.unknown"]}[state]
    sink.trouble = {}
    for hours in range(1, 30):
        run(AT + timedelta(hours=hours))
    message.refresh_from_db()
    assert message.state == ("sent" if state == "queued" else state)
    # Never a second time by itself, and never lost: who has not got it is failed or unknown, where staff see it.
    assert sink.received()[message.member.email] == (state == "queued" or stage == "ACCEPTED")
    assert reward_queries.balance(message.member_id, AT) == 50
    assert Transfer.objects.filter(kind="gift").count() == 1


def test_one_bad_address_holds_up_nobody(sink):
    messages = due(5)
    bad = messages[1]
    sink.trouble, sink.only_for = {"RCPT": "550 no such user"}, bad.member.email
    assert run() == 4
    assert states() == ["sent", "failed", "sent", "sent", "sent"]


def test_a_server_in_trouble_is_left_alone_for_a_while(sink):
    messages = due(5)
    sink.trouble, sink.only_for = {"DOT": "drop"}, messages[2].member.email
    assert run() == 2
    assert states() == ["sent", "sent", "unknown", "queued", "queued"]
    assert [m.attempts for m in Message.objects.filter(state="queued")] == [0, 0]
    assert run(AT + pause(1)) == 2
    assert states() == ["sent", "sent", "unknown", "sent", "sent"]


def test_it_gives_up_after_some_attempts_and_says_so(sink):
    (message,) = due(catch_up_hours=336)
    sink.trouble = {"RCPT": "450 greylisted"}
    at = AT
    for _ in range(MAX_ATTEMPTS):
        assert message.state == "queued"
        run(at)
        message.refresh_from_db()
        at = message.next_try_at
    assert (message.state, message.attempts, told(message)) == ("failed", MAX_ATTEMPTS, ["message.failed"])


def test_what_could_not_be_sent_in_time_is_missed(sink):
    (message,) = due(catch_up_hours=4)
    sink.trouble = {"MAIL": "421 too busy"}
    run()
    run(utc(2026, 5, 13))
    message.refresh_from_db()
    assert (message.state, told(message)) == ("missed", ["message.missed"])
    sink.trouble = {}
    run(utc(2026, 5, 13, 10))
    assert sink.kept == []


def test_consent_is_looked_at_again_before_sending(sink):
    first, second = due(2)
    agree(first.member, at=AT, granted=False)
    assert run() == 1
    assert states() == ["skipped", "sent"]
    assert list(sink.received()) == [second.member.email]
    assert reward_queries.balance(first.member_id) == 0


def test_a_withdrawal_stops_what_waits(sink):
    (message,) = due()
    (claimed,) = claim(at=AT)
    agree(message.member, at=AT, granted=False)
    while run_due(at=timezone.now()):
        pass
    message.refresh_from_db()
    assert (message.state, message.reason) == ("skipped", "no_consent")
    with pytest.raises(delivery.LostClaim):
        delivery._begin(claimed, AT)


def test_a_birthday_changed_while_the_message_waits_is_not_greeted(sink):
    (message,) = due()
    update_profile(member_id=message.member_id, changes={"birthday_day": 30}, at=AT)
    assert run() == 0
    assert states() == ["skipped"]
    plan(at=utc(2026, 5, 30, 9))
    assert run(utc(2026, 5, 30, 9)) == 1


def test_a_switch_off_stops_what_waits(sink):
    due(2)
    BirthdayGreeting.objects.update(active=False)
    assert run() == 0
    BirthdayGreeting.objects.update(active=True)
    assert run() == 2


def test_a_text_that_breaks_fails_and_can_be_sent_again(sink):
    (message,) = due(gift_points=10, subject_en="{{ member.nmae }}")
    assert run() == 0
    message.refresh_from_db()
    assert message.state == "failed"
    assert "nmae" in message.error
    switch_on(at=AT, gift_points=10, subject_en="Hello")
    assert send_again(message_ids=[message.pk], at=AT, reason="mended", actor_id=None).queued == 1
    assert run() == 1
    assert reward_queries.balance(message.member_id, AT) == 10


def test_a_bad_address_in_the_table_fails_alone(sink):
    first, second = due(2)
    Member.objects.filter(pk=first.member_id).update(email="a@b.example\r\nBcc: all@b.example")
    assert run() == 1
    assert states() == ["failed", "sent"]
    assert list(sink.received()) == [second.member.email]


def test_content_is_the_same_at_every_attempt(sink):
    (message,) = due()
    sink.trouble = {"RCPT": "450 greylisted"}
    run()
    BirthdayGreeting.objects.update(body_en="Something else")
    update_profile(member_id=message.member_id, changes={"name": "Renamed", "language": "zh-hans"}, at=AT)
    message.refresh_from_db()
    sink.trouble = {}
    run(AT + pause(1))
    assert sink.kept[0].get_body("plain").get_content().splitlines() == message.text.splitlines()


def test_the_next_attempt_goes_to_the_address_that_was_mended(sink):
    (message,) = due()
    sink.trouble = {"RCPT": "450 greylisted"}
    run()
    update_profile(member_id=message.member_id, changes={"email": "mended@example.com"}, at=AT)
    sink.trouble = {}
    run(AT + pause(1))
    assert list(sink.received()) == ["mended@example.com"]


def test_an_address_that_was_taken_away_gets_no_further_attempt(sink):
    (message,) = due()
    sink.trouble = {"RCPT": "450 greylisted"}
    run()
    update_profile(member_id=message.member_id, changes={"email": ""}, at=AT)
    sink.trouble = {}
    run(AT + pause(1))
    message.refresh_from_db()
    assert (message.state, message.reason, sink.kept) == ("skipped", "no_address", [])


def test_a_change_of_birthday_that_is_taken_back_leads_to_the_greeting(sink):
    (message,) = due()
    update_profile(member_id=message.member_id, changes={"birthday_calendar": "lunar"}, at=AT)
    assert run() == 0
    assert plan(at=AT + timedelta(minutes=1)) == 0
    update_profile(member_id=message.member_id, changes={"birthday_calendar": "solar"}, at=AT)
    assert plan(at=AT + timedelta(minutes=2)) == 1
    assert run(AT + timedelta(minutes=2)) == 1
    assert states() == ["sent"]


def test_an_address_mended_between_attempts_counts(sink):
    (message,) = due()
    sink.trouble = {"RCPT": "450 mailbox full"}
    run()
    update_profile(member_id=message.member_id, changes={"email": "mended@example.com"}, at=AT)
    sink.trouble = {}
    assert run(AT + pause(1)) == 1
    assert list(sink.received()) == ["mended@example.com"]


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
    get_connection().send_messages([delivery.email(dead, reply_to="")])
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
