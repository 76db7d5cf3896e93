"""The scores that people gave in all surveys together, and the answers behind them.

Of each kind of score a person counts once, with the newest answer of the period and, where a survey asks several
questions of the kind, the first one answered. Who is not known counts once for each time they answered. Answers to
anonymous surveys count by whole mixings in which at least the smallest group answered: no stretch of time parts them.
"""

from datetime import datetime
from typing import Any, NamedTuple

from common.sql import fetch_all

SMALLEST = 5  # of fewer people nothing is told
KINDS = ("nps", "csat", "ces")

_GIVEN = """
WITH asked AS (
    SELECT version.id, found.question->>'id' AS question, found.question->>'kind' AS kind, found.place
    FROM surveys_surveyversion AS version, jsonb_path_query(
        version.definition, '$.sections[*].questions[*] ? (@.kind == "nps" || @.kind == "csat" || @.kind == "ces")'
    ) WITH ORDINALITY AS found (question, place)
),
once AS (
    SELECT DISTINCT ON (asked.kind, coalesce(response.member_id, -response.id))
           asked.kind, answer.number::int AS number, response.id AS response_id, response.member_id,
           response.survey_id, response.completed_at, survey.anonymous, survey.smallest_group
    FROM surveys_response AS response
    JOIN surveys_survey AS survey ON survey.id = response.survey_id
     AND (NOT survey.anonymous OR response.mixed_at IS NOT NULL)
    JOIN asked ON asked.id = response.version_id
    JOIN surveys_answer AS answer ON answer.response_id = response.id AND answer.question = asked.question
     AND answer.number IS NOT NULL
    WHERE response.state = 'complete' AND response.completed_at >= %(since)s AND response.completed_at < %(until)s
    ORDER BY asked.kind, coalesce(response.member_id, -response.id), response.completed_at DESC, response.id DESC,
             asked.place
),
given AS (
    SELECT * FROM (
        SELECT *, anonymous AND count(*) OVER (PARTITION BY kind, anonymous, survey_id, completed_at) < smallest_group
                  AS hidden
        FROM once
    ) AS counted
    WHERE NOT hidden
)
"""


class Given(NamedTuple):
    """One answer behind a figure, of a survey that is not anonymous; `survey_id` is None where it is no longer kept."""

    survey_id: int | None
    survey: str | None
    response_id: int
    member_id: int | None
    member: str | None
    number: int
    at: datetime
    case_id: int | None
    in_time: bool | None = None  # answered within a day, of who was unhappy


def scores_given(*, since: datetime, until: datetime) -> dict[str, dict[int, int]]:
    """Kind of score → number given → by how many people, of the answers finished in [since, until). One query."""
    found: dict[str, dict[int, int]] = {}
    rows = fetch_all(
        f"{_GIVEN} SELECT kind, number, count(*) FROM given GROUP BY 1, 2 ORDER BY 1, 2",
        {"since": since, "until": until},
    )
    for kind, number, people in rows:
        found.setdefault(kind, {})[number] = people
    return found


def answers_given(
    kind: str, *, since: datetime, until: datetime, first: int = 0, most: int | None = None
) -> list[Given]:
    """The answers behind a score, newest first, as far as their surveys are not anonymous."""
    rows: list[tuple[Any, ...]] = fetch_all(
        f"""{_GIVEN}
        SELECT given.survey_id, survey.name, given.response_id, given.member_id, member.name, given.number,
               given.completed_at, own.id
        FROM given
        JOIN surveys_survey AS survey ON survey.id = given.survey_id
        LEFT JOIN members_member AS member ON member.id = given.member_id
        LEFT JOIN surveys_case AS own ON own.response_id = given.response_id
        WHERE given.kind = %(kind)s AND NOT given.anonymous
        ORDER BY given.completed_at DESC, given.response_id DESC OFFSET %(first)s LIMIT %(most)s""",
        {"since": since, "until": until, "kind": kind, "first": first, "most": most},
    )
    return [Given(*row) for row in rows]


def counted_given(kind: str, *, since: datetime, until: datetime) -> tuple[int, list[tuple[int, str, int]]]:
    """How many answers stand behind a score in surveys that are not anonymous, and (survey, its name, how many) of each
    that is."""
    rows = fetch_all(
        f"""{_GIVEN}
        SELECT survey.id, survey.name, survey.anonymous, count(*)
        FROM given JOIN surveys_survey AS survey ON survey.id = given.survey_id
        WHERE given.kind = %(kind)s GROUP BY survey.id ORDER BY survey.id""",
        {"since": since, "until": until, "kind": kind},
    )
    unnamed = [(pk, name, n) for pk, name, anonymous, n in rows if anonymous]
    return sum(n for _pk, _name, anonymous, n in rows if not anonymous), unnamed
