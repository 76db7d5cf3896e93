from campaigns.admin import (
    brand,
    broadcasts,
    greeting,
    journeys,
    messages,
    occasions,
    preferences,
    results,
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
    "results",
    "senders",
    "suppression",
    "templates",
    "tracking",
]
