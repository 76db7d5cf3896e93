"""What surveys do about events from below."""

from datetime import datetime

from members.events import reacts_to
from members.models import TimelineEvent
from surveys.services.triggering import HEARD, Happened, hear


@reacts_to(*sorted(HEARD), unless="import", where="EXISTS (SELECT FROM surveys_surveytrigger)")
def write_down_who_is_asked(events: list[TimelineEvent], _at: datetime) -> None:
    """What happened leads to invitations; which, the triggers say."""
    hear(events=[Happened(one.pk, one.kind, one.member_id, one.at, one.data) for one in events])


_RULES = "EXISTS (SELECT FROM rewards_earningrule WHERE trigger = 'survey_answered')"


@reacts_to("survey.answered", unless="import", where=_RULES)
def reward_answers(events: list[TimelineEvent], at: datetime) -> None:
    """Rules may give something for answering, whatever the survey itself thanks with."""
    from rewards.services.earning.events import saw

    for one in events:
        key = f"survey_answered:{one.pk}"
        saw(trigger="survey_answered", member_id=one.member_id, key=key, moment=one.at, at=at)
