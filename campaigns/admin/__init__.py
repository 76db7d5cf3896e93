from campaigns.admin import greeting, messages

__all__ = ["greeting", "messages"]
