"""What members hold, what became of what they were given, and what rules, rewards and offers cost. docs/figures.md.

Points and store credit apart: `unit` is rewards.enums.Unit, amounts are points or minor units of credit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.periods import Period
from common.sql import fetch_all, fetch_one
from rewards.enums import Unit

AHEAD = (30, 60, 90)  # days
CLOSED = 0.01  # a month of issue is closed when no more than this share of it is outstanding
ENOUGH = 1_000  # of a unit issued in closed months, before a rate is told


@dataclass(frozen=True, slots=True)
class Held:
    """What members hold at a moment. `outstanding` is all of it: spendable, pending, reserved, and what has expired but
    was not swept yet. `owed` is what they owe after refunds. `expiring` goes with AHEAD: within so many days. `cards`:
    how much of what is outstanding is on gift cards, which are nobody's in particular."""

    spendable: int
    pending: int
    reserved: int
    unswept: int
    owed: int
    expiring: tuple[int, ...]
    cards: int = 0

    @property
    def outstanding(self) -> int:
        return self.spendable + self.pending + self.reserved + self.unswept


@dataclass(frozen=True, slots=True)
class Cohort:
    """What became of what was issued in a month (or to members who joined in a month), `month` as "2026-05-01".

    issued = taken_back + redeemed + expired + reserved + remaining, to the last point. What was given back is off
    `redeemed`, what was reinstated off `expired`. `members` and `redeemers` are told of months of joining alone.
    """

    month: str
    issued: int
    taken_back: int
    redeemed: int
    expired: int
    reserved: int
    remaining: int
    members: int = 0
    redeemers: int = 0

    @property
    def outstanding(self) -> int:
        return self.remaining + self.reserved

    @property
    def kept(self) -> int:
        """Issued, less what was taken back."""
        return self.issued - self.taken_back

    @property
    def redemption_rate(self) -> float | None:
        return self.redeemed / self.kept if self.kept > 0 else None

    @property
    def closed(self) -> bool:
        return self.kept > 0 and self.outstanding <= CLOSED * self.kept


def breakage(cohorts: Iterable[Cohort]) -> float | None:
    """The share that is never redeemed: expired ÷ (issued − taken back), over the months of issue that are closed.

    That is the expected breakage of IFRS 15, B44-B47 (ASC 606-10-55-46 to 49), estimated from the programme's own past.
    None while less than ENOUGH was issued in closed months.
    """
    closed = [cohort for cohort in cohorts if cohort.closed]
    kept = sum(cohort.kept for cohort in closed)
    return sum(cohort.expired for cohort in closed) / kept if kept >= ENOUGH else None


_HELD = """
SELECT coalesce(sum(remaining) FILTER (WHERE lives AND is_open), 0)::bigint AS spendable,
       coalesce(sum(remaining) FILTER (WHERE lives AND NOT is_open), 0)::bigint AS pending,
       coalesce(sum(remaining) FILTER (WHERE NOT lives), 0)::bigint AS unswept,
       ARRAY(SELECT coalesce(sum(remaining) FILTER (WHERE lives AND expires_at <= moment), 0)::bigint
             FROM lots RIGHT JOIN unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS ahead (moment, n) ON true
             GROUP BY n ORDER BY n) AS expiring,
       (SELECT coalesce(sum(hold.amount), 0)::bigint FROM rewards_hold AS hold
        JOIN rewards_account AS wallet ON wallet.id = hold.account_id
        WHERE hold.state = 'reserved' AND wallet.unit = %(unit)s) AS reserved,
       (SELECT -coalesce(sum(balance), 0)::bigint FROM rewards_account
        WHERE kind = 'arrears' AND unit = %(unit)s) AS owed,
       coalesce(sum(remaining) FILTER (WHERE on_card), 0)::bigint AS cards
FROM lots
"""
_OPEN_LOTS = """
WITH lots AS MATERIALIZED (
    SELECT lot.remaining, lot.expires_at, lot.available_from <= %(at)s AS is_open,
           lot.expires_at IS NULL OR lot.expires_at > %(at)s AS lives, wallet.kind = 'card' AS on_card
    FROM rewards_lot AS lot JOIN rewards_account AS wallet ON wallet.id = lot.account_id
    WHERE lot.remaining > 0 AND wallet.unit = %(unit)s
)
"""


def held(unit: Unit, at: datetime) -> Held:
    """What members hold now, looked at as of `at`."""
    moments = [at + timedelta(days=days) for days in AHEAD]
    row = fetch_one(_OPEN_LOTS + _HELD, {"unit": unit, "at": at, "moments": moments})
    return Held(row.spendable, row.pending, row.reserved, row.unswept, row.owed, tuple(row.expiring), row.cards)


