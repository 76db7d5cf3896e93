"""POST /cases, GET /cases, GET /cases/{number}."""

import pytest
from django.utils.timezone import now

from api.tests.factories import Caller, problem
from members.models import User
from members.tests.factories import make_member
from rewards.tests.factories import make_rule, post
from surveys.models import Case
from surveys.services.cases.acting import note, reply

pytestmark = pytest.mark.django_db
SAID = {"key": "t-1", "kind": "complaint", "text": "Cold coffee\nagain"}


@pytest.fixture
def desk() -> Caller:
    return Caller(source="helpdesk")


def test_a_case_is_opened_once_for_the_member_and_their_purchase(desk, at):
    make_rule()
    anna = make_member(email="anna@example.com")
    post(anna, at, source="helpdesk", key="r-1", store="Mitte")
    body = SAID | {"email": "Anna@example.com", "purchase": "r-1"}
    first = desk.post("/cases", body)
    assert (first.status_code, first.json()["state"]) == (201, "new"), first.content
    case = Case.objects.get()
    assert (case.member, case.contact, case.store, case.source, case.subject) == (
        anna, "", "Mitte", "api", "Cold coffee",
    )  # fmt: skip
    assert (case.purchase.key, case.messages.get().text) == ("r-1", SAID["text"])
    assert (desk.post("/cases", body).status_code, Case.objects.count()) == (200, 1)
    assert problem(desk.post("/cases", body | {"text": "Other"}))[:2] == (409, "key_reused")
    assert Case.objects.count() == 1


def test_somebody_who_is_no_member(desk):
    assert desk.post("/cases", SAID | {"email": "guest@example.com"}).status_code == 201
    case = Case.objects.get()
    assert (case.member, case.contact) == (None, "guest@example.com")


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"member": "900000000000"}, (404, "no_such_member", "member")),
        ({"member": "280000000000", "email": "a@example.com"}, (422, "invalid", "email")),
        ({"email": "nowhere"}, (422, "invalid", "email")),
        ({"purchase": "r-9"}, (404, "no_such_purchase", "purchase")),
        ({"text": "  \n"}, (422, "invalid", "text")),
        ({"text": "x" * 10_001}, (422, "invalid", "text")),
        ({"kind": "rant"}, (422, "invalid", "kind")),
    ],
)
def test_what_cannot_be_opens_none(desk, more, refused):
    assert problem(desk.post("/cases", SAID | more)) == refused
    assert not Case.objects.exists()


def test_another_members_purchase_is_refused(desk, at):
    make_rule()
    post(make_member(), at, source="helpdesk", key="r-1")
    other = make_member()
    told = problem(desk.post("/cases", SAID | {"member": other.card_number, "purchase": "r-1"}))
    assert told == (422, "not_theirs", "purchase")


def test_what_was_said_can_be_read_but_no_note(desk):
    anna = make_member(email="anna@example.com")
    number = desk.post("/cases", SAID | {"member": anna.card_number}).json()["number"]
    desk.post("/cases", SAID | {"key": "t-2", "kind": "praise"})
    case, staff = Case.objects.get(member=anna), User.objects.create_user("desk@example.com", is_staff=True)
    note(case_id=case.pk, text="Grumbles often", at=now(), actor_id=staff.pk)
    reply(case_id=case.pk, text="We are sorry", channel="phone", at=now(), actor_id=staff.pk, version=None)
    told = desk.get(f"/cases/{number}").json()
    assert (told["state"], told["card"]) == ("open", anna.card_number)
    assert [(one["by"], one["text"]) for one in told["messages"]] == [
        ("member", SAID["text"]), ("shop", "We are sorry")
    ]  # fmt: skip
    assert [one["number"] for one in desk.get(f"/cases?member={anna.card_number}").json()["cases"]] == [number]
    assert [one["kind"] for one in desk.get("/cases?state=new").json()["cases"]] == ["praise"]
    assert len(desk.get("/cases").json()["cases"]) == 2
    assert problem(desk.get("/cases/C-0"))[:2] == (404, "no_such_case")
    writer = Caller(source="app", scopes=["cases:write"])
    assert problem(writer.get(f"/cases/{number}"))[0] == 403
