"""What bringing friends is worth: the funnel, what a new customer costs, and how referred customers do beside others.
docs/referrals.md states each formula."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from math import sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

from django.db.models import Count

from common.intervals import wilson
from common.sql import fetch_all
from referrals.models import Referral

Z = NormalDist().inv_cdf(0.975)  # of a 95 % interval


def counts(programme_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many referrals of each programme stand where."""
    rows = Referral.objects.filter(programme__in=list(programme_ids)).values("programme", "state")
    told: dict[int, dict[str, int]] = {}
    for row in rows.annotate(n=Count("pk")).order_by():
        told.setdefault(row["programme"], {})[row["state"]] = row["n"]
    return told


class Funnel(NamedTuple):
    """One line of the funnel. `name` is the channel, or the id of a programme; "" or 0 for what is not known."""

    name: Any
    shares: int
    visits: int
    taken: int
    joined: int
    qualified: int
    rewarded: int
    cost_minor: int

    @property
    def conversion(self) -> float | None:
        """Of the friends who came, the share in percent who became customers; None where nobody came."""
        return 100 * self.qualified / self.joined if self.joined else None

    @property
    def cost_each(self) -> float | None:
        """What a new customer cost, in minor units; None where there is none."""
        return self.cost_minor / self.qualified if self.qualified else None


_FUNNEL = """
WITH came AS (
    SELECT {name} AS name, count(*) AS joined,
           count(*) FILTER (WHERE referral.qualified_at IS NOT NULL
                            AND referral.state IN ('review', 'held', 'rewarded')) AS qualified,
           count(*) FILTER (WHERE referral.state = 'rewarded') AS rewarded
    FROM referrals_referral AS referral {tier}
    WHERE referral.joined_at >= %(start)s AND referral.joined_at < %(end)s {segment}
    GROUP BY 1
),
cost AS (
    SELECT {name} AS name, sum(thanks.cost_minor)::bigint AS minor
    FROM referrals_thanksgiven AS thanks JOIN referrals_referral AS referral ON referral.id = thanks.referral_id
    {tier}
    WHERE referral.joined_at >= %(start)s AND referral.joined_at < %(end)s AND thanks.taken_at IS NULL {segment}
    GROUP BY 1
),
seen AS (
    {seen}
)
SELECT coalesce(came.name, seen.name) AS name, coalesce(shares, 0), coalesce(visits, 0), coalesce(taken, 0),
       coalesce(joined, 0), coalesce(qualified, 0), coalesce(rewarded, 0), coalesce(cost.minor, 0)
FROM came FULL JOIN seen ON seen.name = came.name LEFT JOIN cost ON cost.name = came.name
ORDER BY coalesce(joined, 0) DESC, coalesce(visits, 0) DESC, 1
"""
_SEEN = """
    SELECT channel AS name, sum(shares)::bigint AS shares, sum(visits)::bigint AS visits, sum(taken)::bigint AS taken
    FROM referrals_traffic WHERE day >= %(first)s AND day < %(last)s GROUP BY 1
"""
_UNSEEN = (
    "SELECT NULL::bigint AS name, NULL::bigint AS shares, NULL::bigint AS visits, NULL::bigint AS taken WHERE false"
)
_OF_SEGMENT = """AND EXISTS (SELECT FROM members_segmentmember AS inside
    WHERE inside.segment_id = %(segment)s AND inside.member_id = referral.giver_id)"""

_TIER = "coalesce(held.tier_id, 0)"
_HELD = "LEFT JOIN rewards_membertier AS held ON held.member_id = referral.giver_id"


def funnel(*, start: datetime, end: datetime, by: str = "channel", segment_id: int | None = None) -> list[Funnel]:
    """Friends who came in [start, end), with what became of them until now, by "channel", "programme_id" or "tier_id"
    (the present tier of who brought them, 0 for none); and by channel how often links were shared and seen on these
    days, of all members: links do not know of segments or programmes."""
    if by not in ("channel", "programme_id", "tier_id"):
        raise ValueError(by)
    seen = _SEEN if by == "channel" and segment_id is None else _UNSEEN
    if by == "channel" and segment_id is not None:
        seen = _UNSEEN.replace("NULL::bigint AS name", "NULL::text AS name")
    name = _TIER if by == "tier_id" else f"referral.{by}"
    tier = _HELD if by == "tier_id" else ""
    sql = _FUNNEL.format(name=name, tier=tier, seen=seen, segment=_OF_SEGMENT if segment_id else "")
    days = {"first": start.date(), "last": end.date(), "start": start, "end": end, "segment": segment_id}
    return [Funnel(*row) for row in fetch_all(sql, days)]


