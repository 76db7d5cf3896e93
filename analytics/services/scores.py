"""Counting the RFM scores of all members. docs/rfm.md."""

import time
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction

from analytics.models import Snapshot
from analytics.rules import ENOUGH_BUYERS
from analytics.services.snapshots import forget
from common.sql import execute, fetch_one
from members.queries import get_programme

RUN = "rfm.run"

# A score is the fifth in which a value lies: 1 + ⌊5 · percent_rank⌋, at most 5, where percent_rank = (values below) /
# (n − 1), so that equals share a score. That grows with the value: it is enough to find, among the distinct values,
# the smallest that reaches each score. Each measure is then compared with four numbers, and only the distinct
# values are sorted, not all members three times.
_SCORE = """
WITH buyer AS MATERIALIZED (
    SELECT summary.member_id, (summary.last_at AT TIME ZONE %(zone)s)::date - date '2000-01-01' AS day,
           summary.visit_days, summary.spent_minor
    FROM members_purchasesummary AS summary JOIN members_member AS member ON member.id = summary.member_id
    WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL AND member.personalised
),
total AS MATERIALIZED (SELECT count(*) AS n FROM buyer),
bound AS MATERIALIZED (
    SELECT {bounds}
),
scored AS MATERIALIZED (
    SELECT buyer.member_id, 1 + width_bucket(buyer.day, bound.day) AS recency,
           1 + width_bucket(buyer.visit_days, bound.visit_days) AS frequency,
           1 + width_bucket(buyer.spent_minor, bound.spent_minor) AS monetary
    FROM buyer, bound, total WHERE total.n >= %(enough)s
),
gone AS (
    DELETE FROM analytics_memberscore AS old
    WHERE NOT EXISTS (SELECT FROM scored WHERE scored.member_id = old.member_id) RETURNING 1
),
kept AS (
    INSERT INTO analytics_memberscore AS old (member_id, recency, frequency, monetary, since)
    SELECT scored.*, %(at)s FROM scored LEFT JOIN analytics_memberscore AS present USING (member_id)
    WHERE present.member_id IS NULL
       OR (present.recency, present.frequency, present.monetary)
          <> (scored.recency, scored.frequency, scored.monetary)
    ON CONFLICT (member_id) DO UPDATE
    SET recency = excluded.recency, frequency = excluded.frequency, monetary = excluded.monetary, since = excluded.since
    RETURNING 1
)
SELECT (SELECT n FROM total) AS buyers, (SELECT count(*) FROM scored) AS scored,
       (SELECT count(*) FROM kept) AS changed, (SELECT count(*) FROM gone) AS gone,
       bound.day AS recency, bound.visit_days AS frequency, bound.spent_minor AS monetary
FROM bound
"""
# The smallest values that reach the scores 2 to 5; fewer where no value reaches them.
_BOUND = """(
    WITH ranked AS MATERIALIZED (
        SELECT {column} AS value, sum(count(*)) OVER (ORDER BY {column}) - count(*) AS below FROM buyer GROUP BY 1
    )
    SELECT coalesce(array_agg(least ORDER BY score) FILTER (WHERE least IS NOT NULL), '{{}}')
    FROM generate_series(2, 5) AS score
    CROSS JOIN LATERAL (SELECT min(value) AS least FROM ranked, total WHERE 5 * below >= (score - 1) * (n - 1)) AS step
) AS {column}"""
_STATEMENT = _SCORE.format(bounds=", ".join(_BOUND.format(column=c) for c in ("day", "visit_days", "spent_minor")))


class Scored(NamedTuple):
    """What a run found: buyers to compare, members scored, rows written and removed; and the bounds by which it
    scored: for each measure the smallest values that reach 2, 3, 4 and 5 (fewer where nobody reaches them). The
    bounds of recency are days since 1 January 2000, those of money minor units."""

    buyers: int
    scored: int
    changed: int
    gone: int
    recency: list[int]
    frequency: list[int]
    monetary: list[int]


@transaction.atomic
def score_members(*, at: datetime, zone: str) -> Scored:
    """Scores everyone who bought, in one statement that writes only the rows that changed. `zone` is the shop's time
    zone: recency goes by its calendar days. Segments that ask for scores become due."""
    row = fetch_one(_STATEMENT, {"at": at, "zone": zone, "enough": ENOUGH_BUYERS})
    if row.changed or row.gone:
        execute(
            "UPDATE members_segment SET next_refresh_at = %(at)s WHERE archived_at IS NULL"
            " AND jsonb_path_exists(definition, 'strict $.**.trait ? (@ starts with \"rfm.\")', silent => true)",
            {"at": at},
        )
    return Scored(*row)


def score_all(*, at: datetime) -> Scored:
    """The nightly run: scores everyone by the programme's settings and keeps the bounds for the page that explains."""
    programme = get_programme()
    started = time.monotonic()
    scored = score_members(at=at, zone=programme.time_zone)
    today = (at.astimezone(ZoneInfo(programme.time_zone)).date() - date(2000, 1, 1)).days
    data = {**scored._asdict(), "day": today, "zone": programme.time_zone, "currency": programme.currency}
    Snapshot.objects.update_or_create(name=RUN, defaults={"at": at, "took": time.monotonic() - started, "data": data})
    forget("rfm")
    return scored


def last_run() -> Snapshot | None:
    """The latest run: its moment and, in `data`, the fields of Scored with `zone`, `currency` and its
    own `day`, counted as the bounds of recency are."""
    return Snapshot.objects.filter(name=RUN).first()
