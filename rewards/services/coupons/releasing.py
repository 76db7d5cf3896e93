"""Coupons given back: reservations that end, uses undone. Locks: coupons by id, then uses, then offers by id."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from common.sql import execute
from members.events import record_many
from rewards.enums import CouponState, CouponUseState
from rewards.events import COUPON_RETURNED
from rewards.models import Coupon, CouponUse, Offer
from rewards.queries import reward_settings
from rewards.services.coupons.finding import find


class UnknownUse(Exception):
    """Nothing was ever reserved or used under this source and key."""


class PartOfPurchase(Exception):
    """The use belongs to a purchase that is recorded: a refund of that gives the coupon back."""


_COUNT_DOWN = "UPDATE rewards_offer SET uses = uses - %(n)s WHERE id = %(offer)s AND uses_limit IS NOT NULL"


def _count_down(uses: Sequence[CouponUse]) -> None:
    counted: dict[int, int] = {}
    for use in uses:
        counted[use.offer_id] = counted.get(use.offer_id, 0) + 1
    for offer_id in sorted(counted):
        execute(_COUNT_DOWN, {"offer": offer_id, "n": counted[offer_id]})


@transaction.atomic
def release(*, source: str, key: str, at: datetime, code: str | None = None, actor_id: int | None = None) -> CouponUse:
    """Ends a reservation, or undoes a use; once, however often it is told. UnknownUse, also where it is not one of
    `code`; PartOfPurchase."""
    use = CouponUse.objects.filter(source=source, key=key).first()
    if use is None or not (code is None or _is_of(use, code)):
        raise UnknownUse
    if use.purchase_id is not None and use.state == CouponUseState.USED:
        raise PartOfPurchase
    release_uses(Q(pk=use.pk), at=at, actor_id=actor_id)
    use.refresh_from_db()
    return use


@transaction.atomic
def release_for_purchase(*, purchase_id: int, at: datetime, actor_id: int | None = None) -> int:
    """Gives back the coupons of a purchase that was refunded whole; how many. None where the programme does not."""
    if not reward_settings().coupons_return:
        return 0
    return release_uses(Q(purchase=purchase_id), at=at, actor_id=actor_id)


@transaction.atomic
def release_due(*, at: datetime, limit: int = 1_000) -> int:
    """Ends reservations whose time is over, `limit` at a time; how many."""
    due = CouponUse.objects.filter(state=CouponUseState.RESERVED, reserved_until__lte=at)
    ids = list(due.order_by("reserved_until").values_list("pk", flat=True)[:limit])
    return release_uses(Q(pk__in=ids, reserved_until__lte=at), at=at) if ids else 0


def release_uses(which: Q, *, at: datetime, actor_id: int | None = None) -> int:
    """Ends the reservations and undoes the uses among these; how many."""
    live = CouponUse.objects.filter(which).exclude(state=CouponUseState.RELEASED)
    coupons = Coupon.objects.filter(pk__in=list(live.values_list("coupon_id", flat=True)))
    coupons = coupons.order_by("pk").select_for_update(of=("self",), no_key=True)
    list(coupons.values_list("pk", flat=True))
    uses = list(live.order_by("pk").select_for_update(of=("self",)))  # asked again, under the lock
    if not uses:
        return 0
    ids = [use.pk for use in uses]
    CouponUse.objects.filter(pk__in=ids).update(state=CouponUseState.RELEASED, reserved_until=None)
    Coupon.objects.filter(
        pk__in=[use.coupon_id for use in uses], state__in=[CouponState.RESERVED, CouponState.USED]
    ).update(state=CouponState.ISSUED)
    _count_down(uses)
    tell(COUPON_RETURNED, [use for use in uses if use.state == CouponUseState.USED], at, actor_id)
    return len(uses)


def _is_of(use: CouponUse, code: str) -> bool:
    found = find([code])[0]
    return (use.offer_id, use.coupon_id) == (found.offer and found.offer.pk, found.coupon and found.coupon.pk)


def tell(kind: str, uses: Sequence[CouponUse], at: datetime, actor_id: int | None) -> None:
    """One event of that kind for each use by a member."""
    offers = Offer.objects.in_bulk([use.offer_id for use in uses]) if uses else {}
    events = [
        (
            use.member_id,
            at,
            {
                "offer": use.offer_id,
                "coupon": use.coupon_id,
                "use": use.pk,
                "name": {"en": offers[use.offer_id].name_en, "zh-hans": offers[use.offer_id].name_zh_hans},  # type: ignore[attr-defined]
                "discount_minor": use.discount_minor,
                "currency": use.currency,
            },
        )
        for use in uses
        if use.member_id is not None
    ]
    record_many(kind=kind, events=events, actor_id=actor_id)
