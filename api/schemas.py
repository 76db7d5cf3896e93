"""The shapes of bodies and answers: checked on the way in, and described in OpenAPI from the same types."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

AMOUNT = r"^-?\d{1,13}(\.\d{1,4})?$"
QUANTITY = r"^\d{1,9}(\.\d{1,3})?$"
_is_amount, _is_quantity = (re.compile(pattern, re.ASCII).fullmatch for pattern in (AMOUNT, QUANTITY))
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
MOST_LINES = 500
MOST_AT_ONCE = 1_000
MOST_POINTS = 10**12


def _amount(value: Any) -> Decimal:
    if not isinstance(value, str) or not _is_amount(value):
        raise ValueError(_("Amounts are texts with a point: “12.50”."))
    return Decimal(value)


def _quantity(value: Any) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _is_quantity(value) or Decimal(value) == 0:
        raise ValueError(_("A quantity is a whole number, or a text with a point: “0.75”; more than 0."))
    return Decimal(value)


def _moment(value: Any) -> datetime:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError(_("Times are written as in RFC 3339: “2026-05-12T09:30:00+02:00”."))
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_("There is no such time.")) from None


Amount = Annotated[
    Decimal, BeforeValidator(_amount), WithJsonSchema({"type": "string", "pattern": AMOUNT, "examples": ["12.50"]})
]
Quantity = Annotated[
    Decimal,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 999_999_999},
                {"type": "string", "pattern": QUANTITY},
            ],
            "examples": [1, "0.750"],
        }
    ),
]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-05-12T09:30:00+02:00"]}),
]
# What is said: a decimal text, a moment.
Money = Annotated[str, Field(examples=["12.50"])]
When = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


Key = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), Field(examples=["r-2026-000123"])
]
MemberRef = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=260),
    Field(
        description=gettext_noop("A card number, email:…, phone:… or key:…"),
        examples=["280000000000", "email:anna@example.com"],
    ),
]


class In(BaseModel):
    """A body. A name that is not known is an error: it would be a misspelt one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(Out):
    code: str
    message: str
    field: str | None = None
    facts: dict[str, Any] | None = None


class Error(Out):
    error: Problem


# --- members


class Referred(Out):
    """What became of a referral code that came with a call."""

    accepted: bool
    state: str = Field(
        "",
        description=gettext_noop(
            "Of the referral. With a purchase the code is “noted”: whether it counts is looked at after the answer."
        ),
        examples=["joined"],
    )
    reason: str = ""
    message: str = ""


_SEEN = gettext_noop("Your mark of it, kept as a keyed hash alone, to tell who brings themselves.")


class NewMember(In):
    key: Key = Field(description=gettext_noop("The member's number in your system; `key:…` finds them again."))
    name: str = Field("", max_length=120)
    email: str = Field("", max_length=254)
    phone: str = Field("", description=gettext_noop("With the country's code: +49…"), max_length=40)
    language: Literal["en", "zh-hans"] | None = None
    birthday: str = Field(
        "",
        description=gettext_noop("YYYY-MM-DD, or MM-DD where the year is not known."),
        examples=["05-12"],
        max_length=10,
    )
    referral_code: str = Field("", max_length=60, description=gettext_noop("By whose code they came."))
    device: str = Field("", max_length=200, description=_SEEN)
    payment: str = Field("", max_length=200, description=_SEEN)


class Member(Out):
    card: str
    name: str
    email: str
    phone: str
    language: str
    birthday: str | None
    referral: Referred | None = Field(None, description=gettext_noop("Where a code came with the call."))


class Expiring(Out):
    points: int
    at: When


class Points(Out):
    spendable: int
    pending: int


class PointsOfMember(Points):
    expiring: list[Expiring]


class UsableCoupon(Out):
    code: str
    name: str
    effect: str = Field(description=gettext_noop("What it gives, in words."))
    expires_at: When | None
    rest: Money | None = Field(None, description=gettext_noop("Of a gift card: what is left on it. Else null."))


class UsableBenefit(Out):
    name: str
    kind: str
    left: int | None = Field(description=gettext_noop("Null: as often as one likes."))
    until: When | None
    value: str | None = Field(
        None,
        description=gettext_noop("Factor of a multiplier, percent off of a member price, hours of early access."),
        examples=["10"],
    )


class MemberStanding(Out):
    card: str
    name: str
    tier: str | None
    points: PointsOfMember
    credit: Money
    currency: str
    coupons: list[UsableCoupon]
    benefits: list[UsableBenefit]


# --- refunds


class RefundLine(In):
    sku: str = Field(min_length=1, max_length=80)
    quantity: Quantity


class NewRefund(In):
    key: Key
    purchase: Key = Field(description=gettext_noop("The purchase's key."))
    lines: list[RefundLine] | None = Field(
        None,
        min_length=1,
        max_length=MOST_LINES,
        description=gettext_noop("What came back. Without lines and amount, all that is left of the purchase."),
    )
    amount: Amount | None = None
    at: Moment | None = None
    reason: str = Field("", max_length=200)


