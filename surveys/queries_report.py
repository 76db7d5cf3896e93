"""What a survey's answers come to: counts for each question in one pass, by group where asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.timezone import get_current_timezone_name

from common.sql import fetch_all
from surveys.definition import Question
from surveys.enums import QuestionKind
from surveys.models import Survey
from surveys.reaching import handed_over
from surveys.scores import Score, ces, csat, mean, nps, share

EVERYBODY = ""
BY = {
    "language": "response.language",
    "way": "response.way",
    "version": "version.number::text",
    "month": "to_char(response.completed_at AT TIME ZONE %(zone)s::text, 'YYYY-MM')",
    "wave": "CASE WHEN invitation.key LIKE 'wave:%%' THEN substr(invitation.key, 6) ELSE '' END",
}
_JOINS = {
    "version": "JOIN surveys_surveyversion AS version ON version.id = response.version_id",
    "wave": "LEFT JOIN surveys_invitation AS invitation ON invitation.id = response.invitation_id",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which answers a report is of: complete ones, of a span of time, by a trait of who answered."""

    survey_id: int
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""  # "language", "way", "version", "month", "wave", a trait kept with the response, "segment:5"
    version: int | None = None  # a number
    way: str = ""
    segment: int | None = None
    traits: tuple[tuple[str, str], ...] = ()

    @property
    def of_some(self) -> bool:
        """Whether only some people are asked for, by who they are and how they answered."""
        return bool(self.version or self.way or self.segment or self.traits)

    @property
    def narrowed(self) -> bool:
        """Whether only a part is asked for. Of an anonymous survey none is: two parts that differ by one would tell
        that one's answer."""
        return bool(self.since or self.until or self.of_some)


@dataclass(slots=True)
class Tally:
    """Of one question in one group. `asked` saw it, `answered` said something, the rest passed it over.

    `numbers`, `choices` and `rows` count what was said; `places` sums the ranks a choice was given (1 is first).
    """

    asked: int = 0
    answered: int = 0
    numbers: dict[float, int] = field(default_factory=dict)
    choices: dict[str, int] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    rows: dict[tuple[str, str], int] = field(default_factory=dict)


class Narrowed(Exception):
    """A part of an anonymous survey was asked for."""


Report = dict[str, dict[str, Tally]]  # by group, by question

_COUNTS = """
SELECT {group} AS who, answer.question, answer.number, answer.choices, answer.rows::text, count(*),
       count(*) FILTER (WHERE answer.number IS NOT NULL OR answer.choices IS NOT NULL OR answer.rows IS NOT NULL
                        OR answer.text <> '' OR answer.day IS NOT NULL OR answer.upload_id IS NOT NULL)
FROM surveys_response AS response {joins}
JOIN surveys_answer AS answer ON answer.response_id = response.id
WHERE {where}
GROUP BY 1, 2, 3, 4, 5
"""
INSIDE = {True: "in", False: "out"}
_SIZES = "SELECT {group} AS who, count(*) FROM surveys_response AS response {joins} WHERE {where} GROUP BY 1"


def parts_of(asked: Asked, survey: Survey) -> tuple[dict[str, str], dict[str, Any]]:
    """The clauses "group", "joins" and "where" of a statement from surveys_response AS response, and its parameters."""
    where = ["response.survey_id = %(survey)s", "response.state = 'complete'"]
    params: dict[str, Any] = {"survey": asked.survey_id, "since": asked.since, "until": asked.until}
    if survey.anonymous:
        where.append("response.mixed_at IS NOT NULL")
        if asked.narrowed:
            raise Narrowed
    if asked.since:
        where.append("response.completed_at >= %(since)s")
    if asked.until:
        where.append("response.completed_at < %(until)s")
    if asked.version:
        params["version"] = asked.version
        where.append(
            "response.version_id = (SELECT id FROM surveys_surveyversion"
            " WHERE survey_id = %(survey)s AND number = %(version)s)"
        )
    if asked.way:
        params["way"] = asked.way
        where.append("response.way = %(way)s")
    if asked.segment:
        params["only"] = asked.segment
        where.append("response.member_id IN (SELECT member_id FROM members_segmentmember WHERE segment_id = %(only)s)")
    if asked.traits:
        params["who"] = json.dumps(dict(asked.traits))
        where.append("response.traits @> %(who)s::jsonb")
    joins = ""
    if not asked.by:
        group = "''"
    elif asked.by in BY:
        group, joins = BY[asked.by], _JOINS.get(asked.by, "")
        params["zone"] = get_current_timezone_name()
    elif asked.by.startswith("segment:"):
        params["segment"] = int(asked.by.removeprefix("segment:"))
        joins = (
            "LEFT JOIN members_segmentmember AS inside"
            " ON inside.segment_id = %(segment)s AND inside.member_id = response.member_id"
        )
        group = "inside.member_id IS NOT NULL"  # of which the planner knows that there are two: half the time of a text
    else:
        params["trait"] = asked.by
        group = "coalesce(response.traits ->> %(trait)s::text, '')"
    return {"group": group, "joins": joins, "where": " AND ".join(where)}, params


