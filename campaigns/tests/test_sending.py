"""Versions of templates by SMTP with pipelining, limits of speed, the breaker, suppression, providers' words."""

import time
from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from bench._sink import running
from campaigns.channels import Fate
from campaigns.channels.answers import refusal
from campaigns.content.ready import READY
from campaigns.enums import EventKind
from campaigns.forms_sending import SuppressForm
from campaigns.models import Campaign, DeliveryEvent, Message, Sender, Suppression
from campaigns.queries import address_key
from campaigns.services import claims, delivery
from campaigns.services.bounces import SOFT_IN_A_ROW, Told, record
from campaigns.services.breaker import TROUBLES, in_trouble, pause_sender, resume_sender
from campaigns.services.claims import pause
from campaigns.services.pace import Limit, take
from campaigns.services.senders import default_sender
from campaigns.services.suppression import Entry, lift, suppress
from campaigns.services.templates import save_template
from campaigns.tests.factories import AT, agree, due, run, states
from members.queries import has_consented
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db


def service(count: int = 1, **fields) -> list[Message]:
    """Messages of service that are due, from a version of a template."""
    version = save_template(
        template_id=None, name="Bye", kind="service", content=READY["thanks"].content, actor_id=None, at=AT
    )
    campaign = Campaign.objects.create(
        kind="service", purpose="service", counts_for_cap=False, name="Receipts", state="running"
    )
    made = []
    for _ in range(count):
        member = make_member()
        made.append(
            Message.objects.create(
                campaign=campaign,
                channel="email",
                member=member,
                sender=default_sender("email"),
                version=version,
                address=address_key(member.email),
                state="queued",
                due_at=AT,
                expires_at=AT + timedelta(days=3),
                next_try_at=AT,
                changed_at=AT,
                **fields,
            )
        )
    return made


def test_a_version_goes_out_by_a_pipelined_line_and_again_the_same(settings, tmp_path):
    log = tmp_path / "taken"
    log.touch()
    messages = service(3)
    with running(str(log)) as port:
        settings.EMAIL_BACKEND = "common.mail.SmtpBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 5
        assert run() == 0  # nobody there: written, and tried again as it was written
        settings.EMAIL_PORT = port
        assert run(AT + pause(1)) == 3
    assert states() == ["sent"] * 3
    assert {line.split()[0] for line in log.read_text().splitlines()} == {m.message_id for m in messages}


def test_what_answers_mean():
    assert refusal(550, b"5.1.1 no such user").fate is Fate.BAD_ADDRESS
    assert refusal(550, b"no such user").fate is Fate.NEVER
    assert refusal(452, b"4.2.2 full").fate is Fate.LATER
    busy = refusal(421, b"4.7.28 Gmail has detected an unusual rate of unsolicited mail")
    blocked = refusal(550, b"5.7.1 part of their network is on our block list (S3140)")
    assert (busy.fate, busy.about_server, blocked.fate) == (Fate.POLICY, True, Fate.POLICY)
    assert refusal(535, b"wrong password", about_us=True).about_server


def test_in_no_period_leave_more_than_its_limit_allows():
    limit, gone = Limit("test", 20, 1), []
    end = time.monotonic() + 1.6
    while time.monotonic() < end:
        wait = take([limit])
        if wait:
            time.sleep(wait)
        else:
            gone.append(time.monotonic())
    assert len(gone) > 20
    assert max(sum(start <= at < start + 0.98 for at in gone) for start in gone) <= 20


def test_a_sender_in_trouble_pauses_and_comes_back_with_one_message(sink):
    due(5)
    sink.trouble = {"MAIL": "421 too busy"}
    at = AT
    for _ in range(TROUBLES):
        run(at)
        at += timedelta(minutes=5)
    sender = Sender.objects.get(channel="email")
    assert (sender.breaker, sender.failures, "421" in sender.trouble) == ("open", TROUBLES, True)
    sink.trouble = {}
    assert run(sender.open_until - timedelta(seconds=1)) == 0
    assert run(at + timedelta(hours=1)) == 5
    assert Sender.objects.get().breaker == "closed"


def test_a_server_that_stays_away_is_asked_every_half_hour_for_ever():
    sender = default_sender("email")
    Sender.objects.filter(pk=sender.pk).update(breaker="half_open", opened=5000, failures=9000, open_until=AT)
    in_trouble(sender=sender, text="still \0 away", at=AT)
    assert (sender.open_until, sender.trouble) == (AT + timedelta(minutes=30), "still  away")


def test_of_a_sender_that_is_paused_nothing_more_is_written(sink, monkeypatch):
    monkeypatch.setattr(delivery, "CHUNK", 2)
    monkeypatch.setattr(delivery, "FIRST", 2)
    messages, marked = due(6, gift_points=5), []

    def mark(**values) -> bool:
        marked.append(values["message_id"])
        if len(marked) == 2:
            pause_sender(sender_id=default_sender("email").pk, at=AT, actor_id=None)
        return claims.mark(**values)

    monkeypatch.setattr(delivery, "mark", mark)
    assert run() == 1
    assert len(sink.kept) == 1
    assert Message.objects.exclude(gift=None).count() == 2
    resume_sender(sender_id=default_sender("email").pk)
    assert run(AT + timedelta(minutes=5)) == 5
    assert len(sink.kept) == Message.objects.exclude(gift=None).count() == len(messages)


