"""What campaigns write to a member's timeline."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.enums import Campaign
from members.events import group, record
from members.events import kind as any_kind

if TYPE_CHECKING:
    from campaigns.models import Message


def _about(sentence: Promise | str) -> Callable[[dict[str, Any]], str]:
    return lambda data: str(sentence) % {"campaign": Campaign(data["campaign"]).label}


def kind(name: str, label: Promise | str, sentence: Callable[[dict[str, Any]], str]) -> str:
    return any_kind(name, label, sentence, about=("campaigns.message", "message"))


group("message", _("Messages"), "mail")
MESSAGE_SENT = kind("message.sent", _("Message sent"), _about(_("%(campaign)s sent")))
MESSAGE_MISSED = kind("message.missed", _("Message missed"), _about(_("%(campaign)s missed: it was too late")))
MESSAGE_FAILED = kind("message.failed", _("Message failed"), _about(_("%(campaign)s could not be delivered")))
MESSAGE_UNKNOWN = kind("message.unknown", _("Message in doubt"), _about(_("%(campaign)s: unknown whether it arrived")))
MESSAGE_SETTLED = kind(
    "message.settled",
    _("Message settled by staff"),
    lambda data: f"{Campaign(data['campaign']).label}: {data['reason']}",
)


def record_message(kind: str, message: "Message", at: datetime) -> None:
    """Writes what became of a message to its member's timeline."""
    data = {"message": message.pk, "campaign": message.campaign}
    record(member_id=message.member_id, kind=kind, at=at, data=data)
