"""What campaigns do about events from below."""

from campaigns.services.messages import skip_waiting
from members.events import reacts_to
from members.models import TimelineEvent


@reacts_to("consent.withdrawn")
def stop_waiting_messages(events: list[TimelineEvent]) -> None:
    """Who says no gets nothing more, not even what waits already."""
    for event in events:
        skip_waiting(
            member_id=event.member_id,
            channel=event.data["channel"],
            purpose=event.data["purpose"],
            at=event.at,
        )
