"""What customers say, and whether they bring others: the scores of all surveys, complaints, and the referral rate."""

from dataclasses import dataclass
from typing import Any

from analytics.periods import Period
from common.sql import fetch_all
from referrals.queries_figures import referral_rate

# How often each number was given, by the kind of question, in the period and the one before it. What an anonymous
# survey was told counts once it is mixed with others (surveys.services.mixing).
_SCORES = """
WITH asked AS (
    SELECT version.id, question->>'id' AS question, question->>'kind' AS kind
    FROM surveys_surveyversion AS version, jsonb_path_query(
        version.definition, '$.sections[*].questions[*] ? (@.kind == "nps" || @.kind == "csat" || @.kind == "ces")'
    ) AS question
)
SELECT asked.kind, response.completed_at >= %(start)s AS current, answer.number::int, count(*)
FROM surveys_response AS response
JOIN surveys_survey AS survey ON survey.id = response.survey_id AND (
    NOT survey.anonymous OR response.mixed_at IS NOT NULL)
JOIN asked ON asked.id = response.version_id
JOIN surveys_answer AS answer ON answer.response_id = response.id AND answer.question = asked.question
WHERE response.state = 'complete' AND answer.number IS NOT NULL AND response.completed_at >= %(before_start)s
  AND response.completed_at <= %(at)s
  AND (response.completed_at >= %(start)s OR response.completed_at <= %(before_end)s)
GROUP BY 1, 2, 3
"""
_COMPLAINTS = """
SELECT count(*) FILTER (WHERE opened_at >= %(start)s),
       count(*) FILTER (WHERE opened_at >= %(before_start)s AND opened_at <= %(before_end)s)
FROM surveys_case
WHERE kind = 'complaint' AND state <> 'merged' AND opened_at >= %(before_start)s AND opened_at <= %(at)s
"""


@dataclass(frozen=True)
class Voices:
    """`scores`: kind → "now" or "before" → number given (as text, for JSON) → how often. `complaints` now and before;
    of the `active` members, `givers` brought at least one customer in the period."""

    scores: dict[str, dict[str, dict[str, int]]]
    complaints: list[int]
    active: int
    givers: int


def voices(period: Period) -> Voices:
    """Of a period and the one before it, in three statements."""
    scores: dict[str, dict[str, dict[str, int]]] = {}
    params: dict[str, Any] = period.params()
    for kind, current, number, times in fetch_all(_SCORES, params):
        counts = scores.setdefault(kind, {"now": {}, "before": {}})["now" if current else "before"]
        counts[str(number)] = times
    now, before = fetch_all(_COMPLAINTS, params)[0]
    active, givers = referral_rate(start=period.start, end=period.at)
    return Voices(scores, [now, before], active, givers)
