"""Gifts to a segment, given by a worker chunk by chunk. A chunk and how far it came are one transaction: a worker may
die anywhere, and nobody gets anything twice."""

import json
import time
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from members.events import record_selected
from members.queries_segments import SegmentNotReady, segment_audience
from rewards.enums import AccountKind, GrantState, TransferKind, Unit
from rewards.events import POINTS_ADJUSTED, told_unit
from rewards.models import GrantRequest
from rewards.services.grants import NOTE
from rewards.services.ledger import credit, lock_wallets

CHUNK = 2_000
OPEN = Q(segment__isnull=False, state__in=(GrantState.FREE, GrantState.APPROVED), finished_at=None)

# Who was merged or erased while the wallets were waited for gets nothing.
_GIVE = """
SELECT 'grant:' || %(grant)s || ':' || id, id, %(amount)s::bigint, %(at)s::timestamptz, %(at)s::timestamptz,
       %(expires_at)s::timestamptz, %(reason)s::text, jsonb_build_object('grant', %(grant)s::bigint),
       %(actor)s::bigint, NULL::bigint, %(note)s::text
FROM members_member WHERE id = ANY(%(members)s) AND merged_into_id IS NULL AND erased_at IS NULL ORDER BY id
"""
_EVENTS = """
SELECT wallet.member_id, gift.at, jsonb_build_object('points', gift.amount, 'reason', gift.reason) || %(unit)s::jsonb
FROM rewards_transfer AS gift JOIN rewards_account AS wallet ON wallet.id = gift.credit_id
WHERE gift.id = ANY(%(gifts)s) ORDER BY gift.id
"""


def give_due(*, at: datetime, seconds: float = 240) -> int:
    """Gives what is open, for about so many seconds at most; how many members got something. What a segment that is
    not fresh keeps waiting is tried again at the next call."""
    until, given = time.monotonic() + seconds, 0
    for request_id in list(GrantRequest.objects.filter(OPEN).order_by("pk").values_list("pk", flat=True)):
        while (n := give_chunk(request_id=request_id, at=at)) is not None:
            given += n
            if time.monotonic() > until:
                return given
    return given


@transaction.atomic
def give_chunk(*, request_id: int, at: datetime) -> int | None:
    """Gives to the next members of a segment; how many. None where there is nothing to do: it is finished, in another
    worker's hands, or its segment is not fresh.

    Never more members than were agreed to: whoever came into the segment since then may stay without.
    """
    open_ = GrantRequest.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    asked = open_.filter(OPEN, pk=request_id).first()
    if asked is None or asked.segment_id is None:
        return None
    if asked.expires_at is not None and asked.expires_at <= at:
        _stop(asked, at)  # what is given now would have expired already
        return None
    try:
        audience = segment_audience(asked.segment_id, at=at)
    except SegmentNotReady:
        return None
    most = min(CHUNK, asked.members - asked.done)
    ids = list(audience.filter(pk__gt=asked.last_id).order_by("pk").values_list("pk", flat=True)[:most])
    posted = _give(asked, ids, at) if ids else []
    asked.done += len(posted)
    asked.last_id = ids[-1] if ids else asked.last_id
    if len(ids) < most or asked.done >= asked.members:
        asked.finished_at = at
    asked.save(update_fields=["done", "last_id", "finished_at"])
    return len(posted)


@transaction.atomic
def stop_grant(*, request_id: int, at: datetime) -> GrantRequest:
    """Gives to nobody else. Who has got it keeps it."""
    asked = GrantRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=request_id)
    if asked.segment_id is not None and asked.finished_at is None:
        _stop(asked, at)
    return asked


def _stop(asked: GrantRequest, at: datetime) -> None:
    asked.finished_at = at
    asked.save(update_fields=["finished_at"])


def _give(asked: GrantRequest, ids: list[int], at: datetime) -> list:
    unit = Unit(asked.unit)
    lock_wallets(ids, units=[unit])
    posted = credit(
        kind=TransferKind.ADJUST,
        source=AccountKind.ADJUSTED,
        select=_GIVE,
        params={
            "grant": asked.pk,
            "amount": asked.amount,
            "at": at,
            "expires_at": asked.expires_at,
            "reason": asked.reason,
            "actor": asked.requested_by_id,
            "members": ids,
            "note": asked.note or NOTE,
        },
        unit=unit,
        also=("note",),
    )
    if posted:
        gifts = {"gifts": [transfer.id for transfer in posted], "unit": json.dumps(told_unit(unit))}
        record_selected(kind=POINTS_ADJUSTED, select=_EVENTS, params=gifts, actor_id=asked.requested_by_id)
    return posted
