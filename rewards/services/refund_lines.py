"""Which part of which line a refund gives back, and what share of an award that is. Nothing here writes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from common.sql import fetch_all
from members.models import Purchase, PurchaseLine


class RefundTooLarge(Exception):
    """More than is left of the purchase: `left_minor` minor units of `currency`; or of its line `line_id`, of which
    `left_quantity` is left."""

    def __init__(
        self, *, left_minor: int, currency: str, line_id: int | None = None, left_quantity: Decimal | None = None
    ) -> None:
        super().__init__(left_minor, currency, line_id, left_quantity)
        self.left_minor = left_minor
        self.currency = currency
        self.line_id = line_id
        self.left_quantity = left_quantity


class LinesDoNotSum(Exception):
    """Lines and an amount were told, and the lines come to another: `lines_minor` minor units."""

    def __init__(self, *, lines_minor: int) -> None:
        super().__init__(lines_minor)
        self.lines_minor = lines_minor


class Part(NamedTuple):
    """What a refund gives back of a line; `quantity` only where pieces were told."""

    line_id: int
    quantity: Decimal | None
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of a purchase, and what refunds gave back of it so far, by pieces and by money alone."""

    id: int
    quantity: Decimal
    amount_minor: int
    back_quantity: Decimal
    by_quantity_minor: int
    by_amount_minor: int

    @property
    def left_minor(self) -> int:
        return max(self.amount_minor - self.by_quantity_minor - self.by_amount_minor, 0)

    @property
    def left_quantity(self) -> Decimal:
        return self.quantity - self.back_quantity

    @property
    def share(self) -> Fraction:
        """The part of the line that was given back, from 0 to 1."""
        if self.amount_minor > 0 and not self.left_minor:
            return Fraction(1)
        by_amount = Fraction(self.by_amount_minor, self.amount_minor) if self.amount_minor > 0 else Fraction(0)
        return min(Fraction(self.back_quantity) / Fraction(self.quantity) + by_amount, Fraction(1))


_BOUGHT = """
SELECT line.id, line.quantity, line.amount_minor, coalesce(sum(back.quantity), 0),
       coalesce(sum(back.amount_minor) FILTER (WHERE back.quantity IS NOT NULL), 0)::bigint,
       coalesce(sum(back.amount_minor) FILTER (WHERE back.quantity IS NULL), 0)::bigint
FROM members_purchaseline AS line LEFT JOIN members_refundline AS back ON back.line_id = line.id
WHERE line.purchase_id = %s GROUP BY line.id ORDER BY line.id
"""


def bought_lines(purchase_id: int) -> dict[int, Bought]:
    """The lines of a purchase with what was given back of them."""
    return {row[0]: Bought(*row) for row in fetch_all(_BOUGHT, [purchase_id])}


def split(
    purchase: Purchase,
    bought: Mapping[int, Bought],
    amount_minor: int | None,
    lines: Sequence[tuple[int, Decimal]] | None,
) -> tuple[int, list[Part]]:
    """How much a refund gives back in minor units, and of which lines.

    Told lines, each piece is worth its share of the line's price, rounded down until the last. Told an amount alone,
    each line that is left gives the same share of it. Told neither: all that is left. What was free comes back by its
    pieces. RefundTooLarge; LinesDoNotSum; PurchaseLine.DoesNotExist; ValueError where nothing is given back.
    """
    left = purchase.amount_minor - purchase.refunded_minor
    if not purchase.amount_minor and amount_minor is None and not lines:
        lines = [(line.id, line.left_quantity) for line in bought.values() if line.left_quantity > 0]
    if lines:
        parts = [_pieces(purchase, bought, line_id, quantity) for line_id, quantity in _summed(lines)]
        total = sum(part.amount_minor for part in parts)
        if amount_minor is not None and amount_minor != total:
            raise LinesDoNotSum(lines_minor=total)
    else:
        total = left if amount_minor is None else amount_minor
        parts = list(_spread(bought, total, left)) if total <= left else []
    if total > left or (total < 1 and amount_minor is None and not lines):
        raise RefundTooLarge(left_minor=left, currency=purchase.currency)
    if total < 1 and not lines:
        raise ValueError("a refund gives something back")
    return total, parts


def is_whole(purchase: Purchase) -> bool:
    """Whether all of it was given back: all that was paid, or of what was free every piece."""
    if purchase.amount_minor:
        return purchase.refunded_minor == purchase.amount_minor
    return all(line.left_quantity <= 0 for line in bought_lines(purchase.pk).values())


_PAID_OTHERWISE = """
SELECT coalesce(sum(paid.amount) FILTER (WHERE wallet.unit = 'credit'), 0)::bigint,
       coalesce(sum((paid.why->>'worth_minor')::bigint) FILTER (WHERE wallet.unit = 'points'), 0)::bigint
FROM rewards_transfer AS paid JOIN rewards_account AS wallet ON wallet.id = paid.debit_id
WHERE paid.purchase_id = %s AND paid.kind = 'pay'
"""