# Each lot with the month in which its points were issued, and what its uses came to. What a merge moved keeps the month
# of the lot that it came from, and is not issued a second time. A use goes by the account on the other side: what a
# confirmed hold took is redeemed, though its points went by the held account.
_COHORTS = """
WITH RECURSIVE system AS MATERIALIZED (SELECT id, kind FROM rewards_account WHERE balance IS NULL),
moved (lot_id, from_id) AS (
    SELECT lot.id, used.lot_id FROM rewards_transfer AS merge
    JOIN rewards_lot AS lot ON lot.transfer_id = merge.id
    JOIN rewards_lotuse AS used ON used.transfer_id = merge.id AND used.amount > 0
    WHERE merge.kind = 'merge'
    UNION
    SELECT moved.lot_id, used.lot_id FROM moved
    JOIN rewards_lot AS lot ON lot.id = moved.from_id
    JOIN rewards_transfer AS merge ON merge.id = lot.transfer_id AND merge.kind = 'merge'
    JOIN rewards_lotuse AS used ON used.transfer_id = merge.id AND used.amount > 0
),
origin AS (
    SELECT moved.lot_id, min(given.at) AS at FROM moved
    JOIN rewards_lot AS lot ON lot.id = moved.from_id
    JOIN rewards_transfer AS given ON given.id = lot.transfer_id AND given.kind <> 'merge'
    GROUP BY moved.lot_id
),
used AS (
    SELECT used.lot_id,
           sum(used.amount) FILTER (WHERE side.kind IN ('issued', 'adjusted') OR moved.kind = 'repay') AS taken_back,
           sum(used.amount) FILTER (WHERE side.kind = 'redeemed' OR hold.state = 'confirmed') AS redeemed,
           sum(used.amount) FILTER (WHERE side.kind = 'expired') AS expired,
           sum(used.amount) FILTER (WHERE side.kind = 'held' AND hold.state IS DISTINCT FROM 'confirmed') AS reserved
    FROM rewards_lotuse AS used
    JOIN rewards_transfer AS moved ON moved.id = used.transfer_id
    LEFT JOIN rewards_hold AS hold ON hold.transfer_id = moved.id
    LEFT JOIN system AS side ON side.id = CASE WHEN used.amount > 0 THEN moved.credit_id ELSE moved.debit_id END
    GROUP BY used.lot_id
),
lots AS (
    SELECT coalesce(member.merged_into_id, member.id) AS member_id, lot.remaining,
           date_trunc('month', coalesce(origin.at, given.at) AT TIME ZONE %(zone)s)::date AS issued_in,
           CASE WHEN source.kind IN ('issued', 'adjusted') THEN lot.amount ELSE 0 END AS issued,
           coalesce(used.taken_back, 0) AS taken_back,
           coalesce(used.redeemed, 0) - CASE source.kind WHEN 'redeemed' THEN lot.amount ELSE 0 END AS redeemed,
           coalesce(used.expired, 0) - CASE source.kind WHEN 'expired' THEN lot.amount ELSE 0 END AS expired,
           coalesce(used.reserved, 0) - CASE source.kind WHEN 'held' THEN lot.amount ELSE 0 END AS reserved
    FROM rewards_lot AS lot
    JOIN rewards_account AS wallet ON wallet.id = lot.account_id AND wallet.unit = %(unit)s
    LEFT JOIN members_member AS member ON member.id = wallet.member_id  -- a gift card has none
    JOIN rewards_transfer AS given ON given.id = lot.transfer_id
    LEFT JOIN system AS source ON source.id = given.debit_id
    LEFT JOIN origin ON origin.lot_id = lot.id
    LEFT JOIN used ON used.lot_id = lot.id
)
"""
_SUMS = """sum(issued)::bigint, sum(taken_back)::bigint, sum(redeemed)::bigint, sum(expired)::bigint,
    sum(reserved)::bigint, sum(remaining)::bigint"""
_BY_ISSUE = f"SELECT issued_in::text, {_SUMS} FROM lots GROUP BY 1 ORDER BY 1"
_BY_JOINING = f"""
, member AS (
    SELECT member_id, sum(issued) AS issued, sum(taken_back) AS taken_back, sum(redeemed) AS redeemed,
           sum(expired) AS expired, sum(reserved) AS reserved, sum(remaining) AS remaining
    FROM lots GROUP BY member_id
)
SELECT date_trunc('month', joined.joined_at AT TIME ZONE %(zone)s)::date::text, {_SUMS},
       count(*), count(*) FILTER (WHERE redeemed > 0)
FROM member JOIN members_member AS joined ON joined.id = member.member_id GROUP BY 1 ORDER BY 1
"""


def by_issue(unit: Unit, zone: str) -> list[Cohort]:
    """By the programme's month in which it was issued, the oldest first."""
    return [Cohort(*row) for row in fetch_all(_COHORTS + _BY_ISSUE, {"unit": unit, "zone": zone})]


