"""Whether an improvement helped: did its cause come back, and did the customers of its cases recover?"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from common.sql import fetch_all
from members.models import Purchase
from surveys.enums_cases import ActionState, CaseState, Effect
from surveys.models import Case, ImprovementAction
from surveys.rates import Rate, Ratio, per_thousand, rate_ratio


@dataclass(frozen=True, slots=True)
class Recovery:
    """Of `customers` with a case that was put right: `asked` gave the same score again, `happier` of them more than
    then, `before` and `after` are the means; `bought` came back and bought within the days after."""

    customers: int
    asked: int
    happier: int
    before: float | None
    after: float | None
    bought: int
    purchases_before: int
    purchases_after: int


@dataclass(frozen=True, slots=True)
class EffectOf:
    """Cases of the cause per 1,000 purchases, so many days before it was done and after, and who recovered."""

    starts_at: datetime
    done_at: datetime
    ends_at: datetime
    over: bool  # whether all the days have passed
    before: Rate
    after: Rate
    ratio: Ratio
    recovery: Recovery

    @property
    def verdict(self) -> Effect:
        """It helped where the rate is lower for sure, it came back where it is not lower at all."""
        if self.ratio.high is not None and self.ratio.high < 1:
            return Effect.WORKED
        no_worse = self.ratio.value is not None and self.ratio.value < 1
        return Effect.UNCLEAR if no_worse or not self.after.count else Effect.FAILED

    def told(self) -> dict[str, Any]:
        """What is kept of a check."""
        return {
            "formula": "effect:1",
            "before": [self.before.count, self.before.base],
            "after": [self.after.count, self.after.base],
            "ratio": [self.ratio.value, self.ratio.low, self.ratio.high],
            "asked": self.recovery.asked,
            "happier": self.recovery.happier,
            "customers": self.recovery.customers,
            "bought": self.recovery.bought,
        }


def effect_of(action: ImprovementAction, *, at: datetime) -> EffectOf | None:
    """The effect as far as it is known at a moment; None of what is not done. While the days are not over, as many days
    before are compared as have passed."""
    if action.state != ActionState.DONE or action.done_at is None:
        return None
    done, ends = action.done_at, action.done_at + timedelta(days=action.check_days)
    until = min(at, ends)
    starts = done - (until - done)

    def rate(since: datetime, to: datetime) -> Rate:
        cases = Case.objects.filter(cause=action.cause_id, opened_at__gte=since, opened_at__lt=to)
        bought = Purchase.objects.filter(purchased_at__gte=since, purchased_at__lt=to)
        return per_thousand(cases.exclude(state=CaseState.MERGED).count(), bought.count())

    before, after = rate(starts, done), rate(done, until)
    ratio = rate_ratio(before.count, before.base, after.count, after.base)
    return EffectOf(starts, done, ends, at >= ends, before, after, ratio, _recovery(action, at))


# The first answer after a case was put right to a question of the kind whose score opened it: NPS, CSAT and CES of any
# survey, the same question first; of other kinds, whose scales differ, the same question alone.
_LATER = """
    SELECT answer.number FROM surveys_response AS again
    JOIN surveys_surveyversion AS version ON version.id = again.version_id
    JOIN LATERAL jsonb_path_query(version.definition, '$.sections[*].questions[*]') AS asked
      ON asked ->> 'kind' = helped.score_kind
    JOIN surveys_answer AS answer ON answer.response_id = again.id AND answer.question = asked ->> 'id'
    LEFT JOIN surveys_response AS said ON said.id = helped.response_id
    WHERE again.member_id = helped.member_id AND again.state = 'complete' AND answer.number IS NOT NULL
      AND again.completed_at > helped.resolved_at
      AND (helped.score_kind IN ('nps', 'csat', 'ces')
           OR (again.survey_id = said.survey_id AND answer.question = helped.question))
    ORDER BY again.completed_at, again.survey_id = said.survey_id AND answer.question = helped.question DESC NULLS LAST,
             asked ->> 'id'
    LIMIT 1
"""
_SCORE_AFTER = f"SELECT later.number FROM surveys_case AS helped JOIN LATERAL ({_LATER}) AS later ON true"

# One row for each customer: their first case of it that was put right.
_RECOVERY = f"""
WITH helped AS (
    SELECT DISTINCT ON (one.member_id) one.id, one.member_id, one.response_id, one.score, one.question, one.score_kind,
           one.opened_at, one.resolved_at
    FROM surveys_case AS one
    JOIN surveys_case_actions AS joined ON joined.case_id = one.id AND joined.improvementaction_id = %(action)s
    JOIN members_member AS member ON member.id = one.member_id
     AND member.merged_into_id IS NULL AND member.erased_at IS NULL
    WHERE one.resolved_at IS NOT NULL
    ORDER BY one.member_id, one.opened_at
),
scored AS (
    SELECT helped.id, helped.score AS before, later.number AS after
    FROM helped JOIN LATERAL ({_LATER}) AS later ON true
    WHERE helped.score IS NOT NULL
),
bought AS (
    SELECT helped.id,
           (SELECT count(*) FROM members_purchase AS p WHERE p.member_id = helped.member_id
             AND p.purchased_at >= helped.opened_at - make_interval(days => %(days)s)
             AND p.purchased_at < helped.opened_at) AS before,
           (SELECT count(*) FROM members_purchase AS p WHERE p.member_id = helped.member_id
             AND p.purchased_at >= helped.resolved_at
             AND p.purchased_at < least(helped.resolved_at + make_interval(days => %(days)s), %(at)s)) AS after
    FROM helped
)
SELECT (SELECT count(*) FROM helped), (SELECT count(*) FROM scored), (SELECT count(*) FROM scored WHERE after > before),
       (SELECT avg(before)::float FROM scored), (SELECT avg(after)::float FROM scored),
       (SELECT count(*) FROM bought WHERE after > 0), (SELECT coalesce(sum(before), 0)::int FROM bought),
       (SELECT coalesce(sum(after), 0)::int FROM bought)
"""


def _recovery(action: ImprovementAction, at: datetime) -> Recovery:
    params = {"action": action.pk, "days": action.check_days, "at": at}
    return Recovery(*fetch_all(_RECOVERY, params)[0])


def score_after(case: Case) -> int | None:
    """What its member answered first after it was put right, to a question of the kind whose score opened it; None
    where they were not asked again, or no score opened it."""
    rows = fetch_all(f"{_SCORE_AFTER} WHERE helped.id = %(case)s", {"case": case.pk})
    return int(rows[0][0]) if rows else None
