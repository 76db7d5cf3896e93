"""What tills and shops post: baskets that are priced, discounted, paid, recorded and rewarded, each with its answer.

Baskets that are paid with money alone go through together, set-based; one that uses coupons, points or credit goes
through by itself. docs/earning.md.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from common.deadlocks import again_after_deadlock
from common.sql import Params, fetch_prepared
from members.services.purchases import RecordedPurchase, known_purchase, record_each
from rewards.earning.basket import Basket, BasketLine, Priced, Refusal, price
from rewards.earning.triggers import PURCHASE
from rewards.enums import Unit
from rewards.queries_cards import CardPaid, paid_by_cards
from rewards.services.cards import spend
from rewards.services.coupons.using import attach
from rewards.services.earning.at_once import AtOnce, begin, write_at_once
from rewards.services.earning.live import Find, Opened, opened
from rewards.services.earning.posting import units_given
from rewards.services.earning.rewarding import give_new
from rewards.services.ledger import InsufficientPoints, PointsOutOfRange, lock_followed
from rewards.services.paying import Payment, pay
from rewards.services.receipts import Earned, Receipt, Stand, as_it_was, earned_now, settle, settle_at_once
from rewards.services.sales import (
    Refused,
    Sale,
    lock_and_find,
    out_of_range,
    pay_with,
    reused,
    short_of,
    take_coupons,
    value,
)

__all__ = ["Basket", "BasketLine", "Earned", "Receipt", "Refusal", "check_out", "check_out_within"]

Keep = Callable[[Receipt], tuple[str, Params]]


@again_after_deadlock
def check_out(
    *, baskets: Sequence[Basket], at: datetime, dry_run: bool = False, actor_id: int | None = None
) -> list[Receipt | Refusal]:
    """Takes baskets, in their order; one answer for each. What is wrong with one harms no other. (`source`, `key`) that
    is known with the same content is answered as before, and refused with another. With `dry_run` nothing stays."""
    try:
        with transaction.atomic():
            answers = _check_out(baskets, at, actor_id, alone=len(baskets) == 1)
            if dry_run:
                transaction.set_rollback(True)
    except Refused as refused:  # alone, it needs no savepoint: the transaction is undone
        return [refused.refusal]
    return answers


def check_out_within(
    *, basket: Basket, at: datetime, find: Find | None = None, actor_id: int | None = None, keep: Keep | None = None
) -> Receipt | Refusal:
    """As check_out, in the transaction of a caller who undoes all of it where the answer is a Refusal.

    `find` is a statement for the id of who buys, which is then asked with all the rest, whatever the basket says.
    `keep` makes of a receipt the statement that keeps it. It is used where the statement can be sent with the last that
    is needed; then the purchase must be new (IntegrityError), and the transaction may be committed when this returns.
    """
    try:
        return _check_out([basket], at, actor_id, alone=True, keep=keep, find=find)[0]
    except Refused as refused:
        return refused.refusal


def _check_out(
    baskets: Sequence[Basket],
    at: datetime,
    actor_id: int | None,
    *,
    alone: bool = False,
    keep: Keep | None = None,
    find: Find | None = None,
) -> list[Receipt | Refusal]:
    answers: dict[int, Receipt | Refusal] = {}
    sales: dict[int, Sale] = {}
    seen: set[tuple[str, str]] = set()
    again: list[int] = []
    prices = [price(basket, at) for basket in baskets]
    members, begun = _begun(baskets, prices, at, find)
    people, line = begun.people, 0
    for n, basket in enumerate(baskets):
        if (basket.source, basket.key) in seen:
            again.append(n)
            continue
        seen.add((basket.source, basket.key))
        priced, member_id = prices[n], members[n]
        if find and not member_id:
            answers[n] = Refusal("no_such_member", gettext("There is no such member."), "member")
        elif isinstance(priced, Refusal):
            answers[n] = priced
        elif member_id not in people:
            answers[n] = Refusal("member", gettext("There is no such member."), "member")
        elif people[member_id] is None:
            answers[n] = Refusal("member_gone", gettext("This member's data were erased."), "member")
        else:
            sales[n] = Sale(priced, people[member_id] or 0)
            line, first = line + len(basket.lines), line
            sales[n].drawn = RecordedPurchase(begun.purchase_ids[n], True, line_ids=tuple(begun.line_ids[first:line]))
    plain = {n: sale for n, sale in sales.items() if sale.basket.is_plain}
    groups = [plain] if plain else []
    groups += [{n: sale} for n, sale in sales.items() if n not in plain]
    if groups and not alone:
        # All wallets before the first budget: two batches, or a batch and a till, would lock each other up.
        lock_followed({sale.member_id for sale in sales.values()}, units=units_given(begun.rules))
    for group in groups:
        if alone:
            try:
                answers |= _post(group, begun, at, actor_id, keep)
            except PointsOutOfRange as problem:
                raise out_of_range() from problem
            break
        answers |= _settle(group, begun, at, actor_id)
    for n in again:  # told twice in one call: the second time it is known
        answers[n] = _check_out([baskets[n]], at, actor_id)[0]
    return [answers[n] for n in range(len(baskets))]


def _begun(
    baskets: Sequence[Basket], prices: Sequence[Priced | Refusal], at: datetime, find: Find | None
) -> tuple[list[int], Opened]:
    """Whose each basket is, and what their checkout begins with."""
    lines = sum([len(basket.lines) for basket in baskets])
    members = [basket.member_id for basket in baskets]
    if len(baskets) == 1 and baskets[0].is_plain and isinstance(prices[0], Priced):
        member_id, begun = begin(find or (_BY_ID, members), prices[0].at, at, lines=lines)
        return [member_id], begun
    if find:
        members = [row[0] or 0 for row in fetch_prepared(*find)] or [0]
    return members, opened(PURCHASE, set(members), purchases=len(baskets), lines=lines)


_BY_ID = "SELECT %s::bigint"


def _settle(sales: dict[int, Sale], begun: Opened, at: datetime, actor_id: int | None) -> dict[int, Receipt | Refusal]:
    """All together; where that cannot be, each by itself, so that one does no harm to the others."""
    try:
        with transaction.atomic():
            return _post(sales, begun, at, actor_id)
    except Refused as refused:
        if len(sales) == 1:
            return dict.fromkeys(sales, refused.refusal)
    except PointsOutOfRange:
        if len(sales) == 1:
            return dict.fromkeys(sales, out_of_range().refusal)
    answers: dict[int, Receipt | Refusal] = {}
    for n, sale in sales.items():
        answers |= _settle({n: Sale(sale.priced, sale.member_id, drawn=sale.drawn)}, begun, at, actor_id)
    return answers


def _post(
    sales: dict[int, Sale], begun: Opened, at: datetime, actor_id: int | None, keep: Keep | None = None
) -> dict[int, Receipt | Refusal]:
    single = next(iter(sales.values())) if len(sales) == 1 else None
    if single is not None and not single.basket.is_plain:
        units = [Unit.POINTS, Unit.CREDIT] if single.basket.pay_credit_minor else units_given(begun.rules)
        lock_followed([single.member_id], units=units)
        single.recorded = known_purchase(told=single.purchase())
        if single.recorded is None:
            return _post_paid(next(iter(sales)), single, begun, at, actor_id)
    else:
        kept: dict[int, Receipt | Refusal] = {}

        def ending(done: AtOnce) -> tuple[str, Params]:
            ((n, receipt),) = _receipts(sales, done, begun, at).items()
            kept[n] = receipt
            return keep(receipt)  # type: ignore[misc]  # asked only where there is one

        purchases = [sale.purchase() for sale in sales.values()]
        drawn = [sale.drawn for sale in sales.values() if sale.drawn]
        done = None
        if len(drawn) == len(sales):
            done = write_at_once(purchases, drawn, begun, at, actor_id, ending if keep and single else None)
        if kept:
            return kept
        recorded = done.recorded if done else record_each(purchases=purchases, actor_id=actor_id)
        for sale, was in zip(sales.values(), recorded, strict=True):
            sale.recorded = was
        if done and done.granted is not None:
            return {**_receipts(sales, done, begun, at)}
    return _reward(sales, begun, at, {})


def _receipts(sales: dict[int, Sale], done: AtOnce, begun: Opened, at: datetime) -> dict[int, Receipt]:
    """Of what was written at once, or will be."""
    stands = settle_at_once(done, begun, at)
    for sale, was, granted in zip(sales.values(), done.recorded, done.granted or (), strict=True):
        sale.recorded, sale.granted = was, granted
    return {n: _receipt(sale, stands[sale.member_id], at) for n, sale in sales.items()}


def _post_paid(n: int, sale: Sale, begun: Opened, at: datetime, actor_id: int | None) -> dict[int, Receipt | Refusal]:
    """A new basket with coupons, points or credit. The wallets are locked."""
    basket = sale.basket
    cards = lock_and_find(sale, begun.home, at) if basket.coupons else []
    codes = [code for code in basket.coupons if code not in {one.typed for one in cards}]
    uses = take_coupons(sale, codes, actor_id) if codes else ()
    otherwise = value(sale, begun.home)
    otherwise += pay_with(sale, cards)
    (sale.recorded,) = record_each(purchases=[sale.purchase()], actor_id=actor_id)
    if not sale.recorded.is_new:  # under another member's name, at this moment
        raise reused(sale)
    if uses:
        attach(uses=uses, purchase_id=sale.recorded.id)
    for unit, amount in ((Unit.POINTS, basket.pay_points), (Unit.CREDIT, basket.pay_credit_minor)):
        if amount:
            worth = sale.points_worth if unit == Unit.POINTS else amount
            payment = Payment(sale.member_id, sale.recorded.id, amount, worth_minor=worth)
            try:
                pay(payments=[payment], unit=unit, at=at, actor_id=actor_id)
            except InsufficientPoints as short:
                raise short_of(unit, short, begun.home) from short
    for coupon_id, minor in sale.cards.items():
        spend(coupon_id=coupon_id, amount_minor=minor, purchase_id=sale.recorded.id, at=at, actor_id=actor_id)
    return _reward({n: sale}, begun, at, {sale.recorded.id: otherwise} if otherwise else {})


def _reward(
    sales: dict[int, Sale], begun: Opened, at: datetime, otherwise: dict[int, int]
) -> dict[int, Receipt | Refusal]:
    """Gives what the new ones earn, and answers for all."""
    new = {sale.recorded.id: sale for sale in sales.values() if sale.recorded and sale.recorded.is_new}
    wallets: list[int] = []
    if new:
        told = [(sale.purchase(), sale.recorded) for sale in new.values() if sale.recorded]
        given, wallets = give_new(told, begun, at, paid_otherwise=otherwise)
        for granted in given:
            sale = new[granted.case.purchase_id or 0]
            sale.granted, sale.member_id = granted, granted.case.member_id
    stands = settle(wallets, {sale.member_id for sale in sales.values()}, at)
    answers: dict[int, Receipt | Refusal] = {}
    for n, sale in sales.items():
        if sale.recorded and sale.recorded.is_reused:
            answers[n] = reused(sale).refusal
        else:
            answers[n] = _receipt(sale, stands[sale.member_id], at)
    return answers


def _receipt(sale: Sale, stand: Stand, at: datetime) -> Receipt:
    if sale.recorded is None:
        raise RuntimeError("a basket is answered for once it is recorded")
    discount = sum(sale.priced.discounts) + sum(sale.off)
    total, due, before = sale.total_minor, sale.due_minor, stand.tier_id
    earned: tuple[Earned, ...] = ()
    unfired: tuple[tuple[int, str, dict[str, Any]], ...] = ()
    if sale.recorded.is_new and sale.granted:
        earned, before = tuple(earned_now(sale.granted, at)), sale.granted.tier_before
        unfired = tuple((one.rule.id, one.reason, one.facts) for one in sale.granted.outcome.unfired)
    elif not sale.recorded.is_new:
        total, discount, due, earned = as_it_was(sale.recorded.id)
    cards: tuple[CardPaid, ...] = ()
    if sale.cards or (sale.basket.coupons and not sale.recorded.is_new):
        cards = paid_by_cards(sale.recorded.id, at)
    return Receipt(
        purchase_id=sale.recorded.id,
        is_new=sale.recorded.is_new,
        member_id=sale.member_id,
        currency=sale.basket.currency,
        total_minor=total,
        due_minor=due,
        discount_minor=discount,
        earned=earned,
        spendable=stand.spendable,
        pending=stand.pending,
        credit=stand.credit,
        tier_before=before,
        tier_after=stand.tier_id,
        tier=stand.tier,
        unfired=unfired,
        cards=cards,
    )
