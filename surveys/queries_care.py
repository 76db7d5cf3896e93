"""Figures of care: how often members complain, how fast they are answered and helped, and whether they come back. Every
figure names its formula, and nothing that is still open is left out of a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.translation import get_language

from common.sql import fetch_all
from members.models import Purchase
from surveys import clock
from surveys.enums_cases import DONE, UNDONE, CaseKind, CaseState
from surveys.models import Case
from surveys.queries_desk import desk_hours
from surveys.queries_given import KINDS, Given, scores_given
from surveys.rates import Rate, Times, per_thousand, time_to
from surveys.scores import SCORES, Score, share

FOLLOWED = 60  # days after it was put right in which a customer comes back


@dataclass(frozen=True, slots=True)
class Reason:
    """One bar of the Pareto chart: how many complaints, their share, and the share of all bars up to this one."""

    pk: int | None
    name: str
    count: int
    percent: float
    sum_percent: float

    @property
    def width(self) -> str:
        """Of its bar in percent, for SVG: with a point in every language."""
        return f"{self.percent:.1f}"


@dataclass(frozen=True, slots=True)
class Care:
    """The figures of one period, [since, until)."""

    since: datetime
    until: datetime
    scores: dict[str, Score]  # by kind, as surveys.queries_given counts them
    rate: Rate  # complaints opened per 1,000 purchases
    answer: Times  # business minutes
    resolve: Times  # business minutes
    reopened: Score  # of the cases that were put right
    detractors: Score  # answered within a day, of those who were unhappy
    recovered: Score  # bought again within FOLLOWED days, of those who were followed that long
    categories: list[Reason]
    causes: list[Reason]
    opened: int
    undone: int


def care(*, since: datetime, until: datetime, at: datetime) -> Care:
    """The figures of cases opened, and of what became of them, in a period. A constant number of queries."""
    opened = _opened(since, until)
    complaints = opened.filter(kind=CaseKind.COMPLAINT)
    bought = Purchase.objects.filter(purchased_at__gte=since, purchased_at__lt=until).count()
    answered, resolved = _times(opened, at)
    given = scores_given(since=since, until=until)
    return Care(
        since=since,
        until=until,
        scores={kind: SCORES[kind](given.get(kind, {})) for kind in KINDS},
        rate=per_thousand(complaints.count(), bought, "complaints-per-1000-purchases:1"),
        answer=answered,
        resolve=resolved,
        reopened=_share_of("reopened:1", "reopened", "put_right", since, until, at),
        detractors=unhappy_answered(since=since, until=until, at=at),
        recovered=_share_of("bought-again-60-days:1", "recovered", "followed", since, until, at),
        categories=_pareto(complaints, "category"),
        causes=_pareto(complaints, "cause"),
        opened=opened.count(),
        undone=opened.filter(state__in=UNDONE).count(),
    )


def first_answers(*, since: datetime, until: datetime, at: datetime) -> Times:
    """Business minutes to the first answer of the cases opened in [since, until)."""
    return _times(_opened(since, until), at)[0]


def _times(cases: QuerySet[Case], at: datetime) -> tuple[Times, Times]:
    """Times to the first answer and until put right; what is open counts as long as it is open already. Praise needs
    no putting right, but an answer."""
    hours = desk_hours()
    answers: list[tuple[float, bool]] = []
    resolves: list[tuple[float, bool]] = []
    rows = cases.values_list("opened_at", "answer_minutes", "resolve_minutes", "kind", "state")
    for opened, answer, resolve, kind, state in rows.iterator():
        so_far = 0 if answer is not None and resolve is not None else clock.passed(opened, at, hours)
        over = state in DONE and answer is None  # put right without a word: never answered
        known = answer if answer is not None else resolve if over and resolve is not None else so_far
        answers.append((known, answer is not None))
        if kind != CaseKind.PRAISE:
            resolves.append((resolve if resolve is not None else so_far, resolve is not None))
    return time_to(answers), time_to(resolves)


# Who said in a survey that they are unhappy, a day ago or longer, and whether they got an answer within 24 hours by the
# clock. What is answered in the case that theirs was merged into is answered.
_UNHAPPY = """
WITH unhappy AS (
    SELECT said.id, said.member_id, member.name, (said.data ->> 'response')::bigint AS response_id,
           (said.data ->> 'score')::int AS number, said.at, own.id AS case_id,
           own.id IS NOT NULL AND EXISTS (
               SELECT FROM surveys_casemessage AS message
               WHERE message.case_id IN (own.id, own.merged_into_id) AND message.kind = 'out'
                 AND message.at >= said.at AND message.at <= said.at + interval '1 day') AS in_time
    FROM members_timelineevent AS said
    JOIN members_member AS member ON member.id = said.member_id AND member.erased_at IS NULL
    LEFT JOIN surveys_case AS own ON own.response_id = (said.data ->> 'response')::bigint
    WHERE said.kind = 'survey.detractor' AND said.at >= %(since)s
      AND said.at < least(%(until)s, %(at)s - interval '1 day')
)
"""
# The first complaint of each member that was put right in the period and since when FOLLOWED days have passed.
_HELPED = """
SELECT helped.id FROM (
    SELECT DISTINCT ON (one.member_id) one.id, one.member_id, one.resolved_at
    FROM surveys_case AS one
    JOIN members_member AS member ON member.id = one.member_id
     AND member.merged_into_id IS NULL AND member.erased_at IS NULL
    WHERE one.kind = 'complaint' AND one.state IN ('resolved', 'closed')
      AND one.resolved_at >= %s AND one.resolved_at < least(%s, %s - make_interval(days => %s))
    ORDER BY one.member_id, one.resolved_at, one.id
) AS helped
"""
_BOUGHT = """
WHERE EXISTS (SELECT FROM members_purchase AS p
              WHERE p.member_id = helped.member_id AND p.purchased_at > helped.resolved_at
                AND p.purchased_at <= helped.resolved_at + make_interval(days => %s))
