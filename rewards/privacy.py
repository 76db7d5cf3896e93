"""What rewards tell a member of their points and their tier."""

from typing import Any

from django.db.models import F
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from common.money import format_money
from members.privacy import register_export
from members.privacy.labels import WORDS
from members.queries import get_programme
from rewards.enums import (
    Combine,
    CouponState,
    CouponUseState,
    Fulfilment,
    GrantState,
    TierWindow,
    Unit,
    WaitingState,
)
from rewards.models import (
    BenefitUse,
    Coupon,
    CouponUse,
    GrantRequest,
    Hold,
    Lot,
    MemberTier,
    PlanMembership,
    Redemption,
    TierChange,
    TierLift,
    WaitingEntry,
)
from rewards.queries import arrears, balance, explain, history
from rewards.queries_cards import rests


def _points(member_id: int) -> dict[str, Any]:
    lots = Lot.objects.filter(account__member_id=member_id).order_by("pk")
    holds = Hold.objects.filter(account__member_id=member_id).order_by("pk")
    return {
        "balance": balance(member_id),
        "movements": [
            {"at": moved.at, "kind": moved.kind, "points": moved.change, "why": explain(moved)}  # type: ignore[attr-defined]
            for moved in history(member_id)
        ],
        "owed": arrears(member_id),
        "store_credit": {
            "balance": balance(member_id, unit=Unit.CREDIT),
            "owed": arrears(member_id, Unit.CREDIT),
            "movements": [
                {"at": moved.at, "kind": moved.kind, "amount": moved.change, "why": explain(moved)}  # type: ignore[attr-defined]
                for moved in history(member_id, Unit.CREDIT)
            ],
        },
        "lots": list(lots.values("amount", "remaining", "available_from", "expires_at", unit=F("account__unit"))),
        "reserved": list(holds.values("amount", "state", "reason", "created_at", "lapses_at", "settled_at")),
    }


def _tier(member_id: int) -> dict[str, Any] | None:
    status = MemberTier.objects.select_related("tier").filter(member_id=member_id).first()
    if status is None:
        return None
    return {
        "name": status.tier.name,
        "points_that_count": status.qualifying_points,
        "since": status.since,
        "kept_by_grace_until": status.grace_until,
    }


def _tier_changes(member_id: int) -> list[Any]:
    changes = TierChange.objects.filter(member_id=member_id).order_by("at", "pk")
    return list(changes.values("at", "cause", "why", came_from=F("from_tier__name"), to=F("to_tier__name")))


def _tier_lifts(member_id: int) -> list[Any]:
    lifts = TierLift.objects.filter(member_id=member_id).order_by("pk")
    return list(lifts.values("at", "until", "reason", to=F("tier__name")))


def _benefits(member_id: int) -> list[Any]:
    had = BenefitUse.objects.filter(member_id=member_id).order_by("at", "pk")
    return list(had.values("at", "store", "note", "undone_at", "source", "key", what=F("benefit__name")))


def _plans(member_id: int) -> list[Any]:
    bought = PlanMembership.objects.filter(member_id=member_id).order_by("starts_at", "pk")
    columns = ("starts_at", "ends_at", "paid_minor", "paid_points", "state", "cancelled_at", "source", "key")
    return list(bought.values(*columns, what=F("plan__name")))


def _gifts(member_id: int) -> list[Any]:
    """Gifts that staff asked for by hand, also those that were refused."""
    asked = GrantRequest.objects.filter(member_id=member_id).order_by("pk")
    return list(asked.values("amount", "unit", "state", "reason", "note", at=F("requested_at")))


def _redemptions(member_id: int) -> list[dict[str, Any]]:
    own = Redemption.objects.filter(member_id=member_id).select_related("reward", "session").order_by("pk")
    return [
        {
            "reward": one.reward.name,
            "date": one.session.starts_at if one.session else None,
            "points": one.points,
            "state": one.state,
            "reserved": one.created_at,
            "redeemed": one.confirmed_at,
            "fulfilment": one.fulfilment,
            "fulfilled": one.fulfilled_at,
            "code": one.code,
            "address": one.address,
            "carrier": one.carrier,
            "tracking_number": one.tracking_number,
            "store": one.store,
            "note": one.note,
        }
        for one in own
    ]


def _waiting(member_id: int) -> list[dict[str, Any]]:
    own = WaitingEntry.objects.filter(member_id=member_id).select_related("session__reward").order_by("pk")
    return [
        {"reward": one.session.reward.name, "date": one.session.starts_at, "since": one.at, "state": one.state}
        for one in own
    ]


def _coupons(member_id: int) -> dict[str, Any]:
    issued = Coupon.objects.filter(member_id=member_id).order_by("pk")
    used = CouponUse.objects.filter(member_id=member_id).order_by("pk")
    on_them, currency = rests([coupon.pk for coupon in issued], now()), get_programme().currency
    return {
        "coupons": [
            {
                "code": coupon.code,
                "offer": coupon.offer.name,
                "state": coupon.state,
                "issued": coupon.issued_at,
                "expires": coupon.expires_at,
                "seen": coupon.seen_at,
                **({"left": format_money(on_them[coupon.pk], currency)} if coupon.pk in on_them else {}),
            }
            for coupon in issued.select_related("offer")
        ],
        "uses": [
            {
                "at": use.at,
                "offer": use.offer.name,
                "state": use.state,
                "discount": format_money(use.discount_minor, use.currency) if use.currency else None,
                "store": use.store,
            }
            for use in used.select_related("offer")
        ],
    }


def register_all() -> None:
    for words in (Unit, TierWindow, Combine, GrantState, Fulfilment, WaitingState, CouponState, CouponUseState):
        for value, text in words.choices:
            WORDS.setdefault(value, text)
    register_export("coupons", _("Coupons"), _coupons, models=["rewards.Coupon", "rewards.CouponUse"], order=57)
    register_export("points", _("Points"), _points, models=["rewards.Account"], order=50)
    register_export("gifts", _("Points given by hand"), _gifts, models=["rewards.GrantRequest"], order=52)
    register_export("tier", _("Tier"), _tier, models=["rewards.MemberTier"], order=55)
    register_export("tier_changes", _("Changes of tier"), _tier_changes, models=["rewards.TierChange"], order=56)
    register_export("tier_lifts", _("Tiers set by staff"), _tier_lifts, models=["rewards.TierLift"], order=56)
    register_export("benefits", _("Benefits used"), _benefits, models=["rewards.BenefitUse"], order=57)
    register_export("memberships", _("Memberships bought"), _plans, models=["rewards.PlanMembership"], order=58)
    register_export("redemptions", _("Rewards"), _redemptions, models=["rewards.Redemption"], order=56)
    register_export("waiting", _("Waiting lists"), _waiting, models=["rewards.WaitingEntry"], order=57)
