from campaigns.admin.broadcasts import admin

__all__ = ["admin"]
