"""What a report shows beside counts: the questions ever asked, what goes together, and the answers behind a figure."""

from dataclasses import dataclass
from typing import Any

from common.sql import fetch_all
from members.models import Segment
from surveys.definition import Question
from surveys.enums import NUMERIC, QuestionKind
from surveys.models import Survey
from surveys.queries import reading
from surveys.scores import Score, rank_correlation

NEWEST = 5000  # so many answers, the newest, are enough to tell what goes together
MAIN = (QuestionKind.NPS, QuestionKind.CSAT, QuestionKind.CES, QuestionKind.STARS)


def questions_of(survey: Survey) -> list[Question]:
    """All that was ever asked, in the words of the newest version that asks it; what it asks no more comes last."""
    found: dict[str, Question] = {}
    for pk in survey.versions.order_by("-number").values_list("pk", flat=True):
        for question in reading(pk).questions():
            if question.kind != QuestionKind.STATEMENT:
                found.setdefault(question.id, question)
    return list(found.values())


def main_of(questions: list[Question]) -> Question | None:
    """The overall score: the first of the kind that says most."""
    return next((one for kind in MAIN for one in questions if one.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Driver:
    question: Question
    score: Score  # Spearman's rho of those who answered both


_PAIRS = """
SELECT other.question, first.number, other.number
FROM (SELECT id FROM surveys_response AS response
      WHERE survey_id = %(survey)s AND state = 'complete' {mixed}
      ORDER BY completed_at DESC LIMIT %(newest)s) AS response
JOIN surveys_answer AS first ON first.response_id = response.id AND first.question = %(main)s
JOIN surveys_answer AS other ON other.response_id = response.id AND other.question <> first.question
WHERE first.number IS NOT NULL AND other.number IS NOT NULL
"""


def drivers_of(survey: Survey, questions: list[Question], *, hide: bool = False) -> list[Driver]:
    """How each other number goes together with the overall score, the closest first; none that cannot be told."""
    main = main_of(questions)
    others = {one.id: one for one in questions if one.kind in NUMERIC and one is not main}
    if main is None or not others:
        return []
    mixed = "AND mixed_at IS NOT NULL" if survey.anonymous else ""
    pairs: dict[str, list[tuple[float, float]]] = {}
    params = {"survey": survey.pk, "main": main.id, "newest": NEWEST}
    for key, first, other in fetch_all(_PAIRS.format(mixed=mixed), params):
        pairs.setdefault(key, []).append((float(first), float(other)))
    found = [Driver(others[key], rank_correlation(both)) for key, both in pairs.items() if key in others]
    least = survey.smallest_group if survey.anonymous or hide else 0
    told = [one for one in found if one.score.value is not None and one.score.n >= least]
    return sorted(told, key=lambda one: -abs(one.score.value or 0))


def traits_in(survey: Survey) -> dict[str, list[str]]:
    """What is known of those who answered, by trait: its values."""
    rows: list[tuple[Any, ...]] = fetch_all(
        "SELECT DISTINCT pair.key, pair.value FROM surveys_response AS response,"
        " jsonb_each_text(response.traits) AS pair WHERE response.survey_id = %(survey)s ORDER BY 1, 2 LIMIT 500",
        {"survey": survey.pk},
    )
    found: dict[str, list[str]] = {}
    for key, value in rows:
        found.setdefault(key, []).append(value)
    return found


def segments_for(survey: Survey) -> list[tuple[int, str]]:
    """The groups of members to break down by; none where nobody is known."""
    if survey.anonymous:
        return []
    return [(segment.pk, segment.name) for segment in Segment.objects.filter(archived_at=None).order_by("name")[:50]]
