"""Coupons in baskets: asked about, reserved, used. Locks: coupons by id, then uses, then offers by id."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import IntegrityError, transaction

from common.sql import fetch_all, lock
from members.services.purchases import KeyReused
from rewards.coupons.pricing import Line
from rewards.coupons.terms import Basket
from rewards.coupons.words import Reason
from rewards.enums import CouponState, CouponUseState
from rewards.events import COUPON_USED
from rewards.models import Coupon, CouponUse, Offer
from rewards.queries import reward_settings
from rewards.services.coupons.finding import Found, find, judge
from rewards.services.coupons.releasing import tell


class CouponRefused(Exception):
    """A coupon that cannot be used: the `code` as it was typed, and all `reasons`."""

    def __init__(self, code: str, reasons: Sequence[Reason]) -> None:
        super().__init__(code, [reason.code for reason in reasons])
        self.code = code
        self.reasons = list(reasons)


@dataclass(frozen=True, slots=True)
class Validation:
    """What a code would do for a basket. `per_line` in minor units, in the order of the lines; `ends_at` is when the
    coupon, or its offer, is over. Of a gift card, `rest_minor` is on it and `pays_minor` of the basket it would pay;
    None of other coupons."""

    code: str
    ok: bool
    reasons: tuple[Reason, ...]
    discount_minor: int
    per_line: tuple[int, ...]
    free_shipping: bool
    ends_at: datetime | None
    offer: Offer | None
    coupon: Coupon | None
    rest_minor: int | None = None
    pays_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What coupons took off a purchase: `per_line` of all together; `uses` are their ids."""

    discount_minor: int
    per_line: tuple[int, ...]
    free_shipping: bool
    uses: tuple[int, ...]


def quote(
    *,
    codes: Sequence[str],
    member_id: int | None,
    lines: Sequence[Line] | None,
    currency: str = "",
    store: str = "",
    channel: str = "",
    at: datetime,
    source: str = "",
) -> list[Validation]:
    """What each of several codes would do together, one after the other (rewards.coupons.pricing.ORDER). Writes
    nothing."""
    found = find(codes)
    judge(found, Basket(member_id, lines, currency, store, channel), source=source, at=at)
    return [_validation(one) for one in found]


def validate(
    *,
    code: str,
    member_id: int | None,
    lines: Sequence[Line] | None = None,
    currency: str = "",
    store: str = "",
    channel: str = "",
    at: datetime,
    source: str = "",
) -> Validation:
    """Whether a code can be used on a basket, and what it takes off; without `lines`, whether it can at all."""
    told = {"member_id": member_id, "lines": lines, "currency": currency, "store": store, "channel": channel}
    return quote(codes=[code], at=at, source=source, **told)[0]  # type: ignore[arg-type]


def _validation(one: Found) -> Validation:
    ends = [one.offer.ends_at if one.offer and not one.is_card else None, one.coupon.expires_at if one.coupon else None]
    return Validation(
        code=one.code,
        ok=not one.reasons,
        reasons=tuple(one.reasons),
        discount_minor=0 if one.reasons else one.discount.total,
        per_line=one.discount.per_line,
        free_shipping=one.definition is not None and one.definition.kind == "shipping",
        ends_at=min((moment for moment in ends if moment), default=None),
        offer=one.offer,
        coupon=one.coupon,
        rest_minor=one.rest_minor if one.is_card else None,
        pays_minor=one.pays_minor if one.is_card else None,
    )


@transaction.atomic
def take(
    *,
    codes: Sequence[str],
    member_id: int | None,
    lines: Sequence[Line],
    currency: str,
    store: str = "",
    channel: str = "",
    at: datetime,
    source: str,
    key: str,
    purchase_id: int | None = None,
    actor_id: int | None = None,
) -> Taken:
    """Uses coupons on a purchase, all or none. What this source had reserved for the member is taken over.

    CouponRefused for the first that cannot be used. The caller answers for the purchase's own key, and calls `attach`
    where the purchase comes later.
    """
    found = _locked(codes, member_id)
    for one in found:
        if one.is_card:
            raise CouponRefused(one.typed, [Reason("card_in_purchase")])
    judge(found, Basket(member_id, lines, currency, store, channel), source=source, at=at, lock=True)
    for one in found:
        if one.reasons:
            raise CouponRefused(one.typed, one.reasons)
    uses = []
    for n, one in enumerate(found):
        # A caller's own key never begins with a space: theirs and ours do not meet.
        use = one.reserved or CouponUse(source=source, key=f" {key}:{n}"[:160])
        _fill(use, one, member_id=member_id, currency=currency, store=store, at=at, actor_id=actor_id)
        use.purchase_id = purchase_id
        uses.append(_keep(use, one, CouponUseState.USED))
    _count_up([use for use, one in zip(uses, found, strict=True) if one.reserved is None])
    tell(COUPON_USED, uses, at, actor_id)
    shares = zip(*(one.discount.per_line for one in found), strict=True)
    per_line = tuple(sum(parts) for parts in shares) if found else (0,) * len(lines)
    return Taken(
        discount_minor=sum(per_line),
        per_line=per_line,
        free_shipping=any(one.definition is not None and one.definition.kind == "shipping" for one in found),
        uses=tuple(use.pk for use in uses),
    )


def attach(*, uses: Sequence[int], purchase_id: int) -> None:
    """Says to which purchase the uses belong that `take` made before it was there."""
    CouponUse.objects.filter(pk__in=uses, purchase=None).update(purchase=purchase_id)


