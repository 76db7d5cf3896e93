from campaigns.admin.templates import admin, snippets

__all__ = ["admin", "snippets"]
