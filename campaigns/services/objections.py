"""Who may object to a message at the last look: limits of messages in a time, quiet hours, whatever comes later.

An objection holds (`until` None: the message is skipped) or puts off: until a moment, or until it is too late, and then
it is missed for that reason.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from campaigns.enums import SkipReason
from common.moments import clock_moment


@dataclass(slots=True)
class Held:
    """A claimed message as the last look sees it. `zone` is the member's."""

    id: int
    uid: UUID
    member_id: int
    channel: str
    campaign_id: int
    kind: str
    purpose: str
    priority: int
    counts_for_cap: bool
    rate_per_minute: int | None
    quiet_from: time | None
    quiet_until: time | None
    zone: str
    occurrence_day: date | None
    occurrence_year: int | None
    version_id: int | None
    frozen_at: datetime | None
    language: str
    subject: str
    values: dict[str, Any]
    text: str
    attempts: int
    next_try_at: datetime
    expires_at: datetime
    to: str
    card_number: str
    is_suppressed: bool
    is_double: bool
    agreed: bool
    gift_id: int | None
    occurrence: str
    variant: int
    why: dict[str, Any]
    due_at: datetime

    def __post_init__(self) -> None:
        """A cursor of Django's hands JSON over as text."""
        self.values = json.loads(self.values) if isinstance(self.values, str) else self.values
        self.why = json.loads(self.why) if isinstance(self.why, str) else self.why


class Objection(NamedTuple):
    reason: SkipReason
    until: datetime | None = None


Ask = Callable[[Sequence[Held], datetime], Mapping[int, Objection]]
_asked: list[Ask] = []


def register(ask: Ask) -> None:
    """`ask(messages, at)` answers by message id. It is asked within the transaction that lets them go, with all of a
    chunk at once; never about service messages."""
    _asked.append(ask)


def objections(messages: Sequence[Held], at: datetime) -> dict[int, Objection]:
    """What stands against these messages; the first objection counts."""
    found: dict[int, Objection] = {}
    for ask in (quiet_hours, *_asked):
        left = [message for message in messages if message.id not in found]
        if left:
            found |= ask(left, at)
    return found


def quiet_hours(messages: Sequence[Held], at: datetime) -> dict[int, Objection]:
    """Not at night, by the member's own clock."""
    found = {}
    for message in messages:
        if message.quiet_from is not None and message.quiet_until is not None:
            until = end_of_quiet(at, message.quiet_from, message.quiet_until, message.zone)
            if until is not None:
                found[message.id] = Objection(SkipReason.QUIET, until)
    return found


def end_of_quiet(at: datetime, begins: time, ends: time, zone: str) -> datetime | None:
    """When the quiet hours end that a moment lies in; None where it lies in none. They may go over midnight."""
    try:
        local = at.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError):
        local = at
    now = local.time().replace(tzinfo=None)
    over_midnight = begins > ends
    inside = (now >= begins or now < ends) if over_midnight else begins <= now < ends
    if not inside or begins == ends:
        return None
    day = local.date() + timedelta(days=1) if over_midnight and now >= begins else local.date()
    return clock_moment(day, ends, local.tzinfo or UTC)
