"""What the ledger writes to a member's timeline. Purchases and refunds are there already, by members.events."""

from typing import Any

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from members.events import group, kind
from rewards.queries import points_text


def _adjusted(data: dict[str, Any]) -> str:
    words = {"points": points_text(abs(data["points"])), "reason": gettext(data["reason"])}
    if data["points"] > 0:
        return gettext("%(points)s added: %(reason)s") % words
    return gettext("%(points)s taken: %(reason)s") % words


def _gifted(data: dict[str, Any]) -> str:
    words = {"points": points_text(data["points"]), "reason": gettext(data["reason"]) if data["reason"] else ""}
    return gettext("%(points)s given: %(reason)s") % words if words["reason"] else gettext("%(points)s given") % words


def _tier(data: dict[str, Any]) -> str:
    names = data["name"]
    if not names:
        return gettext("No tier any more")
    words = {"tier": names.get(get_language() or "en") or names["en"]}
    return gettext("Reached %(tier)s") % words if data["up"] else gettext("Now %(tier)s") % words


group("points", _("Points"), "stars")
group("tier", _("Tier"), "military_tech")
POINTS_ADJUSTED = kind("points.adjusted", _("Points adjusted"), _adjusted)
POINTS_GIFTED = kind("points.gifted", _("Points given"), _gifted)
POINTS_EXPIRED = kind(
    "points.expired",
    _("Points expired"),
    lambda data: gettext("%(points)s expired") % {"points": points_text(data["points"])},
)
POINTS_REDEEMED = kind(
    "points.redeemed",
    _("Points redeemed"),
    lambda data: gettext("%(points)s redeemed") % {"points": points_text(data["points"])},
)
# data: from and to (ids of tiers, or null), up (whether it is a rise), name (of the new tier, by language).
TIER_CHANGED = kind("tier.changed", _("Tier changed"), _tier)