class Worth(NamedTuple):
    """New members of a period, of one kind: how many bought, how many of these again, and what a buyer spent in minor
    units, with their squares for the interval."""

    members: int
    buyers: int
    again: int
    spent_minor: float
    squares: float

    @property
    def repeat(self) -> tuple[float, float, float] | None:
        """Of the buyers the share in percent who bought again, with the 95 % interval of Wilson (1927)."""
        if not self.buyers:
            return None
        low, high = wilson(self.again, self.buyers)
        return 100 * self.again / self.buyers, 100 * low, 100 * high

    @property
    def spend(self) -> tuple[float, float, float] | None:
        """What a buyer spent on average, in minor units, with its 95 % interval by the normal law; None below two."""
        n = self.buyers
        if n < 2:
            return None
        mean = self.spent_minor / n
        error = Z * sqrt(max(0.0, (self.squares - n * mean * mean) / (n - 1)) / n)
        return mean, max(0.0, mean - error), mean + error


_WORTH = """
WITH new AS (
    SELECT member.id, referral.id IS NOT NULL AS referred
    FROM members_member AS member LEFT JOIN referrals_referral AS referral ON referral.friend_id = member.id
    WHERE member.joined_at >= %(start)s AND member.joined_at < %(end)s
      AND member.merged_into_id IS NULL AND member.erased_at IS NULL
),
bought AS (
    SELECT new.id, new.referred, count(*) AS times, sum(purchase.amount_minor - purchase.refunded_minor) AS minor
    FROM new JOIN members_purchase AS purchase ON purchase.member_id = new.id
    WHERE purchase.amount_minor > purchase.refunded_minor AND purchase.currency = %(currency)s
    GROUP BY 1, 2
)
SELECT referred, count(*), count(times), count(*) FILTER (WHERE times > 1), coalesce(sum(minor), 0)::float8,
       coalesce(sum(minor::float8 * minor), 0)::float8
FROM new LEFT JOIN bought USING (id, referred) GROUP BY referred
"""


def worth(*, start: datetime, end: datetime, currency: str) -> dict[bool, Worth]:
    """New members of [start, end) who were brought (True) beside all others (False), by what they have bought until
    now. Who came earlier had more time: both kinds are of the same period, no more is claimed."""
    rows = fetch_all(_WORTH, {"start": start, "end": end, "currency": currency})
    return {row[0]: Worth(*row[1:]) for row in rows}


class Way(NamedTuple):
    """New members of a period who came by one way: None for those whom a friend brought, else `Member.source`. How
    many became customers, and what all of them were given to come, in minor units."""

    source: str | None
    members: int
    customers: int
    cost_minor: int

    @property
    def cost_each(self) -> float | None:
        """What a new customer cost, in minor units; None where there is none."""
        return self.cost_minor / self.customers if self.customers else None


_WAYS = """
WITH new AS (
    SELECT member.id, member.joined_at, CASE WHEN referral.id IS NULL THEN member.source END AS source
    FROM members_member AS member LEFT JOIN referrals_referral AS referral ON referral.friend_id = member.id
    WHERE member.joined_at >= %(start)s AND member.joined_at < %(end)s
      AND member.merged_into_id IS NULL AND member.erased_at IS NULL
),
given AS (
    SELECT new.id, (moved.amount - coalesce((
               SELECT sum(amount) FROM rewards_transfer WHERE reverses_id = moved.id AND kind = 'reverse'), 0)
           ) * CASE wallet.unit WHEN 'points' THEN %(point)s::numeric ELSE 1 END AS minor
    FROM new JOIN rewards_account AS wallet ON wallet.member_id = new.id AND wallet.kind = 'wallet'
    JOIN rewards_transfer AS moved ON moved.credit_id = wallet.id AND moved.kind IN ('earn', 'gift')
    WHERE moved.purchase_id IS NULL AND moved.at < new.joined_at + interval '30 days'
      AND NOT EXISTS (SELECT FROM referrals_thanksgiven WHERE transfer_id = moved.id)
    UNION ALL
    SELECT new.id, offer.unit_cost_minor
    FROM new JOIN rewards_coupon AS coupon ON coupon.member_id = new.id AND coupon.state = 'used'
    JOIN rewards_offer AS offer ON offer.id = coupon.offer_id
    WHERE coupon.issued_by NOT IN ('redemption', 'referral') AND coupon.issued_at < new.joined_at + interval '30 days'
    UNION ALL
    SELECT new.id, thanks.cost_minor
    FROM new JOIN referrals_referral AS referral ON referral.friend_id = new.id
    JOIN referrals_thanksgiven AS thanks ON thanks.referral_id = referral.id AND thanks.taken_at IS NULL
),
cost AS (SELECT id, sum(minor) AS minor FROM given GROUP BY id)
SELECT source, count(*), count(*) FILTER (WHERE EXISTS (
           SELECT FROM members_purchase AS bought
           WHERE bought.member_id = new.id AND bought.amount_minor > bought.refunded_minor)),
       coalesce(ceil(sum(cost.minor)), 0)::bigint
FROM new LEFT JOIN cost USING (id) GROUP BY source ORDER BY source IS NOT NULL, 2 DESC, 1
"""


