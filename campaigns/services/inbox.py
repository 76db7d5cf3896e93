"""Reading on the members' pages: the letter, and that it was read."""

from datetime import datetime

from liquid.exceptions import LiquidError

from campaigns.content.compiled import compiled
from campaigns.models import Message
from campaigns.queries_inbox import unread


def letter(message: Message, *, choices_url: str) -> str:
    """What a message of the inbox says, as HTML for the portal; empty where it cannot be made any more. Its places to
    leave lead to the member's own choices."""
    try:
        values = message.values | {"links": {"unsubscribe": choices_url, "preferences": choices_url}}
        return compiled(message.version_id or 0, message.language).inapp(values)
    except LiquidError:
        return ""


def mark_read(*, member_id: int, at: datetime, message_id: int | None = None) -> int:
    """Notes that a member has opened a message, or all of them; how many were new. Nobody else's are touched."""
    found = unread(member_id).order_by()
    if message_id is not None:
        found = found.filter(pk=message_id)
    return Message.objects.filter(pk__in=found.values("pk")).update(read_at=at)
