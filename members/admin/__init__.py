from members.admin import attributes, personas, privacy, programme, reactions, segments, tags, tasks, users

__all__ = ["attributes", "personas", "privacy", "programme", "reactions", "segments", "tags", "tasks", "users"]
