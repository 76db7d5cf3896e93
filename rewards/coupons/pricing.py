"""How much an offer takes off a basket, line by line: exact, the same every time, never below zero."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from rewards.coupons.definition import Definition
from rewards.enums import OfferKind


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of thing in a basket; `amount_minor` is what the whole line costs, its own discount taken off. Below 0
    it is something brought back: no coupon touches it."""

    quantity: Decimal
    amount_minor: int
    sku: str = ""
    category: str = ""
    brand: str = ""


@dataclass(frozen=True, slots=True)
class Discount:
    """What comes off each line, in minor units. `missing` says why nothing does: the code of a reason, with `facts`."""

    per_line: tuple[int, ...]
    missing: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.per_line)


class _Units(NamedTuple):
    """Whole units of a line, at the exact price of one."""

    price: Fraction
    line: int
    count: int  # type: ignore[assignment]  # hides tuple.count


# Items first, then percentages, then amounts: no other order takes more off for the member.
ORDER = (
    OfferKind.FREE_ITEM,
    OfferKind.BUY_X_GET_Y,
    OfferKind.PERCENT,
    OfferKind.AMOUNT,
    OfferKind.FREE_SHIPPING,
    OfferKind.CARD,
)


def spread(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """`total` shared out in proportion to whole `weights`, by largest remainder (ties: who comes first). The shares
    sum to `total` exactly; none is above its weight where `total` is not above their sum."""
    whole = sum(weights)
    if not whole:
        return (0,) * len(weights)
    shares = [total * weight // whole for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for n in remainders[: total - sum(shares)]:
        shares[n] += 1
    return tuple(shares)


def _rounded(exact: Fraction) -> int:
    """Half up."""
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def discount(offer: Definition, lines: Sequence[Line]) -> Discount:
    """What `offer` takes off `lines`, whatever else its terms are."""
    match offer.kind:
        case OfferKind.PERCENT | OfferKind.AMOUNT:
            return _off(offer, lines)
        case OfferKind.FREE_SHIPPING:
            return Discount(tuple(max(0, line.amount_minor) if offer.takes(line) else 0 for line in lines))
        case OfferKind.CARD:  # it pays, and takes nothing off
            return Discount((0,) * len(lines), "card_in_purchase")
        case _:
            return _units_off(offer, lines)


def minimum_of(offer: Definition, lines: Sequence[Line]) -> int:
    """What counts towards the offer's minimum. The free item itself does not."""
    counted = [line for line in lines if offer.takes(line)] if offer.minimum_on_items else lines
    total = sum(line.amount_minor for line in counted)
    return total - discount(offer, lines).total if offer.kind is OfferKind.FREE_ITEM else total


def discount_all(offers: Sequence[Definition], lines: Sequence[Line]) -> list[Discount]:
    """What each of several offers takes off, one after the other (ORDER) of what the ones before have left."""
    given: dict[int, Discount] = {}
    for n in sorted(range(len(offers)), key=lambda n: (ORDER.index(offers[n].kind), n)):
        given[n] = discount(offers[n], lines)
        lines = [
            replace(line, amount_minor=line.amount_minor - off)
            for line, off in zip(lines, given[n].per_line, strict=True)
        ]
    return [given[n] for n in range(len(offers))]


def _off(offer: Definition, lines: Sequence[Line]) -> Discount:
    weights = [max(0, line.amount_minor) if offer.takes(line) else 0 for line in lines]
    whole = sum(weights)
    if not whole:
        return Discount((0,) * len(lines), "no_matching_items")
    if offer.kind is OfferKind.AMOUNT:
        total = min(offer.amount_minor, whole)
    else:
        total = _rounded(whole * offer.percent / 100)
        total = total if offer.most_minor is None else min(total, offer.most_minor)
    return Discount(spread(total, weights))


def _units(lines: Sequence[Line], wanted: Sequence[bool]) -> list[_Units]:
    """The whole units of the lines that are wanted, cheapest first. Half a kilo is no unit."""
    units = [
        _Units(Fraction(line.amount_minor) / Fraction(line.quantity), n, int(line.quantity))
        for n, line in enumerate(lines)
        if wanted[n] and line.quantity >= 1 and line.amount_minor > 0
    ]
    return sorted(units)


def _count(units: Sequence[_Units]) -> int:
    return sum(unit.count for unit in units)


def _cheapest(units: Sequence[_Units], count: int) -> list[_Units]:
    taken = []
    for unit in units:
        if count <= 0:
            break
        taken.append(unit._replace(count=min(unit.count, count)))
        count -= unit.count
    return taken


def _units_off(offer: Definition, lines: Sequence[Line]) -> Discount:
    nothing = (0,) * len(lines)
    takes = [offer.takes(line) for line in lines]
    if offer.kind is OfferKind.FREE_ITEM:
        free, percent = _cheapest(_units(lines, takes), offer.free), Fraction(100)
        if not free:
            return Discount(nothing, "no_matching_items")
    else:
        gives, percent = [offer.gives(line) for line in lines], offer.get_percent
        both = _units(lines, [a and b for a, b in zip(takes, gives, strict=True)])
        bought = _count(_units(lines, [a and not b for a, b in zip(takes, gives, strict=True)]))
        given = _units(lines, [b and not a for a, b in zip(takes, gives, strict=True)])
        times, free_count = _sets(offer, bought, _count(both), _count(given))
        if not free_count:
            missing = max(0, offer.buy - bought - _count(both))
            if missing == offer.buy and not _count(given):
                return Discount(nothing, "no_matching_items")
            facts = {"missing": missing} if missing else {"missing": 1, "get": True}
            return Discount(nothing, "too_few_items", facts)
        # Of what is both to be bought and to be had, the dearest is what is bought.
        left = _cheapest(both, _count(both) - max(0, times * offer.buy - bought))
        free = _cheapest(sorted(left + given), free_count)
    off = list(nothing)
    for unit in free:
        off[unit.line] += _rounded(unit.price * unit.count * percent / 100)
    # A line may be in it twice, rounded up each time.
    return Discount(tuple(min(sum_, max(0, line.amount_minor)) for sum_, line in zip(off, lines, strict=True)))


def _sets(offer: Definition, bought: int, both: int, given: int) -> tuple[int, int]:
    """How often "buy X, get Y" fits (the fewest that give the most), and how many units that gives."""
    most = (bought + both) // offer.buy
    if offer.times is not None:
        most = min(most, offer.times)

    def gives(times: int) -> int:
        return min(times * offer.get, given + both - max(0, times * offer.buy - bought))

    # It rises by `get` each time, and falls by `buy` once the units run out: the best lies where the two meet.
    near = ((given + both) // offer.get, (bought + both + given) // (offer.buy + offer.get))
    times = {min(max(0, n + step), most) for n in near for step in (-1, 0, 1)} | {0, most}
    return min(((t, gives(t)) for t in times), key=lambda found: (-found[1], found[0]))
