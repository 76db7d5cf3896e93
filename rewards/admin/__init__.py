from rewards.admin import grants, imports, ledger, programme, purchases, settings

__all__ = ["grants", "imports", "ledger", "programme", "purchases", "settings"]
