"""What whoever sends invitations can tell of it. A higher app registers; without one, nothing goes out by itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

Counts = Sequence[tuple[Promise | str, int]]


@dataclass(frozen=True, slots=True)
class Sending:
    """The way by which invitations go out.

    `templates()` those there are (id, name); `chosen(survey_id)` the one in use; `choose(survey_id, template_id, at)`;
    `counts(survey_id)` the messages by state; `objections(sql, params, at)` of the members whose ids a query gives, how
    many would get none, by reason; `test(survey_id, to, at)` sends one to an address, with a link that answers nothing.
    """

    templates: Callable[[], Sequence[tuple[int, str]]]
    chosen: Callable[[int], int | None]
    choose: Callable[[int, int, datetime], None]
    counts: Callable[[int], Counts]
    objections: Callable[[str, Mapping[str, Any], datetime], Counts]
    test: Callable[[int, str, str, datetime], None]


_sending: list[Sending] = []


def register(sending: Sending) -> None:
    if _sending:
        raise ValueError("somebody sends invitations already")
    _sending.append(sending)


def sending() -> Sending | None:
    return _sending[0] if _sending else None
