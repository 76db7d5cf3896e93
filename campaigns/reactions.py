"""What campaigns do about events from below."""

from datetime import datetime

from campaigns.journeys.definition import EVENTS, WAITABLE
from campaigns.services.journeys.entering import hear
from campaigns.services.messages import skip_waiting
from campaigns.services.survey_mail import plan
from members.events import CONSENT_GRANTED, reacts_to
from members.models import TimelineEvent


@reacts_to("consent.withdrawn")
def stop_waiting_messages(events: list[TimelineEvent], _at: datetime) -> None:
    """Who says no gets nothing more, not even what waits already."""
    for event in events:
        skip_waiting(
            member_id=event.member_id,
            channel=event.data["channel"],
            purpose=event.data["purpose"],
            at=event.at,
        )


@reacts_to("survey.invited")
def send_invitations(events: list[TimelineEvent], at: datetime) -> None:
    """Who is asked to answer a survey gets a mail about it."""
    plan(invitation_ids=[event.data["invitation"] for event in events], at=at)


@reacts_to(
    *sorted({*EVENTS.values(), *WAITABLE, CONSENT_GRANTED}),
    unless="import",
    where="EXISTS (SELECT FROM campaigns_journey)",
)
def move_journeys(events: list[TimelineEvent], at: datetime) -> None:
    """What happened lets members into journeys, and wakes those who wait for it."""
    hear(events=events, at=at)
