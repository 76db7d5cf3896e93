"""How the editor of a rule is laid out: which fields stand under which heading, and when each is of use."""

from typing import Any

from django.utils.translation import gettext_lazy as _

_ON_PURCHASES = "trigger=purchase"

# (heading, hint, is it folded, fields, when it is of use)
SECTIONS: tuple[tuple[Any, Any, bool, str, str], ...] = (
    (_("Name"), "", False, "name_en name_zh_hans description_en description_zh_hans", ""),
    (_("What sets it off"), "", False, "trigger custom_kind event_data", ""),
    (_("What it gives"), "", False, "gives points per factor percent credit offer stacking", ""),
    (_("Who"), _("Empty: every member."), True, "tiers segments not_segments", ""),
    (
        _("Which purchases"),
        _("Empty: all of them. Several words in one field: any of them."),
        True,
        "categories products brands stores channels minimum first_purchase currency",
        _ON_PURCHASES,
    ),
    (_("Days and hours"), _("Empty: always."), True, "starts ends weekdays hours", ""),
    (
        _("What never earns"),
        _("What is paid with points or store credit never earns either."),
        True,
        "not_categories not_products not_brands",
        _ON_PURCHASES,
    ),
    (
        _("Limits"),
        _("For each member, but for the budget. Empty: no limit."),
        True,
        "limit_transaction limit_day limit_week limit_month limit_lifetime limit_times_day limit_times_lifetime "
        "limit_cooldown_hours over budget budget_money",
        "",
    ),
    (
        _("When they count, and how long"),
        "",
        True,
        "pending_kind pending_event pending_days pending_otherwise pending_until expiry_kind expiry_months "
        "expiry_month expiry_day expiry_years rounding counts_for_tier",
        "gives!=coupon",
    ),
)
WHEN = {
    "custom_kind": "trigger=custom:",
    "event_data": "trigger=custom:",
    "points": "gives=per_amount,per_item,fixed",
    "per": "gives=per_amount",
    "factor": "gives=multiplier",
    "stacking": "gives=multiplier",
    "percent": "gives=cashback",
    "credit": "gives=credit",
    "offer": "gives=coupon",
    "pending_event": "pending_kind=event",
    "pending_days": "pending_kind=days,event",
    "pending_otherwise": "pending_kind=event",
    "budget_money": "gives=per_amount,per_item,fixed,multiplier",
    "pending_until": "pending_kind=until",
    "expiry_months": "expiry_kind=rolling,inactivity",
    "expiry_month": "expiry_kind=date",
    "expiry_day": "expiry_kind=date",
    "expiry_years": "expiry_kind=date",
    "counts_for_tier": "gives=per_amount,per_item,fixed,multiplier",
}
# Where a problem of a definition belongs.
FIELDS = {
    "trigger": "trigger",
    "effect": "gives",
    "effect.points": "points",
    "effect.per": "per",
    "effect.factor": "factor",
    "effect.percent": "percent",
    "effect.offer": "offer",
    "conditions.data": "event_data",
    "conditions.from": "starts",
    "conditions.until": "ends",
    "exclude.products": "not_products",
    "exclude.categories": "not_categories",
    "exclude.brands": "not_brands",
    "pending": "pending_kind",
    "pending.days": "pending_days",
    "pending.event": "pending_event",
    "pending.otherwise": "pending_otherwise",
    "pending.until": "pending_until",
    "expiry": "expiry_kind",
    "expiry.months": "expiry_months",
    "expiry.day": "expiry_day",
    "expiry.month": "expiry_month",
    "expiry.years": "expiry_years",
}
