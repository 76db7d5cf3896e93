"""What the form begins with: a definition, or a rule that there is, as values of its fields."""

from datetime import date, timedelta
from typing import Any

from common.money import to_major
from rewards.admin.rules import choices
from rewards.earning.triggers import CUSTOM
from rewards.enums import Unit
from rewards.models import EarningRule, RuleVersion

LIMITS = ("transaction", "day", "week", "month", "lifetime", "times_day", "times_lifetime", "cooldown_hours")
DEFAULTS: dict[str, Any] = {
    "over": "clip", "rounding": "down", "stacking": "best", "expiry_kind": "rolling", "expiry_months": 12,
    "expiry_month": "12", "expiry_day": 31, "expiry_years": 1, "counts_for_tier": True, "pending_kind": "",
    "pending_otherwise": "activate",
}  # fmt: skip


def beginning(
    definition: dict[str, Any], *, trigger: str = "purchase", unit: str = Unit.POINTS, currency: str
) -> dict[str, Any]:
    """What the form begins with for a definition."""
    effect, conditions = definition.get("effect", {}), definition.get("conditions", {})
    exclude, pending = definition.get("exclude", {}), definition.get("pending") or {}
    expiry = definition.get("expiry") or {"kind": "rolling", "months": 12}
    kind = effect.get("kind", "per_amount")
    credit = kind == "fixed" and unit == Unit.CREDIT
    custom = trigger.startswith(CUSTOM)
    until = conditions.get("until")
    known = dict(choices.triggers())
    return DEFAULTS | {
        "unit": unit,
        "trigger": CUSTOM if custom and trigger not in known else trigger,
        "custom_kind": trigger.removeprefix(CUSTOM) if custom and trigger not in known else "",
        "event_data": "\n".join(f"{key} = {value}" for key, value in conditions.get("data", {}).items()),
        "gives": "credit" if credit else kind,
        "points": None if credit else effect.get("points"),
        "credit": to_major(effect["points"], currency) if credit else None,
        **{name: effect.get(name) for name in ("per", "factor", "percent", "offer")},
        **{name: conditions.get(name, []) for name in ("segments", "not_segments", "tiers", "channels")},
        **{name: _lines(conditions.get(name, [])) for name in ("products", "categories", "brands", "stores")},
        **{f"not_{name}": _lines(exclude.get(name, [])) for name in ("products", "categories", "brands")},
        **{name: conditions.get(name) for name in ("minimum", "first_purchase", "currency")},
        "starts": conditions.get("from"),
        "ends": (date.fromisoformat(until) - timedelta(days=1)).isoformat() if until else None,
        "weekdays": [str(day) for day in conditions.get("weekdays", [])],
        "hours": ", ".join("–".join(pair) for pair in conditions.get("hours", [])),
        **{f"limit_{name}": definition.get("limits", {}).get(name) for name in LIMITS},
        "over": definition.get("over", "clip"),
        "stacking": definition.get("stacking", "best"),
        "rounding": definition.get("rounding", "down"),
        "counts_for_tier": definition.get("counts_for_tier", True),
        "pending_kind": next((kind for kind in ("event", "days", "until") if kind in pending), ""),
        "pending_event": pending.get("event"),
        "pending_otherwise": pending.get("otherwise", "activate"),
        "pending_days": pending.get("days"),
        "pending_until": pending.get("until"),
        "expiry_kind": expiry["kind"],
        **{f"expiry_{name}": expiry[name] for name in ("months", "day", "month", "years") if name in expiry},
    }


def beginning_of(rule: EarningRule, version: RuleVersion | None, currency: str) -> dict[str, Any]:
    """What the form begins with for a rule that there is."""
    budget: Any = rule.budget
    if budget is not None and rule.unit == Unit.CREDIT:
        budget = to_major(budget, currency)
    names = {
        name: getattr(rule, name) or "" for name in ("name_en", "name_zh_hans", "description_en", "description_zh_hans")
    }
    definition = version.definition if version else {}
    return (
        beginning(definition, trigger=rule.trigger, unit=rule.unit, currency=currency)
        | names
        | {"budget": budget, "budget_money": rule.budget_money and f"{rule.budget_money.normalize():f}"}
    )


def _lines(words: list[str]) -> str:
    return "".join(f"{word}\n" for word in words)
