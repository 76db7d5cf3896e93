"""What the ledger writes to a member's timeline. Purchases and refunds are there already, by members.events."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from members.events import group, kind
from rewards.enums import Unit
from rewards.queries import amount_text
from rewards.queries_awards import kind_words, untold_text


def told_unit(unit: str) -> dict[str, str]:
    """What an event's data says of its unit: nothing of points, as before there was any other."""
    return {} if unit == Unit.POINTS else {"unit": unit}


def _amount(data: dict[str, Any]) -> str:
    return amount_text(abs(data["points"]), data.get("unit", Unit.POINTS))


def _adjusted(data: dict[str, Any]) -> str:
    words = {"points": _amount(data), "reason": gettext(data["reason"])}
    if data["points"] > 0:
        return gettext("%(points)s added: %(reason)s") % words
    return gettext("%(points)s taken: %(reason)s") % words


def _gifted(data: dict[str, Any]) -> str:
    words = {"points": _amount(data), "reason": gettext(data["reason"]) if data["reason"] else ""}
    return gettext("%(points)s given: %(reason)s") % words if words["reason"] else gettext("%(points)s given") % words


def _tier(data: dict[str, Any]) -> str:
    names = data["name"]
    if not names:
        return gettext("No tier any more")
    words = {"tier": names.get(get_language() or "en") or names["en"]}
    return gettext("Reached %(tier)s") % words if data["up"] else gettext("Now %(tier)s") % words


def _named(text: str) -> Callable[[dict[str, Any]], str]:
    """A sentence with the reward's %(name)s in the active language."""

    def sentence(data: dict[str, Any]) -> str:
        names = data["name"]
        return gettext(text) % {"name": names.get(get_language() or "en") or names["en"]}

    return sentence


def _will_drop(data: dict[str, Any]) -> str:
    names, day = data["name"], date.fromisoformat(data["until"])
    words = {
        "tier": names.get(get_language() or "en") or names["en"],
        "day": date_format(day, "DATE_FORMAT", use_l10n=True),
    }
    return gettext("%(tier)s will be lost after %(day)s") % words


def _lot_act(sentence: str) -> Callable[[dict[str, Any]], str]:
    """What was done to a lot: data has points, unit, and reason and, for the member, note of staff; or, of what waited
    for an event, `waits`."""

    def told(data: dict[str, Any]) -> str:
        reason = data["reason"]
        if waits := data.get("waits"):
            reason = untold_text(waits) if data["untold"] else f"“{kind_words(waits['for'])}”"
        return gettext(sentence) % {"points": _amount(data), "reason": reason}

    return told


group("points", _("Points"), "stars")
group("tier", _("Tier"), "military_tech")
POINTS_ADJUSTED = kind("points.adjusted", _("Points adjusted"), _adjusted)
POINTS_GIFTED = kind("points.gifted", _("Points given"), _gifted)
POINTS_EXPIRED = kind(
    "points.expired",
    _("Points expired"),
    lambda data: gettext("%(points)s expired") % {"points": _amount(data)},
)
POINTS_ACTIVATED = kind(
    "points.activated",
    _("Points activated"),
    _lot_act(gettext_noop("%(points)s activated early: %(reason)s")),
)
POINTS_CANCELLED = kind(
    "points.cancelled",
    _("Pending points cancelled"),
    _lot_act(gettext_noop("%(points)s cancelled while pending: %(reason)s")),
)
POINTS_EXTENDED = kind(
    "points.extended", _("Expiry changed"), _lot_act(gettext_noop("%(points)s live longer: %(reason)s"))
)
POINTS_REINSTATED = kind(
    "points.reinstated",
    _("Points reinstated"),
    _lot_act(gettext_noop("%(points)s brought back after their expiry: %(reason)s")),
)
POINTS_REDEEMED = kind(
    "points.redeemed",
    _("Points redeemed"),
    lambda data: gettext("%(points)s redeemed") % {"points": _amount(data)},
)
# data: points and, where they are not points, unit. What staff wrote to each other stands in the request alone.
GRANT_ASKED = kind(
    "points.grant_asked",
    _("Gift waiting for approval"),
    lambda data: gettext("%(points)s: a gift that waits for another person") % {"points": _amount(data)},
    changes=False,
)
GRANT_REFUSED = kind(
    "points.grant_refused",
    _("Gift refused"),
    lambda data: gettext("%(points)s: the gift was refused") % {"points": _amount(data)},
    changes=False,
)
GRANT_WITHDRAWN = kind(
    "points.grant_withdrawn",
    _("Gift withdrawn"),
    lambda data: gettext("%(points)s: the gift was withdrawn") % {"points": _amount(data)},
    changes=False,
)
# data: from and to (ids of tiers, or null), up (whether it is a rise), name (of the new tier, by language).
TIER_CHANGED = kind("tier.changed", _("Tier changed"), _tier)
# data: tier (its id), name (by language), until (the last day), missing (by kind of criterion), currency.
TIER_WILL_DROP = kind("tier.will_drop", _("Tier about to be lost"), _will_drop)

