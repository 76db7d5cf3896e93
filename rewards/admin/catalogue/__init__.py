"""The catalogue at the desk: rewards, their dates, and what becomes of redemptions."""

from rewards.admin.catalogue import redemptions, rewards, sessions

__all__ = ["redemptions", "rewards", "sessions"]
