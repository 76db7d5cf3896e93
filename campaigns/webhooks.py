"""Words of mail providers, as django-anymail reads them: it checks their signatures or the secret of the address."""

from typing import Any

from anymail.signals import tracking
from django.dispatch import receiver
from django.utils.timezone import now

from campaigns.enums import EventKind
from campaigns.services.bounces import Told, record

_KINDS = {
    "delivered": EventKind.DELIVERED,
    "bounced": EventKind.BOUNCED,
    "rejected": EventKind.BOUNCED,
    "failed": EventKind.BOUNCED,
    "deferred": EventKind.DEFERRED,
    "complained": EventKind.COMPLAINED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
    "opened": EventKind.OPENED,
    "clicked": EventKind.CLICKED,
}


@receiver(tracking, dispatch_uid="campaigns.delivery_events")
def told(sender: type, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Anymail's normalised event. A bounce is for good unless the provider says that it was put off, or that it did not
    try because of something of its own (`rejected` for another reason than a bad address)."""
    reason = str(event.reject_reason or "").lower()
    for_good = event.event_type == "bounced" and reason in ("invalid", "bounced", "")
    for_good = for_good and not str(event.mta_response or "").startswith("4")
    record(
        told=Told(
            source=esp_name.lower()[:40],
            kind=_KINDS.get(event.event_type, EventKind.OTHER),
            at=event.timestamp or now(),
            recipient=str(event.recipient or ""),
            names=tuple(str(name) for name in ((event.metadata or {}).get("message"), event.message_id) if name),
            key=f"{event.event_type}:{event.event_id}" if event.event_id else "",
            permanent=for_good or reason in ("invalid", "bounced") if event.event_type != "deferred" else False,
            detail=" ".join(str(part) for part in (event.description, event.mta_response) if part),
            agent=str(getattr(event, "user_agent", None) or ""),
            raw=event.esp_event if isinstance(event.esp_event, dict) else {"said": str(event.esp_event)},
        ),
        at=now(),
    )
