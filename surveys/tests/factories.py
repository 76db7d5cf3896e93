"""Surveys for tests."""

from datetime import UTC, datetime
from typing import Any

from surveys.enums import SurveyState, Way
from surveys.models import Survey
from surveys.services.publishing import make_survey, move

AT = datetime(2026, 5, 12, 9, tzinfo=UTC)
AB = [{"id": "a", "title": {"en": "Fine", "zh-hans": "好"}}, {"id": "b", "title": {"en": "Poor", "zh-hans": "差"}}]


def question(key: str, kind: str = "short", **more) -> dict:
    return {"id": key, "kind": kind, "title": {"en": key.upper(), "zh-hans": f"{key}？"}, **more}


def satisfaction() -> dict:
    """Recommendation, its reason for those who are unhappy, and one choice."""
    return {
        "sections": [
            {
                "id": "s1",
                "questions": [
                    question("q1", "nps", required=True),
                    question("q2", "long", show_if={"answer": "q1", "op": "at_most", "value": 6}),
                    question("q3", "single", choices=AB),
                ],
            }
        ]
    }


def open_survey(definition: Any = None, **settings) -> Survey:
    settings.setdefault("ways", list(Way.values))
    survey = make_survey(name="How was it?", definition=definition or satisfaction(), at=AT, **settings)
    return move(survey_id=survey.pk, to=SurveyState.OPEN, at=AT)
