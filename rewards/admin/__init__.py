from rewards.admin import catalogue, coupons, grants, imports, ledger, purchases, rules, settings, tiers

__all__ = ["catalogue", "coupons", "grants", "imports", "ledger", "purchases", "rules", "settings", "tiers"]
