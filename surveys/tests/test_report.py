"""Reports: sums of what was answered, missing shown as missing, small groups of anonymous surveys hidden."""

import pytest

from members.tests.factories import make_member
from surveys.enums import Way
from surveys.models import Invitation, Response
from surveys.queries import reading
from surveys.queries_report import Asked, rate_of, report, score_of, shares_of
from surveys.report import figures
from surveys.services.answering import answer, begin, complete
from surveys.services.mixing import mix
from surveys.tests.factories import AB, AT, open_survey, question

pytestmark = pytest.mark.django_db
EACH = {
    "sections": [
        {
            "id": "s1",
            "questions": [
                question("q1", "nps"),
                question("q2", "multiple", choices=AB),
                question("q3", "matrix", choices=AB, rows=AB),
                question("q4", "ranking", choices=AB),
                question("q5", "long"),
            ],
        }
    ]
}


def tell(survey, values: dict, *, language: str = "en", member=None, **traits) -> Response:
    seen = {f"q{n}": None for n in range(1, 6)} | values
    response = begin(
        survey_id=survey.pk, way=Way.PUBLIC, language=language, at=AT, traits=traits,
        member_id=member.pk if member else None,
    )  # fmt: skip
    answer(response_id=response.pk, values=seen, at=AT)
    return complete(response_id=response.pk, at=AT)


def test_each_kind_is_counted_as_it_is_answered():
    survey = open_survey(EACH)
    tell(survey, {"q1": 10, "q2": ["a", "b"], "q3": {"a": "b"}, "q4": ["b", "a"], "q5": "Lovely"})
    tell(survey, {"q1": 10, "q2": ["a"], "q4": ["a", "b"]})
    tell(survey, {"q1": 0})
    tell(survey, {})
    found, sizes = report(Asked(survey.pk))
    tallies, read = found[""], reading(Response.objects.first().version_id)
    assert sizes == {"": 4}
    assert (tallies["q1"].asked, tallies["q1"].answered, tallies["q1"].numbers) == (4, 3, {10.0: 2, 0.0: 1})
    assert score_of(read.question("q1"), tallies["q1"]).value == pytest.approx(100 / 3)
    assert tallies["q2"].choices == {"a": 2, "b": 1}
    assert shares_of(read.question("q2"), tallies["q2"])["b"].value == 50
    assert tallies["q3"].rows == {("a", "b"): 1}
    assert tallies["q4"].places == {"a": 3, "b": 3}
    assert (tallies["q5"].asked, tallies["q5"].answered) == (4, 1)


def test_nothing_answered_is_no_score():
    survey = open_survey(EACH)
    found, sizes = report(Asked(survey.pk))
    assert (found, sizes) == ({}, {})
    read = reading(survey.versions.get().pk)
    assert score_of(read.question("q1"), None).value is None
    assert shares_of(read.question("q2"), None)["a"].value is None


def test_groups_by_who_they_were_when_they_answered():
    survey = open_survey(EACH)
    for score, tier, language in ((9, "Gold", "en"), (3, "Silver", "zh-hans"), (10, "Gold", "zh-hans")):
        tell(survey, {"q1": score}, language=language, tier=tier)
    by_tier, sizes = report(Asked(survey.pk, by="tier"))
    assert sizes == {"Gold": 2, "Silver": 1}
    assert by_tier["Gold"]["q1"].numbers == {9.0: 1, 10.0: 1}
    assert set(report(Asked(survey.pk, by="language"))[1]) == {"en", "zh-hans"}
    assert report(Asked(survey.pk, by="version"))[1] == {"1": 3}
    assert report(Asked(survey.pk, until=AT))[1] == {}


def test_small_groups_of_anonymous_surveys_are_not_shown():
    survey = open_survey(EACH, anonymous=True)
    for _ in range(5):
        tell(survey, {"q1": 9})
    for _ in range(4):
        tell(survey, {"q1": 1}, language="zh-hans")
    assert report(Asked(survey.pk))[1] == {}  # not mixed yet
    mix(survey_id=survey.pk, at=AT)
    assert report(Asked(survey.pk, by="language"))[1] == {}  # beside the 9 of all, the 5 would tell the 4
    for _ in range(5):
        tell(survey, {"q1": 1}, language="zh-hans")
    mix(survey_id=survey.pk, at=AT)
    assert report(Asked(survey.pk, by="language"))[1] == {"en": 5, "zh-hans": 9}


def test_rates_have_one_denominator_each():
    survey = open_survey(EACH)
    for _ in range(4):
        Invitation.objects.create(survey=survey, member=make_member(), key="wave:1", created_at=AT)
    asked = Invitation.objects.first()
    response = begin(survey_id=survey.pk, way=Way.LINK, language="en", at=AT, invitation=asked.uid)
    complete(response_id=response.pk, at=AT)
    begin(survey_id=survey.pk, way=Way.PUBLIC, language="en", at=AT)
    tell(survey, {"q1": 4}, member=make_member())
    rate = rate_of(survey.pk)
    assert (rate.asked, rate.answered.value) == (0, None)  # no message went out (campaigns/tests/test_survey_mail.py)
    assert (rate.unasked, rate.begun, rate.finished) == (2, 3, 2)


def test_the_table_of_groups_colours_every_score_by_its_own_scale():
    asked = [question("q1", "stars"), question("q2", "slider", low=0, high=10), question("q3", "number")]
    survey = open_survey({"sections": [{"id": "s1", "questions": asked}]})
    for tier, stars, slider, number in (("Gold", 5, 10, 200), ("Silver", 1, 5, 100)):
        response = begin(survey_id=survey.pk, way=Way.PUBLIC, language="en", at=AT, traits={"tier": tier})
        answer(response_id=response.pk, values={"q1": stars, "q2": slider, "q3": number}, at=AT)
        complete(response_id=response.pk, at=AT)
    rows = figures(survey, Asked(survey.pk), "tier")["groups"]["rows"]
    assert [[cell["heat"] for cell in row["cells"]] for row in rows] == [["4", "0"], ["4", "2"], ["4", "0"]]
