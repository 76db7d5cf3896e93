from campaigns.admin import (
    brand,
    broadcasts,
    greeting,
    journeys,
    messages,
    occasions,
    preferences,
    senders,
    suppression,
    templates,
    tracking,
)

__all__ = [
    "brand",
    "broadcasts",
    "greeting",
    "journeys",
    "messages",
    "occasions",
    "preferences",
    "senders",
    "suppression",
    "templates",
    "tracking",
]
