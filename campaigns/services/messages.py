"""What people, and members' own words, do to messages: stop them, send them again, settle them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from campaigns import events
from campaigns.enums import MessageState, SkipReason
from campaigns.models import BirthdayGreeting, Message
from campaigns.queries import GREETED
from common.doorbell import ring
from common.sql import fetch_all
from members.events import record_many

# How long a message that staff send again may still take.
SECOND_CHANCE = timedelta(hours=24)
_RESENDABLE = (MessageState.MISSED, MessageState.FAILED, MessageState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class SentAgain:
    """How many messages wait again; how many were refused, because the member was greeted otherwise or the state
    does not allow it."""

    queued: int
    refused: int


def skip_waiting(*, member_id: int, channel: str, purpose: str, at: datetime) -> int:
    """Stops what has not been handed over yet; how many messages. A worker that holds one finds its claim gone."""
    return Message.objects.filter(
        member_id=member_id,
        channel=channel,
        purpose=purpose,
        state__in=[MessageState.QUEUED, MessageState.CLAIMED],
    ).update(state=MessageState.SKIPPED, reason=SkipReason.NO_CONSENT, lease_until=None, token=None, changed_at=at)


_SEND_AGAIN = f"""
UPDATE campaigns_message AS message
SET state = 'queued', attempts = 0, error = '', token = NULL, next_try_at = %(at)s, expires_at = %(until)s,
    changed_at = %(at)s
FROM (
    SELECT DISTINCT ON (member_id) id AS message_id, member_id, occurrence_year AS year, occurrence_day AS day
    FROM campaigns_message WHERE id = ANY(%(ids)s) AND state = ANY(%(states)s)
    ORDER BY member_id, occurrence_day DESC
) AS due
WHERE message.id = due.message_id AND message.state = ANY(%(states)s) AND NOT {GREETED}
RETURNING message.id, message.member_id, message.campaign
"""


@transaction.atomic
def send_again(*, message_ids: Sequence[int], at: datetime, reason: str, actor_id: int | None) -> SentAgain:
    """Queues missed, failed or unknown messages once more: a member may then get an unknown one twice.

    Content written before stays as it was, and the gift is given once however often the message is sent.
    """
    # The planner's lock: it must not plan another day for a member whose missed day comes back to life.
    BirthdayGreeting.objects.select_for_update().filter(pk=1).first()
    rows = fetch_all(
        _SEND_AGAIN,
        {
            "at": at,
            "until": at + SECOND_CHANCE,
            "ids": list(message_ids),
            "states": [state.value for state in _RESENDABLE],
        },
    )
    _record_settled(rows, "sent again", reason, at, actor_id)
    if rows:
        ring("campaigns.tasks.deliver_messages")
    return SentAgain(len(rows), len(set(message_ids)) - len(rows))


@transaction.atomic
def mark_sent(*, message_ids: Sequence[int], at: datetime, reason: str, actor_id: int | None) -> int:
    """Settles unknown messages that did arrive, as somebody found out; how many."""
    found = Message.objects.filter(pk__in=message_ids, state=MessageState.UNKNOWN).order_by("pk")
    rows = list(found.select_for_update().values_list("pk", "member_id", "campaign"))
    Message.objects.filter(pk__in=[row[0] for row in rows]).update(
        state=MessageState.SENT, sent_at=at, changed_at=at, error=""
    )
    _record_settled(rows, "marked as sent", reason, at, actor_id)
    return len(rows)


def _record_settled(rows: list[tuple], act: str, reason: str, at: datetime, actor_id: int | None) -> None:
    record_many(
        kind=events.MESSAGE_SETTLED,
        events=[
            (member_id, at, {"message": message_id, "campaign": campaign, "act": act, "reason": reason})
            for message_id, member_id, campaign in rows
        ],
        actor_id=actor_id,
    )
