"""Calls of providers, against a server of this test."""

from datetime import timedelta

import pytest

from campaigns.channels import Fate, Outgoing, Refusal, http
from campaigns.channels.http import HttpLine, public_address
from campaigns.forms_sending import SenderForm
from campaigns.models import Message, Sender
from campaigns.services.senders import default_sender
from campaigns.tests.factories import AT, run, states
from campaigns.tests.test_sending import service
from members.models import Member

pytestmark = pytest.mark.django_db


def sender_at(port: int, host: str = "127.0.0.1") -> Sender:
    return Sender.objects.create(
        label="Texts", channel="sms", transport="http", url=f"http://{host}:{port}/send?a=1", timeout=1,
        id_field="data.id", body='{"to": "{{ to }}", "text": "{{ text }}"}', signing_key="MESSAGE_SECRET_KEY",
    )  # fmt: skip


def outgoing(text: str = "Hello") -> Outgoing:
    return Outgoing(1, "uid-1", "+491701234567", "", "", text, "", 1, None, lambda: b"", lambda: None)


def sent(sender: Sender, begin=lambda: None, text: str = "Hello") -> str:
    return HttpLine(sender).send(outgoing(text), begin)


def test_a_text_message_goes_by_a_call_with_its_own_key(provider, monkeypatch):
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    (message,) = service()
    Member.objects.filter(pk=message.member_id).update(phone="+491701234567")
    Message.objects.update(channel="sms", sender=sender_at(provider.server_port))
    assert run() == 1
    message.refresh_from_db()
    ((path, headers, body),) = provider.asked
    assert (path, body["to"], message.provider_id) == ("/send?a=1", "+491701234567", "their-1")
    assert headers["Idempotency-Key"] == headers["Webhook-Id"] == str(message.uid)
    assert len(headers["X-Signature"]) == 64


def test_what_is_filled_in_cannot_break_out(provider, monkeypatch):
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    text = 'A "quote", \\ and\n{{ to }} 😀'
    sent(sender_at(provider.server_port), text=text)
    assert provider.asked[0][2] == {"to": "+491701234567", "text": text}


@pytest.mark.parametrize(
    ("status", "headers", "fate", "about_server", "wait"),
    [
        (429, {"Retry-After": "120"}, Fate.LATER, True, timedelta(minutes=2)),
        (503, {"Retry-After": "99999999"}, Fate.LATER, True, timedelta(hours=6)),
        (503, {"Retry-After": "soon"}, Fate.LATER, True, None),
        (500, {}, Fate.LATER, True, None),
        (408, {}, Fate.LATER, True, None),
        (400, {}, Fate.NEVER, False, None),
        (422, {}, Fate.NEVER, False, None),
        (401, {}, Fate.LATER, True, None),
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, Fate.LATER, True, None),
    ],
)
def test_what_a_provider_answers(provider, monkeypatch, status, headers, fate, about_server, wait):
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    provider.answer = status, headers
    with pytest.raises(Refusal) as said:
        sent(sender_at(provider.server_port))
    assert (said.value.fate, said.value.about_server, said.value.wait) == (fate, about_server, wait)
    assert len(provider.asked) == 1  # nobody followed it elsewhere


@pytest.mark.parametrize("secret", ["s3cret\nX-More: 1", "ключ"])
def test_a_secret_that_no_header_can_hold_leaves_nothing_in_doubt_and_is_told_to_nobody(provider, monkeypatch, secret):
    monkeypatch.setenv("MESSAGE_SECRET_TOKEN", secret)
    (message,) = service()
    Member.objects.filter(pk=message.member_id).update(phone="+491701234567")
    sender = sender_at(provider.server_port)
    Sender.objects.filter(pk=sender.pk).update(token="MESSAGE_SECRET_TOKEN", signing_key="")
    Message.objects.update(channel="sms", sender=sender)
    run()
    message.refresh_from_db()
    assert (message.state, message.error) == ("queued", "the address or a secret holds what no header may hold")
    monkeypatch.setenv("MESSAGE_SECRET_TOKEN", "s3cret\n")  # as a file ends
    run(AT + timedelta(minutes=2))
    assert (states(), provider.asked[0][1]["Authorization"]) == (["sent"], "Bearer s3cret")


