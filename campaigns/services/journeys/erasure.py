"""What becomes of the ways of members who are erased: that there were some stays."""

from collections.abc import Sequence
from datetime import datetime

from campaigns.enums import RunState
from campaigns.models import JourneyCall, JourneyRun


def erase_runs(member_ids: Sequence[int], at: datetime) -> None:
    """Ends the ways, and empties what they say of the members."""
    runs = JourneyRun.objects.filter(member__in=member_ids)
    runs.filter(state__in=[RunState.ACTIVE, RunState.STUCK]).update(state=RunState.GONE, due_at=None, ended_at=at)
    runs.update(why={}, error="")
    JourneyCall.objects.filter(run__in=runs).delete()
