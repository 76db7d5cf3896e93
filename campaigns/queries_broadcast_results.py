"""Reads about what became of a broadcast: where its messages are, what they brought, beside the hold-out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Min

from campaigns.enums import OPEN, MessageState, Metric
from campaigns.experiments import Arm
from campaigns.models import Broadcast, BroadcastVariant, Message
from campaigns.queries_measure import Lift, lifts
from common.sql import fetch_all, fetch_one

PACE_OVER = timedelta(minutes=5)  # what the speed is taken from, or since the first of them


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a broadcast is. `ends_at` goes by what was sent in the last minutes; None where nothing was."""

    states: Mapping[str, int]
    reasons: Mapping[str, int]
    sent_lately: int
    ends_at: datetime | None

    @property
    def waiting(self) -> int:
        return sum(self.states.get(state, 0) for state in OPEN)

    @property
    def meant(self) -> int:
        """All rows of members who were to get it."""
        return sum(self.states.values()) - self.states.get("skipped", 0) - self.states.get("held", 0)

    @property
    def over(self) -> int:
        return self.meant - self.waiting - self.states.get("cancelled", 0)

    @property
    def percent(self) -> int:
        return 100 * self.over // self.meant if self.meant else 0


def progress(campaign_id: int, *, at: datetime) -> Progress:
    """In two queries, the first of which reads an index."""
    rows = fetch_all(
        "SELECT state, reason, count(*) FROM campaigns_message WHERE campaign_id = %s GROUP BY state, reason",
        [campaign_id],
    )
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for state, reason, count in rows:
        states[state] += count
        if reason:
            reasons[reason] += count
    lately = Message.objects.filter(campaign=campaign_id, state=MessageState.SENT, sent_at__gt=at - PACE_OVER)
    sent, first = 0, None
    if states.get("queued"):
        told = lately.aggregate(n=Count("pk"), first=Min("sent_at"))
        sent, first = told["n"], told["first"]
    waiting = sum(states.get(state, 0) for state in OPEN)
    ends_at = at + (at - first) * (waiting / sent) if first and waiting else None
    return Progress(states, reasons, sent, ends_at)


class VersionFigures(NamedTuple):
    """What became of one version (0: all of them). `unsubscribed` said no to its channel and purpose afterwards."""

    variant: int
    sent: int
    delivered: int
    bounced: int
    opened: int
    clicked: int
    complained: int
    unsubscribed: int


_VERSIONS = """
SELECT CASE WHEN grouping(variant) = 1 THEN 0 ELSE variant END, count(*), count(delivered_at), count(bounced_at),
       count(opened_at), count(clicked_at), count(complained_at),
       count(*) FILTER (WHERE EXISTS (
           SELECT FROM members_consent AS said
           WHERE said.member_id = message.member_id AND said.channel = message.channel AND said.purpose = %(purpose)s
             AND NOT said.granted AND said.at >= message.sent_at AND said.at < message.sent_at + %(goal)s))
FROM campaigns_message AS message WHERE campaign_id = %(campaign)s AND state = 'sent'
GROUP BY GROUPING SETS ((variant), ()) ORDER BY 1
"""


def figures(broadcast: Broadcast) -> list[VersionFigures]:
    """All versions together first, then each."""
    campaign = broadcast.campaign
    params = {"campaign": campaign.pk, "purpose": campaign.purpose, "goal": timedelta(days=campaign.goal_days)}
    return [VersionFigures(*row) for row in fetch_all(_VERSIONS, params)]


_BOUGHT = """
EXISTS (SELECT FROM members_purchase AS purchase WHERE purchase.member_id = message.member_id
          AND purchase.purchased_at >= message.sent_at AND purchase.purchased_at < message.sent_at + %(goal)s)
"""
_DID = {
    Metric.CLICKS: "message.clicked_at IS NOT NULL",
    Metric.OPENS: "message.opened_at IS NOT NULL",
    Metric.PURCHASES: _BOUGHT,
}


def arms(broadcast: Broadcast, variants: Sequence[BroadcastVariant], *, at: datetime) -> list[Arm]:
    """How many got each version, and how many of them did what decides. Bounced mail reached nobody."""
    rows = fetch_all(
        f"SELECT variant, count(*), count(*) FILTER (WHERE {_DID[Metric(broadcast.metric)]})"
        " FROM campaigns_message AS message WHERE campaign_id = %(campaign)s AND state = 'sent' AND bounced_at IS NULL"
        " AND sent_at <= %(at)s GROUP BY variant",
        {"campaign": broadcast.pk, "goal": timedelta(days=broadcast.campaign.goal_days), "at": at},
    )
    found = {number: (trials, successes) for number, trials, successes in rows}
    return [Arm(variant.number, *found.get(variant.number, (0, 0))) for variant in variants]


def lift(broadcast: Broadcast, *, at: datetime) -> Lift:
    """What the broadcast brought within `goal_days`, per member, beside the hold-out (Welch, 95 %)."""
    return lifts([broadcast.pk], at=at)[broadcast.pk]


class Gifts(NamedTuple):
    """What was given with a broadcast: points; coupons, those of them used, and what the used ones cost the shop."""

    points: int
    coupons: int
    used: int
    cost_minor: int | None


_GIFTS = """
SELECT (SELECT coalesce(sum(gift.amount), 0)::bigint FROM campaigns_message AS message
        JOIN rewards_transfer AS gift ON gift.id = message.gift_id WHERE message.campaign_id = %(campaign)s) AS points,
       count(coupon.id) AS coupons, count(*) FILTER (WHERE coupon.state = 'used') AS used
FROM campaigns_message AS message
LEFT JOIN rewards_coupon AS coupon ON coupon.issue_key = 'message:' || message.uid
WHERE message.campaign_id = %(campaign)s AND %(coupons)s
"""


def gifts(broadcast: Broadcast) -> Gifts:
    """Without an offer, no coupon is looked for."""
    found = fetch_one(_GIFTS, {"campaign": broadcast.pk, "coupons": broadcast.offer_id is not None})
    cost = broadcast.offer.unit_cost_minor if broadcast.offer else None
    return Gifts(found.points, found.coupons, found.used, None if cost is None else cost * found.used)
