"""What providers tell about messages they took: kept as it came, and acted on. docs/delivery.md.

Told twice, it has one effect; about a message that is not ours, it is kept and does no harm.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from campaigns.enums import EventKind, Medium, SuppressionReason, TrackKind
from campaigns.models import DeliveryEvent, Message
from campaigns.services.suppression import Entry, suppress
from campaigns.services.tracking import Request, keep
from members.enums import Channel
from members.models import PRESENT, Member
from members.queries import consent_state
from members.services.consent import state_consent

SOFT_IN_A_ROW = 5
SOFT_FOR = timedelta(days=30)
SOURCE = "provider"
_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COLUMNS = {
    EventKind.DELIVERED: "delivered_at",
    EventKind.BOUNCED: "bounced_at",
    EventKind.COMPLAINED: "complained_at",
}
_TRACKED = {EventKind.OPENED: TrackKind.OPEN, EventKind.CLICKED: TrackKind.CLICK}


@dataclass(frozen=True, slots=True)
class Told:
    """One word of a provider. `key` is its own id of it, if it has one; `names` are whatever may name our message: our
    uid, the Message-ID, the provider's id. `permanent`: a bounce for good."""

    source: str
    kind: EventKind
    at: datetime
    recipient: str = ""
    names: tuple[str, ...] = ()
    key: str = ""
    permanent: bool | None = None
    detail: str = ""
    agent: str = ""  # the program that opened or clicked, where the provider says
    raw: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def record(*, told: Told, at: datetime) -> DeliveryEvent | None:
    """Keeps an event and acts on it: hard bounces and complaints put the address on the suppression list for ever, five
    soft bounces in a row for 30 days, a complaint takes the consent back too. None where it was told before."""
    told = _fit(told)
    whole = json.dumps([told.kind, told.raw], sort_keys=True, default=str)
    key = told.key or hashlib.sha256(whole.encode()).hexdigest()
    message = _message(told)
    event = DeliveryEvent(
        source=told.source,
        key=key[:200],
        kind=told.kind,
        at=told.at,
        received_at=at,
        recipient=told.recipient[:254],
        provider_id=(told.names[0] if told.names else "")[:250],
        message=message,
        permanent=told.permanent,
        detail=told.detail[:2000],
        raw=told.raw,
    )
    DeliveryEvent.objects.bulk_create([event], ignore_conflicts=True)
    event = DeliveryEvent.objects.get(source=told.source, key=key[:200])
    if event.received_at != at or event.kind != told.kind:
        return None
    if message is not None and (column := _COLUMNS.get(told.kind)):
        Message.objects.filter(pk=message.pk, **{f"{column}__isnull": True}).update(**{column: told.at})
    if message is not None and (kind := _TRACKED.get(told.kind)):
        keep(message_id=message.pk, kind=kind, link_id=None, request=Request("", told.agent, ""), at=told.at)
    _act(told, message, event, at)
    return event


def _fit(told: Told) -> Told:
    """Without what PostgreSQL cannot hold: a NUL, half a character of UTF-16, numbers that are none."""
    whole = json.dumps([*told.names, told.recipient, told.key, told.detail, told.agent, told.raw], default=str)
    whole = (
        json.dumps(json.loads(whole, parse_constant=str), ensure_ascii=False)
        .encode(errors="replace")
        .decode()
        .replace("\\u0000", "")
    )
    *names, recipient, key, detail, agent, raw = json.loads(whole)
    return replace(told, names=tuple(names), recipient=recipient, key=key, detail=detail, agent=agent, raw=raw)


def _message(told: Told) -> Message | None:
    """Our message, by our own id or the provider's."""
    uids = [UUID(found[0]) for name in told.names if (found := _UID.search(name.lower()))]
    ours = Message.objects.filter(uid__in=uids).first() if uids else None
    if ours is None and told.names:
        ours = Message.objects.filter(provider_id__in=[name for name in told.names if name]).first()
    return ours


def _act(told: Told, message: Message | None, event: DeliveryEvent, at: datetime) -> None:
    # Only the address that we wrote to: a forwarder's address is its owner's business.
    value = message.to if message is not None and message.to else told.recipient
    entry = None
    if told.kind == EventKind.BOUNCED and told.permanent:
        entry = Entry(Medium.EMAIL, value, SuppressionReason.HARD_BOUNCE, told.detail)
    elif told.kind == EventKind.COMPLAINED:
        entry = Entry(Medium.EMAIL, value, SuppressionReason.COMPLAINT, told.detail)
    elif told.kind == EventKind.UNSUBSCRIBED:
        entry = Entry(Medium.EMAIL, value, SuppressionReason.UNSUBSCRIBED, told.detail)
    elif told.kind == EventKind.BOUNCED and _soft_in_a_row(event) >= SOFT_IN_A_ROW:
        entry = Entry(Medium.EMAIL, value, SuppressionReason.SOFT_BOUNCE, told.detail, at + SOFT_FOR)
    if entry is not None and entry.value:
        suppress(entries=[entry], at=at)
    if message is not None and told.kind in (EventKind.COMPLAINED, EventKind.UNSUBSCRIBED):
        _withdraw(message.member_id, told.source, at)


def _withdraw(member_id: int, source: str, at: datetime) -> None:
    """No more mail to a member. Messages follow who is merged; who was erased agrees to nothing."""
    if not Member.objects.filter(PRESENT, pk=member_id).exists():
        return
    for (channel, purpose), consent in consent_state(member_id).items():
        if channel == Channel.EMAIL and consent.granted:
            state_consent(
                member_id=member_id,
                channel=channel,
                purpose=purpose,
                granted=False,
                source=f"{SOURCE}: {source}"[:40],
                at=at,
            )


def _soft_in_a_row(event: DeliveryEvent) -> int:
    """How many bounces that are not for good this address has had since something reached it."""
    of_address = DeliveryEvent.objects.filter(recipient=event.recipient).exclude(recipient="").order_by("-at", "-id")
    kinds = (EventKind.BOUNCED, EventKind.DELIVERED, EventKind.OPENED, EventKind.CLICKED)
    row = 0
    for kind, permanent in of_address.filter(kind__in=kinds).values_list("kind", "permanent")[:SOFT_IN_A_ROW]:
        if kind != EventKind.BOUNCED or permanent:
            break
        row += 1
    return row
