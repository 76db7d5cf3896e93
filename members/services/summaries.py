"""A member's purchases added up (PurchaseSummary): brought up to date for some members, or for all."""

from collections.abc import Sequence

from django.db import connection, transaction

from common.sql import execute, lock
from members.queries import get_programme

DERIVED = "members.derived"  # who holds this lock writes summaries and memberships; nobody else does

# `{chosen}` narrows purchases to some members. Gaps are between days, not purchases: two receipts of one morning are
# one visit. Their median is not moved by one long holiday, as their average would be.
_ADD_UP = """
WITH visit AS (
    SELECT purchase.member_id, (purchased_at AT TIME ZONE %(zone)s)::date AS day, count(*) AS purchases,
           coalesce(sum(amount_minor - refunded_minor) FILTER (WHERE currency = %(currency)s), 0) AS spent,
           min(purchased_at) AS first_at, max(purchased_at) AS last_at
    FROM members_purchase AS purchase {chosen}
    GROUP BY 1, 2
),
spaced AS (SELECT *, day - lag(day) OVER (PARTITION BY member_id ORDER BY day) AS gap FROM visit)
INSERT INTO members_purchasesummary AS summary
    (member_id, purchases, visit_days, spent_minor, first_at, last_at, rhythm_days)
SELECT member_id, sum(purchases), count(*), least(sum(spent), 9223372036854775807),  -- the most a bigint holds
       min(first_at), max(last_at),
       CASE WHEN count(*) >= 3 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) END
FROM spaced GROUP BY member_id
ON CONFLICT (member_id) DO UPDATE
SET (purchases, visit_days, spent_minor, first_at, last_at, rhythm_days) =
    ROW (excluded.purchases, excluded.visit_days, excluded.spent_minor, excluded.first_at, excluded.last_at,
         excluded.rhythm_days)
WHERE (summary.purchases, summary.visit_days, summary.spent_minor, summary.first_at, summary.last_at,
       summary.rhythm_days)
      IS DISTINCT FROM (excluded.purchases, excluded.visit_days, excluded.spent_minor, excluded.first_at,
                        excluded.last_at, excluded.rhythm_days)
"""
# Whose purchases went to another member, by a merge.
_DROP = """
DELETE FROM members_purchasesummary AS purchase {chosen}
{and_} NOT EXISTS (SELECT FROM members_purchase AS bought WHERE bought.member_id = purchase.member_id)
"""


@transaction.atomic
def recompute(*, member_ids: Sequence[int] | None = None) -> int:
    """Adds up the purchases of these members, or of all; how many summaries were not as they should be.

    Spent is net of refunds, in minor units of the programme's currency; purchases in other currencies count as
    purchases and visits, not as spent. A day is one of the programme's time zone. The usual rhythm is the median of the
    gaps between days with a purchase, from three such days on.
    """
    if member_ids is None:
        return _recompute("", "WHERE", {})
    return _recompute("WHERE purchase.member_id = ANY(%(ids)s)", "AND", {"ids": list(member_ids)})


@transaction.atomic
def recompute_listed(table: str) -> int:
    """The same for the members of a temporary table with a column member_id."""
    name = connection.ops.quote_name(table)
    return _recompute(f"WHERE purchase.member_id IN (SELECT member_id FROM {name})", "AND", {})


def _recompute(chosen: str, and_: str, params: dict) -> int:
    # A slower sum over older purchases must not come after a newer one: hence one at a time, and the lock before the
    # statement that reads.
    lock(DERIVED)
    programme = get_programme()
    params = {**params, "zone": programme.time_zone, "currency": programme.currency}
    execute("SET LOCAL work_mem = '64MB'")
    touched = execute(_ADD_UP.format(chosen=chosen), params)
    return touched + execute(_DROP.format(chosen=chosen, and_=and_), params)
