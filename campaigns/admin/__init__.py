from campaigns.admin import greeting, messages, occasions

__all__ = ["greeting", "messages", "occasions"]
