from members.admin import attributes, personas, programme, reactions, segments, tags, tasks, users

__all__ = ["attributes", "personas", "programme", "reactions", "segments", "tags", "tasks", "users"]
