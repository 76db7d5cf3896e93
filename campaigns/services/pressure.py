"""Who gets a message now and who later: caps, priority, and topics that members do not want. docs/pressure.md."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from campaigns.enums import Medium, SkipReason
from campaigns.queries_pressure import UNWANTED, Limit, limits_of
from common.sql import execute, fetch_all, fetch_prepared

LOOK_AGAIN = timedelta(minutes=5)  # after something more important that waits has had its turn
_LOCK_SPACE = 0x5052 << 48  # of advisory locks; below it the member's id

_ASKED = f"""
SELECT message.id, message.member_id, message.channel, campaign.priority, message.due_at, message.expires_at,
       campaign.counts_for_cap, {UNWANTED} AS unwanted
FROM campaigns_message AS message JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
WHERE message.id = ANY(%(ids)s)
"""
# What else waits for the same members and could go now: the more important goes first, whoever looks first.
_RIVALS = """
SELECT message.id, message.member_id, message.channel, campaign.priority, message.due_at, message.expires_at, true,
       false
FROM campaigns_message AS message JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
JOIN campaigns_sender AS sender ON sender.id = message.sender_id AND sender.paused_at IS NULL
WHERE message.member_id = ANY(%(members)s) AND message.state = 'queued' AND message.next_try_at <= %(at)s
  AND message.expires_at > %(at)s AND campaign.state = 'running' AND campaign.counts_for_cap
  AND message.id <> ALL(%(ids)s)
"""
_ANY_LIMIT = """
SELECT EXISTS (SELECT FROM campaigns_cap WHERE active)
       OR EXISTS (SELECT FROM campaigns_contactpace WHERE member_id = ANY(%(members)s))
       OR EXISTS (SELECT FROM members_member AS said JOIN campaigns_contactpace AS wish ON wish.member_id = said.id
                  WHERE said.merged_into_id = ANY(%(members)s))
"""
_PUT_OFF = """
UPDATE campaigns_message AS message
SET state = CASE WHEN later.until >= message.expires_at THEN 'skipped' ELSE message.state END,
    reason = CASE WHEN later.until >= message.expires_at THEN %(reason)s ELSE message.reason END,
    changed_at = CASE WHEN later.until >= message.expires_at THEN %(at)s ELSE message.changed_at END,
    next_try_at = later.until,
    why = message.why || jsonb_build_object('put_off_until', later.until,
                                            'put_off', coalesce((message.why ->> 'put_off')::int, 0) + 1)
FROM unnest(%(ids)s::bigint[], %(until)s::timestamptz[]) AS later (id, until)
WHERE message.id = later.id AND message.state = 'queued'
"""
_UNWANTED = """
UPDATE campaigns_message SET state = 'skipped', reason = %(reason)s, changed_at = %(at)s
WHERE id = ANY(%(ids)s) AND state = 'queued'
"""


class _Waiting(NamedTuple):
    id: int
    member_id: int
    channel: str
    priority: int
    due_at: datetime
    expires_at: datetime
    counts: bool
    unwanted: bool


def admit(*, message_ids: Sequence[int], at: datetime) -> set[int]:
    """Which of these queued messages may be claimed now. To be called in the transaction that claims them.

    The rest are put off to the next moment with room, or, if that is too late, skipped with `over_cap`; those of a
    topic that the member does not want are skipped. Members are locked in the order of their ids until the claim is
    committed: of two messages for one member that two workers take, both see what the other did. Messages of service
    pass.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("to be called in the transaction that claims")
    asked = [_Waiting(*row) for row in fetch_prepared(_ASKED, {"ids": list(message_ids)})]
    if unwanted := [message.id for message in asked if message.unwanted]:
        execute(_UNWANTED, {"ids": unwanted, "reason": SkipReason.TOPIC_OFF.value, "at": at})
    admitted = {message.id for message in asked if not message.counts and not message.unwanted}
    asked = [message for message in asked if message.counts and not message.unwanted]
    members = sorted({message.member_id for message in asked})
    if not fetch_prepared(_ANY_LIMIT, {"members": members})[0][0]:  # nobody waits for anybody
        return admitted | {message.id for message in asked}
    _lock(members)
    limits = limits_of(members, Medium.values, at)
    rivals = fetch_all(_RIVALS, {"members": members, "ids": list(message_ids), "at": at})
    later: dict[int, datetime] = {}
    for member_id, waiting in _by_member(asked, [_Waiting(*row) for row in rivals]).items():
        for message, until in _share(waiting, limits.get(member_id, []), at):
            if until is not None:
                later[message.id] = until
    mine = {message.id for message in asked}
    if put_off := sorted(mine & later.keys()):
        params = {"ids": put_off, "until": [later[pk] for pk in put_off], "reason": SkipReason.OVER_CAP.value, "at": at}
        execute(_PUT_OFF, params)
    return admitted | (mine - later.keys())


def _lock(member_ids: list[int]) -> None:
    fetch_all(
        "SELECT pg_advisory_xact_lock(%(space)s::bigint + id)"
        " FROM (SELECT id FROM unnest(%(members)s::bigint[]) AS who (id) ORDER BY id) AS ordered",
        {"space": _LOCK_SPACE, "members": member_ids},
    )


def _by_member(asked: list[_Waiting], rivals: list[_Waiting]) -> dict[int, list[_Waiting]]:
    """The messages of each member, the most important and then the longest due first."""
    found: dict[int, list[_Waiting]] = {message.member_id: [] for message in asked}
    for message in sorted((*asked, *rivals), key=lambda m: (-m.priority, m.due_at, m.id)):
        found[message.member_id].append(message)
    return found


def _share(waiting: list[_Waiting], limits: list[Limit], at: datetime) -> list[tuple[_Waiting, datetime | None]]:
    """Each of a member's messages, with the moment until which it has to wait; None: it may go."""
    gone: list[str] = []
    shared: list[tuple[_Waiting, datetime | None]] = []
    for message in waiting:
        full = [
            limit
            for limit in limits
            if limit.channel in ("", message.channel)
            and not limit.room(sum(limit.channel in ("", channel) for channel in gone))
        ]
        if not full:
            gone.append(message.channel)
        waits = [moment for limit in full if (moment := limit.free_at()) is not None]
        until = max(waits) if waits else at + LOOK_AGAIN
        shared.append((message, until if full else None))
    return shared
