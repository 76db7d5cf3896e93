from members.admin.segments import admin, lists

__all__ = ["admin", "lists"]
