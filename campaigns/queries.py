"""Reads about messages: who is due, who will be, what waits."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from campaigns.enums import UNSENT, CampaignKind, Medium, SkipReason
from campaigns.models import DAYS_BETWEEN, BirthdayGreeting
from common.sql import fetch_all
from members.models import Member
from members.queries import BIRTHDAY_JOIN, birthday_patterns, get_programme

WEST, EAST = timedelta(hours=12), timedelta(hours=14)  # how far local time can be behind UTC and ahead of it
DAY = timedelta(days=1)


@cache
def database_time_zones() -> list[str]:
    """The time zones that the database knows. One that only Python knows must not stop everybody's greeting."""
    return [name for (name,) in fetch_all("SELECT name FROM pg_timezone_names")]


def zone_of(member: Member) -> ZoneInfo:
    """The member's time zone; the programme's where this machine does not know it."""
    try:
        return ZoneInfo(member.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(get_programme().time_zone)


# There is one campaign of this kind (services.greeting).
BIRTHDAY = f"(SELECT id FROM campaigns_campaign WHERE kind = '{CampaignKind.BIRTHDAY.value}')"
UNSENT_SQL = ", ".join(f"'{state.value}'" for state in UNSENT)
# What an e-mail address is known by, wherever one must not be written to twice, or not at all.
ADDRESS_KEY = "md5(lower({}))::uuid"


# Who sends by an app where nothing else is chosen; its set-up says what members are known by there.
_APP = "(SELECT {} FROM campaigns_sender WHERE channel = 'webhook' AND is_default)"
# SQL: where `member` is written to by a channel, empty where there is nothing. The inbox is known by the card; for an
# app the statement has the join of `known_in_app`.
ADDRESS = {
    Medium.EMAIL: "member.email",
    Medium.SMS: "member.phone",
    Medium.APP: "CASE WHEN member.user_id IS NOT NULL THEN member.card_number ELSE '' END",
    Medium.WEBHOOK: f"""CASE {_APP.format("goes_to")} WHEN 'card' THEN member.card_number
        WHEN 'phone' THEN member.phone WHEN 'identity' THEN coalesce(known.value, '') ELSE '' END""",
}


def known_in_app(asked: str = "true") -> str:
    """SQL of a join: the newest number of `member` in the system of the app, looked up where `asked` holds."""
    return f"""
LEFT JOIN LATERAL (
    SELECT own.value FROM members_identity AS own
    WHERE {asked} AND own.member_id = member.id AND own.system = {_APP.format("goes_to_system")}
    ORDER BY own.id DESC LIMIT 1
) AS known ON true
"""


# SQL of a join: which way `member` wants to hear of us first. See `way`.
LIKED = "\nLEFT JOIN campaigns_contactpace AS liked ON liked.member_id = member.id\n"


def way(channels: Sequence[Medium]) -> str:
    """SQL: the first of these channels with nothing against it, the member's own first of all; the first where there is
    something against all. The rows have `liked` and against_<channel>."""
    own = " ".join(f"WHEN liked = '{channel}' AND against_{channel} = '' THEN '{channel}'" for channel in channels)
    told = " ".join(f"WHEN against_{channel} = '' THEN '{channel}'" for channel in channels)
    return f"CASE {own if len(channels) > 1 else ''} {told} ELSE '{channels[0]}' END"


def address_of(member: Member, channel: str) -> str:
    """Where a member is written to by a channel now; empty where there is nothing. For an app, one query."""
    match channel:
        case Medium.EMAIL:
            return member.email
        case Medium.SMS:
            return str(member.phone or "")
        case Medium.APP:
            return member.card_number if member.user_id else ""
    told = f"SELECT {ADDRESS[Medium.WEBHOOK]} FROM members_member AS member {known_in_app()} WHERE member.id = %s"
    return str(fetch_all(told, [member.pk])[0][0])


def address_key(address: str) -> UUID:
    """What an address is known by: the same however it is written."""
    return UUID(hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest())


# Everyone whose birthday is kept on some days: (member_id, day, year, joined_at, zone, due_at, day_ends, expires_at).
# Wall time becomes a moment for the day in question, so a change of the clocks in between does no harm. OFFSET 0 keeps
# the clock a query of its own: the database works it out once for each day and zone and remembers, not for each member.
BIRTHDAYS = f"""
SELECT member.id AS member_id, member.joined_at, birthday.day, birthday.year, clock.*
FROM {BIRTHDAY_JOIN}
CROSS JOIN LATERAL (
    SELECT zone, due_at, day_ends, greatest(due_at + %(catch_up)s, day_ends) AS expires_at
    FROM (
        SELECT CASE WHEN member.time_zone = ANY(%(zones)s) THEN member.time_zone ELSE %(fallback)s END
    ) AS place (zone)
    CROSS JOIN LATERAL (
        SELECT (birthday.day - %(days_ahead)s + %(send_time)s) AT TIME ZONE zone AS due_at,
               (birthday.day + 1)::timestamp AT TIME ZONE zone AS day_ends
    ) AS moments OFFSET 0
) AS clock
"""

# Those whose time has come, of BIRTHDAYS, without a decision yet. Past expires_at they were missed. Nobody is greeted
# for a birthday that was over before they joined, or before the greeting was switched on.
DUE = f"""
SELECT member_id, day, year, zone, due_at, expires_at FROM (
    SELECT * FROM ({BIRTHDAYS}) AS celebrant WHERE due_at <= %(at)s AND expires_at > %(since)s OFFSET 0
) AS due
WHERE day_ends > greatest(joined_at, %(active_since)s) AND NOT EXISTS (
    SELECT 1 FROM (
        SELECT occurrence_day AS day, member_id FROM campaigns_message
        WHERE campaign_id = {BIRTHDAY} AND occurrence_day IS NOT NULL AND occurrence_day = ANY(%(each_day)s) OFFSET 0
    ) AS decided WHERE decided.day = due.day AND decided.member_id = due.member_id
)
"""

# Whether the member was greeted, or given the gift, too near this day or in the same year: what the constraints of
# Message would refuse.
GREETED = f"""
EXISTS (
    SELECT 1 FROM campaigns_message AS other
    WHERE other.campaign_id = {BIRTHDAY} AND other.member_id = due.member_id AND other.occurrence_day <> due.day
      AND (other.state NOT IN ({UNSENT_SQL}) OR other.gift_id IS NOT NULL)
      AND (other.occurrence_year = due.year OR abs(other.occurrence_day - due.day) < {DAYS_BETWEEN})
)
"""

# The member's last word on greetings by e-mail; no row: never asked.
CONSENT = """
LEFT JOIN LATERAL (
    SELECT said.granted FROM members_consent AS said
    WHERE said.member_id = due.member_id AND said.channel = 'email' AND said.purpose = 'greetings'
    ORDER BY said.at DESC, said.id DESC LIMIT 1
) AS consent ON true
"""

REASON = f"""
CASE WHEN {GREETED} THEN '{SkipReason.GREETED.value}'
     WHEN consent.granted IS NOT TRUE THEN '{SkipReason.NO_CONSENT.value}'
     WHEN member.email = '' THEN '{SkipReason.NO_ADDRESS.value}'
     ELSE '' END
"""


def birthday_params(greeting: BirthdayGreeting, first: date, last: date) -> dict[str, Any]:
    """What BIRTHDAYS asks for: birthdays from `first` to `last`, both included, under the greeting's settings."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    zones, own = database_time_zones(), get_programme().time_zone
    return birthday_patterns(days)._asdict() | {
        "each_day": days,
        "zones": zones,
        "fallback": own if own in zones else "UTC",
        "days_ahead": greeting.days_ahead,
        "send_time": time(greeting.send_hour),
        "catch_up": timedelta(hours=greeting.catch_up_hours),
        "active_since": greeting.active_since,
    }


def due_params(greeting: BirthdayGreeting, at: datetime) -> dict[str, Any]:
    """What DUE asks for at a moment: the days on which, in any time zone, somebody can be due or just too late."""
    since = min(greeting.last_checked_at or at, at)  # a clock put back must not stop the greetings
    ahead, hour = timedelta(days=greeting.days_ahead), timedelta(hours=greeting.send_hour)
    catch_up = timedelta(hours=greeting.catch_up_hours)
    too_late = since.astimezone(UTC) - max(catch_up + hour - ahead, DAY) - WEST
    last = at.astimezone(UTC) + ahead - hour + EAST
    return birthday_params(greeting, (too_late + DAY).date(), last.date()) | {"at": at, "since": since}


class Upcoming(NamedTuple):
    """A birthday to come: when the greeting is due, and either why it will not go out or its state so far."""

    day: date
    member: Member
    due_at: datetime
    reason: str
    state: str

    @property
    def reason_label(self) -> str:
        """Why this member gets no greeting; empty where they do."""
        return str(SkipReason(self.reason).label) if self.reason else ""


_UPCOMING = f"""
SELECT due.day, due.member_id, due.due_at, coalesce(message.reason, {REASON}) AS reason,
       coalesce(message.state, '') AS state
FROM ({BIRTHDAYS}) AS due JOIN members_member AS member ON member.id = due.member_id {CONSENT}
LEFT JOIN campaigns_message AS message
  ON message.campaign_id = {BIRTHDAY} AND message.member_id = due.member_id AND message.occurrence_day = due.day
WHERE due.day_ends > %(at)s
"""


def _upcoming_params(greeting: BirthdayGreeting, at: datetime, days: int) -> dict[str, Any]:
    today = (at.astimezone(UTC) - WEST).date()
    last = (at.astimezone(UTC) + EAST).date() + timedelta(days=days)
    active_since = greeting.active_since if greeting.active else None
    return birthday_params(greeting, today, last) | {"at": at, "active_since": active_since or at}


def upcoming(
    greeting: BirthdayGreeting, *, at: datetime, days: int, after: tuple[date, int] | None = None, limit: int = 50
) -> list[Upcoming]:
    """Birthdays of the next `days` days, in order, from behind `after` (day, member id)."""
    rows = fetch_all(
        f"SELECT * FROM ({_UPCOMING}) AS row WHERE (day, member_id) > (%(after_day)s, %(after_id)s)"
        " ORDER BY day, member_id LIMIT %(limit)s",
        _upcoming_params(greeting, at, days)
        | {"after_day": after[0] if after else date.min, "after_id": after[1] if after else 0, "limit": limit},
    )
    members = Member.objects.in_bulk([row[1] for row in rows])
    return [Upcoming(day, members[member_id], due, reason, state) for day, member_id, due, reason, state in rows]


def upcoming_counts(greeting: BirthdayGreeting, *, at: datetime, days: int) -> Mapping[str, int]:
    """How many birthdays the next `days` days bring, by the reason against a greeting; '' are those greeted."""
    rows = fetch_all(
        f"SELECT reason, count(*) FROM ({_UPCOMING}) AS row GROUP BY reason", _upcoming_params(greeting, at, days)
    )
    return dict(rows)
