"""What campaigns tell a member of the messages they were sent."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns.models import Message
from members.privacy import register_export

MESSAGE = (
    "campaign__kind",
    "campaign__name",
    "campaign__purpose",
    "channel",
    "due_at",
    "state",
    "reason",
    "sent_at",
    "to",
    "language",
    "subject",
    "text",
)


def _messages(member_id: int) -> list[dict[str, Any]]:
    return list(Message.objects.filter(member_id=member_id).order_by("due_at").values(*MESSAGE))


def register_all() -> None:
    register_export("messages", _("Messages to you"), _messages, models=["campaigns.Message"], order=70)
