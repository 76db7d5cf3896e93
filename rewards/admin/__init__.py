from rewards.admin import imports, ledger, programme, purchases, settings

__all__ = ["imports", "ledger", "programme", "purchases", "settings"]
