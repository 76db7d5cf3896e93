"""The suppression list: addresses that nothing is sent to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from campaigns.enums import OPEN, MessageState, SkipReason, SuppressionReason
from campaigns.models import Message, Suppression
from campaigns.queries import address_key


class Entry(NamedTuple):
    """An address to put on the list. Without `expires_at` it stays there."""

    channel: str
    value: str
    reason: SuppressionReason
    note: str = ""
    expires_at: datetime | None = None


def listed(*, channel: str, values: Iterable[str]) -> int:
    """How many of these addresses stand on the list, as `suppress` would find them: not lifted, even if their time is
    over. One query."""
    keys = {address_key(value) for value in values if value.strip()}
    return Suppression.objects.filter(channel=channel, address__in=keys, lifted_at=None).count()


@transaction.atomic
def suppress(*, entries: Sequence[Entry], at: datetime, actor_id: int | None = None) -> int:
    """Puts addresses on the list and stops what waits for them; how many are new. An address that is there already
    stays for the longer of the two times, and for the graver reason of the two: what is for ever stays for ever."""
    wanted = {(entry.channel, address_key(entry.value)): entry for entry in entries if entry.value.strip()}
    keys = sorted(wanted, key=str)
    there = {
        (row.channel, row.address): row
        for row in Suppression.objects.select_for_update()
        .filter(lifted_at=None, address__in=[key for _channel, key in keys])
        .order_by("pk")
    }
    new = []
    for key in keys:
        entry, row = wanted[key], there.get(key)
        if row is None:
            new.append(
                Suppression(
                    channel=entry.channel,
                    address=key[1],
                    value=entry.value.strip()[:254],
                    reason=entry.reason,
                    note=entry.note[:500],
                    expires_at=entry.expires_at,
                    actor_id=actor_id,
                    created_at=at,
                )
            )
        elif row.expires_at is not None and (entry.expires_at is None or entry.expires_at > row.expires_at):
            row.reason, row.expires_at, row.note = entry.reason, entry.expires_at, entry.note[:500]
            row.save(update_fields=["reason", "expires_at", "note"])
    Suppression.objects.bulk_create(new, ignore_conflicts=True)
    for channel in {channel for channel, _key in keys}:
        waiting = Message.objects.filter(
            channel=channel, address__in=[key for one, key in keys if one == channel], state__in=OPEN, dot_at=None
        ).exclude(campaign__purpose="service")
        waiting.update(
            state=MessageState.SKIPPED, reason=SkipReason.SUPPRESSED, lease_until=None, token=None, changed_at=at
        )
    return len(new)


def suppress_bad_address(*, channel: str, value: str, note: str, at: datetime) -> None:
    """A server said that the address does not exist."""
    suppress(entries=[Entry(channel, value, SuppressionReason.HARD_BOUNCE, note)], at=at)


@transaction.atomic
def lift(*, ids: Iterable[int], note: str, at: datetime, actor_id: int | None) -> int:
    """Takes entries off the list, with the reason; how many. They stay readable."""
    return Suppression.objects.filter(pk__in=list(ids), lifted_at=None).update(
        lifted_at=at, lift_note=note[:200], lifted_by=actor_id
    )
