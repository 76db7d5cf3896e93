from campaigns.admin import brand, greeting, messages, occasions, preferences, templates

__all__ = ["brand", "greeting", "messages", "occasions", "preferences", "templates"]
