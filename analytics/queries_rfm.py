"""Reads about scores: how many stand in each cell of the map, and who brings how much."""

from typing import Any

from common.sql import fetch_all

PARETO_STEPS = 20  # of 5 % of the customers each

_GRID = """
SELECT recency, value, count(*), sum(spent_minor)::bigint, sum(visit_days)::bigint
FROM analytics_memberscore JOIN members_purchasesummary USING (member_id) GROUP BY 1, 2 ORDER BY 1, 2
"""
_PARETO = """
WITH placed AS (
    SELECT spent_minor, row_number() OVER (ORDER BY spent_minor DESC) - 1 AS place, count(*) OVER () AS n
    FROM members_purchasesummary AS summary JOIN members_member AS member ON member.id = summary.member_id
    WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL
)
SELECT place * %(steps)s / n AS step, count(*), sum(spent_minor)::bigint FROM placed GROUP BY 1 ORDER BY 1
"""


def grid() -> list[list[int]]:
    """[recency, value, members, what they spent in minor units, days on which they came] of each cell with members."""
    return [list(row) for row in fetch_all(_GRID)]


def pareto() -> dict[str, Any]:
    """What the best customers bring: `customers` and `spent_minor` in all, and `curve`, the share of what was spent
    that the best 5 %, 10 %, … 100 % of the customers account for; [] where nothing was spent."""
    steps = {step: (n, spent) for step, n, spent in fetch_all(_PARETO, {"steps": PARETO_STEPS})}
    customers, total = (sum(column) for column in zip(*steps.values(), strict=True)) if steps else (0, 0)
    curve, so_far = [], 0
    for step in range(PARETO_STEPS):
        so_far += steps.get(step, (0, 0))[1]
        curve.append(so_far / total if total else 0.0)
    return {"customers": customers, "spent_minor": total, "curve": curve if total else []}
