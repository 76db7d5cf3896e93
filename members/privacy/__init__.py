"""What every app answers for when somebody asks for their data, or to be forgotten. docs/privacy.md.

An app calls `register_export`, `register_eraser` and `register_retention` from its `AppConfig.ready()`. What holds data
of members and stands in no export is declared with `exempt`, with the reason: tests/test_personal_data.py walks all
models and fails on what nobody answers for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a member's export. `rows(member_id)` gives what JSON can hold; `models` are the tables it tells of."""

    name: str
    label: Promise | str
    rows: Callable[[int], Any]
    models: tuple[str, ...]
    order: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Something that need not be kept for ever.

    `due(before)` counts what is older; `sample(before)` names a few, as sentences; `apply(before, limit)` deletes or
    anonymises up to `limit` of them and says how many, 0 when nothing is left. Nobody can ask for less than
    `least_days`.
    """

    subject: str
    label: Promise | str
    explanation: Promise | str
    default_days: int
    due: Callable[[datetime], int]
    sample: Callable[[datetime], list[str]]
    apply: Callable[[datetime, int], int]
    least_days: int = 7


_sections: dict[str, Section] = {}
_exempt: dict[str, Promise | str] = {}
_erasers: dict[str, Callable[[Sequence[int], datetime], None]] = {}
_retentions: dict[str, Retention] = {}


def register_export(
    section: str,
    label: Promise | str,
    rows: Callable[[int], Any],
    *,
    models: Iterable[str] = (),
    order: int = 100,
) -> None:
    """Adds a section to every member's export. `models` are labels ("members.Consent") of the tables it tells of."""
    if section in _sections:
        raise ValueError(f"export section {section} is registered twice")
    _sections[section] = Section(section, label, rows, tuple(models), order)


def exempt(model: str, reason: Promise | str) -> None:
    """Declares that a table with data of members ("members.Duplicate") stands in no export, and why."""
    _exempt[model] = reason


def export_sections() -> list[Section]:
    """All sections, in the order of the export."""
    return sorted(_sections.values(), key=lambda section: (section.order, section.name))


def exemptions() -> dict[str, Promise | str]:
    """Label of the table → why it is in no export."""
    return _exempt


def register_eraser(name: str, erase: Callable[[Sequence[int], datetime], None]) -> None:
    """Adds `erase(member_ids, at)`: takes out of the app's tables all that says who these members are.

    It runs within the transaction of the erasure, while the members' own rows still are as they were.
    """
    if name in _erasers:
        raise ValueError(f"eraser {name} is registered twice")
    _erasers[name] = erase


def erasers() -> list[Callable[[Sequence[int], datetime], None]]:
    """All erasers; those of higher apps first, for they may ask what the lower ones take away."""
    return list(reversed(_erasers.values()))


def register_retention(retention: Retention) -> None:
    """Adds something that a manager can give a time to (members.models.RetentionRule)."""
    if retention.subject in _retentions:
        raise ValueError(f"retention of {retention.subject} is registered twice")
    _retentions[retention.subject] = retention


def retentions() -> dict[str, Retention]:
    """All that can be given a time, by subject."""
    return _retentions
