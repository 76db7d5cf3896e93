"""What a member finds under Messages on their own pages: what was written there, and copies of their mails."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from liquid.exceptions import LiquidError

from campaigns import merge
from campaigns.enums import Medium, MessageState
from campaigns.models import Message

MOST_COUNTED = 10  # a bar says 9+ for all above nine: no more are looked at


def inbox(member_id: int) -> QuerySet[Message]:
    """Newest first. What was emptied, by age or by erasure, is gone here too."""
    sent = Message.objects.filter(
        member_id=member_id,
        channel__in=[Medium.APP, Medium.EMAIL],
        state=MessageState.SENT,
        version__isnull=False,
    )
    return sent.exclude(values={}).select_related("campaign", "version").order_by("-sent_at", "-id")


def unread(member_id: int) -> QuerySet[Message]:
    """Of what was written to the pages themselves. A copy of a mail is not new: the mail is."""
    return inbox(member_id).filter(channel=Medium.APP, read_at=None)


def unread_count(member_id: int, but: int = 0) -> int:
    """How many are new, `MOST_COUNTED` at most, without the one that is being opened."""
    return len(unread(member_id).exclude(pk=but).values_list("pk", flat=True)[:MOST_COUNTED])


@dataclass(frozen=True, slots=True)
class Line:
    """A message in the list. `preheader` is what it begins with, empty where it has none."""

    message: Message
    preheader: str
    is_new: bool


def lines(messages: Sequence[Message]) -> list[Line]:
    return [
        Line(message, _preheader(message), message.channel == Medium.APP and message.read_at is None)
        for message in messages
    ]


def _preheader(message: Message) -> str:
    source = message.version.preheader.get(message.language, "") if message.version else ""
    try:
        said = merge.environment.from_string(source).render(**merge.revived(message.values))
    except LiquidError:  # one that another's fields can fill and theirs cannot
        return ""
    return " ".join(said.split())
