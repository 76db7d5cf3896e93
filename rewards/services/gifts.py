"""Points given for an occasion, to one member or to thousands, in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from members.events import record_selected
from rewards.enums import AccountKind, TransferKind
from rewards.events import POINTS_GIFTED
from rewards.models import Transfer
from rewards.services.ledger import credit, lock_wallets


@dataclass(frozen=True, slots=True)
class Gift:
    """Points for a member. `reason` is shown to them, translated where it stands in the catalogue of messages.

    `key` names the occasion for ever. Without `expires_at` the points never expire.
    """

    member_id: int
    amount: int
    key: str
    reason: str = ""
    expires_at: datetime | None = None
    why: dict[str, Any] = field(default_factory=dict)


_GIVE = """
SELECT key, member_id, amount, %(at)s::timestamptz, %(at)s::timestamptz, expires_at, reason, why, NULL::bigint,
       NULL::bigint
FROM unnest(%(keys)s::text[], %(members)s::bigint[], %(amounts)s::bigint[], %(expiries)s::timestamptz[],
            %(reasons)s::text[], %(whys)s::jsonb[]) AS gift (key, member_id, amount, expires_at, reason, why)
"""
_EVENTS = """
SELECT wallet.member_id, gift.at, jsonb_build_object('points', gift.amount, 'reason', gift.reason)
FROM rewards_transfer AS gift JOIN rewards_account AS wallet ON wallet.id = gift.credit_id
WHERE gift.id = ANY(%(gifts)s) ORDER BY gift.id
"""


@transaction.atomic
def give_points(*, gifts: Sequence[Gift], at: datetime) -> dict[str, int]:
    """Gives points; the id of the transfer by the gift's key. A key that was given before keeps what it gave then.

    ValueError where a key stands twice in one call. An amount below 1 is refused by the database.
    """
    keys = [f"gift:{gift.key}" for gift in gifts]
    if len(set(keys)) != len(keys):
        raise ValueError("a key stands twice in one call")
    if not gifts:
        return {}
    lock_wallets(gift.member_id for gift in gifts)
    posted = credit(
        kind=TransferKind.GIFT,
        source=AccountKind.ISSUED,
        select=_GIVE,
        params={
            "at": at,
            "keys": keys,
            "members": [gift.member_id for gift in gifts],
            "amounts": [gift.amount for gift in gifts],
            "expiries": [gift.expires_at for gift in gifts],
            "reasons": [gift.reason for gift in gifts],
            "whys": [json.dumps(gift.why) for gift in gifts],
        },
    )
    if posted:
        record_selected(kind=POINTS_GIFTED, select=_EVENTS, params={"gifts": [transfer.id for transfer in posted]})
    ids = {transfer.key: transfer.id for transfer in posted}
    if len(ids) < len(keys):
        ids |= dict(Transfer.objects.filter(key__in=keys).values_list("key", "pk"))
    return {gift.key: ids[key] for gift, key in zip(gifts, keys, strict=True)}
