from campaigns.admin.results import admin

__all__ = ["admin"]
