"""What members say of topics, and of how often they want to hear of us."""

from datetime import datetime

from django.db import transaction

from campaigns import events
from campaigns.enums import Medium, Pace
from campaigns.models import ContactPace, Topic, TopicChoice
from members.enums import Channel
from members.events import record
from members.models import Member
from members.services.profile import MemberGone


class UnknownTopic(Exception):
    """There is no such topic, or it is no longer offered."""


@transaction.atomic
def choose_topic(
    *,
    member_id: int,
    topic_id: int,
    channel: Channel,
    wanted: bool,
    source: str,
    at: datetime,
    actor_id: int | None = None,
) -> bool:
    """Keeps a member's word on a topic by a channel; False where it is what they last said.

    UnknownTopic; MemberGone.
    """
    _present(member_id)
    topic = Topic.objects.filter(pk=topic_id, archived=False).first()
    if topic is None:
        raise UnknownTopic
    said = TopicChoice.objects.filter(member_id=member_id, topic=topic, channel=channel).first()
    if (said.wanted if said else True) == wanted:
        return False
    TopicChoice.objects.update_or_create(
        member_id=member_id, topic=topic, channel=channel, defaults={"wanted": wanted, "source": source[:40], "at": at}
    )
    data = {"topic": topic.name, "channel": channel.value, "wanted": wanted, "source": source}
    record(member_id=member_id, kind=events.TOPIC_CHOSEN, at=at, data=data, actor_id=actor_id)
    return True


@transaction.atomic
def set_pace(*, member_id: int, pace: Pace, source: str, at: datetime, actor_id: int | None = None) -> bool:
    """Keeps how often a member wants to hear of us at most; False where it is what they last said. MemberGone."""
    _present(member_id)
    said = ContactPace.objects.filter(member_id=member_id).first()
    if (said.pace if said else Pace.NORMAL) == pace:
        return False
    ContactPace.objects.update_or_create(member_id=member_id, defaults={"pace": pace, "source": source[:40], "at": at})
    data = {"pace": pace.value, "source": source}
    record(member_id=member_id, kind=events.PACE_CHOSEN, at=at, data=data, actor_id=actor_id)
    return True


@transaction.atomic
def set_first_channel(
    *, member_id: int, channel: Medium | None, source: str, at: datetime, actor_id: int | None = None
) -> bool:
    """Keeps which way a member wants to hear of us first, of those that a campaign takes and that they agreed to; None
    for no matter which. False where it is what they last said. MemberGone."""
    _present(member_id)
    said, first = ContactPace.objects.filter(member_id=member_id).first(), channel or ""
    if (said.first_channel if said else "") == first:
        return False
    values = {"first_channel": first, "source": source[:40], "at": at}
    if said is None:  # what was said of how often under another name goes on counting
        before = ContactPace.objects.filter(member__merged_into=member_id).order_by("-at").first()
        values["pace"] = before.pace if before else Pace.NORMAL
    ContactPace.objects.update_or_create(member_id=member_id, defaults=values)
    data = {"channel": first, "source": source}
    record(member_id=member_id, kind=events.FIRST_CHANNEL_CHOSEN, at=at, data=data, actor_id=actor_id)
    return True


def _present(member_id: int) -> None:
    member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
    if member.merged_into_id is not None or member.erased_at is not None:
        raise MemberGone
