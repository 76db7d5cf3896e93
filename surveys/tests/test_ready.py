"""Ready surveys and sets of questions."""

import pytest

from surveys.definition import Known
from surveys.parser import parse
from surveys.ready import READY, SETS


@pytest.mark.parametrize("key", READY)
def test_a_ready_survey_can_be_asked_as_it_is_in_both_languages(key):
    survey = parse(READY[key].definition, Known())
    assert 3 <= sum(1 for _ in survey.questions()) <= 8


def test_sets_of_questions_can_stand_together_in_one_survey():
    questions = [question for one in SETS.values() for question in one.questions]
    survey = parse({"sections": [{"id": "s1", "questions": questions}]}, Known())
    assert len(list(survey.questions())) == 8
