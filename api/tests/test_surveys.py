"""GET /surveys and POST /surveys/{code}/answers."""

import pytest

from api.models import Answer as Kept
from api.tests.factories import Caller, problem
from members.tests.factories import make_member
from rewards.queries import balance
from surveys.models import Answer, Response
from surveys.tests.factories import open_survey

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Caller:
    return Caller()


def test_the_list_tells_what_is_asked(shop):
    survey = open_survey()
    open_survey(ways=["link"])
    (told,) = shop.get("/surveys").json()["surveys"]
    assert told["code"] == survey.code
    assert [(one["id"], one["kind"], one["required"]) for one in told["questions"]] == [
        ("q1", "nps", True), ("q2", "long", False), ("q3", "single", False)
    ]  # fmt: skip
    assert told["questions"][2]["choices"][0] == {"id": "a", "title": {"en": "Fine", "zh-hans": "好"}}


def test_an_answer_is_taken_once_and_thanked(shop):
    survey, anna = open_survey(thanks_points=20), make_member()
    address = f"/surveys/{survey.code}/answers"
    body = {"key": "a1", "member": anna.card_number, "answers": {"q1": 9, "q3": "a"}, "store": "Mitte"}
    first = shop.post(address, body)
    assert (first.status_code, first.json()["counted"]) == (201, True), first.content
    assert (shop.post(address, body).status_code, Response.objects.count()) == (200, 1)
    assert problem(shop.post(address, body | {"answers": {"q1": 1}}))[:2] == (409, "key_reused")
    assert problem(shop.post(address, body | {"key": "a2"}))[:2] == (409, "already_answered")
    kept = Response.objects.get()
    assert (kept.way, kept.member, kept.traits["store"]) == ("api", anna, "Mitte")
    assert balance(anna.pk) == 20


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"answers": {"q1": 11}}, 422, "answers.q1"),
        ({"answers": {"q3": "a"}}, 422, "answers.q1"),
        ({"answers": {"q1": 5, "zz": 1}}, 422, "answers.zz"),
        ({"answers": {}}, 422, "answers"),
        ({"answers": {"q1": 5, "q2": "x" * 100_000}}, 422, "answers.q2"),
        ({"member": "key:x"}, 404, "member"),
        ({"invitation": "3f2c1b1e-0000-4000-8000-000000000000"}, 404, "invitation"),
    ],
)
def test_what_cannot_be_answered(shop, more, status, field):
    survey = open_survey()
    told = problem(shop.post(f"/surveys/{survey.code}/answers", {"key": "a1", "answers": {"q1": 9}} | more))
    assert (told[0], told[2]) == (status, field)
    assert not Response.objects.exists()
    assert not Answer.objects.exists()


def test_a_survey_that_takes_none(shop):
    survey = open_survey(ways=["link"])
    told = problem(shop.post(f"/surveys/{survey.code}/answers", {"key": "a1", "answers": {"q1": 9}}))
    assert told[:2] == (409, "not_open")
    assert problem(shop.post("/surveys/nothere/answers", {"key": "a1", "answers": {"q1": 9}}))[0] == 404


def test_of_an_anonymous_answer_nothing_is_kept_that_joins(shop):
    survey, anna = open_survey(anonymous=True), make_member()
    body = {"key": "a1", "member": anna.card_number, "answers": {"q1": 2}}
    assert shop.post(f"/surveys/{survey.code}/answers", body).status_code == 201
    other = body | {"answers": {"q1": 10}}
    again = shop.post(f"/surveys/{survey.code}/answers", other)
    assert again.status_code == 200  # the fingerprint holds no answers to be guessed
    assert "response" not in Kept.objects.get().body
    assert (Response.objects.get().member, Response.objects.get().invitation) == (None, None)
