"""Taking back what refunded purchases gave: with the refund, or once it can be had again. docs/refunds.md."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from common.sql import execute, fetch_all
from members.models import Purchase, Refund
from rewards.enums import AccountKind, RefundPolicy, TransferKind, Unit
from rewards.queries import reward_settings
from rewards.queries_budgets import COUNTED
from rewards.services.ledger import debit, lock_wallets, owe
from rewards.services.moved_points import CHAIN, ORIGIN
from rewards.services.refund_lines import bought_lines, share_of
from rewards.services.repaying import repay_from
from rewards.services.tiers import assess


@dataclass(frozen=True, slots=True)
class Moved:
    """What a refund moved of one unit. `short` should have gone back for the purchase by now, but was spent; `owed` is
    the part of it that later earning repays; `returned` is what had been paid with and came back."""

    taken: int = 0
    short: int = 0
    owed: int = 0
    returned: int = 0


# What each award gave for the purchase, and how much was taken back; how much of its lot, and of those that a merge or
# a reinstatement made of it, expired, can be spent or is pending, and is on hold. Past a lot's time all that is left in
# it has expired, on hold or not.
_GIVEN = f"""
SELECT earn.id, wallet.unit, version.rule_id, earn.amount, earn.why,
       coalesce((SELECT sum(back.amount) FROM rewards_transfer AS back WHERE back.reverses_id = earn.id), 0)::bigint,
       lot.gone + used.gone - lot.reinstated, lot.spendable, used.held, lot.ids
FROM rewards_transfer AS earn
JOIN rewards_account AS wallet ON wallet.id = earn.credit_id
LEFT JOIN rewards_ruleversion AS version ON version.id = earn.rule_id
CROSS JOIN LATERAL (
    SELECT array_agg(chain.id) AS ids, array_agg(chain.id) FILTER (WHERE chain.expires_at <= %(at)s) AS past,
           coalesce(sum(chain.remaining) FILTER (WHERE chain.expires_at <= %(at)s), 0)::bigint AS gone,
           coalesce(sum(chain.remaining) FILTER (WHERE (chain.expires_at <= %(at)s) IS NOT TRUE), 0)::bigint
               AS spendable,
           coalesce(sum(chain.amount) FILTER (WHERE opening.kind = 'reinstate'), 0)::bigint AS reinstated
    FROM ({CHAIN}) AS chain JOIN rewards_transfer AS opening ON opening.id = chain.transfer_id
) AS lot
CROSS JOIN LATERAL (
    SELECT coalesce(sum(used.amount) FILTER (
               WHERE user_of.kind = 'expire' OR hold.state = 'reserved' AND used.lot_id = ANY(lot.past)
           ), 0)::bigint AS gone,
           coalesce(sum(used.amount) FILTER (
               WHERE hold.state = 'reserved' AND (used.lot_id = ANY(lot.past)) IS NOT TRUE
           ), 0)::bigint AS held
    FROM rewards_lotuse AS used
    JOIN rewards_transfer AS user_of ON user_of.id = used.transfer_id
    LEFT JOIN rewards_hold AS hold ON hold.transfer_id = used.transfer_id
    WHERE used.lot_id = ANY(lot.ids)
) AS used
WHERE earn.purchase_id = %(purchase)s AND earn.kind = 'earn'
ORDER BY earn.id
"""
_TAKE = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s, %(why)s::jsonb,
       %(actor)s::bigint, %(purchase)s::bigint, %(reverses)s::bigint
"""


class _Freed(NamedTuple):
    """What can be had again of an award, for holds ended or payments came back; `by` is the last of them."""

    by: str
    amount: int


def take_back(
    purchase: Purchase,
    refund: Refund,
    at: datetime,
    actor_id: int | None,
    freed: Mapping[int, _Freed] | None = None,
    *,
    budgets: Counter[int | None],
) -> dict[str, Moved]:
    """Takes back what has to be back by now of what a purchase gave, by unit; with `freed`, no more than that of each
    award. The caller has locked the wallets and recorded the refund, and gives `budgets` (what is counted here, by
    rule) to give_to_budgets once, last."""
    bought = bought_lines(purchase.pk)
    lets_owe = reward_settings().refund_policy == RefundPolicy.ARREARS
    sums = {unit: Moved() for unit in Unit.values}
    rows = fetch_all(_GIVEN, {"purchase": purchase.pk, "at": at})
    for earn_id, unit, rule_id, gave, given_why, back, expired, spendable, held, lots in rows:
        given_why = json.loads(given_why) if isinstance(given_why, str) else given_why
        due = min(share_of(given_why, gave, purchase, bought), gave - expired) - back
        if due <= 0 or (freed is not None and earn_id not in freed):
            continue
        asked = due - min(held, max(due - spendable, 0))  # what is on hold is asked for when the hold ends
        key = f"refund:{refund.pk}:{earn_id}"
        if freed is not None:
            asked, key = min(asked, freed[earn_id].amount), f"{key}:{freed[earn_id].by}"
        why = {
            "refund": refund.pk,
            "amount_minor": refund.amount_minor,
            "currency": purchase.currency,
            "gave": gave,
            "refunded_minor": purchase.refunded_minor,
            "due": due,
        }
        told = {"at": at, "actor_id": actor_id, "purchase_id": purchase.pk, "reverses_id": earn_id}
        took = _take(key, purchase.member_id, asked, unit, lots, refund.reason, why, **told) if asked else 0
        owed = asked - took if lets_owe else 0
        if owed:
            owe(
                kind=TransferKind.REVERSE,
                target=AccountKind.ISSUED,
                key=f"{key}:owed",
                member_id=purchase.member_id,
                amount=owed,
                unit=Unit(unit),
                reason=refund.reason,
                why=why,
                **told,
            )
        was = sums[unit]
        sums[unit] = Moved(was.taken + took, was.short + due - took, was.owed + owed)
        budgets[rule_id] += took + owed
    return sums


