"""What the calls about coupons take and answer."""

from decimal import Decimal
from typing import Any, Literal

from django.utils.translation import gettext_noop
from pydantic import Field

from api.schemas import MOST_LINES, Amount, In, Key, MemberRef, Money, Out, Quantity, When


class BasketLine(In):
    sku: str = Field("", max_length=80)
    name: str = Field("", max_length=200)
    category: str = Field("", max_length=80)
    brand: str = Field("", max_length=80)
    quantity: Quantity = Decimal(1)
    unit_price: Amount
    discount: Amount = Field(Decimal(0), description=gettext_noop("Taken off the whole line already."))


class Basket(In):
    member: MemberRef | None = None
    currency: str = Field("", max_length=3)
    store: str = Field("", max_length=80)
    channel: Literal["store", "online", "phone"] = "store"
    lines: list[BasketLine] | None = Field(None, max_length=MOST_LINES)


class BasketWithKey(Basket):
    key: Key


class Reservation(BasketWithKey):
    minutes: int | None = Field(
        None,
        ge=1,
        le=10_080,
        description=gettext_noop("How long, at most 7 days. By default as long as the reward settings keep points."),
    )


class Release(In):
    key: Key = Field(description=gettext_noop("The key that the coupon was used or reserved with."))


class CouponReason(Out):
    code: str
    message: str
    facts: dict[str, Any]


class CouponValidation(Out):
    ok: bool
    code: str
    offer: str | None
    reasons: list[CouponReason]
    discount: Money
    per_line: list[Money]
    free_shipping: bool
    ends_at: When | None
    rest: Money | None = Field(None, description=gettext_noop("Of a gift card: what is left on it. Else null."))
    pays: Money | None = Field(None, description=gettext_noop("Of a gift card: what it would pay of this basket."))


class CouponUse(Out):
    code: str
    key: str
    state: str
    discount: Money
    currency: str
    reserved_until: When | None = None
