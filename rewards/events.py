"""What the ledger writes to a member's timeline. Purchases and refunds are there already, by members.events."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import get_language, gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from members.events import group, kind
from rewards.enums import Unit
from rewards.queries import amount_text


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


group("points", _("Points"), "stars")
group("tier", _("Tier"), "military_tech")
POINTS_ADJUSTED = kind("points.adjusted", _("Points adjusted"), _adjusted)
POINTS_GIFTED = kind("points.gifted", _("Points given"), _gifted)
POINTS_EXPIRED = kind(
    "points.expired",
    _("Points expired"),
    lambda data: gettext("%(points)s expired") % {"points": _amount(data)},
)
POINTS_REDEEMED = kind(
    "points.redeemed",
    _("Points redeemed"),
    lambda data: gettext("%(points)s redeemed") % {"points": _amount(data)},
)
# data: from and to (ids of tiers, or null), up (whether it is a rise), name (of the new tier, by language).
TIER_CHANGED = kind("tier.changed", _("Tier changed"), _tier)

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
