from campaigns.admin import greeting, messages, occasions, preferences

__all__ = ["greeting", "messages", "occasions", "preferences"]