@transaction.atomic
def reserve(
    *,
    code: str,
    member_id: int | None,
    lines: Sequence[Line] | None = None,
    currency: str = "",
    store: str = "",
    channel: str = "",
    at: datetime,
    source: str,
    key: str,
    minutes: int | None = None,
    actor_id: int | None = None,
) -> CouponUse:
    """Keeps a coupon for one basket, for `minutes` (the programme's, where not told). CouponRefused; KeyReused."""
    basket = Basket(member_id, lines, currency, store, channel)
    use = _use(code, basket, CouponUseState.RESERVED, at=at, source=source, key=key, actor_id=actor_id)
    if use.state == CouponUseState.RESERVED and use.reserved_until is None:
        minutes = minutes or reward_settings().hold_minutes
        use.reserved_until = at + timedelta(minutes=minutes)
        use.save(update_fields=["reserved_until"])
    return use


@transaction.atomic
def redeem(
    *,
    code: str,
    member_id: int | None,
    lines: Sequence[Line] | None = None,
    currency: str = "",
    store: str = "",
    channel: str = "",
    at: datetime,
    source: str,
    key: str,
    actor_id: int | None = None,
) -> CouponUse:
    """Uses a coupon outside a recorded purchase. Where (source, key) has reserved it, that becomes the use.

    The same key with the same content is answered as it was; KeyReused with another. CouponRefused.
    """
    basket = Basket(member_id, lines, currency, store, channel)
    return _use(code, basket, CouponUseState.USED, at=at, source=source, key=key, actor_id=actor_id)


def _use(
    code: str,
    basket: Basket,
    state: CouponUseState,
    *,
    at: datetime,
    source: str,
    key: str,
    actor_id: int | None,
) -> CouponUse:
    found = _locked([code], basket.member_id)[0]  # first: who else comes with this coupon and key waits here
    fingerprint = _fingerprint(found, basket)
    known = CouponUse.objects.select_for_update(of=("self",)).filter(source=source, key=key).first()
    if known is not None:
        redeeming = known.state == CouponUseState.RESERVED and state == CouponUseState.USED  # the basket may have grown
        if not (_same_coupon(known, found, basket) if redeeming else known.fingerprint == fingerprint):
            raise KeyReused(key)
        if known.state == CouponUseState.RELEASED:
            raise CouponRefused(code, [Reason("released")])
        if not redeeming:
            return known
    if found.is_card:
        raise CouponRefused(code, [Reason("card_in_purchase")])
    judge([found], basket, source=source, at=at, key=key)
    if found.reasons:
        raise CouponRefused(code, found.reasons)
    use = known or CouponUse(source=source, key=key)
    use.fingerprint = fingerprint
    _fill(use, found, basket.member_id, basket.currency, basket.store, at, actor_id)
    try:
        with transaction.atomic():
            use = _keep(use, found, state)
    except IntegrityError:  # the same key, of a code for all, at the same moment
        return _use(code, basket, state, at=at, source=source, key=key, actor_id=actor_id)
    if known is None:
        _count_up([use])
    if state == CouponUseState.USED:
        tell(COUPON_USED, [use], at, actor_id)
    return use


def _same_coupon(known: CouponUse, found: Found, basket: Basket) -> bool:
    coupon_id = found.coupon.pk if found.coupon else None
    offer_id = found.offer.pk if found.offer else None
    return (known.offer_id, known.coupon_id, known.member_id) == (offer_id, coupon_id, basket.member_id)


def _fingerprint(found: Found, basket: Basket) -> str:
    told = asdict(basket) | {"code": found.code}
    return sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _locked(codes: Sequence[str], member_id: int | None) -> list[Found]:
    """The codes' coupons, locked. Of a code for all, what limits a member is counted by one at a time."""
    found = find(codes, lock=True)
    for offer in sorted((one.offer for one in found if one.offer and not one.coupon), key=lambda offer: offer.pk):
        if member_id is not None and offer.uses_member is not None:
            _lock_member(offer.pk, member_id)
    return found


def _lock_member(offer_id: int, member_id: int) -> None:
    lock(f"coupon:{offer_id}:{member_id}")


def _fill(
    use: CouponUse,
    one: Found,
    member_id: int | None,
    currency: str,
    store: str,
    at: datetime,
    actor_id: int | None,
) -> None:
    use.offer_id, use.coupon = one.offer.pk, one.coupon  # type: ignore[union-attr]
    use.member_id, use.currency, use.store = member_id, currency, store
    use.discount_minor = one.discount.total
    use.why = {"code": one.code, "per_line": list(one.discount.per_line)}
    use.at, use.actor_id = at, actor_id


def _keep(use: CouponUse, one: Found, state: CouponUseState) -> CouponUse:
    use.state = state
    if state == CouponUseState.USED:
        use.reserved_until = None
    use.save()
    if one.coupon is not None:
        one.coupon.state = CouponState(state)
        one.coupon.issued_at = one.coupon.issued_at or use.at  # a bearer's code comes out of stock by being used
        one.coupon.save(update_fields=["state", "issued_at"])
    return use


# A limit may be set at any moment: this statement, which comes after the use is there, sees it. The row is locked late
# and let go with the commit; where there is no limit, no row is touched.
_COUNT_UP = """
WITH counted AS (
    UPDATE rewards_offer SET uses = uses + 1
    WHERE id = %(offer)s AND uses_limit IS NOT NULL AND uses < uses_limit RETURNING id
)
SELECT uses_limit FROM rewards_offer
WHERE id = %(offer)s AND uses_limit IS NOT NULL AND NOT EXISTS (SELECT FROM counted)
"""


def _count_up(uses: Sequence[CouponUse]) -> None:
    """Counts new uses of offers that are for the first so many. CouponRefused beyond."""
    for use in sorted(uses, key=lambda use: use.offer_id):
        if over := fetch_all(_COUNT_UP, {"offer": use.offer_id}):
            raise CouponRefused(use.why["code"], [Reason("limit_reached", {"limit": over[0][0]})])
