from members.admin import programme, reactions, users

__all__ = ["programme", "reactions", "users"]
