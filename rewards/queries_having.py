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

# The same of both wallets at once, with whether the member owes anything, has points that live by what they do, and has
# points taken away since they were counted: `spent`.
_PURSE = """
    SELECT max(own.id) FILTER (WHERE kind = 'wallet' AND unit = 'points') AS id,
           max(balance - closed) FILTER (WHERE kind = 'wallet' AND unit = 'points')::bigint AS spendable,
           max(pending) FILTER (WHERE unit = 'points') AS pending,
           max(balance - closed) FILTER (WHERE kind = 'wallet' AND unit = 'credit')::bigint AS credit,
           bool_or(kind = 'arrears' AND balance < 0) AS owes, bool_or(lives) AS lives,
           bool_or(unit = 'points' AND (
               SELECT id FROM rewards_transfer WHERE debit_id = own.id AND id > status.counted_to
               ORDER BY at DESC, id DESC LIMIT 1) IS NOT NULL) AS spent
    FROM (SELECT id, kind, unit, balance FROM rewards_account WHERE member_id = member.id OFFSET 0) AS own
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(remaining) FILTER (WHERE expires_at <= %(at)s OR available_from > %(at)s), 0) AS closed,
               coalesce(sum(remaining) FILTER (WHERE available_from > %(at)s), 0)::bigint AS pending,
               bool_or(inactivity_months IS NOT NULL) AS lives
        FROM rewards_lot WHERE account_id = own.id AND remaining > 0
    ) AS lots
"""

# What counts at `at`, and will at `probe`, when a notice would be due, and until when the first will, if nothing more
# comes. A year of transfers is read only where some came since it was counted, or the year has moved on; and on a tier
# that can be lost, where `probe` counts as well. The order leads to the index, whatever the statistics say: nearly all
# transfers are debited to one account.
_SUMS = f"""
    CASE WHEN status.counts_until > %(at)s AND coalesce(tier.threshold, 0) = 0 AND (
        SELECT id FROM rewards_transfer WHERE credit_id = purse.id AND id > status.counted_to
        ORDER BY at DESC, id DESC LIMIT 1
    ) IS NULL AND NOT purse.spent
    THEN ARRAY[status.qualifying_points::text, status.qualifying_points::text, status.counts_until::text]
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
            WHERE earn.credit_id = purse.id AND earn.kind = 'earn' AND ({COUNTS})
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
    tier.name_en, tier.name_zh_hans, purse.spendable::text, purse.pending::text, purse.credit::text,
    counted.held::text, counted.next::text, counted.since::text, purse.owes::text, purse.lives::text,
    (SELECT merged_into_id FROM members_member WHERE id = member.id)::text
] || counted.sums
FROM unnest(%(members)s::bigint[]) AS member (id)
LEFT JOIN rewards_membertier AS status ON status.member_id = member.id
LEFT JOIN rewards_tier AS tier ON tier.id = coalesce(status.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0))
LEFT JOIN LATERAL ({_PURSE}) AS purse ON true
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


def purse(told: Sequence[str | None]) -> tuple[bool, bool, bool]:
    """From the same: whether they owe anything, have points that live by what they do, and are somebody else by now."""
    return told[8] == "true", told[9] == "true", told[10] is not None


def having(tier_id: int | None, told: Sequence[str | None]) -> Having:
    """From what HAVING answers."""
    en, zh, spendable, pending, credit, held, higher, since, _owes, _lives, _merged, *sums = told
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
