from members.admin import personas, programme, reactions, segments, users

__all__ = ["personas", "programme", "reactions", "segments", "users"]
