"""What becomes of the wishes of members who are erased."""

from collections.abc import Sequence
from datetime import datetime

from campaigns.models import ContactPace, PendingConsent, TopicChoice


def erase_preferences(member_ids: Sequence[int], at: datetime) -> None:
    """Takes them out: nothing is sent any more that they could be about."""
    TopicChoice.objects.filter(member__in=member_ids).delete()
    ContactPace.objects.filter(member__in=member_ids).delete()
    PendingConsent.objects.filter(member__in=member_ids).delete()
