"""The shapes of surveys and answers to them."""

from typing import Any, Literal

from django.utils.translation import gettext_noop
from pydantic import Field

from api.schemas import In, Key, MemberRef, Out, When

Texts = dict[str, str]


class SurveyChoice(Out):
    id: str
    title: Texts


class SurveyQuestion(Out):
    id: str
    kind: str
    title: Texts
    required: bool
    choices: list[SurveyChoice]
    rows: list[SurveyChoice]
    low: int | None
    high: int | None


class OpenSurvey(Out):
    code: str
    languages: list[str]
    anonymous: bool
    thanks_points: int
    closes_at: When | None
    questions: list[SurveyQuestion]


class OpenSurveys(Out):
    surveys: list[OpenSurvey]


class NewAnswers(In):
    key: Key
    member: MemberRef | None = Field(None, description=gettext_noop("Who answers; nobody known: leave it out."))
    invitation: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description=gettext_noop("What stands in the personal link."),
        examples=["3f2c1b1e-0000-4000-8000-000000000000"],
    )
    language: Literal["en", "zh-hans"] = "en"
    store: str = Field("", max_length=80)
    answers: dict[str, Any] = Field(
        min_length=1,
        max_length=200,
        description=gettext_noop(
            "By question: a number for scales, “a” or [“a”, “b”] for choices, texts, “2026-05-12” for days, true for a"
            " consent."
        ),
        examples=[{"q1": 9}],
    )


class Answered(Out):
    key: str
    survey: str
    counted: bool
    thanks_points: int
