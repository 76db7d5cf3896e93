from rewards.admin import catalogue, coupons, grants, imports, ledger, places, purchases, rules, settings, tiers

__all__ = ["catalogue", "coupons", "grants", "imports", "ledger", "places", "purchases", "rules", "settings", "tiers"]
