from rewards.admin import imports, ledger, programme, purchases

__all__ = ["imports", "ledger", "programme", "purchases"]