@pytest.mark.parametrize(
    ("said", "kept"),
    [(rb'{"data": {"id": "a\u0000b"}}', "ab"), (rb'{"data": {"id": "\ud83d"}}', "?"), (b"[" * 30_000, "")],
)
def test_an_id_that_cannot_be_kept_leaves_nothing_in_doubt(provider, monkeypatch, said, kept):
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    messages = service(2)
    for last, message in enumerate(messages):
        Member.objects.filter(pk=message.member_id).update(phone=f"+49170123456{last}")
    Message.objects.update(channel="sms", sender=sender_at(provider.server_port))
    provider.said = said
    assert run() == 2
    assert set(Message.objects.values_list("state", "provider_id")) == {("sent", kept)}


@pytest.mark.parametrize("url", ["https://sms.example:99999/send", "https://[::1/send"])
def test_an_address_with_no_such_port_waits_for_who_mends_it(monkeypatch, url):
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    (message,) = service()
    Member.objects.filter(pk=message.member_id).update(phone="+491701234567")
    Message.objects.update(channel="sms", sender=sender_at(1))
    Sender.objects.filter(channel="sms").update(url=url)
    assert run() == 0
    message.refresh_from_db()
    assert (message.state, bool(message.error)) == ("queued", True)
    told = {"label": "Texts", "channel": "sms", "transport": "http", "url": url, "body": "{}"}
    assert "url" in SenderForm(told).errors


def test_a_folder_that_cannot_be_written_to_is_trouble_of_the_sender(settings, tmp_path):
    (tmp_path / "file").touch()
    settings.OUTBOX_DIR = str(tmp_path / "file" / "outbox")
    (message,) = service()
    Member.objects.filter(pk=message.member_id).update(phone="+491701234567")
    Message.objects.update(channel="sms", sender=default_sender("sms"))
    assert run() == 0
    message.refresh_from_db()
    assert (message.state, bool(message.error)) == ("queued", True)
    settings.OUTBOX_DIR = str(tmp_path / "outbox")
    assert run(AT + timedelta(hours=1)) == 1


def test_who_is_asked_to_wait_waits_so_long(provider, monkeypatch):
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    (message,) = service()
    Member.objects.filter(pk=message.member_id).update(phone="+491701234567")
    Message.objects.update(channel="sms", sender=sender_at(provider.server_port))
    provider.answer = 429, {"Retry-After": "600"}
    run()
    message.refresh_from_db()
    assert (message.state, message.next_try_at) == ("queued", AT + timedelta(minutes=10))


def test_a_call_without_an_answer_is_in_doubt_and_one_that_did_not_begin_is_not(provider, monkeypatch):
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    (message,) = service()
    Member.objects.filter(pk=message.member_id).update(phone="+491701234567")
    sender = sender_at(1)  # nobody listens there
    Message.objects.update(channel="sms", sender=sender)
    run()
    assert states() == ["queued"]
    Sender.objects.filter(pk=sender.pk).update(url=f"http://127.0.0.1:{provider.server_port}/")
    provider.answer = 0, {}
    run(AT + timedelta(hours=1))
    assert states() == ["unknown"]
    run(AT + timedelta(hours=9))
    assert len(provider.asked) == 1


def test_a_secret_that_is_not_set_is_trouble_before_anything_leaves(monkeypatch):
    monkeypatch.delenv("MESSAGE_SECRET_KEY", raising=False)
    with pytest.raises(Refusal, match="MESSAGE_SECRET_KEY"):
        HttpLine(sender_at(1)).open()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_addresses_inside_our_own_network_are_refused(settings, host):
    settings.MESSAGE_HOSTS_INSIDE = []
    with pytest.raises(Refusal, match="inside our own network"):
        public_address(host, 80)


def test_a_name_that_points_elsewhere_the_second_time_does_not_matter(settings, monkeypatch):
    settings.MESSAGE_HOSTS_INSIDE = []
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    answers, called = ["93.184.215.14", "127.0.0.1"], []

    def resolve(_host, port, **_told):
        return [(2, 1, 6, "", (answers.pop(0), port))]

    def connect(address, _timeout):
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(http.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(http.socket, "create_connection", connect)
    with pytest.raises(Refusal):
        sent(sender_at(80, "rebinding.example.com"))
    assert (called, answers) == ([("93.184.215.14", 80)], ["127.0.0.1"])
