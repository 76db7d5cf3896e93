from rewards.admin import ledger, programme, purchases

__all__ = ["ledger", "programme", "purchases"]
