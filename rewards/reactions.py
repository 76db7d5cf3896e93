"""What rewards do about events from below."""

from datetime import datetime

from members.events import EVENT_TOLD, MEMBER_JOINED, PROFILE_CHANGED, reacts_to
from members.models import TimelineEvent


@reacts_to(MEMBER_JOINED, unless="import")
def reward_signing_up(events: list[TimelineEvent], at: datetime) -> None:
    """Whoever joins by themselves, at the till or by a connected system; not who came in with a file."""
    from rewards.services.earning.occasions import reward_sign_ups

    reward_sign_ups(joined={event.member_id: event.at for event in events}, at=at)


@reacts_to(MEMBER_JOINED, PROFILE_CHANGED, unless="import")
def reward_full_profiles(events: list[TimelineEvent], at: datetime) -> None:
    """Once the profile says who they are, how to reach them, and when their birthday is."""
    from rewards.services.earning.occasions import reward_profiles

    reward_profiles(changed={event.member_id: event.at for event in events}, at=at)


@reacts_to(EVENT_TOLD)
def set_points_free(events: list[TimelineEvent], at: datetime) -> None:
    """Points that waited for what another system tells can be spent."""
    from rewards.services.waiting import set_free

    set_free(told=[(event.data["event"], event.member_id) for event in events], at=at)
