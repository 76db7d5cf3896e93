"""Figures of care: how often members complain, how fast they are answered and helped, and whether they come back. Every
figure names its formula, and nothing that is still open is left out of a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import get_language

from common.sql import fetch_all
from members.models import Purchase
from surveys import clock
from surveys.enums_cases import DONE, CaseKind, CaseState
from surveys.models import Case
from surveys.queries_desk import desk_hours
from surveys.rates import Rate, Times, per_thousand, time_to
from surveys.scores import Score, share

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
    opened = Case.objects.filter(opened_at__gte=since, opened_at__lt=until).exclude(state=CaseState.MERGED)
    complaints = opened.filter(kind=CaseKind.COMPLAINT)
    bought = Purchase.objects.filter(purchased_at__gte=since, purchased_at__lt=until).count()
    answered, resolved = _times(opened, at)
    helped = opened.filter(Q(state__in=DONE) | Q(reopened__gt=0)).aggregate(
        n=Count("pk"), again=Count("pk", filter=Q(reopened__gt=0))
    )
    return Care(
        since=since,
        until=until,
        rate=per_thousand(complaints.count(), bought, "complaints-per-1000-purchases:1"),
        answer=answered,
        resolve=resolved,
        reopened=share("reopened:1", helped["again"], helped["n"]),
        detractors=_detractors(since, until, at),
        recovered=_recovered(since, until, at),
        categories=_pareto(complaints, "category"),
        causes=_pareto(complaints, "cause"),
        opened=opened.count(),
        undone=opened.filter(state__in=[CaseState.NEW, CaseState.OPEN, CaseState.WAITING]).count(),
    )


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


# Who said in a survey that they are unhappy, a day ago or longer, and got an answer within 24 hours by the clock.
_DETRACTORS = """
SELECT count(*) FILTER (WHERE one.answered_at <= said.at + interval '1 day'), count(*)
FROM members_timelineevent AS said
JOIN members_member AS member ON member.id = said.member_id AND member.erased_at IS NULL
LEFT JOIN surveys_case AS one ON one.response_id = (said.data ->> 'response')::bigint
WHERE said.kind = 'survey.detractor' AND said.at >= %(since)s
  AND said.at < least(%(until)s, %(at)s - interval '1 day')
"""
# The member of each complaint that was put right in the period and since when FOLLOWED days have passed: each once.
_RECOVERED = """
SELECT count(*) FILTER (WHERE EXISTS (
           SELECT FROM members_purchase AS p
           WHERE p.member_id = helped.member_id AND p.purchased_at > helped.resolved_at
             AND p.purchased_at <= helped.resolved_at + make_interval(days => %(days)s))),
       count(*)
FROM (
    SELECT DISTINCT ON (one.member_id) one.member_id, one.resolved_at
    FROM surveys_case AS one
    JOIN members_member AS member ON member.id = one.member_id
     AND member.merged_into_id IS NULL AND member.erased_at IS NULL
    WHERE one.kind = 'complaint' AND one.state IN ('resolved', 'closed')
      AND one.resolved_at >= %(since)s AND one.resolved_at < least(%(until)s, %(at)s - make_interval(days => %(days)s))
    ORDER BY one.member_id, one.resolved_at
) AS helped
"""


def _detractors(since: datetime, until: datetime, at: datetime) -> Score:
    some, n = fetch_all(_DETRACTORS, {"since": since, "until": until, "at": at})[0]
    return share("detractors-answered-in-24h:1", some, n)


def _recovered(since: datetime, until: datetime, at: datetime) -> Score:
    some, n = fetch_all(_RECOVERED, {"since": since, "until": until, "at": at, "days": FOLLOWED})[0]
    return share("bought-again-60-days:1", some, n)


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
