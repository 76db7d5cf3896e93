"""Delivery: each member once, whatever the mail server does."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import Message, Sender
from campaigns.services.birthdays import plan
from campaigns.services.claims import MAX_ATTEMPTS, mark, pause
from campaigns.services.greeting import get_greeting, save_greeting
from campaigns.services.messages import send_again
from campaigns.tests.factories import AT, agree, celebrant, due, run, say, states, switch_on, told, utc, written
from members.models import Member
from members.services.profile import update_profile
from members.services.reactions import run_due
from rewards import queries as reward_queries
from rewards.models import Transfer

pytestmark = pytest.mark.django_db


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
    # Each is marked as it leaves; nothing else grows with their number.
    assert (len(thirty) - len(three)) / 27 <= 4


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
    token, (claimed,) = written()
    agree(message.member, at=AT, granted=False)
    while run_due(at=timezone.now()):
        pass
    message.refresh_from_db()
    assert (message.state, message.reason) == ("skipped", "no_consent")
    assert not mark(message_id=claimed.id, answered=0, token=token, at=AT)


def test_a_birthday_changed_while_the_message_waits_is_not_greeted(sink):
    (message,) = due()
    update_profile(member_id=message.member_id, changes={"birthday_day": 30}, at=AT)
    assert run() == 0
    assert states() == ["skipped"]
    plan(at=utc(2026, 5, 30, 9))
    assert run(utc(2026, 5, 30, 9)) == 1


def test_a_switch_off_stops_what_waits(sink):
    due(2)
    greeting = get_greeting()
    greeting.active = False
    save_greeting(greeting=greeting, at=AT)
    assert run() == 0
    greeting.active = True
    save_greeting(greeting=greeting, at=AT)
    assert run() == 2


def test_a_text_that_breaks_fails_and_can_be_sent_again(sink):
    say("Hello", subject="{{ member.nmae }}")
    (message,) = due(gift_points=10)
    assert run() == 0
    message.refresh_from_db()
    assert message.state == "failed"
    assert "nmae" in message.error
    say("Hello")
    assert send_again(message_ids=[message.pk], at=AT, reason="mended", actor_id=None).queued == 1
    assert run() == 1
    assert reward_queries.balance(message.member_id, AT) == 10


def test_a_body_that_breaks_is_not_tried_for_hours(sink):
    say("{{ member.nmae }}")
    (message,) = due()
    assert run() == 0
    message.refresh_from_db()
    assert message.state == "failed"
    assert "nmae" in message.error


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
    say("Something else")
    update_profile(member_id=message.member_id, changes={"name": "Renamed", "language": "zh-hans"}, at=AT)
    message.refresh_from_db()
    sink.trouble = {}
    run(AT + pause(1))
    said = sink.kept[0].get_body("plain").get_content()
    assert "Dear Member" in said
    assert "Something else" not in said


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


def test_a_domain_in_other_letters_goes_in_those_of_the_mail(sink):
    (message,) = due()
    Member.objects.filter(pk=message.member_id).update(email="a@bücher.example")
    Sender.objects.update(address="shop@café.example")
    assert run() == 1
    (kept,) = sink.kept
    assert kept["To"] == "a@xn--bcher-kva.example"
    assert kept["From"].addresses[0].addr_spec == "shop@xn--caf-dma.example"


def test_who_missed_it_is_sent_it_again_though_another_has_their_old_address_by_now(sink):
    missed, gone = due(2)
    Message.objects.filter(pk=missed.pk).update(expires_at=AT)
    assert run() == 1
    assert states() == ["missed", "sent"]
    Message.objects.filter(pk=gone.pk).update(address=missed.address)
    Member.objects.filter(pk=missed.member_id).update(email="new@example.com")
    assert send_again(message_ids=[missed.pk], at=AT, reason="they asked", actor_id=None).queued == 1
    assert run() == 1
    missed.refresh_from_db()
    assert (missed.state, missed.to) == ("sent", "new@example.com")
