"""/health tells what is away, and misconfiguration is said with an id and a hint."""

import socket
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.db import connections
from django.utils import timezone

from campaigns.models import Message, Sender
from campaigns.tests.factories import due
from members import events
from members.models import ChangedMember, PendingReaction, TimelineEvent
from members.tests.factories import make_member


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.django_db
def test_a_broker_that_hangs_holds_nobody_up(client, settings):
    with socket.create_server(("127.0.0.1", 0)) as nothing_answers:
        settings.REDIS_URL = f"redis://127.0.0.1:{nothing_answers.getsockname()[1]}/0"
        hangs = client.get("/health").json()
    checks = {"database": "ok", "broker": "down", "workers": "ok", "senders": "ok"}
    assert hangs == {"status": "degraded", "checks": checks, "oldest_due_seconds": 0}


@pytest.mark.django_db
def test_without_a_broker_the_site_still_serves(client, settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{_closed_port()}/0"
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json()["checks"]["broker"] == "down"


@pytest.mark.django_db
def test_work_that_nobody_does_shows(client, at):
    events.record(member_id=make_member().pk, kind=events.PROFILE_CHANGED, at=at)
    event = TimelineEvent.objects.latest("id")
    PendingReaction.objects.create(event=event, reaction="x", due_at=timezone.now() - timedelta(minutes=6))
    assert client.get("/health").json()["checks"]["workers"] == "late"


@pytest.mark.django_db
def test_members_whom_nobody_looks_at_show(client):
    make_member()
    ChangedMember.objects.update(at=timezone.now() - timedelta(minutes=4))
    assert client.get("/health").json()["checks"]["workers"] == "ok"
    ChangedMember.objects.update(at=timezone.now() - timedelta(minutes=6))
    assert client.get("/health").json()["checks"]["workers"] == "late"


@pytest.mark.django_db
def test_messages_that_wait_and_senders_in_trouble_show(client):
    due()
    now = timezone.now()
    Message.objects.update(next_try_at=now - timedelta(minutes=7), expires_at=now + timedelta(days=1))
    assert client.get("/health").json()["oldest_due_seconds"] in (420, 421)
    Sender.objects.update(breaker="open", open_until=now + timedelta(minutes=1))
    assert client.get("/health").json()["checks"]["senders"] == "trouble"
    Sender.objects.update(paused_at=now)
    assert client.get("/health").json()["checks"]["senders"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_without_a_database_it_is_down(client, monkeypatch):
    connection = connections["default"]
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", str(_closed_port()))
    try:
        response = client.get("/health")
    finally:
        monkeypatch.undo()
        connection.close()
    assert (response.status_code, response.json()["status"]) == (503, "down")


@pytest.mark.parametrize(
    ("changes", "id_"),
    [
        ({"SITE_URL": "club"}, "crm.E001"),
        ({"SITE_URL": "https://club.example.com", "ALLOWED_HOSTS": ["other.example.com"]}, "crm.E002"),
        ({"EMAIL_BACKEND": "common.mail.OutboxBackend"}, "crm.W001"),
        ({"EMAIL_BACKEND": "common.mail.SmtpBackend", "DEFAULT_FROM_EMAIL": "Club <club@localhost>"}, "crm.W002"),
        ({"REQUIRE_STAFF_MFA": False}, "crm.W003"),
    ],
)
def test_misconfiguration_is_said_with_a_hint(settings, changes, id_):
    for name, value in changes.items():
        setattr(settings, name, value)
    found = {message.id: message for message in run_checks(tags=["security"], include_deployment_checks=True)}
    assert found[id_].hint


@pytest.mark.parametrize("hosts", [["club.example.com"], [".example.com"], ["*"]])
def test_a_good_address_is_left_alone(settings, hosts):
    settings.SITE_URL, settings.ALLOWED_HOSTS = "https://club.example.com", hosts
    found = {message.id for message in run_checks(tags=["security"], include_deployment_checks=True)}
    assert not found & {"crm.E001", "crm.E002"}