def test_a_suppressed_address_gets_nothing_until_it_is_lifted(sink, admin_client):
    first, second = due(2)
    entry = Entry("email", first.member.email.upper(), "by_hand", "asked by phone")
    assert suppress(entries=[entry], at=AT) == 1
    assert suppress(entries=[entry], at=AT) == 0
    typed = {"channel": "email", "addresses": f"{first.member.email}\nnew@example.com", "note": "asked"}
    told = admin_client.post(reverse("admin:campaigns_suppression_addresses"), typed).content.decode()
    assert "Nothing is sent to 2 addresses any more." in told
    assert "1 of them is on the list already." in told
    assert run() == 1
    assert list(sink.received()) == [second.member.email]
    first.refresh_from_db()
    assert (first.state, first.reason) == ("skipped", "suppressed")
    assert lift(ids=[Suppression.objects.get().pk], note="asked again", at=AT, actor_id=None) == 1


def test_an_address_that_does_not_exist_is_never_written_to_again(sink):
    due()
    sink.trouble = {"RCPT": "550 5.1.1 no such user"}
    run()
    assert states() == ["failed"]
    assert Suppression.objects.get().reason == "hard_bounce"


def test_words_of_a_provider_count_once(sink):
    (message,) = due()
    run()
    agree(message.member, at=timezone.now())
    told = Told("postmark", EventKind.COMPLAINED, AT, message.member.email, (str(message.uid),), "1", raw={"a": 1})
    assert record(told=told, at=AT) is not None
    assert record(told=told, at=AT + timedelta(seconds=1)) is None
    message.refresh_from_db()
    assert message.complained_at == AT
    assert Suppression.objects.get().reason == "complaint"
    assert not has_consented(member_id=message.member_id, channel="email", purpose="greetings")
    unknown = Told("postmark", EventKind.BOUNCED, AT, "who@example.com", ("never-ours",), "2", permanent=True)
    assert record(told=unknown, at=AT).message is None
    assert DeliveryEvent.objects.count() == 2


@pytest.mark.parametrize("gone", ["merged", "erased"])
def test_a_complaint_about_a_mail_to_somebody_who_was_merged_or_erased_since(sink, gone):
    (message,) = due()
    run()
    survivor, address = make_member(email="survivor@example.com"), message.member.email
    if gone == "merged":
        merge_members(survivor_id=survivor.pk, merged_id=message.member_id, at=AT)
        agree(survivor, at=timezone.now())
    else:
        erase_member(member_id=message.member_id, at=AT)
    told = Told("postmark", EventKind.COMPLAINED, AT, address, (str(message.uid),), "1")
    assert record(told=told, at=AT) is not None
    assert Suppression.objects.get().reason == "complaint"
    assert not has_consented(member_id=survivor.pk, channel="email", purpose="greetings")


def test_soft_bounces_in_a_row_rest_an_address_for_a_while():
    for n in range(SOFT_IN_A_ROW):
        assert not Suppression.objects.exists()
        at = AT + timedelta(days=n)
        record(told=Told("x", EventKind.BOUNCED, at, "full@example.com", key=str(n), permanent=False), at=at)
    assert Suppression.objects.get().expires_at is not None


def test_calls_of_providers_need_the_secret(client):
    answer = client.post("/mail-events/postmark/tracking/", data="{}", content_type="application/json")
    assert (answer.status_code, DeliveryEvent.objects.count()) == (400, 0)


def test_lines_of_a_file_are_put_on_the_list_and_bad_ones_are_named():
    lines = 'address,why,until\na@example.com,"moved, left",2027-12-31\nnot one\nb@example.com,x,soon\nc@example.com'
    form = SuppressForm({"channel": "email", "addresses": lines, "note": "by request"})
    assert form.is_valid()
    found = form.cleaned_data["addresses"]
    assert found == [("a@example.com", "moved, left", date(2027, 12, 31)), ("c@example.com", "", None)]
    assert ["Line 1" in form.mistakes[0], "Line 3" in form.mistakes[1], "soon" in form.mistakes[2]] == [True] * 3
    assert len(form.mistakes) == 3


def test_what_is_written_ahead_goes_by_how_fast_the_server_is_and_service_goes_first(sink, monkeypatch):
    monkeypatch.setattr(delivery, "FIRST", 4)
    monkeypatch.setattr(delivery, "AHEAD", 0.3)
    asked: list[int] = []
    claimed = delivery.claim
    monkeypatch.setattr(delivery, "claim", lambda **how: asked.append(how["limit"]) or claimed(**how))
    sink.slow = 0.1
    due(5)
    receipt = service()[0]
    Message.objects.exclude(pk=receipt.pk).update(next_try_at=AT - timedelta(hours=1))  # waits longer
    assert run() == 6
    assert sink.kept[0]["Message-ID"] == receipt.message_id
    assert asked[0] == 4
    assert set(asked[1:]) <= {2, 3}
