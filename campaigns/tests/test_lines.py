"""Mail to a server that pipelines and makes trouble, workers that are killed, and minds that change on the way."""

from collections import Counter
from datetime import timedelta

import pytest

from bench._sink import running
from campaigns.models import Campaign, Message
from campaigns.services import claims, content, delivery
from campaigns.tests.factories import AT, run, states
from campaigns.tests.test_sending import service
from members.models import Member
from members.tests.killed import kill_at_call, killed_in


def mail_by(port: int, settings) -> None:
    settings.EMAIL_BACKEND = "common.mail.SmtpBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 1


def taken(log) -> Counter[str]:
    return Counter(line.split()[0] for line in log.read_text().splitlines() if not line.startswith("! "))


@pytest.mark.django_db
def test_none_comes_twice_and_none_is_forgotten_whatever_the_server_does(settings, tmp_path):
    log = tmp_path / "taken"
    messages = service(30)
    troubles = ("drop", "busy", "later", "cut", "refuse")
    with running(str(log), "--every", "4", "--trouble", ",".join(troubles)) as port:
        mail_by(port, settings)
        for hours in range(20):
            run(AT + timedelta(hours=hours))
    came = taken(log)
    assert set(came.values()) == {1}
    met = Counter(line[2:] for line in log.read_text().splitlines() if line.startswith("! "))
    assert met.keys() == set(troubles)
    now = Counter(states())
    assert now == {"unknown": met["drop"], "failed": met["refuse"], "sent": 30 - met["drop"] - met["refuse"]}
    for message in messages:
        message.refresh_from_db()
        assert (message.state == "failed") == (message.message_id not in came)


@pytest.mark.django_db
def test_an_address_that_no_mail_goes_to_holds_up_nobody_behind_it(settings, tmp_path):
    log = tmp_path / "taken"
    messages = service(4)
    Member.objects.filter(pk=messages[1].member_id).update(email="two@at@example.com")
    Member.objects.filter(pk=messages[2].member_id).update(email="名@example.com")
    with running(str(log)) as port:
        mail_by(port, settings)
        assert run() == 2
    assert states() == ["sent", "failed", "failed", "sent"]


@pytest.mark.django_db
def test_a_campaign_that_is_stopped_midway_lets_nothing_more_leave(settings, tmp_path, monkeypatch):
    """The envelope of the next mail is with the server already: it never gets the mail."""
    log, marked = tmp_path / "taken", []
    service(6)

    def mark(**values) -> bool:
        if len(marked) == 2:
            Campaign.objects.update(state="cancelled")
        marked.append(values["message_id"])
        return claims.mark(**values)

    monkeypatch.setattr(delivery, "mark", mark)
    with running(str(log)) as port:
        mail_by(port, settings)
        assert run() == 2
    assert len(taken(log)) == 2
    assert Counter(states()) == {"sent": 2, "queued": 4}


@pytest.mark.django_db
def test_a_template_that_fails_for_one_member_fails_for_that_one(settings, tmp_path, monkeypatch):
    log = tmp_path / "taken"
    messages = service(3)
    values = content.merge.values

    def without_a_name(recipients, spaces):
        found = values(recipients, spaces)
        for recipient, said in zip(recipients, found, strict=True):
            if recipient.member.pk == messages[1].member_id:
                said["member"] = {}
        return found

    monkeypatch.setattr(content.merge, "values", without_a_name)
    with running(str(log)) as port:
        mail_by(port, settings)
        run()
    assert states() == ["sent", "failed", "sent"]


def _work_and_die(port: int, marks: int) -> None:
    from django.test.utils import override_settings

    kill_at_call(delivery, "mark", marks)
    server = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port, "EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False}
    with override_settings(EMAIL_BACKEND="common.mail.SmtpBackend", **server):
        run()


@pytest.mark.django_db(transaction=True)
def test_workers_killed_midway_leave_one_in_doubt_each(settings, tmp_path):
    log = tmp_path / "taken"
    messages = service(20)
    with running(str(log)) as port:
        for marks in (7, 3):
            killed_in(_work_and_die, port, marks)
        mail_by(port, settings)
        run()
    now, came = Counter(states()), taken(log)
    assert now == {"sent": 18, "unknown": 2}
    assert set(came.values()) == {1}
    for message in Message.objects.filter(pk__in=[one.pk for one in messages], state="sent"):
        assert message.message_id in came
