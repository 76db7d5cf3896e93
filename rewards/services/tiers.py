"""Who stands on which tier: points earned in the last 12 months against the tiers' thresholds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from common.sql import fetch_all
from members.events import record_many
from rewards.events import TIER_CHANGED
from rewards.queries import EARNED, purses
from rewards.services.ledger import lock_wallets

CHUNK = 5_000  # wallets locked at a time: tills wait for one chunk, not for the night

_REASSESS = f"""
WITH earned AS ({EARNED}),
points AS (
    SELECT owner.member_id, moment.at, coalesce(sum(earned.points), 0)::bigint AS points
    FROM rewards_account AS wallet
    JOIN members_member AS member ON member.id = wallet.member_id
    CROSS JOIN LATERAL (SELECT coalesce(member.merged_into_id, member.id) AS member_id) AS owner
    LEFT JOIN rewards_membertier AS status ON status.member_id = owner.member_id
    CROSS JOIN LATERAL (SELECT greatest(%(at)s, status.assessed_at) AS at) AS moment
    LEFT JOIN earned ON earned.wallet_id = wallet.id AND earned.until > moment.at
    WHERE wallet.id = ANY(%(own)s) GROUP BY owner.member_id, moment.at
),
assessed AS (
    SELECT points.member_id, points.at, points.points, status.qualifying_points AS points_before,
           reached.id AS tier_id, reached.rank, coalesce(status.tier_id, base.id) AS from_id,
           coalesce(old.rank, 0) AS from_rank
    FROM points
    LEFT JOIN rewards_membertier AS status ON status.member_id = points.member_id
    LEFT JOIN rewards_tier AS old ON old.id = status.tier_id
    LEFT JOIN rewards_tier AS base ON base.rank = 0
    LEFT JOIN LATERAL (
        SELECT id, rank FROM rewards_tier WHERE coalesce(threshold, 0) <= points.points ORDER BY rank DESC LIMIT 1
    ) AS reached ON true
),
kept AS (
    INSERT INTO rewards_membertier AS status (member_id, tier_id, qualifying_points, since, assessed_at)
    SELECT member_id, tier_id, points, at, at FROM assessed
    WHERE tier_id IS NOT NULL
      AND (%(always)s OR tier_id IS DISTINCT FROM from_id OR points IS DISTINCT FROM points_before)
    ON CONFLICT (member_id) DO UPDATE
    SET tier_id = excluded.tier_id, qualifying_points = excluded.qualifying_points, assessed_at = excluded.assessed_at,
        since = CASE WHEN status.tier_id = excluded.tier_id THEN status.since ELSE excluded.since END
),
gone AS (
    DELETE FROM rewards_membertier AS status USING assessed
    WHERE status.member_id = assessed.member_id AND assessed.tier_id IS NULL
)
SELECT assessed.member_id, assessed.at, from_id, tier_id, coalesce(assessed.rank, 0) > from_rank,
       tier.name_en, tier.name_zh_hans
FROM assessed LEFT JOIN rewards_tier AS tier ON tier.id = assessed.tier_id
WHERE assessed.tier_id IS DISTINCT FROM from_id
"""
_NEXT = """
SELECT member_id FROM rewards_account WHERE member_id > %s AND unit = 'points' AND kind = 'wallet'
ORDER BY member_id LIMIT %s
"""


def reassess(*, at: datetime, member_ids: Sequence[int] | None = None) -> int:
    """Puts members (by default all who have a wallet) on the tier they have reached; how many changed tier.

    Nobody's assessment goes back: who was assessed after `at` is assessed anew as of then. All are done in chunks, each
    in a transaction of its own; named members in one.
    """
    if member_ids is not None:
        return _reassess(sorted(set(member_ids)), at, always=True)
    changed, last = 0, 0
    while chunk := [row[0] for row in fetch_all(_NEXT, [last, CHUNK])]:
        changed += _reassess(chunk, at, always=False)
        last = chunk[-1]
    return changed


@transaction.atomic
def _reassess(members: list[int], at: datetime, *, always: bool) -> int:
    return assess(lock_wallets(members), at, always=always)


def assess(wallets: list[int], at: datetime, *, always: bool = True) -> int:
    """Assesses the members of wallets that the caller has locked, by all that they and those merged into them earned;
    how many changed tier. Without `always`, a row in which nothing would change is not written."""
    rows = fetch_all(_REASSESS, {"at": at, "always": always, **purses(wallet_ids=wallets)._asdict()})
    changes: list[tuple[int, datetime, dict[str, Any]]] = [
        (member, moment, {"from": old, "to": new, "up": up, "name": {"en": en, "zh-hans": zh} if new else None})
        for member, moment, old, new, up, en, zh in rows
    ]
    record_many(kind=TIER_CHANGED, events=changes)
    return len(changes)
