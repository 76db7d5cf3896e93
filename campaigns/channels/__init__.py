"""Ways for a message to leave: one small protocol, and what can come of it. docs/delivery.md."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Protocol

from django.core.mail import EmailMessage

from common.sql import storable


class Fate(Enum):
    """What a refusal means for the message."""

    LATER = "later"  # tried again after a pause
    NEVER = "never"  # no use to try again
    BAD_ADDRESS = "bad_address"  # the same, because of the address: nothing more is sent there
    POLICY = "policy"  # not wanted from us, or not so fast: tried again after a long pause


class Refusal(Exception):
    """The other side said no, or could not be reached before anything had left. `about_server`: the next message would
    meet the same. `wait`: how long it asked us to wait."""

    def __init__(
        self, text: str, fate: Fate = Fate.LATER, *, about_server: bool = False, wait: timedelta | None = None
    ) -> None:
        super().__init__(storable(text))
        self.fate, self.about_server, self.wait = fate, about_server, wait


class Stopped(Exception):
    """`begin` found that this message must not leave: taken from us, paused, or no longer wanted."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to leave. `frame` is the whole mail (RFC 5322, CRLF), `mail` the same for Django's backends."""

    id: int
    uid: str
    to: str
    sender: str  # the bare address of the envelope
    subject: str
    text: str
    member: str  # card number
    campaign_id: int
    rate_per_minute: int | None  # of the campaign
    frame: Callable[[], bytes]
    mail: Callable[[], EmailMessage]
    unsubscribe: str = ""  # where its reader leaves, for calls


class Begin(Protocol):
    """Says that a message may leave from now on. Stopped."""

    def __call__(self, meanwhile: Callable[[], None] = ...) -> None:
        """`meanwhile` is done until the database has it; it must not ask it, nor raise."""


class Line(Protocol):
    """An open way. `send` calls `begin` right before what cannot be undone; what it raises after that, but a Refusal,
    leaves in doubt whether the message arrived. Without doubt, if it is `harmless`: doing it twice changes nothing."""

    harmless: bool

    def open(self) -> None:
        """Ready to send. Refusal."""

    def send(self, message: Outgoing, begin: Begin, following: Outgoing | None = None) -> str:
        """The other side's own id of the message, if it told one. `following` is the next, if it may come at once.
        Refusal, Stopped."""

    def close(self) -> None:
        """Drops the connection, at once."""
