"""New, active, lapsing, lost, won back: by each member's own rhythm. docs/dashboard.md has the definitions.

A member's *step* is the usual number of days between their visits (members.models.PurchaseSummary.rhythm_days), at
least SHORTEST and at most LONGEST days, and FALLBACK where they have not come often enough to have one.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from django.db.models import Case, DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Greatest, Least

from analytics.enums import Lifecycle
from analytics.periods import Period
from analytics.queries import Figure, empty_figure
from common.sql import fetch_all
from members.models import Member, Purchase, PurchaseSummary

NEW_DAYS, SHORTEST, LONGEST, FALLBACK = 30, 7, 90, 45
LAPSING_AFTER, LOST_AFTER = 2, 4  # steps since the last visit

# The step as SQL over a row of members_purchasesummary called `summary`.
STEP = f"least(greatest(coalesce(summary.rhythm_days, {FALLBACK}), {SHORTEST}), {LONGEST}) * interval '1 day'"
# The lifecycle of that row at %(at)s.
STATE = f"""CASE WHEN summary.member_id IS NULL THEN 'never'
    WHEN summary.first_at > %(at)s - interval '{NEW_DAYS} days' THEN 'new'
    WHEN summary.last_at > %(at)s - {LAPSING_AFTER} * {STEP} THEN 'active'
    WHEN summary.last_at > %(at)s - {LOST_AFTER} * {STEP} THEN 'lapsing' ELSE 'lost' END"""

# Each purchase keeps its member active, then lapsing, until the next one; the spans of a member never overlap, so
# those who are something at a moment are the spans around it. Before the first 30 days are over a member is new.
_SPANS = f"""
WITH customer AS MATERIALIZED (
    SELECT summary.member_id, summary.first_at, {STEP} AS step
    FROM members_purchasesummary AS summary JOIN members_member AS member ON member.id = summary.member_id
    WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL
),
bought AS MATERIALIZED (
    SELECT purchased_at AS at, customer.first_at, customer.first_at + interval '{NEW_DAYS} days' AS settled, step,
           lead(purchased_at) OVER by_time AS next, lag(purchased_at) OVER by_time AS previous
    FROM members_purchase JOIN customer USING (member_id)
    WHERE purchased_at > %(before_start)s - interval '{LOST_AFTER * LONGEST} days' AND purchased_at <= %(at)s
    WINDOW by_time AS (PARTITION BY member_id ORDER BY purchased_at)
),
span AS (
    SELECT 'active' AS state, greatest(at, settled) AS since, least(next, at + {LAPSING_AFTER} * step) AS until
    FROM bought
    UNION ALL
    SELECT 'lapsing', greatest(at + {LAPSING_AFTER} * step, settled), least(next, at + {LOST_AFTER} * step) FROM bought
    UNION ALL
    SELECT 'new', first_at, first_at + interval '{NEW_DAYS} days' FROM customer
    UNION ALL
    SELECT 'ever', first_at, 'infinity' FROM customer
)
SELECT state, width_bucket(since, %(moments)s), width_bucket(until, %(moments)s), count(*)
FROM span WHERE since < until GROUP BY 1, 2, 3
UNION ALL
SELECT CASE WHEN at >= %(start)s THEN 'back' ELSE 'back before' END,
       ((at AT TIME ZONE %(zone)s)::date - %(first_day)s::date) / %(step)s, 0, count(*)
FROM bought
WHERE (at >= %(start)s OR at BETWEEN %(before_start)s AND %(before_end)s) AND first_at < at
  AND (previous IS NULL OR at - previous > {LOST_AFTER} * step)
GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Lives:
    """Customers by where they stand at the end of the period, of the one before and of each step, and those `back`:
    they bought in the period after they had been lost."""

    new: Figure
    active: Figure
    lapsing: Figure
    lost: Figure
    back: Figure


def lives(period: Period) -> Lives:
    """The customers of the shop over a period, in one statement."""
    moments = [period.before_end, *period.step_ends]
    change: dict[str, list[int]] = defaultdict(lambda: [0] * (len(moments) + 1))
    back = empty_figure(period)
    for state, since, until, n in fetch_all(_SPANS, {**period.params(), "moments": moments}):
        if state == "back before":
            back.add(False, None, n, n)
        elif state == "back":
            back.add(True, since, n, n)
        else:
            change[state][since] += n
            change[state][until] -= n
    at = {state: list(accumulate(changes))[:-1] for state, changes in change.items()}
    new, active, lapsing, ever = (at.get(s, [0] * len(moments)) for s in ("new", "active", "lapsing", "ever"))
    lost = [e - n - a - g for e, n, a, g in zip(ever, new, active, lapsing, strict=True)]
    return Lives(_standing(new), _standing(active), _standing(lapsing), _standing(lost), back)


def _standing(numbers: list[int]) -> Figure:
    return Figure(numbers[-1], numbers[0], numbers[1:])


def _step(rhythm: str = "rhythm_days") -> ExpressionWrapper:
    rhythm_or_not = Coalesce(F(rhythm), Value(float(FALLBACK)))
    days = Least(Greatest(rhythm_or_not, Value(float(SHORTEST))), Value(float(LONGEST)))
    return ExpressionWrapper(days * Value(timedelta(days=1)), output_field=DurationField())


def in_state(members: QuerySet[Member], state: str, at: datetime) -> QuerySet[Member]:
    """The members who are in a state of analytics.enums.Lifecycle at `at`; without those who want no personalised
    treatment, as in segments."""
    members = members.filter(personalised=True)
    customers = PurchaseSummary.objects.filter(member=OuterRef("pk"))
    if state == Lifecycle.NEVER:
        return members.filter(~Exists(customers))
    new = Q(first_at__gt=at - timedelta(days=NEW_DAYS))
    lapsing, lost = at - LAPSING_AFTER * _step(), at - LOST_AFTER * _step()
    stands = Case(
        When(new, then=Value("new")),
        When(last_at__gt=lapsing, then=Value("active")),
        When(last_at__gt=lost, then=Value("lapsing")),
        default=Value("lost"),
    )
    return members.filter(Exists(customers.annotate(state=stands).filter(state=state)))


def won_back(members: QuerySet[Member], since: datetime, at: datetime) -> QuerySet[Member]:
    """The members who bought between `since` and `at` after they had been lost; without those who want no
    personalised treatment."""
    before = Purchase.objects.filter(
        member=OuterRef("member"),
        purchased_at__lt=OuterRef("purchased_at"),
        purchased_at__gte=OuterRef("purchased_at") - LOST_AFTER * OuterRef("step"),
    )
    came = (
        Purchase.objects.filter(purchased_at__gte=since, purchased_at__lte=at)
        .filter(purchased_at__gt=F("member__purchase_summary__first_at"))
        .annotate(step=_step("member__purchase_summary__rhythm_days"))
        .filter(~Exists(before))
    )
    return members.filter(personalised=True, pk__in=came.values("member"))


def state_of(member_id: int, at: datetime) -> Lifecycle:
    """Where one member stands at `at`."""
    statement = f"""SELECT {STATE} FROM members_member AS member
    LEFT JOIN members_purchasesummary AS summary ON summary.member_id = member.id WHERE member.id = %(member)s"""
    return Lifecycle(fetch_all(statement, {"at": at, "member": member_id})[0][0])
