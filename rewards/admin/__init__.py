from rewards.admin import catalogue, grants, imports, ledger, purchases, rules, settings, tiers

__all__ = ["catalogue", "grants", "imports", "ledger", "purchases", "rules", "settings", "tiers"]