def _take(
    key: str,
    member_id: int,
    amount: int,
    unit: str,
    lots: list[int],
    reason: str,
    why: dict[str, Any],
    *,
    at: datetime,
    actor_id: int | None,
    purchase_id: int,
    reverses_id: int,
) -> int:
    params = {"key": key, "member": member_id, "amount": amount, "at": at, "reason": reason, "why": json.dumps(why)}
    params |= {"actor": actor_id, "purchase": purchase_id, "reverses": reverses_id}
    posted = debit(
        kind=TransferKind.REVERSE,
        target=AccountKind.ISSUED,
        select=_TAKE,
        params=params,
        unit=Unit(unit),
        partly=True,
        first=lots,
    )
    return sum(transfer.amount for transfer in posted)


_BUDGETS = f"""
WITH back AS (SELECT * FROM unnest(%(rules)s::bigint[], %(amounts)s::bigint[]) AS back (rule_id, amount)),
locked AS (
    SELECT id FROM rewards_earningrule AS rule WHERE id IN (SELECT rule_id FROM back) AND {COUNTED}
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE rewards_earningrule AS rule SET budget_spent = rule.budget_spent - back.amount
FROM back JOIN locked ON locked.id = back.rule_id WHERE rule.id = back.rule_id AND {COUNTED}
"""


def give_to_budgets(by_rule: Mapping[int | None, int]) -> None:
    """What was taken back of awards can be given by their rules again. Without a budget nothing is counted: the rows
    of such rules would be waited for in vain."""
    if back := {rule_id: amount for rule_id, amount in by_rule.items() if rule_id and amount}:
        execute(_BUDGETS, {"rules": list(back), "amounts": list(back.values())})


_HELD = """
SELECT used.lot_id, used.amount, hold.id::text FROM rewards_hold AS hold
JOIN rewards_lotuse AS used ON used.transfer_id = hold.transfer_id
WHERE hold.id = ANY(%(ids)s)
"""
# What came back of expired lots may have come in a lot of its own: then `parts` tell them.
_RETURNED = """
SELECT (part->>0)::bigint, (part->>1)::bigint, 'back' || back.id
FROM rewards_transfer AS back CROSS JOIN jsonb_array_elements(back.why->'parts') AS part WHERE back.id = ANY(%(ids)s)
UNION ALL
SELECT used.lot_id, -used.amount, 'back' || back.id
FROM rewards_transfer AS back JOIN rewards_lotuse AS used ON used.transfer_id = back.id AND used.amount < 0
WHERE back.id = ANY(%(ids)s) AND back.why->'parts' IS NULL
"""
_FREED = f"""
{ORIGIN}
SELECT earn.purchase_id, earn.id, max(came.by), sum(came.amount)::bigint
FROM unnest(%(lots)s::bigint[], %(amounts)s::bigint[], %(by)s::text[]) AS came (lot_id, amount, by)
JOIN origin ON origin.asked_id = came.lot_id
JOIN rewards_lot AS lot ON lot.id = origin.id
JOIN rewards_transfer AS earn ON earn.id = lot.transfer_id AND earn.kind = 'earn'
WHERE EXISTS (SELECT FROM members_refund WHERE purchase_id = earn.purchase_id)
GROUP BY earn.id ORDER BY earn.purchase_id, earn.id
"""


def settle_refunds(*, hold_ids: Sequence[int], at: datetime, actor_id: int | None) -> None:
    """Takes back what refunds left in holds that have just ended, so that it comes to the same as if they had ended
    before: out of what they gave back, or where that is spent or expired, as a refund does. The caller has locked the
    wallets. A transfer more belongs to the purchase's last refund."""
    budgets: Counter[int | None] = Counter()
    _settle(fetch_all(_HELD, {"ids": list(hold_ids)}), at, actor_id, budgets)
    give_to_budgets(budgets)


def settle_returned(
    *,
    transfer_ids: Iterable[int],
    at: datetime,
    actor_id: int | None,
    but: int | None = None,
    budgets: Counter[int | None] | None = None,
) -> None:
    """The same for what was spent when its purchase was refunded, and has just come back by these transfers: who gives
    back both the purchase and what its points paid for keeps neither. What is left of it repays what is owed. `but` is
    a purchase that the caller settles, with its `budgets` (see take_back), and repays after it."""
    counted: Counter[int | None] = Counter() if budgets is None else budgets
    came = list(transfer_ids)
    _settle(fetch_all(_RETURNED, {"ids": came}), at, actor_id, counted, but)
    if but is None:
        repay_from(transfer_ids=came, at=at)
    if budgets is None:
        give_to_budgets(counted)


def _settle(
    came: Sequence[tuple], at: datetime, actor_id: int | None, budgets: Counter[int | None], but: int | None = None
) -> None:
    if not came:
        return
    members = set()
    lots, amounts, by = (list(column) for column in zip(*came, strict=True))
    freed: dict[int, dict[int, _Freed]] = {}
    for purchase_id, earn_id, last, amount in fetch_all(_FREED, {"lots": lots, "amounts": amounts, "by": by}):
        freed.setdefault(purchase_id, {})[earn_id] = _Freed(last, amount)
    freed.pop(but or 0, None)
    for purchase_id, awards in freed.items():
        refund = Refund.objects.select_related("purchase").filter(purchase_id=purchase_id).latest("pk")
        moved = take_back(refund.purchase, refund, at, actor_id, awards, budgets=budgets)[Unit.POINTS]
        if moved.taken or moved.owed:
            members.add(refund.purchase.member_id)
    if members:
        assess(lock_wallets(members), at)
