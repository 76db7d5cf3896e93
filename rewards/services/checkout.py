"""What tills and shops post: baskets that are priced, discounted, paid, recorded and rewarded, each with its answer.

Baskets that are paid with money alone go through together, set-based; one that uses coupons, points or credit goes
through by itself. docs/earning.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from common.deadlocks import again_after_deadlock
from common.money import format_money, minor_digits
from common.sql import Params
from members.services.purchases import NewLine, NewPurchase, RecordedPurchase, known_purchase, record_each
from rewards.coupons.pricing import Line
from rewards.coupons.words import Reason
from rewards.earning.basket import Basket, BasketLine, Priced, Refusal, price
from rewards.earning.triggers import PURCHASE
from rewards.enums import Unit
from rewards.queries import points_text, reward_settings
from rewards.queries_cards import CardPaid, paid_by_cards, rests
from rewards.services.cards import lock_cards, spend
from rewards.services.coupons.finding import Found, card_reason, find
from rewards.services.coupons.using import CouponRefused, attach, take
from rewards.services.earning.at_once import AtOnce, begin, write_at_once
from rewards.services.earning.live import Home, Opened, opened
from rewards.services.earning.posting import Granted, units_given
from rewards.services.earning.rewarding import give_new
from rewards.services.ledger import InsufficientPoints, PointsOutOfRange, lock_followed
from rewards.services.paying import Payment, pay
from rewards.services.receipts import Earned, Receipt, Stand, as_it_was, earned_now, settle, settle_at_once

__all__ = ["Basket", "BasketLine", "Earned", "Receipt", "Refusal", "check_out", "check_out_within"]

Keep = Callable[[Receipt], tuple[str, Params]]


@dataclass(slots=True)
class _Sale:
    """A basket on its way."""

    priced: Priced
    member_id: int
    off: tuple[int, ...] = ()  # what coupons take off each line
    points_worth: int = 0
    cards: dict[int, int] = field(default_factory=dict)  # what gift cards pay, by coupon
    drawn: RecordedPurchase | None = None  # the ids that it gets where it is written at once
    recorded: RecordedPurchase | None = None
    granted: Granted | None = None
    _purchase: NewPurchase | None = None

    @property
    def basket(self) -> Basket:
        return self.priced.basket

    @property
    def total_minor(self) -> int:
        return self.priced.total_minor - sum(self.off)

    @property
    def due_minor(self) -> int:
        return self.total_minor - self.points_worth - self.basket.pay_credit_minor - sum(self.cards.values())

    def take_off(self, off: tuple[int, ...]) -> None:
        self.off, self._purchase = off, None

    def purchase(self) -> NewPurchase:
        """As it is recorded, with what coupons have taken off so far."""
        if self._purchase is None:
            self._purchase = self._priced()
        return self._purchase

    def _priced(self) -> NewPurchase:
        basket, off = self.basket, self.off or (0,) * len(self.priced.lines)
        lines = tuple(
            NewLine(
                amount_minor=net - less,
                sku=line.sku,
                name=line.name,
                category=line.category,
                quantity=line.quantity,
                brand=line.brand,
                discount_minor=discount + less,
            )
            for line, net, discount, less in zip(
                basket.lines, self.priced.lines, self.priced.discounts, off, strict=True
            )
        )
        return NewPurchase(
            member_id=self.member_id,
            source=basket.source,
            key=basket.key,
            purchased_at=self.priced.at,
            currency=basket.currency,
            amount_minor=self.total_minor,
            store=basket.store,
            channel=basket.channel,
            lines=lines,
            told=basket.told(),
        )


class _Refused(Exception):
    """The basket is not taken; all that was done for it is undone."""

    def __init__(self, code: str, message: str, field: str = "", **facts: Any) -> None:
        super().__init__(code)
        self.refusal = Refusal(code, message, field, facts)


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
    except _Refused as refused:  # alone, it needs no savepoint: the transaction is undone
        return [refused.refusal]
    return answers


def check_out_within(
    *, basket: Basket, at: datetime, actor_id: int | None = None, keep: Keep | None = None
) -> Receipt | Refusal:
    """As check_out, in the transaction of a caller who undoes all of it where the answer is a Refusal.

    `keep` makes of a receipt the statement that keeps it. It is used where the statement can be sent with the last that
    is needed; then the purchase must be new (IntegrityError), and the transaction may be committed when this returns.
    """
    try:
        return _check_out([basket], at, actor_id, alone=True, keep=keep)[0]
    except _Refused as refused:
        return refused.refusal


def _check_out(
    baskets: Sequence[Basket], at: datetime, actor_id: int | None, *, alone: bool = False, keep: Keep | None = None
) -> list[Receipt | Refusal]:
    answers: dict[int, Receipt | Refusal] = {}
    sales: dict[int, _Sale] = {}
    seen: set[tuple[str, str]] = set()
    again: list[int] = []
    prices = [price(basket, at) for basket in baskets]
    begun = _begun(baskets, prices, at)
    people, line = begun.people, 0
    for n, basket in enumerate(baskets):
        if (basket.source, basket.key) in seen:
            again.append(n)
            continue
        seen.add((basket.source, basket.key))
        priced = prices[n]
        if isinstance(priced, Refusal):
            answers[n] = priced
        elif basket.member_id not in people:
            answers[n] = Refusal("member", gettext("There is no such member."), "member")
        elif people[basket.member_id] is None:
            answers[n] = Refusal("member_gone", gettext("This member's data were erased."), "member")
        else:
            sales[n] = _Sale(priced, people[basket.member_id] or 0)
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
                raise _out_of_range() from problem
            break
        answers |= _settle(group, begun, at, actor_id)
    for n in again:  # told twice in one call: the second time it is known
        answers[n] = _check_out([baskets[n]], at, actor_id)[0]
    return [answers[n] for n in range(len(baskets))]


def _begun(baskets: Sequence[Basket], prices: Sequence[Priced | Refusal], at: datetime) -> Opened:
    lines = sum([len(basket.lines) for basket in baskets])
    if len(baskets) == 1 and baskets[0].is_plain and isinstance(prices[0], Priced):
        return begin(baskets[0].member_id, prices[0].at, at, lines=lines)
    return opened(PURCHASE, {basket.member_id for basket in baskets}, purchases=len(baskets), lines=lines)


def _settle(sales: dict[int, _Sale], begun: Opened, at: datetime, actor_id: int | None) -> dict[int, Receipt | Refusal]:
    """All together; where that cannot be, each by itself, so that one does no harm to the others."""
    try:
        with transaction.atomic():
            return _post(sales, begun, at, actor_id)
    except _Refused as refused:
        if len(sales) == 1:
            return dict.fromkeys(sales, refused.refusal)
    except PointsOutOfRange:
        if len(sales) == 1:
            return dict.fromkeys(sales, _out_of_range().refusal)
    answers: dict[int, Receipt | Refusal] = {}
    for n, sale in sales.items():
        answers |= _settle({n: _Sale(sale.priced, sale.member_id, drawn=sale.drawn)}, begun, at, actor_id)
    return answers


def _post(
    sales: dict[int, _Sale], begun: Opened, at: datetime, actor_id: int | None, keep: Keep | None = None
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


def _receipts(sales: dict[int, _Sale], done: AtOnce, begun: Opened, at: datetime) -> dict[int, Receipt]:
    """Of what was written at once, or will be."""
    stands = settle_at_once(done, begun, at)
    for sale, was, granted in zip(sales.values(), done.recorded, done.granted or (), strict=True):
        sale.recorded, sale.granted = was, granted
    return {n: _receipt(sale, stands[sale.member_id], at) for n, sale in sales.items()}


def _post_paid(n: int, sale: _Sale, begun: Opened, at: datetime, actor_id: int | None) -> dict[int, Receipt | Refusal]:
    """A new basket with coupons, points or credit. The wallets are locked."""
    basket = sale.basket
    cards = _cards(sale, begun.home, at) if basket.coupons else []
    codes = [code for code in basket.coupons if code not in {one.typed for one in cards}]
    uses = _take_coupons(sale, codes, actor_id) if codes else ()
    otherwise = _value(sale, begun.home)
    otherwise += _pay_with(sale, cards)
    (sale.recorded,) = record_each(purchases=[sale.purchase()], actor_id=actor_id)
    if not sale.recorded.is_new:  # under another member's name, at this moment
        raise _reused(sale)
    if uses:
        attach(uses=uses, purchase_id=sale.recorded.id)
    for unit, amount in ((Unit.POINTS, basket.pay_points), (Unit.CREDIT, basket.pay_credit_minor)):
        if amount:
            worth = sale.points_worth if unit == Unit.POINTS else amount
            payment = Payment(sale.member_id, sale.recorded.id, amount, worth_minor=worth)
            try:
                pay(payments=[payment], unit=unit, at=at, actor_id=actor_id)
            except InsufficientPoints as short:
                raise _short(unit, short, begun.home) from short
    for coupon_id, minor in sale.cards.items():
        spend(coupon_id=coupon_id, amount_minor=minor, purchase_id=sale.recorded.id, at=at, actor_id=actor_id)
    return _reward({n: sale}, begun, at, {sale.recorded.id: otherwise} if otherwise else {})


def _cards(sale: _Sale, home_: Home, at: datetime) -> list[Found]:
    """The gift cards among the codes, locked, with what is on each."""
    cards = [one for one in find(sale.basket.coupons) if one.is_card]
    if not cards:
        return []
    lock_cards(ids := [one.coupon.pk for one in cards if one.coupon])
    on_them = rests(ids, at)
    cards = find([one.typed for one in cards])  # as they are under the lock
    for one in cards:
        assert one.coupon
        one.rest_minor = on_them.get(one.coupon.pk, 0)
        if reason := card_reason(one.coupon, one.rest_minor, at):
            raise _coupon_refused(one.typed, [reason])
    if sale.basket.currency != home_.currency:
        raise _coupon_refused(cards[0].typed, [Reason("wrong_currency", {"currency": home_.currency})])
    return cards


def _pay_with(sale: _Sale, cards: Sequence[Found]) -> int:
    """Takes what is left to pay from the cards, in the order told; how much."""
    for one in cards:
        if one.coupon and (minor := min(one.rest_minor, sale.due_minor)) > 0:
            sale.cards[one.coupon.pk] = minor
    return sum(sale.cards.values())


def _take_coupons(sale: _Sale, codes: Sequence[str], actor_id: int | None) -> tuple[int, ...]:
    basket = sale.basket
    lines = [
        Line(line.quantity, net, line.sku, line.category, line.brand)
        for line, net in zip(basket.lines, sale.priced.lines, strict=True)
    ]
    try:
        taken = take(
            codes=codes,
            member_id=sale.member_id,
            lines=lines,
            currency=basket.currency,
            store=basket.store,
            channel=basket.channel,
            at=sale.priced.at,
            source=basket.source,
            key=f"purchase:{basket.key}",
            actor_id=actor_id,
        )
    except CouponRefused as refused:
        raise _coupon_refused(refused.code, refused.reasons) from refused
    sale.take_off(taken.per_line)
    return taken.uses


def _coupon_refused(code: str, reasons: Sequence[Reason]) -> _Refused:
    told = [{"code": reason.code, "facts": dict(reason.facts)} for reason in reasons]
    return _Refused("coupon", " ".join(reason.sentence for reason in reasons), "coupons", coupon=code, reasons=told)


def _value(sale: _Sale, home_: Home) -> int:
    """What is paid with points and credit, in minor units."""
    basket = sale.basket
    if not (basket.pay_points or basket.pay_credit_minor):
        return 0
    if basket.currency != home_.currency:
        text = gettext("Points and credit pay only what is sold in %(currency)s.") % {"currency": home_.currency}
        raise _Refused("pay_currency", text, "pay_with")
    if basket.pay_points:
        for_one = reward_settings().points_per_unit
        if not for_one:
            raise _Refused("pay_points", gettext("Points cannot be paid with here."), "pay_with.points")
        sale.points_worth = basket.pay_points * 10 ** minor_digits(basket.currency) // for_one
        if not sale.points_worth:
            raise _Refused("pay_points", gettext("So few points are worth nothing yet."), "pay_with.points")
    if sale.due_minor < 0:
        words = {"total": format_money(sale.total_minor, basket.currency)}
        text = gettext("That is more than the %(total)s to be paid.") % words
        raise _Refused("pay_too_much", text, "pay_with", total_minor=sale.total_minor)
    return sale.points_worth + basket.pay_credit_minor


def _out_of_range() -> _Refused:
    return _Refused("points_range", gettext("This would be more points than can be counted."))


def _short(unit: Unit, short: InsufficientPoints, home_: Home) -> _Refused:
    if unit == Unit.POINTS:
        text = gettext("There are only %(points)s to pay with.") % {"points": points_text(short.available)}
        return _Refused("points_short", text, "pay_with.points", available=short.available, asked=short.asked)
    text = gettext("There is only %(amount)s of credit.") % {"amount": format_money(short.available, home_.currency)}
    return _Refused("credit_short", text, "pay_with.credit", available=short.available, asked=short.asked)


def _reused(sale: _Sale) -> _Refused:
    text = gettext("The key “%(key)s” belongs to another purchase.") % {"key": sale.basket.key}
    return _Refused("key_reused", text, "key")


def _reward(
    sales: dict[int, _Sale], begun: Opened, at: datetime, otherwise: dict[int, int]
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
            answers[n] = _reused(sale).refusal
        else:
            answers[n] = _receipt(sale, stands[sale.member_id], at)
    return answers


def _receipt(sale: _Sale, stand: Stand, at: datetime) -> Receipt:
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
