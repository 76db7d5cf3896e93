from campaigns.admin import brand, broadcasts, greeting, journeys, messages, occasions, preferences, templates

__all__ = ["brand", "broadcasts", "greeting", "journeys", "messages", "occasions", "preferences", "templates"]
