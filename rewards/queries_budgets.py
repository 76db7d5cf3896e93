"""What is left of rules' budgets. docs/earning.md."""

from collections.abc import Iterable

from common.sql import fetch_all

# What a rule may give in all, in its unit: its budget, or as many points as its money pays for at what a point costs
# now, whichever is less; NULL where it has neither. Where points cost nothing, money never ends, but is still counted.
LIMIT = """least(rule.budget, CASE WHEN rule.budget_money IS NOT NULL THEN coalesce(floor(
    rule.budget_money / nullif((SELECT point_cost FROM rewards_rewardsettings WHERE id = 1), 0)
)::bigint, 9007199254740991) END)"""
LEFT = f"{LIMIT} - rule.budget_spent"
COUNTED = "(rule.budget IS NOT NULL OR rule.budget_money IS NOT NULL)"
_LEFT = f"SELECT rule.id, {LEFT} FROM rewards_earningrule AS rule WHERE rule.id = ANY(%s) AND {COUNTED}"
LOCK_LEFT = f"{_LEFT} ORDER BY rule.id FOR NO KEY UPDATE OF rule"
_LIMITS = f"SELECT rule.id, {LIMIT} FROM rewards_earningrule AS rule WHERE rule.id = ANY(%s) AND {COUNTED}"


def left_of(rule_ids: Iterable[int]) -> dict[int, int]:
    """What is left of the rules that have a budget, in their units; below 0 where points have become dearer."""
    return dict(fetch_all(_LEFT, [sorted(set(rule_ids))]))


def limits_of(rule_ids: Iterable[int]) -> dict[int, int]:
    """What the rules that have a budget may give in all, in their units."""
    return dict(fetch_all(_LIMITS, [sorted(set(rule_ids))]))
