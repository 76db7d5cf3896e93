"""A message as its reader got it, for others to look at: it looks the same, and none of its links does anything."""

import re
from dataclasses import dataclass

from liquid.exceptions import LiquidError

from campaigns.content.compiled import compiled
from campaigns.enums import Medium
from campaigns.models import Message
from campaigns.services.trying import shown

INERT = {"links": {"unsubscribe": "#", "preferences": "#"}}
_HREF = re.compile(r"""\shref=(?:"[^"]*"|'[^']*')""", re.IGNORECASE)


class Emptied(Exception):
    """What it said was taken out: its member was erased, or it is older than messages are kept."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A message to look at. `html` is a page of its own, with its pictures in it; empty for what is only text."""

    subject: str
    text: str
    html: str


def copy_of(message: Message, *, dark: bool = False) -> Copy | None:
    """What a message says; None before it is written. Emptied."""
    if message.frozen_at is None and not message.text:
        return None
    if message.channel in (Medium.SMS, Medium.WEBHOOK):
        if not message.text:
            raise Emptied
        return Copy(message.subject, message.text, "")
    if not message.values or message.version_id is None:
        raise Emptied
    try:
        content = compiled(message.version_id, message.language).render(message.values | INERT)
    except LiquidError as error:
        raise Emptied from error
    return Copy(message.subject or content.subject, content.text, _HREF.sub("", shown(content, dark=dark)))
