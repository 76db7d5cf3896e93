from rewards.admin import grants, imports, ledger, purchases, rules, settings, tiers

__all__ = ["grants", "imports", "ledger", "purchases", "rules", "settings", "tiers"]
