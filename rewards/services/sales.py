"""A basket on its way through the checkout, and what pays for it beside money: coupons, points, credit, gift cards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from common.money import format_money, minor_digits
from members.services.purchases import NewLine, NewPurchase, RecordedPurchase
from rewards.coupons.pricing import Line
from rewards.coupons.words import Reason
from rewards.earning.basket import Basket, Priced, Refusal
from rewards.enums import Unit
from rewards.queries import points_text, reward_settings
from rewards.queries_cards import rests
from rewards.services.cards import lock_cards
from rewards.services.coupons.finding import Found, card_reason, find
from rewards.services.coupons.using import CouponRefused, take
from rewards.services.earning.live import Home
from rewards.services.earning.posting import Granted
from rewards.services.ledger import InsufficientPoints


@dataclass(slots=True)
class Sale:
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


class Refused(Exception):
    """The basket is not taken; all that was done for it is undone."""

    def __init__(self, code: str, message: str, field: str = "", **facts: Any) -> None:
        super().__init__(code)
        self.refusal = Refusal(code, message, field, facts)


def lock_and_find(sale: Sale, home_: Home, at: datetime) -> list[Found]:
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


def pay_with(sale: Sale, cards: Sequence[Found]) -> int:
    """Takes what is left to pay from the cards, in the order told; how much."""
    for one in cards:
        if one.coupon and (minor := min(one.rest_minor, sale.due_minor)) > 0:
            sale.cards[one.coupon.pk] = minor
    return sum(sale.cards.values())


def take_coupons(sale: Sale, codes: Sequence[str], actor_id: int | None) -> tuple[int, ...]:
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


def _coupon_refused(code: str, reasons: Sequence[Reason]) -> Refused:
    told = [{"code": reason.code, "facts": dict(reason.facts)} for reason in reasons]
    return Refused("coupon", " ".join(reason.sentence for reason in reasons), "coupons", coupon=code, reasons=told)


def value(sale: Sale, home_: Home) -> int:
    """What is paid with points and credit, in minor units."""
    basket = sale.basket
    if not (basket.pay_points or basket.pay_credit_minor):
        return 0
    if basket.currency != home_.currency:
        text = gettext("Points and credit pay only what is sold in %(currency)s.") % {"currency": home_.currency}
        raise Refused("pay_currency", text, "pay_with")
    if basket.pay_points:
        for_one = reward_settings().points_per_unit
        if not for_one:
            raise Refused("pay_points", gettext("Points cannot be paid with here."), "pay_with.points")
        sale.points_worth = basket.pay_points * 10 ** minor_digits(basket.currency) // for_one
        if not sale.points_worth:
            raise Refused("pay_points", gettext("So few points are worth nothing yet."), "pay_with.points")
    if sale.due_minor < 0:
        words = {"total": format_money(sale.total_minor, basket.currency)}
        text = gettext("That is more than the %(total)s to be paid.") % words
        raise Refused("pay_too_much", text, "pay_with", total_minor=sale.total_minor)
    return sale.points_worth + basket.pay_credit_minor


def out_of_range() -> Refused:
    return Refused("points_range", gettext("This would be more points than can be counted."))


def short_of(unit: Unit, short: InsufficientPoints, home_: Home) -> Refused:
    if unit == Unit.POINTS:
        text = gettext("There are only %(points)s to pay with.") % {"points": points_text(short.available)}
        return Refused("points_short", text, "pay_with.points", available=short.available, asked=short.asked)
    text = gettext("There is only %(amount)s of credit.") % {"amount": format_money(short.available, home_.currency)}
    return Refused("credit_short", text, "pay_with.credit", available=short.available, asked=short.asked)


def reused(sale: Sale) -> Refused:
    text = gettext("The key “%(key)s” belongs to another purchase.") % {"key": sale.basket.key}
    return Refused("key_reused", text, "key")