class Moved(Out):
    taken: int = Field(description=gettext_noop("Taken back of what the purchase had given."))
    short: int = Field(description=gettext_noop("Not to be had any more, and let go."))
    owed: int = Field(description=gettext_noop("Not to be had now: repaid first by what is earned later."))
    returned: int = Field(description=gettext_noop("Given back of what the purchase was paid with."))
    expired: int = Field(description=gettext_noop("Of what was given back: has expired meanwhile, and stays so."))


class MovedPoints(Moved):
    worth: Money = Field(description=gettext_noop("The part of the amount that the points given back had paid."))


class MovedCredit(Out):
    taken: Money
    short: Money
    owed: Money
    returned: Money
    expired: Money


class ReturnedToCards(Out):
    returned: Money = Field(description=gettext_noop("Put back on the gift cards that had paid."))
    expired: Money


class Refunded(Out):
    refund: int
    purchase: str
    amount: Money
    money: Money = Field(
        description=gettext_noop(
            "The part of the amount to be paid out. The rest came back as points, store credit and gift cards."
        )
    )
    points: MovedPoints
    credit: MovedCredit
    cards: ReturnedToCards


# --- redemptions


class NewRedemption(In):
    key: Key
    member: MemberRef
    reward: int = Field(
        ge=1, le=2**63 - 1, description=gettext_noop("The reward's number, as its page in the admin shows it.")
    )
    session: int | None = Field(
        None, ge=1, le=2**63 - 1, description=gettext_noop("The date's number, for an experience.")
    )
    store: str = Field("", max_length=80)


class Settle(In):
    key: Key | None = Field(None, description=gettext_noop("Not needed: the redemption can be settled once only."))
    store: str = Field("", max_length=80)
    reason: str = Field("", max_length=200)


class Redemption(Out):
    redemption: int
    key: str
    reward: int
    points: int
    money: Money
    currency: str
    state: str
    expires_at: When | None
    code: str | None = Field(description=gettext_noop("To be shown where the reward is handed over."))
    coupon: str | None


# --- purchases


class PurchaseLine(In):
    sku: str = Field("", max_length=80)
    name: str = Field("", max_length=200)
    category: str = Field("", max_length=80)
    brand: str = Field("", max_length=80)
    quantity: Quantity = Decimal(1)
    unit_price: Amount
    discount: Amount = Field(Decimal(0), description=gettext_noop("Taken off the whole line already."))


class PayWith(In):
    points: int = Field(0, ge=0, le=MOST_POINTS)
    credit: Amount = Field(Decimal(0), description=gettext_noop("Store credit, in the programme's currency."))


class NewPurchase(In):
    key: Key = Field(description=gettext_noop("The receipt's number."))
    member: MemberRef
    at: Moment | None = Field(None, description=gettext_noop("When it was bought, if not now."))
    store: str = Field("", max_length=80)
    channel: Literal["store", "online", "phone"] = "store"
    currency: str = Field(min_length=3, max_length=3, examples=["EUR"])
    lines: list[PurchaseLine] = Field(min_length=1, max_length=MOST_LINES)
    coupons: list[Annotated[str, StringConstraints(min_length=1, max_length=60)]] = Field([], max_length=20)
    pay_with: PayWith | None = None
    referral_code: str = Field("", max_length=60, description=gettext_noop("By whose code the member came."))
    device: str = Field("", max_length=200, description=_SEEN)
    payment: str = Field("", max_length=200, description=_SEEN)
    dry_run: bool = Field(False, description=gettext_noop("Say what would be, and write nothing."))


class ManyPurchases(In):
    purchases: list[Any] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Earned(Out):
    rule: str
    points: int | None
    credit: Money | None
    why: str
    state: Literal["spendable", "pending", "expired", "coupon"]
    available_from: When | None
    waits_for: str | None


class CardPaid(Out):
    code: str
    paid: Money
    rest: Money = Field(description=gettext_noop("What is left on it."))


class Receipt(Out):
    purchase: int | None
    key: str
    total: Money
    due: Money = Field(description=gettext_noop("What is left to pay after points, store credit and gift cards."))
    currency: str
    earned: list[Earned]
    points: Points
    tier: str | None
    tier_changed: bool
    cards: list[CardPaid] = Field([], description=gettext_noop("What gift cards among the coupons paid."))
    referral: Referred | None = Field(None, description=gettext_noop("Where a code came with the call."))


class AnsweredPurchase(Out):
    key: str | None
    status: int
    receipt: Receipt | None = None
    error: Problem | None = None


class AnsweredPurchases(Out):
    answers: list[AnsweredPurchase]


# --- events


class NewEvent(In):
    key: Key
    member: MemberRef
    kind: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,52}$",
        description=gettext_noop(
            "A word of yours: “workshop”. What the programme sees itself, like birthdays, is refused."
        ),
        examples=["workshop"],
    )
    at: Moment | None = None
    data: dict[str, Any] = Field({}, max_length=50)


class Event(Out):
    event: int
    key: str
    kind: str
    at: When
    earned: list[Earned]
    points: Points