# data: use, benefit (ids), name (of the benefit, by language), store.
group("benefit", _("Benefits"), "workspace_premium")
BENEFIT_USED = kind("benefit.used", _("Benefit used"), _named(gettext_noop("Benefit used: %(name)s")))
BENEFIT_UNDONE = kind("benefit.undone", _("Benefit given back"), _named(gettext_noop("Benefit given back: %(name)s")))
# data: membership, plan (ids), name (of the plan, by language), until (the day of its end), points that it cost.
group("plan", _("Memberships"), "card_membership")
_membership = ("rewards.planmembership", "membership")
PLAN_BOUGHT = kind(
    "plan.bought", _("Membership bought"), _named(gettext_noop("Membership bought: %(name)s")), about=_membership
)
PLAN_CANCELLED = kind(
    "plan.cancelled",
    _("Membership cancelled"),
    _named(gettext_noop("Membership cancelled: %(name)s")),
    about=_membership,
)

# data: redemption, reward, kind, points, name (of the reward, by language).
group("reward", _("Rewards"), "redeem")
_redemption = ("rewards.redemption", "redemption")
REWARD_REDEEMED = kind(
    "reward.redeemed", _("Reward redeemed"), _named(gettext_noop("Redeemed: %(name)s")), about=_redemption
)
REWARD_RETURNED = kind(
    "reward.returned", _("Reward given back"), _named(gettext_noop("Given back: %(name)s")), about=_redemption
)
REWARD_SENT = kind("reward.sent", _("Reward sent"), _named(gettext_noop("Sent: %(name)s")), about=_redemption)
REWARD_COLLECTED = kind(
    "reward.collected", _("Reward collected"), _named(gettext_noop("Collected: %(name)s")), about=_redemption
)
# data: session, reward, name, starts, until (when the place goes to the next).
PLACE_OFFERED = kind("reward.place_offered", _("A place came free"), _named(gettext_noop("A place is kept: %(name)s")))

# data: offer, coupon and use (ids; coupon null for a code for all), name (of the offer, by language), discount_minor
# and currency of a use, until (when an issued one expires, or null).
group("coupon", _("Coupons"), "confirmation_number")
_use = ("rewards.couponuse", "use")
COUPON_ISSUED = kind(
    "coupon.issued", _("Coupon received"), _named(gettext_noop("Coupon: %(name)s")), about=("rewards.coupon", "coupon")
)
COUPON_USED = kind("coupon.used", _("Coupon used"), _named(gettext_noop("Coupon used: %(name)s")), about=_use)
COUPON_RETURNED = kind(
    "coupon.returned", _("Coupon given back"), _named(gettext_noop("Coupon given back: %(name)s")), about=_use
)
COUPON_WITHDRAWN = kind(
    "coupon.withdrawn",
    _("Coupon withdrawn"),
    _named(gettext_noop("Coupon withdrawn: %(name)s")),
    about=("rewards.coupon", "coupon"),
)