def in_money(purchase: Purchase, amount_minor: int, refunded_minor: int) -> tuple[int, int]:
    """How much of a refund of `amount_minor` is to be paid out in money, and what the points that come back with it had
    paid; in minor units, after which `refunded_minor` had been given back in all. The rest of it is store credit and
    gift cards."""
    ((credit, worth),) = fetch_all(_PAID_OTHERWISE, [purchase.pk])
    due = purchase.amount_minor - credit - worth

    def reached(refunded: int) -> tuple[int, int]:
        rest = refunded - refunded * credit // (purchase.amount_minor or 1)
        money = rest * due // (due + worth) if due + worth else 0
        return money, rest - money

    before, now = reached(refunded_minor - amount_minor), reached(refunded_minor)
    return now[0] - before[0], now[1] - before[1]


class Tender(NamedTuple):
    """A payment of a purchase otherwise than with money, and what of it came back before; `unit` is "points", "credit"
    or, of a gift card, "cards"."""

    id: int
    unit: str
    paid: int
    before: int


def shares(paid: Sequence[Tender], refunded: int, amount: int) -> Iterator[tuple[Tender, int]]:
    """What comes back to each once `refunded` of `amount` is given back. Credit and cards together get what one payment
    of their sum would, to the minor unit, so that what is paid out in money beside it is the rest."""
    in_minor = [one for one in paid if one.unit != "points"]
    due = sum(one.paid for one in in_minor) * refunded // (amount or 1) - sum(one.before for one in in_minor)
    parts: dict[int, int] = {}
    for one in in_minor:
        parts[one.id] = max(0, min(one.paid * refunded // (amount or 1) - one.before, due))
        due -= parts[one.id]
    for one in in_minor:  # a few minor units that rounding down left over
        more = max(0, min(due, one.paid - one.before - parts[one.id]))
        parts[one.id] += more
        due -= more
    for one in paid:
        yield one, parts.get(one.id, one.paid * refunded // (amount or 1) - one.before)


def _summed(lines: Sequence[tuple[int, Decimal]]) -> list[tuple[int, Decimal]]:
    quantities: dict[int, Decimal] = {}
    for line_id, quantity in lines:
        if quantity <= 0:
            raise ValueError("a refund gives something back")
        quantities[line_id] = quantities.get(line_id, Decimal(0)) + quantity
    return sorted(quantities.items())


def _pieces(purchase: Purchase, bought: Mapping[int, Bought], line_id: int, quantity: Decimal) -> Part:
    line = bought.get(line_id)
    if line is None:
        raise PurchaseLine.DoesNotExist(line_id)
    if quantity > line.left_quantity or (line.amount_minor > 0 and not line.left_minor):
        raise RefundTooLarge(
            left_minor=line.left_minor,
            currency=purchase.currency,
            line_id=line_id,
            left_quantity=line.left_quantity,
        )
    back = line.back_quantity + quantity
    if back == line.quantity:
        return Part(line_id, quantity, line.left_minor)
    worth = int(line.amount_minor * Fraction(back) / Fraction(line.quantity)) - line.by_quantity_minor
    return Part(line_id, quantity, min(worth, line.left_minor))


def _spread(bought: Mapping[int, Bought], amount_minor: int, left_minor: int) -> Iterator[Part]:
    reached = given = 0
    for line in bought.values():
        reached += line.left_minor
        part = min(reached * amount_minor // left_minor - given, line.left_minor) if left_minor else 0
        if part:
            given += part
            yield Part(line.id, None, part)


def share_of(why: Mapping[str, Any], gave: int, purchase: Purchase, bought: Mapping[int, Bought]) -> int:
    """How much of an award of `gave` has to be back by now: what the lines that were given back had earned of it,
    rounded in the member's favour; everything at the full refund.

    An award keeps its lines as `why["lines"]`, each with what it earned, exactly. One that came after a refund was for
    what was left then (`why["refunded_minor"]` was not), and goes back by money. Older ones keep the price that they
    were given for.
    """
    if purchase.amount_minor and purchase.refunded_minor >= purchase.amount_minor:
        return gave
    if before := why.get("refunded_minor"):
        return gave * (purchase.refunded_minor - before) // (purchase.amount_minor - before)
    lines = [(line_id, Fraction(exact)) for line_id, _basis, exact in why.get("lines", ())]
    if weight := sum(exact for _, exact in lines):
        whole = Fraction(purchase.refunded_minor, purchase.amount_minor or 1)  # of what came without lines
        back = sum(exact * (bought[line_id].share if line_id in bought else whole) for line_id, exact in lines)
        return int(gave * back / weight)
    kept = purchase.amount_minor - purchase.refunded_minor
    priced = why.get("amount_minor") or purchase.amount_minor or 1
    return gave * max(priced - kept, 0) // priced
