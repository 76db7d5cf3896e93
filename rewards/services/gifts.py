"""Points given for an occasion, to one member or to thousands, in one statement; and gifts, and what rules gave for an
event, taken back."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from common.sql import fetch_all
from members.events import record_selected
from members.queries import merged_into
from rewards.enums import AccountKind, RefundPolicy, TransferKind, Unit
from rewards.events import POINTS_GIFTED
from rewards.models import Transfer
from rewards.queries import reward_settings
from rewards.services.ledger import credit, debit, lock_wallets, owe
from rewards.services.moved_points import CHAIN
from rewards.services.taking_back import give_to_budgets


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
       || CASE wallet.unit WHEN 'points' THEN '{}' ELSE jsonb_build_object('unit', wallet.unit) END
FROM rewards_transfer AS gift JOIN rewards_account AS wallet ON wallet.id = gift.credit_id
WHERE gift.id = ANY(%(gifts)s) ORDER BY gift.id
"""


@transaction.atomic
def give_points(*, gifts: Sequence[Gift], at: datetime, unit: Unit = Unit.POINTS) -> dict[str, int]:
    """Gives points, or credit in minor units; the id of the transfer by the gift's key. A key that was given before
    keeps what it gave then.

    ValueError where a key stands twice in one call. An amount below 1 is refused by the database.
    """
    keys = [f"gift:{gift.key}" for gift in gifts]
    if len(set(keys)) != len(keys):
        raise ValueError("a key stands twice in one call")
    if not gifts:
        return {}
    lock_wallets((gift.member_id for gift in gifts), units=[unit])
    posted = credit(
        kind=TransferKind.GIFT,
        source=AccountKind.ISSUED,
        unit=unit,
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


# Each gift that stands yet, whose wallet it is in, and the lots that its points are in now.
_GIVEN = f"""
SELECT earn.id, wallet.member_id, wallet.unit, earn.amount, version.rule_id, array(SELECT id FROM ({CHAIN}) AS chain),
       coalesce((
           SELECT sum(remaining) FROM ({CHAIN}) AS chain WHERE chain.expires_at <= %(at)s
       ), 0) + coalesce((
           SELECT sum(used.amount) FROM ({CHAIN}) AS chain
           JOIN rewards_lotuse AS used ON used.lot_id = chain.id
           JOIN rewards_transfer AS gone ON gone.id = used.transfer_id AND gone.kind = 'expire'
       ), 0)
FROM rewards_transfer AS earn JOIN rewards_account AS wallet ON wallet.id = earn.credit_id
LEFT JOIN rewards_ruleversion AS version ON version.id = earn.rule_id
WHERE earn.id = ANY(%(gifts)s) AND (earn.kind = 'gift' OR earn.kind = 'earn' AND earn.purchase_id IS NULL)
  AND NOT EXISTS (SELECT FROM rewards_transfer AS back WHERE back.reverses_id = earn.id)
ORDER BY earn.id
"""
_TAKE = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s, %(why)s::jsonb,
       %(actor)s::bigint, NULL::bigint, %(gift)s::bigint
"""


@transaction.atomic
def take_back_gifts(
    *, transfer_ids: Sequence[int], reason: str, at: datetime, actor_id: int | None = None
) -> dict[int, int]:
    """Takes gifts back: how much of each, by the id of its transfer. What has expired since is left. What was spent is
    taken out of other points, and where they do not cover it, is owed if refunds let members owe. A gift that was taken
    back before is left out. So is taken what rules gave for an event (`withdraw`), whose budgets get it back; what they
    gave for a purchase goes with its refund."""
    owners = dict(Transfer.objects.filter(pk__in=transfer_ids).values_list("pk", "credit__member_id"))
    lock_wallets([owner for owner in owners.values() if owner is not None])
    lets_owe = reward_settings().refund_policy == RefundPolicy.ARREARS
    taken, budgets = {}, Counter[int | None]()
    for gift, owner, unit, amount, rule, lots, expired in fetch_all(_GIVEN, {"gifts": list(transfer_ids), "at": at}):
        asked = amount - int(expired)
        member = merged_into([owner]).get(owner, owner)
        why, key = {"gift": gift, "gave": amount, "asked": asked}, f"gift_back:{gift}"
        if asked <= 0:
            continue
        params = {"key": key, "member": member, "amount": asked, "at": at, "reason": reason, "why": json.dumps(why)}
        posted = debit(
            kind=TransferKind.REVERSE,
            target=AccountKind.ISSUED,
            select=_TAKE,
            params=params | {"actor": actor_id, "gift": gift},
            unit=Unit(unit),
            partly=True,
            first=lots,
        )
        took = sum(transfer.amount for transfer in posted)
        if lets_owe and took < asked:
            owe(
                kind=TransferKind.REVERSE,
                target=AccountKind.ISSUED,
                key=f"{key}:owed",
                member_id=member,
                amount=asked - took,
                at=at,
                unit=Unit(unit),
                reason=reason,
                why=why,
                actor_id=actor_id,
                reverses_id=gift,
            )
        taken[gift] = took
        budgets[rule] += asked if lets_owe else took
    give_to_budgets(budgets)
    return taken
