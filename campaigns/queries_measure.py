"""Reads about what campaigns of any kind came to and brought. docs/measuring.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import DateTimeField, Exists, ExpressionWrapper, OuterRef, Value

from campaigns.enums import TrackKind, Verdict
from campaigns.experiments import Difference, Sample, welch
from common.sql import fetch_all, fetch_one
from members.models import Consent
from members.queries import get_programme

ENOUGH_MEMBERS, ENOUGH_BUYERS = 30, 10  # of either group; of both together


class Came(NamedTuple):
    """What became of a campaign's messages. Opened and clicked are by people; `unsubscribed` said no to the channel and
    purpose within the days in which a purchase counts."""

    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    opened: int = 0
    clicked: int = 0
    complained: int = 0
    unsubscribed: int = 0


LEFT = """
EXISTS (SELECT FROM members_consent AS said
        WHERE said.member_id = message.member_id AND said.channel = message.channel
          AND said.purpose = campaign.purpose AND NOT said.granted
          AND said.at >= message.sent_at AND said.at < message.sent_at + campaign.goal_days * interval '1 day')
"""
_CAME = f"""
SELECT message.campaign_id, count(*), count(message.delivered_at), count(message.bounced_at), count(message.opened_at),
       count(message.clicked_at), count(message.complained_at), count(*) FILTER (WHERE {LEFT})
FROM campaigns_message AS message JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
WHERE message.campaign_id = ANY(%(ids)s::bigint[]) AND message.state = 'sent'
GROUP BY message.campaign_id
"""


def came(campaign_ids: Sequence[int]) -> dict[int, Came]:
    """By campaign, in one statement."""
    rows = {row[0]: Came(*row[1:]) for row in fetch_all(_CAME, {"ids": list(campaign_ids)})}
    return {pk: rows.get(pk, Came()) for pk in campaign_ids}


def left_after() -> Exists:
    """The same condition for a list of messages."""
    day = Value(timedelta(days=1))
    until = ExpressionWrapper(OuterRef("sent_at") + OuterRef("campaign__goal_days") * day, output_field=DateTimeField())
    return Exists(
        Consent.objects.filter(
            member=OuterRef("member"), channel=OuterRef("channel"), purpose=OuterRef("campaign__purpose"),
            granted=False, at__gte=OuterRef("sent_at"), at__lt=until,
        )
    )  # fmt: skip


class Side(NamedTuple):
    """Members of one group: how many, how many of them bought, what they spent in minor units, and its spread."""

    members: int = 0
    buyers: int = 0
    spent: int = 0
    sample: Sample = Sample(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Lift:
    """What those who were meant to get it bought beside those held out. `enough`: whether figures may be shown."""

    got: Side
    held: Side
    currency: str
    until: datetime | None  # when the last window closes
    difference: Difference | None  # of what a member spent, in minor units

    @property
    def enough(self) -> bool:
        sides = (self.got, self.held)
        buyers = sum(side.buyers for side in sides)
        return buyers >= ENOUGH_BUYERS and min(side.members for side in sides) >= ENOUGH_MEMBERS

    @property
    def brought(self) -> int | None:
        """What all of them brought together beyond what they would have spent anyway."""
        return round(self.difference.estimate * self.got.members) if self.difference and self.enough else None


# Everybody who was drawn to get it counts, whether the mail arrived or not: only so are both groups alike but for the
# draw. A broadcast's rows have a version from the draw on; who was out before it has none. Of a journey each member's
# first way counts, but none that staff began: nobody drew for it. Net of refunds, in the programme's currency.
_LIFT = """
WITH drawn AS (
    SELECT message.campaign_id, message.member_id, message.state = 'held' AS held, message.due_at AS since
    FROM campaigns_message AS message JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
    WHERE message.campaign_id = ANY(%(ids)s::bigint[]) AND campaign.kind <> 'journey' AND message.due_at <= %(at)s
      AND CASE campaign.kind WHEN 'broadcast' THEN message.state = 'held' OR message.variant > 0
               ELSE message.state NOT IN ('skipped', 'missed', 'cancelled') END
    UNION ALL
    SELECT * FROM (
        SELECT DISTINCT ON (journey_id, member_id) journey_id, member_id, state = 'held', entered_at
        FROM campaigns_journeyrun WHERE journey_id = ANY(%(ids)s::bigint[]) AND state <> 'missed'
          AND key NOT LIKE 'hand:%%'
        ORDER BY journey_id, member_id, entered_at
    ) AS way
), spent AS (
    SELECT drawn.campaign_id, drawn.held, drawn.since + campaign.goal_days * interval '1 day' AS until,
           count(purchase.id) AS bought,
           coalesce(sum(purchase.amount_minor - purchase.refunded_minor)
                    FILTER (WHERE purchase.currency = %(currency)s), 0) AS spent
    FROM drawn JOIN campaigns_campaign AS campaign ON campaign.id = drawn.campaign_id
    LEFT JOIN members_purchase AS purchase
      ON purchase.member_id = drawn.member_id AND purchase.purchased_at >= drawn.since
     AND purchase.purchased_at < drawn.since + campaign.goal_days * interval '1 day'
     AND purchase.purchased_at >= (SELECT min(since) FROM drawn)
    GROUP BY drawn.campaign_id, drawn.member_id, drawn.held, drawn.since, campaign.goal_days
)
SELECT campaign_id, held, count(*), count(*) FILTER (WHERE bought > 0), sum(spent)::bigint,
       avg(spent)::float, coalesce(var_samp(spent), 0)::float, max(until)
