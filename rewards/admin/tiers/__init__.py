from rewards.admin.tiers import benefits, plans, tiers

__all__ = ["benefits", "plans", "tiers"]
