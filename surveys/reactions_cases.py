"""Cases that open by themselves: from answers, by the shop's rules."""

from datetime import datetime

from members.events import reacts_to
from members.models import TimelineEvent
from surveys.services.cases.ruling import open_by_rules


@reacts_to("survey.answered", unless="import")
def open_cases_of_the_unhappy(events: list[TimelineEvent], _at: datetime) -> None:
    """Whoever answered as a rule says has a case; of anonymous answers nobody knows whose they are."""
    for event in events:
        if "response" in event.data:
            open_by_rules(response_id=event.data["response"], at=event.at)
