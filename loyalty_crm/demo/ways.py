"""The café's journeys: three that have run for two days, with members on them, and two still being drafted."""

from datetime import datetime, timedelta

from campaigns.models import Campaign
from campaigns.services.journeys.definitions import publish_journey
from campaigns.services.journeys.entering import hear
from campaigns.services.journeys.ready import take_ready
from campaigns.services.journeys.running import run
from members.models import TimelineEvent, User

_RUNNING, _DRAFTS = ("welcome", "thanks", "win-back"), ("festival", "expiring")


def lead(at: datetime, marketer: User) -> None:
    """As they stand on the day of the demo."""
    begun = at - timedelta(days=2)
    for key in (*_DRAFTS, *_RUNNING):
        made = take_ready(key=key, at=begun, actor_id=marketer.pk)
        if key in _RUNNING:
            publish_journey(journey_id=made.pk, at=begun, actor_id=marketer.pk)
    Campaign.objects.filter(kind="journey").update(holdout_percent=10, channels=["email", "app"])
    for n in range(9):
        since, until = begun + timedelta(hours=6 * (n - 1)), begun + timedelta(hours=6 * n)
        told = TimelineEvent.objects.filter(
            kind__in=["member.joined", "purchase.paid"], at__gt=max(since, begun), at__lte=until
        )
        hear(events=list(told.order_by("at", "id")), at=until)
        run(at=until)
