"""What refunds take back of what purchases gave, and give back of what was paid with. docs/refunds.md."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Sum

from common.sql import fetch_all
from members import events
from members.models import Member, Purchase, Refund, RefundLine, TimelineEvent
from members.queries import ever_with
from members.services.purchases import KeyReused
from rewards.enums import Unit
from rewards.models import LotUse
from rewards.services.cards import lock_payers
from rewards.services.coupons.releasing import release_for_purchase
from rewards.services.ledger import lock_wallets
from rewards.services.refund_lines import (  # noqa: F401
    LinesDoNotSum,
    RefundTooLarge,
    Tender,
    bought_lines,
    in_money,
    is_whole,
    shares,
    split,
)
from rewards.services.repaying import repay_from
from rewards.services.returns import give_back
from rewards.services.taking_back import give_to_budgets, settle_returned, take_back
from rewards.services.tiers import assess
from rewards.services.withdrawing import withdraw_coupons


@dataclass(frozen=True, slots=True)
class RefundResult:
    """What became of a refund: of points as `points_…`, of store credit, in minor units, as `credit_…` (see Moved). Of
    `amount_minor`, `money_minor` is to be paid out, and the points returned had paid `points_worth_minor`."""

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
    points_expired: int = 0  # of what came back: it stays expired
    credit_expired: int = 0
    cards_returned: int = 0  # to gift cards, in minor units
    cards_expired: int = 0
    coupons_returned: int = 0
    amount_minor: int = 0
    money_minor: int = 0
    points_worth_minor: int = 0


# Who bought, and whose wallets paid: where two members were merged, not always the same.
_BUYERS = """
SELECT member_id FROM members_purchase WHERE id = ANY(%(purchases)s)
UNION SELECT wallet.member_id FROM rewards_transfer AS paid JOIN rewards_account AS wallet ON wallet.id = paid.debit_id
WHERE paid.purchase_id = ANY(%(purchases)s) AND paid.kind = 'pay' AND wallet.member_id IS NOT NULL
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
    lock_payers(purchase_id)
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
    returned, transfers, to_cards = _give_back_payments(purchase, refund, at, actor_id)
    coupons = 0
    withdraw_coupons(purchase=purchase, at=at, actor_id=actor_id)
    if is_whole(purchase):
        coupons = release_for_purchase(purchase_id=purchase_id, at=at, actor_id=actor_id)
    budgets: Counter[int | None] = Counter()  # their rows are locked once, after those of coupons and offers
    settle_returned(transfer_ids=transfers, at=at, actor_id=actor_id, but=purchase_id, budgets=budgets)
    moved = take_back(purchase, refund, at, actor_id, budgets=budgets)
    repay_from(transfer_ids=transfers, at=at)
    give_to_budgets(budgets)
    sums = {f"{unit}_{name}": n for unit, row in moved.items() for name, n in asdict(row).items()}
    sums |= {f"{unit}_returned": n for unit, n in returned.items()} | {"coupons_returned": coupons}
    sums |= {f"{unit}_expired": n for unit, n in _expired(transfers, at)}
    sums |= {f"cards_{name}": n for name, n in (("expired", sum(n for _unit, n in _expired(to_cards, at))),) if n}
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
    money, worth = in_money(purchase, total, purchase.refunded_minor)
    return RefundResult(refund.pk, True, amount_minor=total, money_minor=money, points_worth_minor=worth, **sums)


_PAID = """
SELECT paid.id, CASE wallet.kind WHEN 'card' THEN 'cards' ELSE wallet.unit END, paid.amount,
       coalesce(sum(back.amount), 0)::bigint
FROM rewards_transfer AS paid
JOIN rewards_account AS wallet ON wallet.id = paid.debit_id
LEFT JOIN rewards_transfer AS back ON back.reverses_id = paid.id
WHERE paid.purchase_id = %s AND paid.kind = 'pay'
GROUP BY paid.id, wallet.kind, wallet.unit ORDER BY paid.id
"""


def _give_back_payments(
    purchase: Purchase, refund: Refund, at: datetime, actor_id: int | None
) -> tuple[dict[str, int], list[int], list[int]]:
    """Gives back the same share of what was paid with points, credit and gift cards as of the price: how much by unit
    ("cards" of cards), and by which transfers, those to wallets and those to cards."""
    returned: dict[str, int] = {}
    transfers: dict[bool, list[int]] = {False: [], True: []}  # is it to a card
    paid = [Tender(*row) for row in fetch_all(_PAID, [purchase.pk])]
    if Member.objects.filter(pk=purchase.member_id).exclude(erased_at=None).exists():
        paid = [one for one in paid if one.unit == "cards"]  # there is nobody to give the rest to
    for (paid_id, unit, *_), part in shares(paid, purchase.refunded_minor, purchase.amount_minor):
        if part > 0:
            transfer = give_back(
                transfer_id=paid_id,
                amount=part,
                key=f"return:{refund.pk}:{paid_id}",
                at=at,
                reason=refund.reason,
                why={"refund": refund.pk, "amount_minor": refund.amount_minor, "currency": purchase.currency},
                actor_id=actor_id,
                purchase_id=purchase.pk,
            )
            transfers[unit == "cards"].append(transfer)
            returned[unit] = returned.get(unit, 0) + part
    return returned, transfers[False], transfers[True]


def _expired(transfers: list[int], at: datetime) -> list[tuple[str, int]]:
    """How much of what these brought back, by unit, came back to lots that have expired."""
    if not transfers:
        return []
    back = LotUse.objects.filter(transfer__in=transfers, amount__lt=0, lot__expires_at__lte=at)
    return [
        (unit, -amount)
        for unit, amount in back.values_list("lot__account__unit").annotate(amount=Sum("amount")).order_by()
    ]


def _plainly(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "lines": []}


_MOVED = ("taken", "short", "owed", "returned", "expired")
_TOLD = [f"{unit}_{name}" for unit in ("points", "credit") for name in _MOVED]
_TOLD += ["coupons_returned", "cards_returned", "cards_expired"]


def _answered(refund: Refund, purchase: Purchase, asked: dict[str, Any]) -> RefundResult:
    """As the refund was answered first. KeyReused where it was another. What was asked then stands in its event, since
    lines are told apart from amounts."""
    if refund.purchase_id != purchase.pk:
        raise KeyReused(refund.key)
    told = TimelineEvent.objects.filter(member__in=ever_with([purchase.member_id]), kind=events.PURCHASE_REFUNDED)
    data = told.get(at=refund.refunded_at, data__refund=refund.pk).data
    if data.get("asked", _plainly(refund.amount_minor)) != asked:
        raise KeyReused(refund.key)
    reached = Refund.objects.filter(purchase=purchase, pk__lte=refund.pk).aggregate(all=Sum("amount_minor"))["all"]
    money, worth = in_money(purchase, refund.amount_minor, reached)
    sums = {name: data.get(name, 0) for name in _TOLD}
    return RefundResult(
        refund.pk, False, amount_minor=refund.amount_minor, money_minor=money, points_worth_minor=worth, **sums
    )
