"""Taking down the audience: one row for each member, in chunks that are transactions of their own.

The place reached is saved with the rows of each chunk. Whoever is killed leaves whole chunks; the next goes on behind
the last of them.
"""

from datetime import datetime, timedelta

from django.db import transaction

from campaigns.enums import CampaignState
from campaigns.models import Broadcast, Campaign
from campaigns.queries_broadcasts import Plan, plan
from campaigns.services.broadcasts.audience import Timing, groups_of, segment_versions
from campaigns.services.senders import default_sender
from common.doorbell import ring
from common.sql import execute, fetch_all, fetch_one

CHUNK = 20_000  # members looked at; a statement of about half a second
UNDECIDED = "interval '100 years'"  # how far behind its time a row waits for the better version

_UPTO = """
SELECT max(id) FROM (SELECT id FROM members_member WHERE id > %s ORDER BY id LIMIT %s) AS next
"""
_INTO = """
INSERT INTO campaigns_message (uid, campaign_id, channel, member_id, address, sender_id, variant, due_at, expires_at,
                               next_try_at, state, reason, changed_at)
"""
# Who waits for the better version gets it at the same time of day, when the test is over.
_TIMED = """
SELECT row.*, CASE WHEN tests THEN due_at ELSE due_at + interval '1 day'
              * ceil(greatest(extract(epoch FROM %(judged)s::timestamptz - due_at), 0) / 86400) END AS goes_at
FROM ({sql}) AS row
"""
_PUT = f"""
WITH timed AS MATERIALIZED ({_TIMED}), put AS (
    {_INTO}
    SELECT gen_random_uuid(), %(campaign)s, channel, member_id, CASE WHEN reason <> 'no_address' THEN address END,
           CASE channel {{senders}} END, CASE WHEN reason = '' THEN variant ELSE 0 END, goes_at, goes_at + %(late)s,
           CASE WHEN tests THEN goes_at ELSE goes_at + {UNDECIDED} END,
           CASE WHEN reason = 'holdout' THEN 'held' WHEN reason <> '' THEN 'skipped'
                WHEN goes_at + %(late)s <= %(now)s THEN 'missed' ELSE 'queued' END,
           reason, %(now)s
    FROM timed ON CONFLICT DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM timed) AS meant, (SELECT count(*) FROM put) AS put
"""
# Whose address has a message of this broadcast already: the member with the lower id gets it. Both were drawn.
_SECOND = f"""
{_INTO}
SELECT gen_random_uuid(), %(campaign)s, channel, member_id, address, NULL, variant, due_at, due_at + %(late)s, due_at,
       'skipped', 'duplicate_address', %(now)s
FROM ({{sql}}) AS row
WHERE reason = '' AND NOT EXISTS (
    SELECT FROM campaigns_message AS message
    WHERE message.member_id = row.member_id AND message.campaign_id = %(campaign)s AND message.occurrence = '')
ON CONFLICT DO NOTHING
"""


class SegmentChanged(Exception):
    """A segment has another definition than when the taking down began: the rest would be another audience."""


def take_down(*, campaign_id: int, timing: Timing, now: datetime, chunk: int = CHUNK) -> bool:
    """Writes the rows of the next chunk of members. False where nothing is left, or somebody else is at it.

    The audience is that of the moment at which the broadcast began: SegmentChanged where it cannot be any more,
    SegmentNotReady while it cannot be trusted.
    """
    with transaction.atomic():
        rows = Broadcast.objects.select_for_update(of=("self",), skip_locked=True).select_related("campaign")
        broadcast = rows.filter(campaign_id=campaign_id, planned_at=None, campaign__state=CampaignState.RUNNING).first()
        if broadcast is None:
            return False
        if segment_versions(broadcast) != broadcast.versions_of_segments:
            raise SegmentChanged
        upto = fetch_all(_UPTO, [broadcast.cursor, chunk])[0][0]
        if upto is None:
            broadcast.planned_at = now
            broadcast.save(update_fields=["planned_at"])
            return False
        start = broadcast.starts_at or now
        ready = plan(
            broadcast,
            list(broadcast.variants.all()),
            groups_of(broadcast, at=now),
            at=now,
            start=max(start, timing.start),
            day=timing.day,
        )
        if write_chunk(broadcast, ready, after=broadcast.cursor, upto=upto, now=now):
            ring("campaigns.tasks.deliver_messages", every=5)
        broadcast.cursor = upto
        broadcast.save(update_fields=["cursor"])
    return True


def write_chunk(broadcast: Broadcast, ready: Plan, *, after: int, upto: int, now: datetime) -> int:
    """The rows of the members with `after` < id <= `upto`; how many. The unique keys make it harmless to repeat."""
    campaign: Campaign = broadcast.campaign
    senders = " ".join(f"WHEN '{channel}' THEN {default_sender(channel).pk}" for channel in campaign.channels)
    params = {
        **ready.params,
        "after": after,
        "upto": upto,
        "campaign": campaign.pk,
        "now": now,
        "late": timedelta(hours=broadcast.late_hours),
        "judged": judged_after(broadcast),
    }
    done = fetch_one(_PUT.format(sql=ready.sql, senders=senders), params)
    if done.put < done.meant:
        execute(_SECOND.format(sql=ready.sql), params)
    return done.put


def judged_after(broadcast: Broadcast) -> datetime | None:
    """When the test of versions ends."""
    return broadcast.starts_at + timedelta(hours=broadcast.test_hours) if broadcast.starts_at else None
