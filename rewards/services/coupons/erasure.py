"""What becomes of the coupons of members who are erased: figures stay, what is open is withdrawn."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from rewards.enums import CouponState, CouponUseState, OfferKind
from rewards.models import Coupon, CouponUse
from rewards.services.coupons.releasing import release_uses


def erase_coupons(member_ids: Sequence[int], at: datetime) -> None:
    """Ends reservations, withdraws what is unused, and takes out what staff wrote."""
    release_uses(Q(member__in=member_ids, state=CouponUseState.RESERVED), at=at)
    coupons = Coupon.objects.filter(member__in=member_ids)
    # A gift card may be in other hands: its money stays good for whoever has the code.
    coupons.filter(state=CouponState.ISSUED).exclude(offer__kind=OfferKind.CARD).update(state=CouponState.VOID)
    coupons.exclude(why={}).update(why={})
    CouponUse.objects.filter(member__in=member_ids).exclude(why={}).update(why={})
