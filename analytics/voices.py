"""What customers say, and whether they bring others: the scores of all surveys, complaints, and the referral rate."""

from dataclasses import dataclass
from typing import Any

from analytics.periods import Period
from common.sql import fetch_all
from referrals.queries_figures import referral_rate
from surveys.queries_care import first_answers, unhappy_answered
from surveys.queries_given import scores_given

_COMPLAINTS = """
SELECT count(*) FILTER (WHERE opened_at >= %(start)s),
       count(*) FILTER (WHERE opened_at >= %(before_start)s AND opened_at < %(before_end)s)
FROM surveys_case
WHERE kind = 'complaint' AND state <> 'merged' AND opened_at >= %(before_start)s AND opened_at < %(at)s
"""


@dataclass(frozen=True)
class Voices:
    """`scores`: kind → "now" or "before" → number given (as text, for JSON) → by how many people
    (surveys.queries_given). `complaints` now and before; of the `active` members, `givers` brought at least one
    customer in the period. `care`: of cases opened and of who was unhappy (surveys.queries_care), `cases`, `answered`
    of them, the `median` of business minutes to the first answer, `unhappy` and the share `heard` within a day."""

    scores: dict[str, dict[str, dict[str, int]]]
    complaints: list[int]
    active: int
    givers: int
    care: dict[str, float | None] | None = None


def voices(period: Period) -> Voices:
    """Of a period and the one before it, in a constant number of statements."""
    params: dict[str, Any] = period.params()
    stretches = {"now": (period.start, period.at), "before": (period.before_start, period.before_end)}
    scores: dict[str, dict[str, dict[str, int]]] = {}
    for when, (since, until) in stretches.items():
        for kind, counts in scores_given(since=since, until=until).items():
            scores.setdefault(kind, {"now": {}, "before": {}})[when] = {str(n): people for n, people in counts.items()}
    now, before = fetch_all(_COMPLAINTS, params)[0]
    active, givers = referral_rate(start=period.start, end=period.at)
    times = first_answers(since=period.start, until=period.at, at=period.at)
    heard = unhappy_answered(since=period.start, until=period.at, at=period.at)
    care = {"cases": times.n, "answered": times.events, "median": times.median}
    return Voices(scores, [now, before], active, givers, {**care, "unhappy": heard.n, "heard": heard.value})
