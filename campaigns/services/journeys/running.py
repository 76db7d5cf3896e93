"""One round of all journeys: who comes in by time, who goes on, and which systems are told."""

from datetime import datetime

from campaigns.services.journeys.advancing import advance
from campaigns.services.journeys.calling import make_calls
from campaigns.services.journeys.entering import let_in_by_time


def run(*, at: datetime) -> int:
    """How many came in or went on. Two rounds at once take different members."""
    moved = let_in_by_time(at=at)
    moved += advance(at=at)
    make_calls(at=at)
    return moved
