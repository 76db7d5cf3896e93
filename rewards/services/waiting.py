"""Points that wait for an event: set free once it is told, or at their last day taken back where the rule says so
(otherwise they can be spent from that day by themselves). docs/earning.md."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext

from common.moments import format_day
from common.sql import fetch_all
from members.queries import merged_into
from rewards.enums import NEVER
from rewards.services.ledger import lock_wallets
from rewards.services.lots import LotGone, NotPending, activate_lot, cancel_lot

log = structlog.get_logger(__name__)
CHUNK = 1000  # batches of points a run

# Events whose data name a purchase, by its key, set free what that one gave; the others, all that waits for their kind.
_TOLD = """
SELECT told.id, told.kind, lot.id, wallet.member_id
FROM unnest(%(events)s::bigint[], %(members)s::bigint[]) AS asked (event_id, member_id)
JOIN members_customevent AS told ON told.id = asked.event_id
JOIN rewards_account AS wallet ON wallet.member_id = asked.member_id AND wallet.kind = 'wallet'
JOIN rewards_lot AS lot ON lot.account_id = wallet.id AND lot.remaining > 0 AND lot.available_from > %(at)s
JOIN rewards_transfer AS given ON given.id = lot.transfer_id AND given.why->'waits'->>'for' = told.kind
LEFT JOIN members_purchase AS purchase
  ON purchase.id = coalesce(given.purchase_id, (given.why->'waits'->>'purchase')::bigint)
WHERE told.data->>'purchase' IS NULL OR purchase.key = told.data->>'purchase'
ORDER BY told.id, lot.id
"""
_UNTOLD = """
SELECT lot.id, given.why->'waits'->>'for', (given.why->'waits'->>'until')::timestamptz
FROM rewards_lot AS lot JOIN rewards_transfer AS given ON given.id = lot.transfer_id
WHERE lot.remaining > 0 AND lot.available_from >= %(never)s
  AND (given.why->'waits'->>'until')::timestamptz <= %(at)s
ORDER BY lot.id LIMIT %(most)s
"""


@transaction.atomic
def set_free(*, told: Sequence[tuple[int, int]], at: datetime) -> int:
    """Lets be spent what waited for these events, given as (event, member); how many batches of points. Each once,
    however often the events are told: what is free waits no more."""
    if not told:
        return 0
    followed = merged_into([member_id for _event, member_id in told])
    params = {
        "events": [event_id for event_id, _member in told],
        "members": [followed.get(member_id, member_id) for _event, member_id in told],
        "at": at,
    }
    rows = fetch_all(_TOLD, params)
    lock_wallets({row[3] for row in rows})  # all at once, in their order
    done = 0
    for event_id, kind, lot_id, _member in rows:
        reason = gettext("“%(kind)s” was told.") % {"kind": kind}
        try:
            activate_lot(lot_id=lot_id, key=f"told:{event_id}:{lot_id}", at=at, reason=reason)
        except (LotGone, NotPending):
            continue  # by another event, by staff, or gone meanwhile
        done += 1
    return done


def cancel_untold(*, at: datetime) -> int:
    """Takes back what waited for an event in vain; how many batches of points. Each in a transaction of its own: killed
    at any moment, the next run goes on where this one stopped."""
    done = 0
    rows = fetch_all(_UNTOLD, {"at": at, "never": NEVER, "most": CHUNK})
    for lot_id, kind, until in rows:
        words = {"kind": kind, "day": format_day(until)}
        reason = gettext("“%(kind)s” was not told by %(day)s.") % words
        try:
            cancel_lot(lot_id=lot_id, key=f"untold:{lot_id}", at=at, reason=reason)
        except (LotGone, NotPending):
            continue
        done += 1
    if len(rows) == CHUNK:
        log.info("more waits in vain than one run takes back", done=done)
    return done
