"""What members have while a till waits for it: points, store credit, a tier, and what counts towards it.

It is asked once, under the lock, before what they earn is written; what they have then is reckoned from it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rewards.queries_qualifying import COUNTS, SETTING

# Of the wallet of `member` in a unit. Wallets are looked up by their member and lots by their wallet, whatever the
# statistics of a young shop say.
_OPEN = """
    SELECT wallet.id, (wallet.balance - closed.remaining)::bigint AS spendable, closed.pending
    FROM (
        SELECT id, balance FROM rewards_account
        WHERE member_id = member.id AND kind = 'wallet' AND unit = '{}' OFFSET 0
    ) AS wallet CROSS JOIN LATERAL (
        SELECT coalesce(sum(remaining), 0) AS remaining,
               coalesce(sum(remaining) FILTER (WHERE available_from > %(at)s), 0)::bigint AS pending
        FROM rewards_lot WHERE account_id = wallet.id AND remaining > 0
                           AND (expires_at <= %(at)s OR available_from > %(at)s)
    ) AS closed
"""
OPEN_POINTS, OPEN_CREDIT = _OPEN.format("points"), _OPEN.format("credit")

# What counts at `at`, and will at `probe`, when a notice would be due, and until when the first will, if nothing more
# comes. A year of transfers is read only where some came since it was counted, or the year has moved on; and on a tier
# that can be lost, where `probe` counts as well. The order leads to the index, whatever the statistics say: nearly all
# transfers are debited to one account.
_SUMS = f"""
    CASE WHEN status.counts_until > %(at)s AND coalesce(tier.threshold, 0) = 0 AND (
        SELECT id FROM rewards_transfer WHERE credit_id = points.id AND id > status.counted_to
        ORDER BY at DESC, id DESC LIMIT 1
    ) IS NULL AND NOT EXISTS (
        SELECT FROM rewards_account AS own WHERE own.member_id = member.id AND own.unit = 'points' AND (
            SELECT id FROM rewards_transfer WHERE debit_id = own.id AND id > status.counted_to
            ORDER BY at DESC, id DESC LIMIT 1) IS NOT NULL
    ) THEN ARRAY[status.qualifying_points::text, status.qualifying_points::text, status.counts_until::text]
    ELSE (
        SELECT ARRAY[
            coalesce(sum(points) FILTER (WHERE is_now), 0)::text,
            coalesce(sum(points) FILTER (
                WHERE given.at > setting.probe - interval '12 months' + interval '3 days'
                   OR given.at + interval '12 months' > setting.probe), 0)::text,
            (min(given.at) FILTER (WHERE is_now) + interval '12 months')::text
        ]
        FROM (
            SELECT earn.at,
                   earn.amount - coalesce((SELECT sum(amount) FROM rewards_transfer
                                           WHERE reverses_id = earn.id AND kind = 'reverse'), 0) AS points,
                   earn.at > %(at)s::timestamptz - interval '12 months' + interval '3 days'
                       OR earn.at + interval '12 months' > %(at)s::timestamptz AS is_now
            FROM rewards_transfer AS earn
            WHERE earn.credit_id = points.id AND earn.kind = 'earn' AND ({COUNTS})
              AND earn.at >= %(at)s::timestamptz - interval '12 months 1 day'
            OFFSET 0
        ) AS given
    ) END
"""
# That, with the thresholds of the tier held and of the next, and since when what is given surely counts at both
# moments; nothing of those of whom more must be asked (rewards.services.tiers).
_COUNTED = f"""
    SELECT {_SUMS} AS sums, tier.threshold AS held, (
        SELECT min(threshold) FROM rewards_tier AS higher WHERE higher.rank > tier.rank
    ) AS next, extract(epoch FROM setting.probe - interval '12 months' + interval '3 days') AS since
    FROM (
        SELECT %(at)s::timestamptz + greatest(notice - grace, interval '0') AS probe
        FROM ({SETTING}) AS saved WHERE span = 'rolling' OFFSET 0
    ) AS setting
    WHERE status.assessed_at <= %(at)s AND status.grace_until IS NULL AND status.noticed_at IS NULL
      AND status.qualifying_spend_minor = 0 AND status.qualifying_visits = 0
      AND NOT EXISTS (SELECT FROM members_member AS merged WHERE merged.merged_into_id = member.id)
      AND NOT EXISTS (SELECT FROM rewards_tier WHERE coalesce(spend_minor, visits, tenure_days) IS NOT NULL)
    OFFSET 0
"""
# ('tier', member, tier, NULL, NULL, its multiplier, the texts of Having).
HAVING = f"""
SELECT 'tier', member.id, tier.id, NULL::timestamptz, NULL::bigint, tier.multiplier, ARRAY[
    tier.name_en, tier.name_zh_hans, points.spendable::text, points.pending::text, credit.spendable::text,
    counted.held::text, counted.next::text, counted.since::text
] || counted.sums
FROM unnest(%(members)s::bigint[]) AS member (id)
LEFT JOIN rewards_membertier AS status ON status.member_id = member.id
LEFT JOIN rewards_tier AS tier ON tier.id = coalesce(status.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0))
LEFT JOIN LATERAL ({OPEN_POINTS}) AS points ON true
LEFT JOIN LATERAL ({OPEN_CREDIT}) AS credit ON true
LEFT JOIN LATERAL ({_COUNTED}) AS counted ON true
"""


class Having(NamedTuple):
    """What one member has; points in whole units, credit in minor ones. `held` and `next` are the thresholds of the
    tier held and of the next one; `counted` is (now, later) and `until` when the first changes, as PostgreSQL wrote
    it: None for whom more must be asked."""

    tier_id: int | None
    en: str | None
    zh: str | None
    spendable: int
    pending: int
    credit: int
    counted: tuple[int, int] | None
    held: int
    next: int | None
    since: float
    until: str | None

    def stays(self, points: int) -> bool:
        """Whether so many points more, given since `since`, surely leave the tier as it is."""
        if self.counted is None:
            return False
        now, later = self.counted
        return min(now, later) + points >= self.held and (self.next is None or now + points < self.next)


def having(tier_id: int | None, told: Sequence[str | None]) -> Having:
    """From what HAVING answers."""
    en, zh, spendable, pending, credit, held, higher, since, *sums = told
    now, later, until = sums or (None, None, None)
    return Having(
        tier_id=tier_id,
        en=en,
        zh=zh,
        spendable=int(spendable or 0),
        pending=int(pending or 0),
        credit=int(credit or 0),
        counted=None if now is None or later is None else (int(now), int(later)),
        held=int(held or 0),
        next=None if higher is None else int(higher),
        since=float(since or 0),
        until=until,
    )