def by_joining(unit: Unit, zone: str) -> list[Cohort]:
    """By the month in which its members joined; members who never were given anything are not among them."""
    return [Cohort(*row) for row in fetch_all(_COHORTS + _BY_JOINING, {"unit": unit, "zone": zone})]


# --- What it was given for, in a period ----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Given:
    """A rule in a period: how often and to how many members it gave what, and what of that is taken back since."""

    id: int
    unit: str
    times: int
    members: int
    amount: int
    taken_back: int


_RULES = """
SELECT rule.id, rule.unit, count(*), count(DISTINCT earn.credit_id), sum(earn.amount)::bigint,
       coalesce(sum(back.amount), 0)::bigint
FROM rewards_transfer AS earn
JOIN rewards_ruleversion AS version ON version.id = earn.rule_id
JOIN rewards_earningrule AS rule ON rule.id = version.rule_id
LEFT JOIN (
    SELECT reverses_id, sum(amount) AS amount FROM rewards_transfer
    WHERE reverses_id IS NOT NULL AND kind = 'reverse' GROUP BY reverses_id
) AS back ON back.reverses_id = earn.id
WHERE earn.rule_id IS NOT NULL AND earn.kind = 'earn' AND earn.at >= %(start)s AND earn.at <= %(at)s
GROUP BY rule.id ORDER BY 5 DESC, 1
"""


def by_rule(period: Period) -> list[Given]:
    """Rules that gave something in the period, those that gave most first."""
    return [Given(*row) for row in fetch_all(_RULES, period.params())]


@dataclass(frozen=True, slots=True)
class Taken:
    """A reward in a period, by when it was reserved: taken and not given back, by how many members, for how many
    points and how much money; what that cost the shop, in minor units (None where nobody said what one costs)."""

    id: int
    times: int
    members: int
    points: int
    money_minor: int
    cost_minor: int | None
    ended: int


_REWARDS = """
SELECT reward.id, count(*) FILTER (WHERE stands), count(DISTINCT member_id) FILTER (WHERE stands),
       coalesce(sum(redemption.points) FILTER (WHERE stands), 0)::bigint,
       coalesce(sum(redemption.money_minor) FILTER (WHERE stands), 0)::bigint,
       count(*) FILTER (WHERE redemption.state = 'confirmed') * reward.unit_cost_minor,
       count(*) FILTER (WHERE NOT stands)
FROM rewards_redemption AS redemption
JOIN rewards_reward AS reward ON reward.id = redemption.reward_id
CROSS JOIN LATERAL (SELECT redemption.state IN ('reserved', 'confirmed') AS stands) AS told
WHERE redemption.created_at >= %(start)s AND redemption.created_at <= %(at)s
GROUP BY reward.id ORDER BY 2 DESC, 1
"""


def by_reward(period: Period) -> list[Taken]:
    """Rewards that somebody took in the period, the most taken first."""
    return [Taken(*row) for row in fetch_all(_REWARDS, period.params())]


@dataclass(frozen=True, slots=True)
class Used:
    """An offer in a period: coupons issued, uses, by how many members, the discount in minor units of the programme's
    currency, and what the uses cost beside it (None where nobody said what one costs)."""

    id: int
    issued: int
    times: int
    members: int
    discount_minor: int
    cost_minor: int | None


_OFFERS = """
WITH issued AS (
    SELECT offer_id, count(*) AS n FROM rewards_coupon
    WHERE issued_at >= %(start)s AND issued_at <= %(at)s GROUP BY offer_id
),
used AS (
    SELECT offer_id, count(*) AS n, count(DISTINCT member_id) AS members,
           coalesce(sum(discount_minor) FILTER (WHERE currency IN ('', %(currency)s)), 0)::bigint AS discount
    FROM rewards_couponuse WHERE state = 'used' AND at >= %(start)s AND at <= %(at)s GROUP BY offer_id
)
SELECT offer.id, coalesce(issued.n, 0), coalesce(used.n, 0), coalesce(used.members, 0),
       coalesce(used.discount, 0), coalesce(used.n, 0) * offer.unit_cost_minor
FROM rewards_offer AS offer
LEFT JOIN issued ON issued.offer_id = offer.id LEFT JOIN used ON used.offer_id = offer.id
WHERE issued.n > 0 OR used.n > 0 ORDER BY 3 DESC, 1
"""


def by_offer(period: Period, currency: str) -> list[Used]:
    """Offers of which coupons were issued or used in the period, the most used first."""
    return [Used(*row) for row in fetch_all(_OFFERS, {**period.params(), "currency": currency})]


def plain(rows: Iterable[Any]) -> list[list[Any]]:
    """Rows of these classes as JSON keeps them; Class(*row) reads one back."""
    told = ([getattr(row, name) for name in row.__slots__] for row in rows)
    return [[list(cell) if isinstance(cell, tuple) else cell for cell in row] for row in told]
