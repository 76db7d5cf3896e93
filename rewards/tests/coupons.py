"""Offers and coupons for tests, made by the services."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from members.models import Member
from rewards.coupons.pricing import Line
from rewards.enums import IssuedBy, OfferState
from rewards.models import Coupon, Offer
from rewards.services.coupons.issuing import issue_coupons
from rewards.services.coupons.offers import save_offer, set_state

AT = datetime(2026, 5, 12, 10, 0, tzinfo=UTC)
_keys = count(1)


def make_offer(kind: str = "percent", definition: dict[str, Any] | None = None, **values: Any) -> Offer:
    """A running offer; 10 % off unless told otherwise."""
    definition = {"percent": "10"} if definition is None else definition
    offer = save_offer(**{"kind": kind, "name_en": f"Offer {next(_keys)}", "definition": definition, **values})
    return set_state(offer_id=offer.pk, state=OfferState.LIVE)


def issue(offer: Offer, member: Member, at: datetime = AT - timedelta(days=1)) -> Coupon:
    """A coupon of the offer for the member."""
    key = f"test:{next(_keys)}"
    return issue_coupons(offer_id=offer.pk, member_ids=[member.pk], keys=[key], issued_by=IssuedBy.STAFF, at=at)[0]


def basket(*amounts: int, **values: Any) -> dict[str, Any]:
    """What validate, take and redeem ask of a basket: 20.00 EUR of coffee in the store unless told otherwise."""
    lines = [Line(Decimal(1), amount, f"A{n}", "coffee") for n, amount in enumerate(amounts or (2000,))]
    return {"lines": lines, "currency": "EUR", "store": "Old Town", "channel": "store", "at": AT, **values}
