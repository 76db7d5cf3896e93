"""Which columns an export of members can have. Each app registers its own in its AppConfig.ready(): docs/export.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

Rows = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Source:
    """Columns that are read together.

    `columns()` gives key → heading, in the active language; `rows(member_ids, keys)` the values by member and key, in a
    fixed number of queries. What is missing is an empty cell.
    """

    name: str
    label: Promise | str
    columns: Callable[[], Mapping[str, Promise | str]]
    rows: Callable[[Sequence[int], Sequence[str]], Rows]
    order: int
    chosen: bool


_sources: dict[str, Source] = {}


def register_columns(
    name: str,
    label: Promise | str,
    columns: Callable[[], Mapping[str, Promise | str]],
    rows: Callable[[Sequence[int], Sequence[str]], Rows],
    *,
    order: int = 100,
    chosen: bool = False,
) -> None:
    """Adds columns to exports; `chosen` ones are ticked until somebody says otherwise."""
    if name in _sources:
        raise ValueError(f"export columns {name} are registered twice")
    _sources[name] = Source(name, label, columns, rows, order, chosen)


def sources() -> list[Source]:
    """All sources, in the order in which a person sees them."""
    return sorted(_sources.values(), key=lambda source: (source.order, source.name))


def headings() -> dict[str, str]:
    """Key → heading of every column, in the active language and in order."""
    return {key: str(label) for source in sources() for key, label in source.columns().items()}
