"""What people, and members' own words, do to messages: stop them, send them again, settle them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from campaigns import events
from campaigns.enums import OPEN, MessageState, SkipReason
from campaigns.models import BirthdayGreeting, Message
from campaigns.queries import GREETED
from common.doorbell import ring
from common.sql import fetch_all
from members.events import record_selected

# How long a message that staff send again may still take.
SECOND_CHANCE = timedelta(hours=24)
RESENDABLE = (MessageState.MISSED, MessageState.FAILED, MessageState.UNKNOWN)


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
        campaign__purpose=purpose,
        state__in=OPEN,
        dot_at=None,
    ).update(state=MessageState.SKIPPED, reason=SkipReason.NO_CONSENT, lease_until=None, token=None, changed_at=at)


_SEND_AGAIN = f"""
UPDATE campaigns_message AS message
SET state = 'queued', reason = '', attempts = 0, error = '', token = NULL, dot_at = NULL, answered_at = NULL,
    address = CASE WHEN message.state <> 'missed' THEN address END,  -- another member's with the same may have gone
    next_try_at = %(at)s, expires_at = %(until)s,
    changed_at = %(at)s
FROM (
    SELECT DISTINCT ON (member_id, campaign_id, channel,
                        CASE WHEN occurrence_day IS NULL THEN occurrence ELSE '' END)
           id AS message_id, member_id, occurrence_year AS year, occurrence_day AS day
    FROM campaigns_message WHERE id = ANY(%(ids)s) AND state = ANY(%(states)s)
    ORDER BY member_id, campaign_id, channel, CASE WHEN occurrence_day IS NULL THEN occurrence ELSE '' END,
             occurrence_day DESC
) AS due
WHERE message.id = due.message_id AND message.state = ANY(%(states)s) AND NOT {GREETED}
RETURNING message.id
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
            "states": [state.value for state in RESENDABLE],
        },
    )
    _record_settled([message_id for (message_id,) in rows], "sent again", reason, at, actor_id)
    if rows:
        ring("campaigns.tasks.deliver_messages")
    return SentAgain(len(rows), len(set(message_ids)) - len(rows))


@transaction.atomic
def mark_sent(*, message_ids: Sequence[int], at: datetime, reason: str, actor_id: int | None) -> int:
    """Settles unknown messages that did arrive, as somebody found out; how many."""
    found = Message.objects.filter(pk__in=message_ids, state=MessageState.UNKNOWN).order_by("pk")
    ids = list(found.select_for_update().values_list("pk", flat=True))
    Message.objects.filter(pk__in=ids).update(state=MessageState.SENT, sent_at=at, changed_at=at, error="")
    _record_settled(ids, "marked as sent", reason, at, actor_id)
    return len(ids)


def _record_settled(ids: list[int], act: str, reason: str, at: datetime, actor_id: int | None) -> None:
    record_selected(
        kind=events.MESSAGE_SETTLED,
        select=f"SELECT message.member_id, %(at)s::timestamptz, {events.DATA}"
        " || jsonb_build_object('act', %(act)s::text, 'reason', %(reason)s::text) FROM campaigns_message AS message"
        " JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id WHERE message.id = ANY(%(ids)s)",
        params={"at": at, "act": act, "reason": reason, "ids": ids},
        actor_id=actor_id,
    )
