"""What refunds take back of what purchases gave, and give back of what was paid with. docs/refunds.md."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F

from common.sql import execute, fetch_all
from members import events
from members.models import Member, Purchase, Refund, RefundLine, TimelineEvent
from members.queries import ever_with
from members.services.purchases import KeyReused
from rewards.enums import AccountKind, RefundPolicy, TransferKind, Unit
from rewards.queries import reward_settings
from rewards.services.coupons.using import release_for_purchase
from rewards.services.ledger import debit, lock_wallets, owe
from rewards.services.moved_points import CHAIN, ORIGIN
from rewards.services.refund_lines import LinesDoNotSum, RefundTooLarge, bought_lines, share_of, split  # noqa: F401
from rewards.services.returns import give_back
from rewards.services.tiers import assess


@dataclass(frozen=True, slots=True)
class Moved:
    """What a refund moved of one unit. `short` should have gone back for the purchase by now, but was spent; `owed` is
    the part of it that later earning repays; `returned` is what had been paid with and came back."""

    taken: int = 0
    short: int = 0
    owed: int = 0
    returned: int = 0


@dataclass(frozen=True, slots=True)
class RefundResult:
    """What became of a refund: of points as `points_…`, of store credit, in minor units, as `credit_…` (see Moved)."""

    refund_id: int
    is_new: bool
    points_taken: int
    points_short: int
    points_owed: int = 0
    points_returned: int = 0
    credit_taken: int = 0
    credit_short: int = 0
    credit_owed: int = 0
    credit_returned: int = 0
    coupons_returned: int = 0
    amount_minor: int = 0


# Who bought, and whose wallets paid: where two members were merged, not always the same.
_BUYERS = """
SELECT member_id FROM members_purchase WHERE id = ANY(%(purchases)s)
UNION SELECT wallet.member_id FROM rewards_transfer AS paid JOIN rewards_account AS wallet ON wallet.id = paid.debit_id
WHERE paid.purchase_id = ANY(%(purchases)s) AND paid.kind = 'pay'
"""


def lock_buyers(purchase_ids: list[int]) -> list[int]:
    """Locks the wallets of who bought; their ids. Once they are locked, no merge gives a purchase to another member."""
    locked: set[int] = set()
    wallets: list[int] = []
    while buyers := {row[0] for row in fetch_all(_BUYERS, {"purchases": purchase_ids})} - locked:
        wallets += lock_wallets(buyers)
        locked |= buyers
    return wallets


@transaction.atomic
def refund_purchase(
    *,
    purchase_id: int,
    source: str,
    key: str,
    amount_minor: int | None = None,
    lines: Sequence[tuple[int, Decimal]] | None = None,
    at: datetime,
    reason: str = "",
    actor_id: int | None = None,
) -> RefundResult:
    """Records money given back, of lines (id, quantity) or as an amount, by default all that is left. Gives back what
    was paid with points and credit, and at the full refund the coupons used. Takes back what the purchase had given:
    what the lines that came back had earned under the version that gave it, rounded in the member's favour; everything
    at the full refund.

    That comes out of the purchase's own lots first, then out of those that expire soonest. What expired of those lots
    is gone already and is not asked for again; what a hold keeps of them is, once the hold ends (`settle_refunds`), and
    is short until then. What was spent stays short, or is owed, as the reward settings say. A known (source, key) is
    answered as before.

    RefundTooLarge; LinesDoNotSum; KeyReused where the key is known with another content; Purchase.DoesNotExist;
    PurchaseLine.DoesNotExist; ValueError where nothing is given back.
    """
    purchase = Purchase.objects.get(pk=purchase_id)
    asked = {"amount_minor": amount_minor, "lines": [[line_id, str(quantity)] for line_id, quantity in lines or ()]}
    wallets = lock_buyers([purchase_id])
    if known := Refund.objects.filter(source=source, key=key).first():
        return _answered(known, purchase, asked)
    purchase.refresh_from_db()
    bought = bought_lines(purchase_id)
    total, parts = split(purchase, bought, amount_minor, lines)
    refund = Refund.objects.create(
        source=source,
        key=key,
        purchase=purchase,
        amount_minor=total,
        reason=reason,
        refunded_at=at,
        actor_id=actor_id,
    )
    RefundLine.objects.bulk_create(RefundLine(refund=refund, **part._asdict()) for part in parts)
    Purchase.objects.filter(pk=purchase_id).update(refunded_minor=F("refunded_minor") + total)
    purchase.refunded_minor += total
    returned = _give_back_payments(purchase, refund, at, actor_id)
    whole = purchase.refunded_minor == purchase.amount_minor
    coupons = release_for_purchase(purchase_id=purchase_id, at=at, actor_id=actor_id) if whole else 0
    moved = _take_back(purchase, refund, at, actor_id)
    sums = {f"{unit}_{name}": n for unit, row in moved.items() for name, n in asdict(row).items()}
    sums |= {f"{unit}_returned": n for unit, n in returned.items()} | {"coupons_returned": coupons}
    events.record(
        member_id=purchase.member_id,
        kind=events.PURCHASE_REFUNDED,
        at=at,
        actor_id=actor_id,
        data={
            "refund": refund.pk,
            "purchase": purchase_id,
            "amount_minor": total,
            "currency": purchase.currency,
            **({} if asked == _plainly(total) else {"asked": asked}),
            **{name: n for name, n in sums.items() if n or name in ("points_taken", "points_short")},
        },
    )
    if moved[Unit.POINTS].taken or moved[Unit.POINTS].owed:
        assess(wallets, at)
    return RefundResult(refund.pk, True, amount_minor=total, **sums)


_PAID = """
SELECT paid.id, wallet.unit, paid.amount, coalesce(sum(back.amount), 0)::bigint
FROM rewards_transfer AS paid
JOIN rewards_account AS wallet ON wallet.id = paid.debit_id
LEFT JOIN rewards_transfer AS back ON back.reverses_id = paid.id
WHERE paid.purchase_id = %s AND paid.kind = 'pay'
GROUP BY paid.id, wallet.unit ORDER BY paid.id
"""


def _give_back_payments(purchase: Purchase, refund: Refund, at: datetime, actor_id: int | None) -> dict[str, int]:
    """Gives back the same share of what was paid with points and credit as of the price; by unit."""
    returned: dict[str, int] = {}
    if Member.objects.filter(pk=purchase.member_id).exclude(erased_at=None).exists():
        return returned  # there is nobody to give it to
    for paid_id, unit, paid, before in fetch_all(_PAID, [purchase.pk]):
        part = paid * purchase.refunded_minor // purchase.amount_minor - before
        if part > 0:
            give_back(
                transfer_id=paid_id,
                amount=part,
                key=f"return:{refund.pk}:{paid_id}",
                at=at,
                reason=refund.reason,
                why={"refund": refund.pk, "amount_minor": refund.amount_minor, "currency": purchase.currency},
                actor_id=actor_id,
                purchase_id=purchase.pk,
            )
            returned[unit] = returned.get(unit, 0) + part
    return returned


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
    """What holds that just ended had kept of an award; `hold_id` is the last of them."""

    hold_id: int
    amount: int


def _take_back(
    purchase: Purchase,
    refund: Refund,
    at: datetime,
    actor_id: int | None,
    freed: Mapping[int, _Freed] | None = None,
) -> dict[str, Moved]:
    bought = bought_lines(purchase.pk)
    lets_owe = reward_settings().refund_policy == RefundPolicy.ARREARS
    sums = {unit: Moved() for unit in Unit.values}
    by_rule: dict[int | None, int] = {}
    rows = fetch_all(_GIVEN, {"purchase": purchase.pk, "at": at})
    for earn_id, unit, rule_id, gave, given_why, back, expired, spendable, held, lots in rows:
        given_why = json.loads(given_why) if isinstance(given_why, str) else given_why
        due = min(share_of(given_why, gave, purchase, bought), gave - expired) - back
        if due <= 0 or (freed is not None and earn_id not in freed):
            continue
        asked = due - min(held, max(due - spendable, 0))  # what is on hold is asked for when the hold ends
        key = f"refund:{refund.pk}:{earn_id}"
        if freed is not None:
            asked, key = min(asked, freed[earn_id].amount), f"{key}:{freed[earn_id].hold_id}"
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
        by_rule[rule_id] = by_rule.get(rule_id, 0) + took + owed
    give_to_budgets(by_rule)
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


_BUDGETS = """
WITH back AS (SELECT * FROM unnest(%(rules)s::bigint[], %(amounts)s::bigint[]) AS back (rule_id, amount)),
locked AS (
    SELECT id FROM rewards_earningrule WHERE id IN (SELECT rule_id FROM back) AND budget IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE rewards_earningrule AS rule SET budget_spent = rule.budget_spent - back.amount
FROM back JOIN locked ON locked.id = back.rule_id WHERE rule.id = back.rule_id AND rule.budget IS NOT NULL
"""


def give_to_budgets(by_rule: Mapping[int | None, int]) -> None:
    """What was taken back of awards can be given by their rules again. Without a budget nothing is counted: the rows
    of such rules would be waited for in vain."""
    if back := {rule_id: amount for rule_id, amount in by_rule.items() if rule_id and amount}:
        execute(_BUDGETS, {"rules": list(back), "amounts": list(back.values())})


_HELD = """
SELECT DISTINCT used.lot_id FROM rewards_hold AS hold JOIN rewards_lotuse AS used ON used.transfer_id = hold.transfer_id
WHERE hold.id = ANY(%(holds)s)
"""
_FREED = f"""
{ORIGIN}
SELECT earn.purchase_id, earn.id, max(hold.id), sum(used.amount)::bigint
FROM rewards_hold AS hold
JOIN rewards_lotuse AS used ON used.transfer_id = hold.transfer_id
JOIN origin ON origin.asked_id = used.lot_id
JOIN rewards_lot AS lot ON lot.id = origin.id
JOIN rewards_transfer AS earn ON earn.id = lot.transfer_id AND earn.kind = 'earn'
WHERE hold.id = ANY(%(holds)s) AND EXISTS (SELECT FROM members_refund WHERE purchase_id = earn.purchase_id)
GROUP BY earn.id ORDER BY earn.purchase_id, earn.id
"""


def settle_refunds(*, hold_ids: Sequence[int], at: datetime, actor_id: int | None) -> None:
    """Takes back what refunds left in holds that have just ended, so that it comes to the same as if they had ended
    before: out of what they gave back, or where that is spent or expired, as a refund does. The caller has locked the
    wallets. A transfer more belongs to the purchase's last refund."""
    members = set()
    lots = [lot_id for (lot_id,) in fetch_all(_HELD, {"holds": list(hold_ids)})]
    freed: dict[int, dict[int, _Freed]] = {}
    for purchase_id, earn_id, hold_id, amount in fetch_all(_FREED, {"holds": list(hold_ids), "lots": lots}):
        freed.setdefault(purchase_id, {})[earn_id] = _Freed(hold_id, amount)
    for purchase_id, awards in freed.items():
        refund = Refund.objects.select_related("purchase").filter(purchase_id=purchase_id).latest("pk")
        moved = _take_back(refund.purchase, refund, at, actor_id, awards)[Unit.POINTS]
        if moved.taken or moved.owed:
            members.add(refund.purchase.member_id)
    if members:
        assess(lock_wallets(members), at)


def _plainly(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "lines": []}


_TOLD = [f"{unit}_{name}" for unit in ("points", "credit") for name in ("taken", "short", "owed", "returned")]
_TOLD.append("coupons_returned")


def _answered(refund: Refund, purchase: Purchase, asked: dict[str, Any]) -> RefundResult:
    """As the refund was answered first. KeyReused where it was another. What was asked then stands in its event, since
    lines are told apart from amounts."""
    if refund.purchase_id != purchase.pk:
        raise KeyReused(refund.key)
    told = TimelineEvent.objects.filter(member__in=ever_with([purchase.member_id]), kind=events.PURCHASE_REFUNDED)
    data = told.get(at=refund.refunded_at, data__refund=refund.pk).data
    if data.get("asked", _plainly(refund.amount_minor)) != asked:
        raise KeyReused(refund.key)
    return RefundResult(
        refund.pk, False, amount_minor=refund.amount_minor, **{name: data.get(name, 0) for name in _TOLD}
    )
