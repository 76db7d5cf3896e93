"""Where messages are: claimed, marked at hand-over, settled. Every statement checks that the claim still holds.

A claim is known by the token of the worker's run, and the worker holds an advisory lock of that name as long as it
lives: what the dead held is taken over at once, and by its lease where a pool of connections hides who lives.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from campaigns import events
from campaigns.enums import MessageState
from campaigns.models import Message
from campaigns.services.birthdays import record_missed
from campaigns.services.boot import boot_uid
from campaigns.services.pace import OWN_BUCKET, OWN_RATE, OWN_TOKENS
from campaigns.services.pressure import admit
from common.sql import execute, fetch_all, fetch_beside, fetch_prepared, storable

LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 8


def pause(attempts: int) -> timedelta:
    """How long a message waits after its n-th attempt: 1 min, 4 min, 16 min, 64 min, 4 h, then 6 h."""
    return min(timedelta(minutes=4 ** min(attempts - 1, 5)), timedelta(hours=6))


PAUSE = "least(interval '1 minute' * power(4, message.attempts - 1), interval '6 hours')"


@contextmanager
def alive() -> Iterator[UUID]:
    """A token, and a lock by which others see that its holder lives."""
    token = uuid.uuid4()
    execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [str(token)])
    try:
        yield token
    finally:
        if connection.connection is not None and not connection.connection.closed:
            execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [str(token)])


# Of a campaign with a speed of its own no more than may leave now: what is written early gives its gift early.
_DUE = f"""
SELECT waiting.id, waiting.deaths FROM (
    SELECT campaign.id,
           CASE WHEN rate_per_minute IS NULL THEN %(limit)s ELSE least(%(limit)s, floor({OWN_TOKENS})) END::int AS room
    FROM campaigns_campaign AS campaign {OWN_BUCKET}
    WHERE state = 'running' AND (kind = 'service' OR NOT %(only_service)s)
      AND EXISTS (SELECT FROM campaigns_sender WHERE id = %(sender)s AND paused_at IS NULL)
    ORDER BY kind = 'service' DESC, priority DESC, campaign.id
) AS campaign CROSS JOIN LATERAL (
    SELECT message.id, message.attempts - jsonb_array_length(message.tries) AS deaths FROM campaigns_message AS message
    WHERE message.campaign_id = campaign.id AND message.sender_id = %(sender)s AND message.state = 'queued'
      AND message.next_try_at <= %(at)s AND message.expires_at > %(at)s
    ORDER BY message.next_try_at, message.id LIMIT campaign.room FOR NO KEY UPDATE SKIP LOCKED
) AS waiting LIMIT %(limit)s
"""
_CLAIM = """
UPDATE campaigns_message
SET state = 'claimed', token = %(token)s, lease_until = %(lease)s, changed_at = %(at)s, attempts = attempts + 1
WHERE id = ANY(%(ids)s)
"""


@transaction.atomic
def claim(*, sender_id: int, token: UUID, at: datetime, limit: int, only_service: bool = False) -> list[int]:
    """Takes messages of a sender that are due: service first, then by priority, longest waiting first. The attempt
    counts even if the worker dies. What pressure holds back is put off, and others are looked for."""
    asked = {"sender": sender_id, "at": at, "limit": limit, "only_service": only_service}
    while found := _apart(fetch_all(_DUE, asked), limit):
        if admitted := admit(message_ids=found, at=at):
            ids = [message_id for message_id in found if message_id in admitted]
            fetch_prepared(_CLAIM, {"token": token, "at": at, "lease": at + LEASE, "ids": ids})
            return ids
    return []


def _apart(due: Sequence[tuple[int, int]], limit: int) -> list[int]:
    """The first of those that are due, each with the number of workers that died while they held it: the more, the
    fewer go with it, until it goes alone. So a message that kills workers fails in the end, and none of those that were
    only beside it."""
    found: list[int] = []
    deaths = 0
    for message_id, died in due:
        deaths = max(deaths, died)
        if found and len(found) >= limit >> 3 * deaths:
            break
        found.append(message_id)
    return found


_SOON = f"""
SELECT min((1 - {OWN_TOKENS}) / {OWN_RATE}) FROM campaigns_campaign AS campaign {OWN_BUCKET}
WHERE campaign.state = 'running' AND campaign.rate_per_minute IS NOT NULL AND EXISTS (
    SELECT FROM campaigns_message AS message
    WHERE message.campaign_id = campaign.id AND message.sender_id = %(sender)s AND message.state = 'queued'
      AND message.next_try_at <= %(at)s AND message.expires_at > %(at)s)