def shown_of(sizes: Mapping[str, int], smallest: int) -> dict[str, int]:
    """The groups that can be shown: none below the smallest, and so many left out that all of those left out together,
    which anybody can tell by subtraction, are not below it either."""
    order = sorted(sizes, key=lambda who: (sizes[who], who))
    hidden = 0
    while order and (sizes[order[0]] < smallest or 0 < hidden < smallest):
        hidden += sizes[order.pop(0)]
    return {who: n for who, n in sizes.items() if who in order}


def report(asked: Asked, *, hide: bool = False) -> tuple[Report, dict[str, int]]:
    """The tallies, and how many answered in each group. Of an anonymous survey, or where asked to `hide` them, groups
    below its smallest are left out whole, and with them as many more as it takes that what is left of the sum is no
    smaller group either. Narrowed where a part of an anonymous survey is asked for."""
    survey = Survey.objects.get(pk=asked.survey_id)
    parts, params = parts_of(asked, survey)
    sizes = {INSIDE.get(who, who): n for who, n in fetch_all(_SIZES.format(**parts), params)}
    if survey.anonymous or hide:
        sizes = shown_of(sizes, survey.smallest_group)
    found: Report = {who: {} for who in sizes}
    for who, question, number, choices, rows, n, said in fetch_all(_COUNTS.format(**parts), params):
        who = INSIDE.get(who, who)
        if who not in found:
            continue
        tally = found[who].setdefault(question, Tally())
        tally.asked += n
        tally.answered += said
        if number is not None:
            tally.numbers[float(number)] = tally.numbers.get(float(number), 0) + n
        for place, choice in enumerate(choices or (), 1):
            tally.choices[choice] = tally.choices.get(choice, 0) + n
            tally.places[choice] = tally.places.get(choice, 0) + n * place
        for pair in json.loads(rows or "{}").items():
            tally.rows[pair] = tally.rows.get(pair, 0) + n
    return found, sizes


def score_of(question: Question, tally: Tally | None) -> Score | None:
    """The score of a question's kind; None for kinds that have none."""
    numbers: Mapping[float, int] = tally.numbers if tally else {}
    whole = {int(number): n for number, n in numbers.items()}
    match question.kind:
        case QuestionKind.NPS:
            return nps(whole)
        case QuestionKind.CSAT:
            return csat(whole)
        case QuestionKind.CES:
            return ces(whole)
        case QuestionKind.STARS | QuestionKind.SLIDER | QuestionKind.NUMBER:
            return mean("mean:1", numbers)
    return None


def shares_of(question: Question, tally: Tally | None) -> dict[str, Score]:
    """Of those who answered, the share that chose each, with its interval."""
    keys = [choice.id for choice in question.choices] + (["other"] if question.other else [])
    if question.kind == QuestionKind.CONSENT:
        keys = ["yes", "no"]
    answered = tally.answered if tally else 0
    return {key: share("share:1", tally.choices.get(key, 0) if tally else 0, answered) for key in keys}


@dataclass(frozen=True, slots=True)
class Rate:
    """`asked` got an invitation from us, handed over; `answered` is the share of them who answered it. `unasked`
    answered without having been asked by it: by a public link, on their pages, by a link in another mail."""

    asked: int
    answered: Score
    unasked: int
    begun: int
    finished: int
    completion: Score


_RATE = """
SELECT count(*), count(*) FILTER (WHERE state IN ('complete', 'over_quota'))
FROM surveys_response WHERE survey_id = %(survey)s AND state <> 'void'
"""


def rate_of(survey_id: int) -> Rate:
    """Response rate: answered / invitations handed over to the member (surveys.reaching); who was not asked is in
    neither. Completion rate: finished / begun, of everybody."""
    ((begun, finished),) = fetch_all(_RATE, {"survey": survey_id})
    asked, answered = handed_over([survey_id]).get(survey_id, (0, 0))
    return Rate(
        asked,
        share("response-rate:2", answered, asked),
        max(0, finished - answered),
        begun,
        finished,
        share("completion-rate:1", finished, begun),
    )