def ways(*, start: datetime, end: datetime, point_minor: Decimal) -> list[Way]:
    """How the new members of [start, end) came, those whom a friend brought first. Given to come: points (each at
    `point_minor` minor units) and store credit that no purchase earned, and coupons that were used, of their first 30
    days; and the thanks of both sides that stand."""
    return [Way(*row) for row in fetch_all(_WAYS, {"start": start, "end": end, "point": point_minor})]


_RATE = """
WITH active AS (
    SELECT DISTINCT member_id AS id FROM members_purchase
    WHERE purchased_at >= %(start)s AND purchased_at < %(end)s
),
giver AS (
    SELECT DISTINCT giver_id AS id FROM referrals_referral
    WHERE qualified_at >= %(start)s AND qualified_at < %(end)s AND state IN ('review', 'held', 'rewarded')
)
SELECT (SELECT count(*) FROM active), (SELECT count(*) FROM giver JOIN active USING (id))
"""


def referral_rate(*, start: datetime, end: datetime) -> tuple[int, int]:
    """(active members, those of them who brought at least one customer) of [start, end). Active is who bought
    something. The referral rate is the second by the first."""
    active, givers = fetch_all(_RATE, {"start": start, "end": end})[0]
    return int(active), int(givers)


class Top(NamedTuple):
    """A member who brought customers, and what these spent, in minor units."""

    member_id: int
    friends: int
    spent_minor: int


_TOP = """
SELECT referral.giver_id, count(DISTINCT referral.id),
       coalesce(sum(purchase.amount_minor - purchase.refunded_minor)
                FILTER (WHERE purchase.currency = %(currency)s), 0)::bigint
FROM referrals_referral AS referral
LEFT JOIN members_purchase AS purchase ON purchase.member_id = referral.friend_id
WHERE referral.qualified_at >= %(start)s AND referral.qualified_at < %(end)s
  AND referral.state IN ('review', 'held', 'rewarded')
GROUP BY 1 ORDER BY 2 DESC, 3 DESC, 1 LIMIT %(limit)s
"""


def top_givers(*, start: datetime, end: datetime, currency: str, limit: int = 10) -> list[Top]:
    """Who brought most customers in [start, end)."""
    rows = fetch_all(_TOP, {"start": start, "end": end, "currency": currency, "limit": limit})
    return [Top(*row) for row in rows]


_FAIR = """
SELECT count(*) FILTER (WHERE EXISTS (
           SELECT FROM referrals_referralstep AS step WHERE step.referral_id = referral.id AND step.state = 'review')),
       count(*) FILTER (WHERE state = 'refused'),
       count(*) FILTER (WHERE objected_at IS NOT NULL),
       count(*) FILTER (WHERE objected_at IS NOT NULL AND state <> 'refused'),
       count(*) FILTER (WHERE state = 'reversed')
FROM referrals_referral AS referral WHERE joined_at >= %(start)s AND joined_at < %(end)s
"""


class Fair(NamedTuple):
    """Of the referrals of a period: looked at, refused, objected to, of these decided otherwise, taken back."""

    reviewed: int
    refused: int
    objected: int
    upheld: int
    reversed: int


def fairness(*, start: datetime, end: datetime) -> Fair:
    """What was doubted of the friends who came in [start, end)."""
    return Fair(*fetch_all(_FAIR, {"start": start, "end": end})[0])
