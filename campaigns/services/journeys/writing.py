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
    transfers = {given["transfer"] for given in gifts.values() if "transfer" in given}
    lots = {lot.transfer_id: lot for lot in Lot.objects.filter(transfer__in=transfers)}
    by_version: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        by_version[message.why["version"]].append(message)
    for version_id, group in by_version.items():
        readers = []
        for message in group:
            given = gifts.get(message.pk, {})
            readers.append(_reader(message, lots.get(given.get("transfer", 0)), given.get("coupon"), at))
        spaces: set[str] = set()
        for language in {reader.language for reader in readers}:
            spaces |= compiled(version_id, language).spaces
        for message, reader, values in zip(group, readers, merge.values(readers, spaces), strict=True):
            done[message.pk] = Written(version_id=version_id, language=reader.language, values=dict(values))
    return [done[message.pk] for message in messages]


def _run(message: Message) -> int:
    return int(message.occurrence.partition(":")[0])


def _gifts(messages: Sequence[Message]) -> dict[int, dict[str, int]]:
    """The ids of what a way was given last before each message ("transfer", "coupon"), by the message."""
    runs = {int(message.occurrence.partition(":")[0]) for message in messages}
    notes = JourneyLog.objects.filter(run__in=runs, what="did", why__has_any_keys=["transfer", "coupon", "message"])
    last: dict[int, dict[str, int]] = defaultdict(dict)
    before: dict[int, dict[str, int]] = {}
    for run_id, why in notes.order_by("id").values_list("run_id", "why"):
        if "message" in why:
            before[why["message"]] = dict(last[run_id])
        else:
            last[run_id] |= {kind: why[kind] for kind in ("transfer", "coupon") if kind in why}
    return before


def _reader(message: Message, lot: Lot | None, coupon_id: int | None, at: datetime) -> Recipient:
    zone = zone_of(message.member)
    until = None
    if lot and lot.expires_at:  # the beginning of the day behind the last
        until = (lot.expires_at - timedelta(seconds=1)).astimezone(zone).date()
    day, points = at.astimezone(zone).date(), lot.amount if lot else 0
    return Recipient(message.member, message.member.language, at, day, points, until, coupon_id)


def register() -> None:
    register_writer(CampaignKind.JOURNEY, write)
