"""What people wrote, as staff read it: narrowed down, taken along, made into cases; and never who, where anonymous."""

import json

import pytest

from surveys.enums import Way
from surveys.models import Answer, Case, Response
from surveys.services.mixing import mix
from surveys.tests.factories import AT, open_survey, question
from surveys.tests.test_report_page import desk  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db
ASKED = {"sections": [{"id": "s1", "questions": [question("q1", "nps"), question("q2", "long")]}]}


def write(survey, *told: tuple[int, str], **more) -> None:
    for score, text in told:
        response = Response.objects.create(
            survey=survey, version=survey.versions.get(), way=Way.PUBLIC, language=more.get("language", "en"),
            state="complete", traits=more.get("traits", {}), started_at=AT, changed_at=AT, completed_at=AT,
        )  # fmt: skip
        Answer.objects.create(response=response, question="q1", number=score)
        Answer.objects.create(response=response, question="q2", text=text)


def address(survey, more: str = "") -> str:
    return f"/admin/surveys/survey/{survey.pk}/verbatims/{more}"


def test_they_are_narrowed_by_score_words_and_who(desk, django_assert_max_num_queries):  # noqa: F811
    survey = open_survey(ASKED)
    write(survey, (3, "Cold coffee"), (8, "Fine coffee"), traits={"store": "Harbour"})
    write(survey, *[(9, f"排队太久 {n}") for n in range(30)], language="zh-hans")
    with django_assert_max_num_queries(25):
        assert desk.get(address(survey)).context["page"].paginator.count == 32

    def told(**chosen) -> list[str]:
        return [line["text"] for line in json.loads(desk.get(address(survey, "json/"), chosen).content)]

    report = desk.get(address(survey).replace("verbatims", "report")).content.decode()
    assert f'href="{address(survey)}?question=q2"' in report
    assert told(level="low") == ["Cold coffee"]
    assert told(words="COFFEE", store="Harbour") == ["Fine coffee", "Cold coffee"]
    assert len(told(words="排队", language="zh-hans", level="high")) == 30


def test_a_case_is_made_once(desk):  # noqa: F811
    survey = open_survey(ASKED)
    write(survey, (3, "Cold coffee"))
    answer = Answer.objects.get(question="q2")
    ways = {desk.post(address(survey), {"answer": answer.pk}).url for _ in range(2)}
    case = Case.objects.get()
    assert ways == {f"/admin/surveys/case/{case.pk}/change/"}
    assert (case.response_id, case.score, case.subject) == (answer.response_id, 3, "Cold coffee")
    assert ways.pop() in desk.get(address(survey)).content.decode()


def test_of_an_anonymous_survey_only_the_words_of_enough(desk):  # noqa: F811
    survey = open_survey(ASKED, anonymous=True)
    write(survey, *[(n, text) for n, text in enumerate(("d", "b", "=a", "c"))], (9, ""))
    mix(survey_id=survey.pk, at=AT)
    assert desk.get(address(survey)).context["page"].paginator.count == 0  # four wrote something
    write(survey, *[(2, f"e{n}") for n in range(5)])
    assert desk.get(address(survey)).context["page"].paginator.count == 0  # not mixed yet
    mix(survey_id=survey.pk, at=AT)
    found = desk.get(address(survey, "json/"), {"level": "low", "words": "b", "since": "2026-01-01"}).json()
    assert [line["text"] for line in found] == ["'=a", "b", "c", "d", "e0", "e1", "e2", "e3", "e4"]
    assert set(found[0]) == {"question", "text", "themes"}
    answer = Answer.objects.filter(question="q2").first()
    assert desk.post(address(survey), {"answer": answer.pk}).status_code == 403
