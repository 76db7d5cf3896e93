"""The report as staff see it, through the front door."""

import json

import pytest

from members.models import User
from surveys.enums import Way
from surveys.models import Answer, Response
from surveys.queries_report import shown_of
from surveys.services.mixing import mix
from surveys.tests.factories import AB, AT, open_survey, question

pytestmark = pytest.mark.django_db
ASKED = {"sections": [{"id": "s1", "questions": [question("q1", "nps"), question("q2", "single", choices=AB)]}]}


@pytest.fixture
def desk(client):
    client.force_login(User.objects.create_superuser("chief@example.com", "x"))
    return client


def fill(survey, scores: dict[int, int], at=AT, **more) -> None:
    """As many complete answers of each score."""
    version = survey.versions.get()
    told = [score for score, n in scores.items() for _ in range(n)]
    made = Response.objects.bulk_create(
        Response(
            survey=survey, version=version, way=more.get("way", Way.PUBLIC), language="en", state="complete",
            traits=more.get("traits", {}), started_at=at, changed_at=at, completed_at=at,
        )
        for _ in told
    )  # fmt: skip
    Answer.objects.bulk_create(
        Answer(response=one, question="q1", number=score) for one, score in zip(made, told, strict=True)
    )


def address(survey, more: str = "") -> str:
    return f"/admin/surveys/survey/{survey.pk}/report/{more}"


def test_the_score_stands_with_its_interval_and_formula(desk):
    survey = open_survey(ASKED)
    fill(survey, {10: 70, 8: 20, 3: 10})
    page = desk.get(address(survey)).content.decode()
    assert '<span class="desk-figure">60.0</span> <span class="desk-muted">47.0 … 73.0 · n = 100</span>' in page
    assert "nps:1" in page
    assert "100 answered of 100 who saw it, 0 passed it over" in page
    assert "no answers yet" in page  # nobody was invited: no rate, not a rate of 0


def test_a_change_is_told_from_noise(desk):
    survey = open_survey(ASKED)
    fill(survey, {10: 20, 8: 20, 3: 60})
    fill(survey, {10: 70, 8: 20, 3: 10}, at=AT.replace(month=6))
    fill(survey, {10: 68, 8: 21, 3: 11}, at=AT.replace(month=7))
    page = desk.get(address(survey)).content.decode()
    assert "2026-05" in page
    assert page.count("real change") == 1
    assert page.count("may be noise") == 1


def test_filters_and_groups_count_the_same_answers(desk, django_assert_max_num_queries):
    survey = open_survey(ASKED)
    fill(survey, {10: 40}, traits={"store": "Old Town"})
    fill(survey, {0: 40}, traits={"store": "Harbour"})
    with django_assert_max_num_queries(35):
        page = desk.get(address(survey), {"by": "store"}).content.decode()
    assert page.count("▲") == 2  # one group, and the words below the table
    only = desk.get(address(survey, "json/"), {"store": "Old Town"})
    score = next(line for line in json.loads(only.content) if line["what"] == "score")
    assert (score["value"], score["n"], score["formula"]) == (100, 40, "nps:1")
    empty = json.loads(desk.get(address(survey, "json/"), {"by": "store"}).content)
    assert {line["value"] for line in empty if line["question"] == "Q2"} == {None}  # missing, not 0


def test_an_anonymous_survey_has_no_parts_and_hides_what_subtraction_tells(desk):
    survey = open_survey(ASKED, anonymous=True)
    for _ in range(9):
        fill(survey, {10: 1})
    fill(survey, {0: 2}, way=Way.KIOSK)
    mix(survey_id=survey.pk, at=AT)
    page = desk.get(address(survey), {"by": "way", "way": "kiosk", "since": "2026-01-01"})
    assert page.status_code == 200
    assert 'name="since"' not in page.content.decode()
    assert "No group is large enough" in page.content.decode()
    assert shown_of({"a": 9, "b": 8, "c": 2}, 5) == {"a": 9}
    assert shown_of({"a": 9, "b": 3, "c": 2}, 5) == {"a": 9}
    assert shown_of({"a": 9, "b": 8}, 5) == {"a": 9, "b": 8}


def test_files_open_in_spreadsheets_without_formulas(desk):
    definition = {
        "sections": [{"id": "s1", "questions": [{**question("q1", "nps"), "title": {"en": "=1+A1", "zh-hans": "好"}}]}]
    }
    survey = open_survey(definition)
    fill(survey, {9: 3})
    assert b"'=1+A1" in desk.get(address(survey, "csv/")).content
    assert desk.get(address(survey, "xlsx/")).content[:2] == b"PK"
    assert desk.get(address(survey, "exe/")).status_code == 404
