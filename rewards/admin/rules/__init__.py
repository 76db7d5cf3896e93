from rewards.admin.rules import admin, replays

__all__ = ["admin", "replays"]
