"""A screen of a survey, as its form sends it."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import QueryDict

from surveys.answers import OTHER
from surveys.definition import Question
from surveys.enums import QuestionKind


def raw_values(questions: Iterable[Question], posted: QueryDict) -> dict[str, Any]:
    """What surveys.answers.clean reads, of each question but photos; None where nothing was chosen.

    Names of fields: "q1"; "q1.other" for words of one's own; "q1.row.a" for rows and for the places of a ranking.
    """
    return {question.id: _raw(question, posted) for question in questions if question.kind != QuestionKind.PHOTO}


def _raw(question: Question, posted: QueryDict) -> Any:
    key = question.id
    match question.kind:
        case QuestionKind.MULTIPLE:
            chosen: list[Any] = posted.getlist(key)
            return [_with_words(question, each, posted) for each in chosen]
        case QuestionKind.SINGLE:
            return _with_words(question, posted.get(key), posted)
        case QuestionKind.MATRIX:
            return {
                row.id: posted.get(f"{key}.row.{row.id}") for row in question.rows if f"{key}.row.{row.id}" in posted
            }
        case QuestionKind.RANKING:
            places = {choice.id: posted.get(f"{key}.row.{choice.id}", "") for choice in question.choices}
            return ranked(places)
    return posted.get(key)


def _with_words(question: Question, choice: str | None, posted: QueryDict) -> Any:
    if choice == OTHER and question.other:
        return {"choice": OTHER, "text": posted.get(f"{question.id}.other", "")}
    return choice


def ranked(places: Mapping[str, str]) -> list[str]:
    """The keys by their places; nothing where no place was given. Where two have one, or one has none, what is told is
    no ranking, and is refused as one."""
    told = {key: int(place) for key, place in places.items() if place.isdecimal() and len(place) < 4}
    if not told:
        return []
    order = sorted(told, key=lambda key: told[key])
    return order if len(set(told.values())) == len(places) else order[:1] * 2
