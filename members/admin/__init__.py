from members.admin import (
    attributes,
    duplicates,
    merges,
    personas,
    privacy,
    programme,
    reactions,
    segments,
    tags,
    tasks,
    users,
)

__all__ = [
    "attributes",
    "duplicates",
    "merges",
    "personas",
    "privacy",
    "programme",
    "reactions",
    "segments",
    "tags",
    "tasks",
    "users",
]
