"""What the engine is told, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from rewards.earning.definition import Definition

ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Rule:
    """A version of a rule, in force from `since` until `until` (not included)."""

    id: int
    version_id: int
    number: int
    name: str
    definition: Definition
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, trigger: str, at: datetime) -> bool:
        """Whether it is in force for this trigger at this moment."""
        return (
            self.definition.trigger == trigger
            and (self.since is None or self.since <= at)
            and (self.until is None or at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a purchase; `amount_minor` is what it cost after all discounts, in minor units."""

    id: int | None
    amount_minor: int
    quantity: Decimal = Decimal(1)
    sku: str = ""
    category: str = ""
    brand: str = ""


@dataclass(frozen=True)
class Happening:
    """A purchase or an event. `amount_minor` is what the purchase cost after discounts, `money_minor` what of it was
    paid with money (None: all): what was paid with points or credit earns nothing. `refunded_minor` was given back
    before, and is in neither."""

    trigger: str
    at: datetime
    currency: str = ""
    amount_minor: int = 0
    money_minor: int | None = None
    items: Sequence[Item] = ()
    store: str = ""
    channel: str = ""
    refunded_minor: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Given:
    """What a rule gave a member before, gross: lately, as (moment, units), and ever, `lately` included."""

    lately: list[tuple[datetime, int]] = field(default_factory=list)
    units: int = 0
    times: int = 0

    def add(self, at: datetime, units: int) -> None:
        self.lately.append((at, units))
        self.units += units
        self.times += 1


@dataclass(slots=True)
class Standing:
    """What is known of the member at that moment. `multiplier` is that of the tier, `benefit` that of the benefit
    `benefit_id`; `given` is by rule. `owes` and `lives` say whether they owe anything, and whether they have
    points that live by what they do, `has` what they have (rewards.queries_having): rules do not ask, who posts
    does."""

    tier: int | None = None
    multiplier: Fraction = ONE
    benefit: Fraction = ONE
    benefit_id: int | None = None
    segments: frozenset[int] = frozenset()
    first: bool = False
    given: dict[int, Given] = field(default_factory=dict)
    owes: bool = False
    lives: bool = False
    has: Sequence[Any] | None = None


class Award(NamedTuple):
    """What a rule gives: `points` in its unit (0 for a coupon). `available_from` is None where it is not pending, and
    NEVER where only an event sets it free: `why["waits"]` says which, until when, and what comes then."""

    rule: Rule
    points: int
    why: dict[str, Any]
    available_from: datetime | None
    expires_at: datetime | None
    inactivity_months: int | None
    offer: int | None = None


class Unfired(NamedTuple):
    """Why a rule gave nothing: a code that rewards.earning.words turns into a sentence, with its facts."""

    rule: Rule
    reason: str
    facts: dict[str, Any]


class Outcome(NamedTuple):
    awards: list[Award]
    unfired: list[Unfired]

    def trace(self) -> list[dict[str, Any]]:
        """As Evaluation.trace keeps it."""
        return [
            {**_named(award.rule), "fired": True, "points": award.points, "reason": "", "facts": {}}
            for award in self.awards
        ] + [
            {**_named(one.rule), "fired": False, "points": 0, "reason": one.reason, "facts": one.facts}
            for one in self.unfired
        ]


def _named(rule: Rule) -> dict[str, Any]:
    return {"rule": rule.id, "version": rule.number, "unit": rule.definition.unit}
