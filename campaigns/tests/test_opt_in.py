"""A yes that waits to be confirmed."""

from datetime import timedelta

import pytest
from anymail.exceptions import AnymailRecipientsRefused
from django.core import mail
from django.test import Client

from campaigns.models import OptInRule, PendingConsent
from campaigns.services import opt_in
from campaigns.services.opt_in import NotYet, TooLate, confirm_url, send_again, send_due
from campaigns.services.unsubscribe import resubscribe, unsubscribe, unsubscribe_url
from campaigns.tests.factories import AT
from members.models import Consent, Member
from members.queries import has_consented
from members.services.consent import publish_wording, state_consent, stop_everything
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def rule() -> OptInRule:
    return OptInRule.objects.create(channel="email", purpose="offers", days=7)


def say(member: Member, *, yes: bool = True, purpose: str = "offers", at=AT) -> Consent | None:
    return state_consent(
        member_id=member.pk, channel="email", purpose=purpose, granted=yes, source="till", evidence="form 7", at=at
    )


def agreed(member: Member) -> bool:
    return has_consented(member_id=member.pk, channel="email", purpose="offers")


def path_of(pending: PendingConsent) -> str:
    return confirm_url(pending).removeprefix("http://localhost:8000")


@pytest.fixture
def waiting(rule) -> PendingConsent:
    say(make_member())
    return PendingConsent.objects.get()


def confirm(pending: PendingConsent, at) -> None:
    opt_in.confirm(token=path_of(pending).split("/")[-2], at=at)


def test_without_a_rule_a_yes_counts_at_once(rule):
    member = make_member()
    assert say(member, purpose="greetings") is not None
    OptInRule.objects.update(active=False)
    assert say(member) is not None
    assert not PendingConsent.objects.exists()


def test_it_counts_only_when_a_person_pressed_the_button_behind_the_link(rule, monkeypatch):
    wording = publish_wording(purpose="offers", text_en="We may write to you about offers.")
    member = make_member()
    assert say(member) is None
    pending = PendingConsent.objects.get()
    publish_wording(purpose="offers", text_en="Something else.")
    assert send_due(at=AT) == 1
    assert send_due(at=AT) == 0
    assert path_of(pending) in mail.outbox[0].body
    assert "We may write to you about offers." in mail.outbox[0].body
    monkeypatch.setattr("django.utils.timezone.now", lambda: AT + HOUR)
    client = Client(enforce_csrf_checks=True)
    for _ in range(2):  # a scanner opens every link
        assert "Yes, that was me" in client.get(path_of(pending)).content.decode()
    assert not agreed(member)
    for _ in range(2):
        assert "it is confirmed" in client.post(path_of(pending), {"confirm": "1"}).content.decode()
    consent = Consent.objects.get(member=member)
    assert (consent.granted, consent.wording, consent.source) == (True, wording, "till")
    assert consent.evidence == f"form 7 confirmed by link {pending.uid}"


def test_it_runs_out(waiting):
    with pytest.raises(TooLate):
        confirm(waiting, AT + 8 * DAY)
    assert not agreed(waiting.member)
    say(waiting.member, at=AT + 8 * DAY)  # and can be said again
    fresh = PendingConsent.objects.latest("pk")
    confirm(fresh, AT + 9 * DAY)
    assert agreed(waiting.member)


@pytest.mark.parametrize("no", ["said", "everything"])
def test_a_no_ends_the_waiting(waiting, no):
    if no == "said":
        say(waiting.member, yes=False, at=AT + HOUR)
    else:
        stop_everything(member_id=waiting.member_id, source="portal", at=AT + HOUR)
    with pytest.raises(TooLate):
        confirm(waiting, AT + 2 * HOUR)
    assert send_due(at=AT + 2 * HOUR) == 0


def test_a_link_to_an_address_that_is_not_theirs_any_more_proves_nothing(waiting):
    Member.objects.filter(pk=waiting.member_id).update(email="new@example.com")
    with pytest.raises(TooLate):
        confirm(waiting, AT + HOUR)


def test_messages_are_limited_for_one_yes_and_for_a_day(waiting):
    send_due(at=AT)
    with pytest.raises(NotYet):
        send_again(pending_id=waiting.pk, at=AT + timedelta(minutes=9))
    for n in (1, 2):
        send_again(pending_id=waiting.pk, at=AT + n * HOUR)
        send_due(at=AT + n * HOUR)
    with pytest.raises(NotYet):
        send_again(pending_id=waiting.pk, at=AT + 3 * HOUR)
    for n in range(4, 12):
        say(waiting.member, yes=False, at=AT + n * HOUR)
        say(waiting.member, at=AT + n * HOUR)
        send_due(at=AT + n * HOUR)
    assert len(mail.outbox) == 5


def test_what_the_unsubscribe_link_undoes_needs_no_second_confirmation(waiting):
    confirm(waiting, AT + HOUR)
    url = unsubscribe_url(member_id=waiting.member_id, channel="email", purpose="offers")
    token = url.rstrip("/").rpartition("/")[2]
    unsubscribe(token=token, at=AT + 2 * HOUR)
    assert not agreed(waiting.member)
    resubscribe(token=token, at=AT + 3 * HOUR)
    assert agreed(waiting.member)


def test_a_cut_link_is_none(client, waiting):
    assert client.post(path_of(waiting)[:-5] + "/").status_code == 404
    assert not agreed(waiting.member)


@pytest.mark.parametrize(
    ("error", "again"),
    [(AnymailRecipientsRefused("no"), False), (ValueError("odd"), False), (RuntimeError("odd"), True)],
)
def test_an_address_that_a_provider_refuses_holds_up_nobody_behind_it(rule, monkeypatch, error, again):
    refused, good = make_member(), make_member()
    say(refused)
    say(good)
    send_mail = opt_in.send_mail

    def send(subject, text, sender, to):
        if to == [refused.email]:
            raise error
        return send_mail(subject, text, sender, to)

    monkeypatch.setattr(opt_in, "send_mail", send)
    assert send_due(at=AT) == 1
    assert [one.to for one in mail.outbox] == [[good.email]]
    assert (PendingConsent.objects.get(member=refused).send_at is not None) == again