"""


def _opened(since: datetime, until: datetime) -> QuerySet[Case]:
    return Case.objects.filter(opened_at__gte=since, opened_at__lt=until).exclude(state=CaseState.MERGED)


def _helped(since: datetime, until: datetime, at: datetime, *, bought: bool = False) -> QuerySet[Case]:
    params = [since, until, at, FOLLOWED, *([FOLLOWED] if bought else [])]
    return Case.objects.filter(pk__in=RawSQL(_HELPED + (_BOUGHT if bought else ""), params))  # noqa: S611  no outer text


# By the name of a figure, the cases behind it.
_BEHIND: dict[str, Callable[[datetime, datetime, datetime], QuerySet[Case]]] = {
    "complaints": lambda since, until, at: _opened(since, until).filter(kind=CaseKind.COMPLAINT),
    "opened": lambda since, until, at: _opened(since, until),
    "undone": lambda since, until, at: _opened(since, until).filter(state__in=UNDONE),
    "to_put_right": lambda since, until, at: _opened(since, until).exclude(kind=CaseKind.PRAISE),
    "put_right": lambda since, until, at: _opened(since, until).filter(Q(state__in=DONE) | Q(reopened__gt=0)),
    "reopened": lambda since, until, at: _opened(since, until).filter(reopened__gt=0),
    "followed": lambda since, until, at: _helped(since, until, at),
    "recovered": lambda since, until, at: _helped(since, until, at, bought=True),
}


def cases_behind(name: str, *, since: datetime, until: datetime, at: datetime) -> QuerySet[Case]:
    """The cases that a figure counts, by name: "complaints", "opened", "undone", "to_put_right" (all but praise),
    "put_right" and of these "reopened", "followed" (one complaint of each customer) and of these "recovered".
    KeyError."""
    return _BEHIND[name](since, until, at)


def _share_of(formula: str, some: str, of: str, since: datetime, until: datetime, at: datetime) -> Score:
    counts = [cases_behind(name, since=since, until=until, at=at).count() for name in (some, of)]
    return share(formula, *counts)


def unhappy_answered(*, since: datetime, until: datetime, at: datetime) -> Score:
    """Of those who were unhappy in a survey in [since, until), a day before `at` or earlier: who was heard in a day."""
    some, n = fetch_all(
        f"{_UNHAPPY} SELECT count(*) FILTER (WHERE in_time), count(*) FROM unhappy",
        {"since": since, "until": until, "at": at},
    )[0]
    return share("detractors-answered-in-24h:2", some, n)


def unhappy_ones(
    *, since: datetime, until: datetime, at: datetime, missed: bool, first: int = 0, most: int = 100
) -> list[Given]:
    """The answers behind it, newest first; only those without an answer in time where `missed`."""
    rows = fetch_all(
        f"""{_UNHAPPY}
        SELECT response.survey_id, survey.name, unhappy.response_id, unhappy.member_id, unhappy.name, unhappy.number,
               unhappy.at, unhappy.case_id, unhappy.in_time
        FROM unhappy
        LEFT JOIN surveys_response AS response ON response.id = unhappy.response_id
        LEFT JOIN surveys_survey AS survey ON survey.id = response.survey_id
        WHERE NOT (%(missed)s AND in_time)
        ORDER BY unhappy.at DESC, unhappy.id DESC OFFSET %(first)s LIMIT %(most)s""",
        {"since": since, "until": until, "at": at, "missed": missed, "first": first, "most": most},
    )
    return [Given(*row) for row in rows]


def _pareto(complaints: QuerySet[Case], by: str) -> list[Reason]:
    """The reasons, most frequent first, each with its share and the running sum."""
    name = f"{by}__name_{(get_language() or 'en').replace('-', '_')}"
    rows: list[dict[str, Any]] = list(
        complaints.values(by, plain=F(f"{by}__name_en"), own=F(name)).annotate(n=Count("pk")).order_by("-n", by)
    )
    total, running, bars = sum(row["n"] for row in rows), 0, []
    for row in rows:
        running += row["n"]
        words = row["own"] or row["plain"] or ""
        bars.append(Reason(row[by], words, row["n"], 100 * row["n"] / total, 100 * running / total))
    return bars
