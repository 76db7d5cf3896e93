"""Who says what a message says: one function for each kind of campaign, told by whoever plans its messages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from campaigns.models import Message


@dataclass(frozen=True, slots=True)
class Written:
    """What one message says: a version of a template, in a language, with the values of its merge fields.

    A `subject` in Liquid takes the place of the version's. `text` is the short text, where the version has none.
    `gift_id` is the transfer that was given with it.
    """

    version_id: int
    language: str
    values: dict[str, Any] = field(default_factory=dict)
    subject: str = ""
    gift_id: int | None = None
    text: str = ""


# Given claimed messages of one kind that were never written, locked, inside the transaction that writes them, it
# answers in their order; what is given with a message is given there.
Writer = Callable[[Sequence[Message], datetime], Sequence[Written]]
_writers: dict[str, Writer] = {}


def register_writer(kind: str, writer: Writer) -> None:
    """`writer` writes the messages of campaigns of this kind."""
    if kind in _writers:
        raise ValueError(f"campaigns of kind {kind} have a writer")
    _writers[kind] = writer


def writer_of(kind: str) -> Writer | None:
    return _writers.get(kind)
