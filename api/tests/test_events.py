"""POST /events."""

import pytest
from django.utils import timezone

from api.tests.factories import Caller, problem
from members.models import CustomEvent, Member
from members.tests.factories import make_member
from rewards.queries import balance
from rewards.tests.factories import make_rule_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Caller:
    return Caller()


def event(member, **more):
    return {"key": "e1", "member": member.card_number, "kind": "workshop", "data": {"topic": "latte art"}, **more}


def test_an_event_is_kept_once(till):
    anna = make_member()
    first = till.post("/events", event(anna))
    assert first.status_code == 201, first.content
    kept = CustomEvent.objects.get()
    assert (kept.source, kept.kind, kept.data, kept.member_id) == ("till", "workshop", {"topic": "latte art"}, anna.pk)
    assert first.json()["event"] == kept.pk
    again = till.post("/events", event(anna))
    assert (again.status_code, again.json()) == (200, first.json())
    assert problem(till.post("/events", event(anna, kind="tasting"))) == (409, "key_reused", "key")
    assert CustomEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"kind": "Workshop"}, 422, "kind"),
        ({"kind": "purchase"}, 422, "kind"),
        ({"kind": ""}, 422, "kind"),
        ({"data": []}, 422, "data"),
        ({"data": {"a": "x" * 5_000}}, 422, "data"),
        ({"data": {"a": 1e400}}, 400, None),
        ({"at": "2999-01-01T00:00:00Z"}, 422, "at"),
        ({"member": "key:x"}, 404, "member"),
    ],
)
def test_what_no_event_can_be(till, more, status, field):
    told = problem(till.post("/events", event(make_member()) | more))
    assert (told[0], told[2]) == (status, field)
    assert not CustomEvent.objects.exists()


@pytest.mark.parametrize("kind", ["signed_up", "profile_completed", "birthday", "joined_anniversary", "check_in"])
def test_what_the_programme_sees_itself_nobody_tells(till, kind):
    make_rule_of("Seen", {"effect": {"kind": "fixed", "value": "50"}}, trigger=kind)
    anna = make_member()
    assert problem(till.post("/events", event(anna, kind=kind))) == (422, "own_kind", "kind")
    assert (CustomEvent.objects.count(), balance(anna.pk)) == (0, 0)
    assert till.post("/events", event(anna, kind="survey_answered")).status_code == 201


def test_what_overflows_or_is_nested_without_end_is_refused(till):
    anna = make_member()
    deep = [b"[" * n + b"]" * n for n in (300, 900, 990)]
    for n, value in enumerate((b"1e400", *deep)):
        head = b'{"key":"e%d","member":"%s","kind":"x","data":{"a":' % (n, anna.card_number.encode())
        answer = till.post("/events", raw=head + value + b"}}")
        assert answer.status_code in (201, 400, 422), answer.content


def test_by_whose_code_somebody_came_is_kept(till):
    body = {"key": "c1", "name": "Berta", "referral_code": "ANNA7"}
    assert till.post("/members", body).status_code == 201
    assert till.post("/members", body).status_code == 200
    kept = CustomEvent.objects.get()
    assert (kept.kind, kept.data, kept.member) == ("referral_code", {"code": "ANNA7"}, Member.objects.get())
    assert kept.at <= timezone.now()