FROM spent GROUP BY campaign_id, held
"""


def lifts(campaign_ids: Sequence[int], *, at: datetime) -> dict[int, Lift]:
    """What campaigns brought within their days, per member, beside their hold-outs (Welch, 95 %), in one statement."""
    currency = get_programme().currency
    found: dict[int, dict[bool, tuple[Side, datetime]]] = {pk: {} for pk in campaign_ids}
    rows = fetch_all(_LIFT, {"ids": list(campaign_ids), "currency": currency, "at": at})
    for pk, held, members, buyers, spent, mean, variance, until in rows:
        found[pk][held] = (Side(members, buyers, spent, Sample(members, mean, variance)), until)
    told = {}
    for pk, sides in found.items():
        got, held = (sides[side][0] if side in sides else Side() for side in (False, True))
        until = max((moment for _side, moment in sides.values()), default=None)
        told[pk] = Lift(got, held, currency, until, welch(got.sample, held.sample))
    return told


class Given(NamedTuple):
    """What was given with messages: points, coupons by offer, how many of those were used."""

    points: int
    coupons: dict[int, int]
    used: dict[int, int]


_COUPONS = """
SELECT coupon.offer_id, count(*), count(*) FILTER (WHERE coupon.state = 'used')
FROM campaigns_message AS message JOIN rewards_coupon AS coupon ON coupon.issue_key = 'message:' || message.uid
WHERE message.campaign_id = %s GROUP BY coupon.offer_id
"""


def given(campaign_id: int, *, with_coupons: bool) -> Given:
    """What came with the messages of a campaign; coupons are looked for where it gives them."""
    points = fetch_one(
        "SELECT coalesce(sum(gift.amount), 0)::bigint AS points FROM campaigns_message AS message"
        " JOIN rewards_transfer AS gift ON gift.id = message.gift_id WHERE message.campaign_id = %s",
        [campaign_id],
    ).points
    rows = fetch_all(_COUPONS, [campaign_id]) if with_coupons else []
    return Given(points, {pk: n for pk, n, _used in rows}, {pk: used for pk, _n, used in rows})


def sent_by_sender(campaign_id: int) -> dict[int, int]:
    """How many messages each sender sent, by its id."""
    return dict(
        fetch_all(
            "SELECT sender_id, count(*) FROM campaigns_message WHERE campaign_id = %s AND state = 'sent'"
            " AND sender_id IS NOT NULL GROUP BY sender_id",
            [campaign_id],
        )
    )


class Asked(NamedTuple):
    """How many messages had such a request, by what it is taken for."""

    kind: TrackKind
    verdicts: dict[Verdict, int]


def asked(campaign_id: int) -> list[Asked]:
    """Opens, then clicks: the messages with at least one request of each verdict."""
    rows = fetch_all(
        "SELECT track.kind, track.verdict, count(DISTINCT track.message_id) FROM campaigns_trackevent AS track"
        " JOIN campaigns_message AS message ON message.id = track.message_id"
        " WHERE message.campaign_id = %s AND track.kind <> 'trap' GROUP BY 1, 2",
        [campaign_id],
    )
    found: dict[str, dict[Verdict, int]] = {}
    for kind, verdict, count in rows:
        found.setdefault(kind, {})[Verdict(verdict)] = count
    return [Asked(kind, found.get(kind, {})) for kind in (TrackKind.OPEN, TrackKind.CLICK)]


class Place(NamedTuple):
    """A link, and how many messages it was followed from, by people and by anything."""

    url: str
    people: int
    all: int


def places(campaign_id: int, *, most: int = 20) -> list[Place]:
    """Where a campaign's links led, the most followed first."""
    rows = fetch_all(
        "SELECT link.url, count(DISTINCT track.message_id) FILTER (WHERE track.verdict = 'person') AS people,"
        " count(DISTINCT track.message_id) FROM campaigns_trackevent AS track"
        " JOIN campaigns_message AS message ON message.id = track.message_id"
        " JOIN campaigns_link AS link ON link.id = track.link_id"
        " WHERE message.campaign_id = %s GROUP BY link.url ORDER BY people DESC, 3 DESC, link.url LIMIT %s",
        [campaign_id, most],
    )
    return [Place(*row) for row in rows]
