"""Whether a coupon may be used: pure, all that fails at once, so that nobody has to ask twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rewards.coupons.definition import Definition
from rewards.coupons.pricing import Line, discount, minimum_of
from rewards.coupons.words import Reason, hours_words, items_words
from rewards.enums import CouponState, OfferState
from rewards.models import Coupon, Offer


@dataclass(frozen=True, slots=True)
class Basket:
    """What somebody wants to use a coupon on. Without `lines` nothing is asked of what is in it."""

    member_id: int | None = None
    lines: Sequence[Line] | None = None
    currency: str = ""
    store: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the member and this offer. `reserved_here`: the caller has reserved it, and takes that over."""

    in_segment: bool = True
    uses: int = 0
    reserved_here: bool = False
    used_at: datetime | None = None  # of a coupon that was used


def why_not(
    offer: Offer,
    coupon: Coupon | None,
    definition: Definition,
    basket: Basket,
    standing: Standing,
    *,
    at: datetime,
    local: datetime,
) -> list[Reason]:
    """Why the coupon (or the shared code of `offer`) cannot be used at `at`, which is `local` in the programme's time
    zone. What is wrong with the code itself is said alone; then all terms that fail."""
    if found := (_of_coupon(coupon, definition, basket, standing) if coupon else None) or _of_offer(offer, coupon, at):
        return [found]
    reasons = [] if coupon else _of_member(offer, basket, standing)
    limited = offer.uses_limit is not None and offer.uses >= offer.uses_limit
    if limited and not standing.reserved_here:
        reasons.append(Reason("limit_reached", {"limit": offer.uses_limit}))
    if not definition.open_at(local):
        reasons.append(Reason("wrong_time", {"when": hours_words(definition)}))
    if basket.lines is None:
        return reasons
    return reasons + _of_place(definition, basket) + _of_basket(definition, basket.lines, basket.currency)


def _of_coupon(coupon: Coupon, definition: Definition, basket: Basket, standing: Standing) -> Reason | None:
    match coupon.state:
        case CouponState.VOID:
            return Reason("void")
        case CouponState.USED:
            return Reason("used", {"at": standing.used_at.isoformat()} if standing.used_at else {})
        case CouponState.RESERVED if not standing.reserved_here:
            return Reason("reserved")
        case CouponState.STOCK if not definition.bearer:
            return Reason("not_issued")
    if coupon.member_id is not None and basket.member_id is None:
        return Reason("needs_member")
    if coupon.member_id is not None and coupon.member_id != basket.member_id:
        return Reason("other_member")
    return None


def _of_offer(offer: Offer, coupon: Coupon | None, at: datetime) -> Reason | None:
    if offer.state == OfferState.ENDED:
        return Reason("ended")
    if offer.state != OfferState.LIVE:
        return Reason("paused")
    if offer.starts_at is not None and at < offer.starts_at:
        return Reason("not_yet", {"at": offer.starts_at.isoformat()})
    ends = [moment for moment in (offer.ends_at, coupon.expires_at if coupon else None) if moment is not None]
    if ends and min(ends) <= at:
        return Reason("expired", {"at": min(ends).isoformat()})
    return None


def _of_member(offer: Offer, basket: Basket, standing: Standing) -> list[Reason]:
    if basket.member_id is None:
        return [Reason("needs_member")] if offer.segment_id or offer.uses_member is not None else []
    reasons = [] if standing.in_segment else [Reason("not_in_segment")]
    if offer.uses_member is not None and standing.uses >= offer.uses_member:
        reasons.append(Reason("member_limit_reached", {"limit": offer.uses_member, "used": standing.uses}))
    return reasons


def _of_place(definition: Definition, basket: Basket) -> list[Reason]:
    reasons = []
    if not definition.in_store(basket.store):
        reasons.append(Reason("wrong_store", {"stores": list(definition.stores)}))
    if not definition.in_channel(basket.channel):
        reasons.append(Reason("wrong_channel", {"channels": list(definition.channels)}))
    return reasons


def _of_basket(definition: Definition, lines: Sequence[Line], currency: str) -> list[Reason]:
    if definition.in_money and definition.currency != currency:
        return [Reason("wrong_currency", {"currency": definition.currency})]
    found = discount(definition, lines)
    reasons = [Reason(found.missing, found.facts | {"items": items_words(definition.items)})] if found.missing else []
    missing = definition.minimum_minor - minimum_of(definition, lines)
    if definition.minimum_minor and missing > 0:
        facts = {"missing_minor": missing, "minimum_minor": definition.minimum_minor, "currency": definition.currency}
        reasons.append(Reason("minimum_not_met", facts))
    return reasons
