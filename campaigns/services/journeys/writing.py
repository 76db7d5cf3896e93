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
    gifts = _gifts({_run(message) for message in messages})
    by_version: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        by_version[message.why["version"]].append(message)
    for version_id, group in by_version.items():
        readers = [_reader(message, gifts.get(_run(message)), at) for message in group]
        spaces: set[str] = set()
        for language in {reader.language for reader in readers}:
            spaces |= compiled(version_id, language).spaces
        for message, reader, values in zip(group, readers, merge.values(readers, spaces), strict=True):
            done[message.pk] = Written(version_id=version_id, language=reader.language, values=dict(values))
    return [done[message.pk] for message in messages]


def _run(message: Message) -> int:
    return int(message.occurrence.partition(":")[0])


def _gifts(run_ids: set[int]) -> dict[int, Lot]:
    """The points that a way was given last, by the way."""
    told = JourneyLog.objects.filter(run__in=run_ids, what="did", why__has_key="transfer").order_by("id")
    transfers = {run_id: why["transfer"] for run_id, why in told.values_list("run_id", "why")}
    lots = {lot.transfer_id: lot for lot in Lot.objects.filter(transfer__in=transfers.values())}
    return {run_id: lots[pk] for run_id, pk in transfers.items() if pk in lots}


def _reader(message: Message, gift: Lot | None, at: datetime) -> Recipient:
    zone = zone_of(message.member)
    until = None
    if gift and gift.expires_at:  # the beginning of the day behind the last
        until = (gift.expires_at - timedelta(seconds=1)).astimezone(zone).date()
    day = at.astimezone(zone).date()
    return Recipient(message.member, message.member.language, at, day, gift.amount if gift else 0, until)


def register() -> None:
    register_writer(CampaignKind.JOURNEY, write)