"""


def seconds_until_more(*, sender_id: int, at: datetime) -> float | None:
    """How long until a campaign of a sender may send again that only its own speed holds up; None where none is."""
    found = fetch_all(_SOON, {"sender": sender_id, "at": at})[0][0]
    return None if found is None else max(float(found), 0.0)


# --- taking over from the dead -----------------------------------------------------------------------------------
def _dead(at: datetime, token: UUID | None) -> list[UUID]:
    """The tokens of claims whose holder is gone, or whose lease ran out."""
    rows = fetch_all(
        "SELECT token, max(lease_until) <= %(at)s FROM campaigns_message"
        " WHERE state IN ('claimed', 'handing_over') AND token IS DISTINCT FROM %(own)s GROUP BY token",
        {"at": at, "own": token},
    )
    gone = []
    for holder, ran_out in rows:
        name = [str(holder)]
        if ran_out or fetch_all("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", name)[0][0]:
            gone.append(holder)
    return gone


@transaction.atomic
def sweep(*, at: datetime, token: UUID | None = None) -> None:
    """What the dead held: not handed over waits again, taken by the server is `sent`, in doubt is `unknown`. And what
    waited too long is `missed`."""
    if gone := _dead(at, token):
        held = Message.objects.filter(token__in=gone)
        ids = held.filter(state__in=[MessageState.CLAIMED, MessageState.HANDING_OVER])
        list(ids.order_by("pk").select_for_update(no_key=True).values_list("pk"))
        worn = fetch_all(
            """
            UPDATE campaigns_message SET state = 'failed', changed_at = %(at)s, lease_until = NULL,
                error = coalesce(nullif(error, ''), 'The worker died at every attempt.')
            WHERE token = ANY(%(gone)s) AND attempts >= %(most)s AND dot_at IS NULL
              AND (state = 'claimed' OR (state = 'handing_over' AND boot = %(boot)s)) RETURNING id
            """,
            {"at": at, "gone": gone, "boot": boot_uid(), "most": MAX_ATTEMPTS},
        )
        events.record_messages(events.MESSAGE_FAILED, [row[0] for row in worn], at)
        execute(
            """
            UPDATE campaigns_message SET state = 'queued', next_try_at = %(at)s, changed_at = %(at)s, lease_until = NULL
            WHERE token = ANY(%(gone)s) AND (state = 'claimed'
                OR (state = 'handing_over' AND dot_at IS NULL AND boot = %(boot)s))
            """,
            {"at": at, "gone": gone, "boot": boot_uid()},
        )
        execute(
            "UPDATE campaigns_message AS message SET answered_at = next.dot_at FROM campaigns_message AS next"
            " WHERE next.token = ANY(%(gone)s) AND next.state = 'handing_over' AND next.dot_at IS NOT NULL"
            " AND message.id = next.taken_id AND message.token = next.token AND message.state = 'handing_over'"
            " AND message.dot_at IS NOT NULL",
            {"gone": gone},
        )
        taken = fetch_all(
            "UPDATE campaigns_message SET state = 'sent', sent_at = answered_at, changed_at = %(at)s,"
            " lease_until = NULL, error = '' WHERE token = ANY(%(gone)s) AND state = 'handing_over'"
            " AND answered_at IS NOT NULL RETURNING id",
            {"at": at, "gone": gone},
        )
        events.record_messages(events.MESSAGE_SENT, [row[0] for row in taken], at)
        doubtful = fetch_all(
            "UPDATE campaigns_message SET state = 'unknown', changed_at = %(at)s, lease_until = NULL,"
            " error = 'The worker was stopped while it handed the message over.'"
            " WHERE token = ANY(%(gone)s) AND state = 'handing_over' RETURNING id",
            {"at": at, "gone": gone},
        )
        events.record_messages(events.MESSAGE_UNKNOWN, [row[0] for row in doubtful], at)
    late = Message.objects.filter(state=MessageState.QUEUED, expires_at__lte=at)
    if late.update(state=MessageState.MISSED, changed_at=at):
        record_missed(at=at)


# --- the last look -----------------------------------------------------------------------------------------------
# Whether a member agreed. The inbox is no channel of consent of its own: any yes to the purpose counts.
AGREED = """(campaign.purpose = 'service' OR EXISTS (
    SELECT FROM members_consentstate AS said
    WHERE said.member_id = message.member_id AND said.purpose = campaign.purpose AND said.granted
      AND (said.channel = message.channel OR message.channel = 'app')))"""
# Service passes what only says that somebody wants no news.
SUPPRESSED = """EXISTS (
    SELECT FROM campaigns_suppression AS entry
    WHERE entry.address = {address} AND entry.channel = message.channel AND entry.lifted_at IS NULL
      AND (entry.expires_at IS NULL OR entry.expires_at > %(at)s)
      AND (campaign.purpose <> 'service' OR entry.reason NOT IN ('complaint', 'unsubscribed')))"""
_WANTED = f"""campaign.id = message.campaign_id AND campaign.state = 'running'
  AND message.id = %(id)s AND message.token = %(token)s AND message.state = 'handing_over' AND {AGREED}
  AND NOT {SUPPRESSED.format(address="message.address")}
  AND EXISTS (SELECT FROM campaigns_sender AS sender
              WHERE sender.id = message.sender_id AND sender.paused_at IS NULL)"""
# What the server took before is told by this row: a second row would double the cost.
_MARK = f"""
UPDATE campaigns_message AS message SET dot_at = %(at)s, taken_id = nullif(%(answered)s::bigint, 0)
FROM campaigns_campaign AS campaign WHERE {_WANTED} RETURNING message.id
"""
_LOOK = f"SELECT message.id FROM campaigns_message AS message, campaigns_campaign AS campaign WHERE {_WANTED}"


def mark(
    *,
    message_id: int,
    answered: int,
    token: UUID,
    at: datetime,
    harmless: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> bool:
    """The last look, and the mark that the message may leave from now on; the mark of `answered` (0: none), which the
    server took meanwhile, goes with it. False: it must not leave. A `harmless` way needs no mark. `meanwhile` is done
    while the database works: it must not ask it, nor raise."""
    params = {"id": message_id, "answered": answered, "token": token, "at": at}
    return bool(fetch_beside(_LOOK if harmless else _MARK, params, meanwhile))


# --- what came of it ---------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Outcome:
    """What became of a message. `wait` is for what is tried again; `tried` says whether that was an attempt."""

    id: int
    state: MessageState
    text: str = ""
    provider_id: str = ""
    wait: timedelta | None = None  # None: as long as after so many attempts
    tried: bool = True
    answered_at: datetime | None = None  # when the server took it; None: by now


_SETTLE = f"""
UPDATE campaigns_message AS message
SET state = CASE WHEN new.state = 'queued' AND new.tried AND message.attempts >= %(most)s THEN 'failed'
                 ELSE new.state END,
    sent_at = CASE WHEN new.state = 'sent' THEN %(at)s::timestamptz END,
    changed_at = %(at)s, lease_until = NULL, error = new.text,
    provider_id = CASE WHEN new.provider_id <> '' THEN new.provider_id ELSE message.provider_id END,
    answered_at = CASE WHEN new.state = 'sent' AND message.dot_at IS NOT NULL
                       THEN greatest(coalesce(new.answered_at, %(at)s), message.dot_at) END,
    dot_at = CASE WHEN new.state = 'queued' AND NOT (new.tried AND message.attempts >= %(most)s) THEN NULL
                  ELSE message.dot_at END,
    attempts = message.attempts - CASE WHEN new.tried THEN 0 ELSE 1 END,
    tries = CASE WHEN new.tried AND new.state <> 'sent'
                 THEN message.tries || jsonb_build_object('at', %(at)s::timestamptz, 'error', left(new.text, 500))
                 ELSE message.tries END,
    next_try_at = CASE WHEN new.state = 'queued' THEN %(at)s + coalesce(new.wait, {PAUSE}) ELSE message.next_try_at END
FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(texts)s::text[], %(provider_ids)s::text[], %(waits)s::interval[],
            %(trieds)s::boolean[], %(answereds)s::timestamptz[])
     AS new (id, state, text, provider_id, wait, tried, answered_at)
WHERE message.id = new.id AND message.token = %(token)s
  AND (message.state IN ('claimed', 'handing_over')
       OR (message.state = 'unknown' AND new.tried AND new.state <> 'unknown'))
RETURNING message.id, message.state
"""
_TOLD = {
    MessageState.SENT.value: events.MESSAGE_SENT,
    MessageState.FAILED.value: events.MESSAGE_FAILED,
    MessageState.UNKNOWN.value: events.MESSAGE_UNKNOWN,
}


@transaction.atomic
def settle(*, outcomes: Sequence[Outcome], token: UUID, at: datetime) -> int:
    """Writes what became of messages that are still ours, with their timelines; how many were sent. The server's word
    that comes late also settles what was put down as unknown meanwhile."""
    if not outcomes:
        return 0
    rows = fetch_all(
        _SETTLE,
        {
            "at": at,
            "token": token,
            "most": MAX_ATTEMPTS,
            "ids": [one.id for one in outcomes],
            "states": [one.state.value for one in outcomes],
            "texts": [storable(one.text) for one in outcomes],
            "provider_ids": [storable(one.provider_id)[:250] for one in outcomes],
            "waits": [one.wait for one in outcomes],
            "trieds": [one.tried for one in outcomes],
            "answereds": [one.answered_at for one in outcomes],
        },
    )
    for state, kind in _TOLD.items():
        events.record_messages(kind, [message_id for message_id, now in rows if now == state], at)
    return sum(now == MessageState.SENT for _id, now in rows)
