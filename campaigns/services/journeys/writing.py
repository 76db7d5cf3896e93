"""What the messages of a journey say: the version of the template that was the newest when the step was taken."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from campaigns import merge
from campaigns.content.compiled import compiled
from campaigns.enums import CampaignKind
from campaigns.merge import Recipient
from campaigns.models import Message
from campaigns.queries import zone_of
from campaigns.services.writers import Written, register_writer


def write(messages: Sequence[Message], at: datetime) -> list[Written]:
    """Points and coupons were given by steps of their own: here nothing is given."""
    done: dict[int, Written] = {}
    by_version: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        by_version[message.why["version"]].append(message)
    for version_id, group in by_version.items():
        readers = [_reader(message, at) for message in group]
        spaces: set[str] = set()
        for language in {reader.language for reader in readers}:
            spaces |= compiled(version_id, language).spaces
        for message, reader, values in zip(group, readers, merge.values(readers, spaces), strict=True):
            done[message.pk] = Written(version_id=version_id, language=reader.language, values=dict(values))
    return [done[message.pk] for message in messages]


def _reader(message: Message, at: datetime) -> Recipient:
    return Recipient(
        message.member, message.member.language, at, at.astimezone(zone_of(message.member)).date(), 0, None
    )


def register() -> None:
    register_writer(CampaignKind.JOURNEY, write)
