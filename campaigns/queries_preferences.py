"""What members want to hear of, and what waits to be confirmed."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.enums import Pace
from campaigns.models import ContactPace, PendingConsent, Topic, TopicChoice
from members.channels import offered
from members.enums import Channel


@dataclass(frozen=True, slots=True)
class Interest:
    """A topic by a channel, for one member. `wanted` is what was last said; yes where nothing was."""

    topic: Topic
    channel: Channel
    wanted: bool
    source: str = ""
    at: datetime | None = None

    @property
    def key(self) -> str:
        """Names it in a form: "topic.5.email"."""
        return f"topic.{self.topic.pk}.{self.channel.value}"


def interests_of(member_id: int) -> dict[tuple[str, str], list[Interest]]:
    """(channel, purpose) → the topics offered there, in order. They count only where the purpose is agreed to."""
    said = {(row.topic_id, row.channel): row for row in TopicChoice.objects.filter(member_id=member_id)}
    found: dict[tuple[str, str], list[Interest]] = {}
    shown = offered()
    for topic in Topic.objects.filter(archived=False):
        for channel in shown:
            row = said.get((topic.pk, channel.value))
            interest = (
                Interest(topic, channel, row.wanted, row.source, row.at) if row else Interest(topic, channel, True)
            )
            found.setdefault((channel.value, topic.purpose), []).append(interest)
    return found


def read_topic(key: str) -> tuple[int, Channel] | None:
    """(topic, channel) of "topic.5.email"; None where it is no such key."""
    word, _dot, rest = key.partition(".")
    number, _dot, channel = rest.partition(".")
    if word != "topic" or not number.isdecimal() or len(number) > 18 or channel not in Channel.values:
        return None
    return int(number), Channel(channel)


def pace_of(member_id: int) -> ContactPace | None:
    """How often the member wants to hear of us at most; None where they never said."""
    return ContactPace.objects.filter(member_id=member_id).first()


def pace_name(wish: ContactPace | None) -> Pace:
    """The wish, or the normal where there is none."""
    return Pace(wish.pace) if wish else Pace.NORMAL


def first_channel_of(member_id: int) -> str:
    """Which way the member wants to hear of us first; "" for no matter which."""
    wish = pace_of(member_id)
    return wish.first_channel if wish else ""


def pending_of(member_id: int, at: datetime) -> dict[tuple[str, str], PendingConsent]:
    """The yeses of a member that wait to be confirmed, by (channel, purpose)."""
    waiting = PendingConsent.objects.filter(
        member_id=member_id, confirmed_at=None, withdrawn_at=None, expires_at__gt=at
    )
    return {(row.channel, row.purpose): row for row in waiting}
