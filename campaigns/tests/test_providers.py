"""Mail by providers' HTTP interfaces: django-anymail's own payloads to a server of this test, and their calls back."""

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_plus

import pytest
from django.utils.timezone import now

from campaigns.enums import EventKind
from campaigns.models import DeliveryEvent, Message, Suppression
from campaigns.tests.factories import due, run, states
from members.queries import has_consented

pytestmark = pytest.mark.django_db
ESPS = {
    "postmark": {"POSTMARK_SERVER_TOKEN": "t"},
    "mailgun": {"MAILGUN_API_KEY": "k", "MAILGUN_SENDER_DOMAIN": "example.com", "MAILGUN_WEBHOOK_SIGNING_KEY": "s"},
    "brevo": {"BREVO_API_KEY": "k"},
    "resend": {"RESEND_API_KEY": "k"},
}
ACCEPTS = {
    "postmark": '{"ErrorCode": 0, "Message": "OK", "MessageID": "theirs-1", "To": "TO"}',
    "mailgun": '{"id": "theirs-1", "message": "Queued. Thank you."}',
    "brevo": '{"messageId": "theirs-1"}',
    "resend": '{"id": "theirs-1"}',
}


class _Esp(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((dict(self.headers), body))
        status, said = self.server.answer
        if "TO" in said:
            said = said.replace("TO", json.loads(body)["To"])
        if status:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(said.encode())

    def log_message(self, *_told):
        pass


@pytest.fixture
def esp(settings):
    """`use(name)` makes it the shop's provider; `answer` is what it says, 0: it drops the line."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Esp)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def use(name, status=200, said=None, port=server.server_port):
        settings.EMAIL_BACKEND = f"anymail.backends.{name}.EmailBackend"
        url = {f"{name.upper()}_API_URL": f"http://127.0.0.1:{port}/"}
        settings.ANYMAIL = ESPS[name] | url | {"WEBHOOK_SECRET": "us:secret"}
        server.answer = status, ACCEPTS[name] if said is None else said

    server.use = use
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def headers_of(name: str, body: str) -> dict[str, str]:
    """Of the mail, as each provider is told them."""
    if name == "mailgun":
        parts = [unquote_plus(part).split("=", 1) for part in body.split("&")]
        return {key[2:].lower(): value for key, value in parts if key.startswith("h:")}
    told = json.loads(body)
    if name == "postmark":
        return {each["Name"].lower(): each["Value"] for each in told["Headers"]}
    return {key.lower(): value for key, value in told["headers"].items()}


@pytest.mark.parametrize("name", ESPS)
def test_a_mail_is_handed_over_with_its_key_and_the_way_out(esp, name):
    esp.use(name)
    due(2)
    assert run() == 2
    assert states() == ["sent", "sent"]
    for message, (asked, body) in zip(Message.objects.order_by("pk"), esp.asked, strict=True):
        said = headers_of(name, body)
        assert message.provider_id == "theirs-1"
        assert said["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
        assert "/u/" in said["list-unsubscribe"]
        assert said["message-id"] == message.message_id
        assert str(message.uid) in body
        key = {"resend": asked.get("Idempotency-Key"), "brevo": said.get("idempotencykey")}
        assert key.get(name, said["x-idempotency-key"]) == str(message.uid)


@pytest.mark.parametrize(
    ("name", "status", "said", "state"),
    [
        (
            "postmark",
            422,
            '{"ErrorCode": 406, "Message": "Found inactive addresses: TO.\\nInactive recipients are"}',
            "failed",
        ),
        ("postmark", 422, '{"ErrorCode": 406, "Message": "In other words"}', "unknown"),
        ("postmark", 401, '{"ErrorCode": 10, "Message": "Bad token"}', "queued"),
        ("mailgun", 429, '{"message": "Too many requests"}', "queued"),
        ("resend", 422, '{"message": "Invalid `to` field"}', "failed"),
        ("mailgun", 503, "", "queued"),
        ("mailgun", 502, "<h1>Bad gateway</h1>", "unknown"),
        ("resend", 200, "<h1>Hello</h1>", "unknown"),
        ("mailgun", 0, "", "unknown"),
        ("brevo", 400, '{"code": "duplicate_parameter", "message": "idempotencyKey"}', "sent"),
    ],
)
def test_what_a_provider_says_decides(esp, name, status, said, state):
    esp.use(name, status, said)
    due()
    run()
    assert states() == [state]
    assert len(esp.asked) == 1


def test_a_provider_that_nobody_reaches_leaves_nothing_in_doubt(esp):
    esp.use("brevo", port=1)
    due()
    run()
    assert states() == ["queued"]


def told_by(name: str, client, event) -> int:
    key = {"authorization": f"Basic {base64.b64encode(b'us:secret').decode()}"}
    return client.post(f"/mail-events/{name}/tracking/", event, "application/json", headers=key).status_code


def test_calls_of_postmark_have_their_effect(esp, client):
    esp.use("postmark")
    good, gone, cross = due(3)
    run()
    ours = [{"MessageID": f"theirs-{m.pk}", "Metadata": {"message": str(m.uid)}} for m in (good, gone, cross)]
    delivered = {"RecordType": "Delivery", "Recipient": good.member.email, "DeliveredAt": "2026-05-12T09:01:00Z"}
    bounce = {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "ID": 42, "Email": gone.member.email}
    bounce |= {"BouncedAt": "2026-05-12T09:02:00Z", "Details": "550 5.1.1 no such user"}
    complaint = {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "ID": 43, "Email": cross.member.email}
    complaint |= {"BouncedAt": "2026-05-12T09:03:00Z"}
    for event, message in zip((delivered, bounce, complaint), ours, strict=True):
        for _ in range(2):  # providers repeat themselves
            assert told_by("postmark", client, event | message) == 200
    assert sorted(DeliveryEvent.objects.values_list("kind", flat=True)) == sorted(
        [EventKind.DELIVERED, EventKind.BOUNCED, EventKind.COMPLAINED]
    )
    for message in (good, gone, cross):
        message.refresh_from_db()
    assert good.delivered_at.minute == 1
    assert gone.bounced_at.minute == 2
    assert cross.complained_at.minute == 3
    assert sorted(Suppression.objects.values_list("reason", flat=True)) == ["complaint", "hard_bounce"]
    agreed = [has_consented(member_id=m.member_id, channel="email", purpose="greetings") for m in (good, gone, cross)]
    assert agreed == [True, True, False]


@pytest.mark.parametrize("odd", ["a\0b", "a\ud800b"])
def test_what_the_database_cannot_hold_is_left_out_of_what_a_provider_says(esp, client, odd):
    esp.use("postmark")
    bounce = {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "ID": 42, "Email": f"{odd}@example.com"}
    bounce |= {"Details": odd, "MessageID": odd, "Metadata": {"message": odd}}
    for _ in range(2):
        assert told_by("postmark", client, json.dumps(bounce)) == 200
    event = DeliveryEvent.objects.get()
    assert event.recipient in ("ab@example.com", "a?b@example.com")
    assert event.raw["ID"] == 42


def test_calls_of_mailgun_count_with_their_signature_only(esp, client):
    esp.use("mailgun")
    (message,) = due()
    run()
    moment, token = str(int(now().timestamp())), "a" * 50
    event = {
        "id": "ev-1", "event": "failed", "severity": "permanent", "reason": "bounce", "timestamp": float(moment),
        "recipient": message.member.email, "delivery-status": {"code": 550, "message": "No such user"},
        "message": {"headers": {"message-id": message.message_id[1:-1]}},
        "user-variables": {"message": str(message.uid)},
    }  # fmt: skip

    def call(key: bytes) -> int:
        signature = hmac.new(key, f"{moment}{token}".encode(), hashlib.sha256).hexdigest()
        signed = {"timestamp": moment, "token": token, "signature": signature}
        body = {"signature": signed, "event-data": event}
        return told_by("mailgun", client, body)

    assert (call(b"forged"), DeliveryEvent.objects.count()) == (400, 0)
    assert call(b"s") == 200
    message.refresh_from_db()
    assert message.bounced_at is not None
    assert Suppression.objects.get().reason == "hard_bounce"


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 10**400], ids=["nan", "inf", "long"])
def test_numbers_that_are_none_and_addresses_without_end_are_taken_in(esp, client, odd):
    esp.use("postmark")
    bounce = {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "ID": 42, "Size": odd}
    bounce |= {"Email": f"{'a' * 300}@example.com", "Details": "", "MessageID": "x"}
    for _ in range(2):
        assert told_by("postmark", client, json.dumps(bounce)) == 200
    assert DeliveryEvent.objects.count() == Suppression.objects.count() == 1
