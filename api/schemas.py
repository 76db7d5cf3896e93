"""The shapes of bodies and answers: checked on the way in, and described in OpenAPI from the same types."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.utils.translation import gettext as _
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

AMOUNT = r"^-?\d{1,13}(\.\d{1,4})?$"
_QUANTITY = r"^\d{1,9}(\.\d{1,3})?$"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
MOST_LINES = 500
MOST_AT_ONCE = 1_000
MOST_POINTS = 10**12


def _amount(value: Any) -> Decimal:
    if not isinstance(value, str) or not re.fullmatch(AMOUNT, value, re.ASCII):
        raise ValueError(_("Amounts are texts with a point: “12.50”."))
    return Decimal(value)


def _quantity(value: Any) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(_QUANTITY, value, re.ASCII) or Decimal(value) == 0:
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
                {"type": "string", "pattern": _QUANTITY},
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


def text(most: int, least: int = 0) -> Any:
    return Annotated[str, StringConstraints(max_length=most, min_length=least)]


Key = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), Field(examples=["r-2026-000123"])
]
MemberRef = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=260),
    Field(description="A card number, email:…, phone:… or key:…", examples=["280000000000", "email:anna@example.com"]),
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


class NewMember(In):
    key: Key = Field(description="The member's number in your system; `key:…` finds them again.")
    name: text(120) = ""
    email: text(254) = ""
    phone: text(40) = Field("", description="With the country's code: +49…")
    language: Literal["en", "zh-hans"] | None = None
    birthday: text(10) = Field("", description="YYYY-MM-DD, or MM-DD where the year is not known.", examples=["05-12"])
    referral_code: text(60) = ""


class Member(Out):
    card: str
    name: str
    email: str
    phone: str
    language: str
    birthday: str | None


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
    expires_at: When | None


class UsableBenefit(Out):
    name: str
    kind: str
    left: int | None = Field(description="Null: as often as one likes.")
    until: When | None


class MemberStanding(Out):
    card: str
    name: str
    tier: str | None
    points: PointsOfMember
    credit: Money
    currency: str
