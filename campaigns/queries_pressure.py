"""How much room members have for another message, by the limits of the shop and each member's own wish."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from campaigns.enums import MessageState, Pace
from common.sql import fetch_all

PACES = {Pace.WEEKLY: timedelta(days=7), Pace.MONTHLY: timedelta(days=30)}
# SQL: the member of `message` let go of the topic of `campaign`; by their pages, whoever let go of it by any channel.
UNWANTED = """(campaign.topic_id IS NOT NULL AND EXISTS (
    SELECT FROM campaigns_topicchoice AS choice
    WHERE choice.member_id = message.member_id AND choice.topic_id = campaign.topic_id AND NOT choice.wanted
      AND (choice.channel = message.channel OR message.channel = 'app')))"""
# What has gone out, may have, or is about to.
COUNTED = (MessageState.CLAIMED, MessageState.HANDING_OVER, MessageState.SENT, MessageState.UNKNOWN)
# What counts against a limit is a message of a campaign that counts, by the moment it left.
_LEFT = "coalesce(message.sent_at, message.dot_at, message.changed_at)"
_COUNTS = "message.state = ANY(%(counted)s) AND campaign.counts_for_cap"
_PACE = "CASE wish.pace WHEN 'weekly' THEN %(weekly)s::interval ELSE %(monthly)s::interval END"
_LIMITS = f"""
WITH limits AS (
    SELECT who.member_id, cap.channel, cap.number, cap.days * interval '1 day' AS span
    FROM unnest(%(members)s::bigint[]) AS who (member_id) CROSS JOIN campaigns_cap AS cap
    WHERE cap.active AND (cap.channel = '' OR cap.channel = ANY(%(channels)s))
    UNION ALL
    SELECT coalesce(said.merged_into_id, said.id), '', 1,
           {_PACE}
    FROM campaigns_contactpace AS wish JOIN members_member AS said ON said.id = wish.member_id
    WHERE wish.pace <> 'normal'
      AND (said.id = ANY(%(members)s)
           OR (said.merged_into_id = ANY(%(members)s)  -- said under the name they had: until they say otherwise
               AND NOT EXISTS (SELECT FROM campaigns_contactpace AS own WHERE own.member_id = said.merged_into_id)))
)
SELECT limits.member_id, limits.channel, limits.number, limits.span, counted.times
FROM limits CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(latest.at ORDER BY latest.at DESC), '{{}}') AS times FROM (
        SELECT {_LEFT} AS at
        FROM campaigns_message AS message JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
        WHERE message.member_id = limits.member_id AND {_COUNTS}
          AND (limits.channel = '' OR message.channel = limits.channel)
          AND {_LEFT} > %(at)s - limits.span
        ORDER BY 1 DESC LIMIT limits.number
    ) AS latest
) AS counted
"""

# The same for all rows (member_id, channel, reason, due_at) of an audience, each at its own moment: those without room.
_FULL = f"""
WITH going AS MATERIALIZED (SELECT member_id, channel, due_at FROM ({{sql}}) AS planned WHERE reason = ''),
limits AS (
    SELECT going.*, cap.channel AS by, cap.number, cap.days * interval '1 day' AS span
    FROM going JOIN campaigns_cap AS cap ON cap.active AND cap.channel IN ('', going.channel)
    UNION ALL
    SELECT going.*, '', 1, {_PACE}
    FROM campaigns_contactpace AS wish JOIN members_member AS said ON said.id = wish.member_id
    JOIN going ON going.member_id = coalesce(said.merged_into_id, said.id)
    WHERE wish.pace <> 'normal' AND (said.merged_into_id IS NULL OR NOT EXISTS (
          SELECT FROM campaigns_contactpace AS own WHERE own.member_id = said.merged_into_id))
), full_up AS (
    SELECT limits.member_id, limits.due_at,
           (array_agg({_LEFT} ORDER BY {_LEFT} DESC))[limits.number] + limits.span AS free_at
    FROM limits JOIN campaigns_message AS message ON message.member_id = limits.member_id
     AND (limits.by = '' OR message.channel = limits.by) AND {_LEFT} > limits.due_at - limits.span
    JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
    WHERE {_COUNTS}
    GROUP BY limits.member_id, limits.due_at, limits.by, limits.number, limits.span
    HAVING count(*) >= limits.number
), waiting AS (
    SELECT member_id, max(free_at) >= due_at + %(late)s::interval AS too_late
    FROM full_up GROUP BY member_id, due_at
)
SELECT count(*), count(*) FILTER (WHERE too_late), coalesce((array_agg(member_id ORDER BY member_id))[1:10], '{{{{}}}}')
FROM waiting
"""
_ANY = """
SELECT EXISTS (SELECT FROM campaigns_cap WHERE active)
       OR EXISTS (SELECT FROM campaigns_contactpace WHERE pace <> 'normal')
"""


class Limit(NamedTuple):
    """One limit as it stands for one member: the last messages that count, at most `number`, newest first."""

    channel: str  # empty: all together
    number: int
    span: timedelta
    times: list[datetime]

    def room(self, more: int = 0) -> int:
        """How many may still go, if `more` go before; never less than none."""
        return max(0, self.number - len(self.times) - more)

    def free_at(self) -> datetime | None:
        """When the next may go; None: now."""
        return self.times[self.number - 1] + self.span if len(self.times) >= self.number else None


class Room(NamedTuple):
    """How many more messages a member may get now (None: no limit), and when the next, if none now."""

    left: int | None
    free_at: datetime | None


def _words() -> dict[str, Any]:
    return {
        "weekly": PACES[Pace.WEEKLY],
        "monthly": PACES[Pace.MONTHLY],
        "counted": [state.value for state in COUNTED],
    }


def limits_of(member_ids: Iterable[int], channels: Iterable[str], at: datetime) -> dict[int, list[Limit]]:
    """The limits in force for each member, by these channels and by all together. One statement."""
    asked = {"members": list(member_ids), "channels": list(channels), "at": at}
    rows = fetch_all(_LIMITS, {**asked, **_words()})
    found: dict[int, list[Limit]] = {}
    for member_id, channel, number, span, times in rows:
        found.setdefault(member_id, []).append(Limit(channel, number, span, times))
    return found


def room_for(member_ids: Iterable[int], channel: str, at: datetime) -> dict[int, Room]:
    """The room of each of the members for messages by a channel, of whatever app: campaigns, and surveys too."""
    ids = list(member_ids)
    found = limits_of(ids, [channel], at)
    rooms = {}
    for member_id in ids:
        limits = found.get(member_id, [])
        waits = [moment for limit in limits if (moment := limit.free_at()) is not None]
        rooms[member_id] = Room(min((limit.room() for limit in limits), default=None), max(waits) if waits else None)
    return rooms


class PutOff(NamedTuple):
    """Members of an audience who have no room when their message is due, as things are now: it waits for them.
    For `too_late` of them longer than it may. `some`: up to ten of all."""

    members: int
    too_late: int
    some: list[int]


def put_off(sql: str, params: Mapping[str, Any], *, late: timedelta) -> PutOff:
    """Of the rows (member_id, channel, reason, due_at) of a statement, those that hand-over would put off, by what has
    gone out until now. What else waits for the same members is not looked at. Two statements for all."""
    if not fetch_all(_ANY)[0][0]:
        return PutOff(0, 0, [])
    return PutOff(*fetch_all(_FULL.format(sql=sql), {**params, **_words(), "late": late})[0])
