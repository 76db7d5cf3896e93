"""What whoever sends invitations can tell of it. A higher app registers; without one, nothing goes out by itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

Counts = Sequence[tuple[Promise | str, int]]


@dataclass(frozen=True, slots=True)
class Reached:
    """How many of some members would get an invitation, by each way; how many would get none, by reason; how many of
    those who get it wait for it, because they had enough messages."""

    lost: Counts
    ways: Counts
    waiting: int


@dataclass(frozen=True, slots=True)
class Sending:
    """The ways by which invitations go out.

    `templates()` those there are (id, name); `channels()` those there are (name, label); `chosen(survey_id)` the
    template in use and `by(survey_id)` the channels, the first that reaches a member counts; `visits(survey_id)` the
    messages whose link was followed, by what that is taken for;
    `choose(survey_id, template_id or None, channels, at)`; `counts(survey_id)` the messages by state;
    `reached(survey_id, sql, params, at)` of the members whose ids a query gives; `test(survey_id, to, at)` mails one
    to an address, with a link that answers nothing; `handed(survey_ids)` the invitations whose message was handed over,
    and how many of them were answered by what counts, by survey; `channel(survey_id, invitation_id)` by which one was
    handed over, "" by none.
    """

    templates: Callable[[], Sequence[tuple[int, str]]]
    channels: Callable[[], Sequence[tuple[str, str]]]
    chosen: Callable[[int], int | None]
    by: Callable[[int], Sequence[str]]
    choose: Callable[[int, int | None, Sequence[str], datetime], None]
    counts: Callable[[int], Counts]
    reached: Callable[[int, str, Mapping[str, Any], datetime], Reached]
    test: Callable[[int, str, str, datetime], None]
    handed: Callable[[Sequence[int]], dict[int, tuple[int, int]]]
    channel: Callable[[int, int], str]
    visits: Callable[[int], Counts]


_sending: list[Sending] = []


def register(sending: Sending) -> None:
    if _sending:
        raise ValueError("somebody sends invitations already")
    _sending.append(sending)


def sending() -> Sending | None:
    return _sending[0] if _sending else None


def handed_over(survey_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Invitations that reached whom they ask, and how many of them were answered; by survey, none where there are none.
    One query."""
    return _sending[0].handed(survey_ids) if _sending else {}


def channel_of(survey_id: int, invitation_id: int) -> str:
    """By which channel an invitation was handed over; "" by none. One query."""
    return _sending[0].channel(survey_id, invitation_id) if _sending else ""


def channel_names() -> dict[str, str]:
    return dict(_sending[0].channels()) if _sending else {}
