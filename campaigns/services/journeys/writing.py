"""What the messages of a journey say: the version of the template that was the newest when the step was taken."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from campaigns import merge
from campaigns.content.compiled import compiled
from campaigns.enums import CampaignKind
from campaigns.merge import Recipient
from campaigns.models import JourneyLog, Message
from campaigns.queries import zone_of
from campaigns.services.writers import Written, register_writer
from rewards.models import Lot


def write(messages: Sequence[Message], at: datetime) -> list[Written]:
    """Points and coupons were given by steps of their own: here nothing is given, but the last points are told of."""
    done: dict[int, Written] = {}
    gifts = _gifts(messages)
    by_version: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        by_version[message.why["version"]].append(message)
    for version_id, group in by_version.items():
        readers = [_reader(message, gifts.get(message.pk), at) for message in group]
        spaces: set[str] = set()
        for language in {reader.language for reader in readers}:
            spaces |= compiled(version_id, language).spaces
        for message, reader, values in zip(group, readers, merge.values(readers, spaces), strict=True):
            done[message.pk] = Written(version_id=version_id, language=reader.language, values=dict(values))
    return [done[message.pk] for message in messages]


def _run(message: Message) -> int:
    return int(message.occurrence.partition(":")[0])


def _gifts(messages: Sequence[Message]) -> dict[int, Lot]:
    """The points that a way was given last before each message, by the message."""
    runs = {_run(message) for message in messages}
    notes = JourneyLog.objects.filter(run__in=runs, what="did", why__has_any_keys=["transfer", "message"])
    last: dict[int, int] = {}
    before: dict[int, int] = {}
    for run_id, why in notes.order_by("id").values_list("run_id", "why"):
        if transfer := why.get("transfer"):
            last[run_id] = transfer
        elif run_id in last:
            before[why["message"]] = last[run_id]
    lots = {lot.transfer_id: lot for lot in Lot.objects.filter(transfer__in=before.values())}
    return {message_id: lots[pk] for message_id, pk in before.items() if pk in lots}


def _reader(message: Message, gift: Lot | None, at: datetime) -> Recipient:
    zone = zone_of(message.member)
    until = None
    if gift and gift.expires_at:  # the beginning of the day behind the last
        until = (gift.expires_at - timedelta(seconds=1)).astimezone(zone).date()
    day = at.astimezone(zone).date()
    return Recipient(message.member, message.member.language, at, day, gift.amount if gift else 0, until)


def register() -> None:
    register_writer(CampaignKind.JOURNEY, write)
