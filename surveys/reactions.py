"""What surveys do about events from below."""

from members.events import reacts_to
from members.models import TimelineEvent
from surveys.services.triggering import HEARD, Happened, hear


@reacts_to(*sorted(HEARD), unless="import", where="EXISTS (SELECT FROM surveys_surveytrigger)")
def write_down_who_is_asked(events: list[TimelineEvent]) -> None:
    """What happened leads to invitations; which, the triggers say."""
    hear(events=[Happened(one.pk, one.kind, one.member_id, one.at, one.data) for one in events])
