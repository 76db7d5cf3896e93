"""What happens to a reward after it is confirmed: sent and delivered, or collected with its code, once."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from common.sql import fetch_all
from members.events import record_selected
from rewards.codes import candidates
from rewards.enums import Fulfilment, RedemptionState
from rewards.events import REWARD_COLLECTED, REWARD_SENT
from rewards.models import Redemption
from rewards.reasons import Reason

# Where each step may come from: the way forward, and one back for who has pressed the wrong button.
STEPS: dict[str, tuple[str, ...]] = {
    Fulfilment.SHIPPED: (Fulfilment.TO_SHIP,),
    Fulfilment.DELIVERED: (Fulfilment.TO_SHIP, Fulfilment.SHIPPED),
    Fulfilment.COLLECTED: (Fulfilment.TO_COLLECT,),
    Fulfilment.TO_SHIP: (Fulfilment.SHIPPED, Fulfilment.DELIVERED),
    Fulfilment.TO_COLLECT: (Fulfilment.COLLECTED,),
}
_DONE = (Fulfilment.DELIVERED, Fulfilment.COLLECTED)


class CodeRefused(Exception):
    """A code that hands nothing out; `reason` says why: code_unknown, code_used, code_expired or code_ended."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason


_COLLECT = """
UPDATE rewards_redemption SET fulfilment = 'collected', fulfilled_at = %(at)s,
       store = CASE WHEN %(store)s = '' THEN store ELSE %(store)s END, actor_id = coalesce(%(actor)s::bigint, actor_id)
WHERE id = %(id)s AND state = 'confirmed' AND fulfilment = 'to_collect'
  AND (collect_until IS NULL OR collect_until > %(at)s)
RETURNING id
"""


@transaction.atomic
def redeem_code(*, code: str, at: datetime, store: str = "", actor_id: int | None = None) -> Redemption:
    """Hands out what a code stands for, once, however many tills ask at the same moment. What was typed may have
    spaces, dashes and look-alikes in it. CodeRefused."""
    redemption = find_code(code)
    if redemption is None:
        raise CodeRefused(Reason("code_unknown"))
    if not fetch_all(_COLLECT, {"id": redemption.pk, "at": at, "store": store, "actor": actor_id}):
        redemption.refresh_from_db()
        raise CodeRefused(_why_not(redemption))
    _tell(REWARD_COLLECTED, [redemption.pk], at, actor_id)
    redemption.refresh_from_db()
    return redemption


def find_code(code: str) -> Redemption | None:
    """The redemption that a typed or scanned code stands for."""
    typed = candidates(code)
    found = {row.code: row for row in Redemption.objects.select_related("reward", "member").filter(code__in=typed)}
    return next((found[one] for one in typed if one in found), None)


def _why_not(redemption: Redemption) -> Reason:
    if redemption.state != RedemptionState.CONFIRMED:
        return Reason("code_ended", {"state": redemption.state})
    if redemption.fulfilment == Fulfilment.COLLECTED and redemption.fulfilled_at is not None:
        return Reason("code_used", {"at": redemption.fulfilled_at.isoformat(), "store": redemption.store})
    until = redemption.collect_until
    return Reason("code_expired", {"until": until.isoformat() if until else ""})


_MOVE = """
UPDATE rewards_redemption SET fulfilment = %(to)s, fulfilled_at = CASE WHEN %(done)s THEN %(at)s::timestamptz END,
       carrier = CASE WHEN %(carrier)s = '' THEN carrier ELSE %(carrier)s END,
       tracking_number = CASE WHEN %(number)s = '' THEN tracking_number ELSE %(number)s END,
       actor_id = coalesce(%(actor)s::bigint, actor_id)
WHERE id = ANY(%(ids)s) AND state = 'confirmed' AND fulfilment = ANY(%(before)s)
RETURNING id
"""


@transaction.atomic
def set_fulfilment(
    *,
    redemption_ids: Sequence[int],
    to: Fulfilment | str,
    at: datetime,
    actor_id: int | None = None,
    carrier: str = "",
    tracking_number: str = "",
) -> int:
    """Takes confirmed redemptions a step on, or one back; how many moved. Those for which it is no step stay.
    ValueError for what is no step at all."""
    if to not in STEPS:
        raise ValueError(f"{to} is no step of a reward's way")
    params = {
        "ids": list(redemption_ids),
        "to": to,
        "before": list(STEPS[to]),
        "done": to in _DONE,
        "at": at,
        "carrier": carrier,
        "number": tracking_number,
        "actor": actor_id,
    }
    moved = [id_ for (id_,) in fetch_all(_MOVE, params)]
    if to == Fulfilment.SHIPPED:
        _tell(REWARD_SENT, moved, at, actor_id)
    elif to == Fulfilment.COLLECTED:
        _tell(REWARD_COLLECTED, moved, at, actor_id)
    return len(moved)


_TOLD = """
SELECT redemption.member_id, %(at)s::timestamptz, jsonb_build_object(
    'redemption', redemption.id, 'reward', reward.id,
    'name', jsonb_build_object('en', reward.name_en, 'zh-hans', reward.name_zh_hans))
FROM rewards_redemption AS redemption JOIN rewards_reward AS reward ON reward.id = redemption.reward_id
WHERE redemption.id = ANY(%(ids)s) ORDER BY redemption.id
"""


def _tell(kind: str, ids: list[int], at: datetime, actor_id: int | None) -> None:
    if ids:
        record_selected(kind=kind, select=_TOLD, params={"ids": ids, "at": at}, actor_id=actor_id)
