"""Reading JSON that marketers and other systems wrote: typed values, and every problem with its path."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

MOST = 10**9  # points, items or minor units in any one number


class Problem(NamedTuple):
    """What is wrong at `path` ("conditions.minimum"), as a sentence in the active language."""

    path: str
    sentence: str


class BadRule(Exception):
    """The definition says what no rule can say: `problems`."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{path}: {sentence}" for path, sentence in problems))
        self.problems = problems


class Word(str):
    """As it is compared; `written` as the shop writes it, for sentences."""

    __slots__ = ("written",)
    written: str


def words(values: Iterable[str]) -> frozenset[Word]:
    """Articles, categories and the like as they are compared."""
    return frozenset(_word(value) for value in values)


def _word(value: str) -> Word:
    word = Word(fold(value))
    word.written = value.strip()
    return word


@lru_cache(maxsize=10_000)
def fold(value: str) -> str:
    return value.strip().casefold()


class Reader:
    """Takes values out of mappings by their path; what is wrong is gathered in `problems`."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, path: str, sentence: str) -> None:
        self.problems.append(Problem(path, sentence))

    def part(self, told: Mapping[str, Any], name: str, known: tuple[str, ...] | None = None) -> Mapping[str, Any]:
        value = told.get(name) or {}
        if not isinstance(value, Mapping):
            self.wrong(name, _("This part of the rule cannot be read."))
            return {}
        if known is not None:
            self.unknown(value, name, known)
        return value

    def unknown(self, told: Mapping[str, Any], path: str, known: tuple[str, ...]) -> None:
        for name in told:
            if name not in known:
                self.wrong(f"{path}.{name}".lstrip("."), _("No rule can say this."))

    def choice(self, told: Mapping[str, Any], path: str, known: tuple[str, ...], default: str | None = None) -> str:
        value = told.get(_last(path)) or (known[0] if default is None else default)
        if value not in known:
            self.wrong(path, _("One of: %(known)s.") % {"known": ", ".join(known)})
            return known[0]
        return value

    def flag(self, told: Mapping[str, Any], path: str, default: bool) -> bool:
        value = told.get(_last(path), default)
        if not isinstance(value, bool):
            self.wrong(path, _("Yes or no."))
        return bool(value)

    def number(self, told: Mapping[str, Any], path: str, default: Any = None) -> Fraction:
        """Above 0, exact. A float is refused: it is not what was typed."""
        value = told.get(_last(path), default)
        try:
            if isinstance(value, bool | float) or not isinstance(value, str | int):
                raise ValueError
            number = Decimal(value)
            if not number.is_finite() or not 0 < number <= MOST or number.as_tuple().exponent < -9:  # type: ignore[operator]
                raise ValueError
        except (ValueError, InvalidOperation):
            self.wrong(path, _("A number above 0, with at most nine decimals."))
            return Fraction(0)
        return Fraction(number)

    def whole(self, told: Mapping[str, Any], path: str, *, least: int = 0, most: int = MOST) -> int | None:
        value = told.get(_last(path))
        if value is None:
            if path == "effect.points":
                self.wrong(path, _("How many?"))
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(path, _("A whole number from %(least)s to %(most)s.") % {"least": least, "most": most})
            return None
        return value

    def day(self, told: Mapping[str, Any], path: str) -> date | None:
        value = told.get(_last(path))
        if value in (None, ""):
            return None
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            self.wrong(path, _("A date, as 2026-12-31."))
            return None

    def listed(self, told: Mapping[str, Any], path: str) -> list[Any]:
        value = told.get(_last(path)) or []
        if not isinstance(value, list | tuple) or len(value) > 1000:
            self.wrong(path, _("A list of at most 1,000."))
            return []
        return list(value)

    def ids(self, told: Mapping[str, Any], path: str, least: int = 1) -> frozenset[int]:
        values = self.listed(told, path)
        if any(isinstance(value, bool) or not isinstance(value, int) or value < least for value in values):
            self.wrong(path, _("A list of whole numbers."))
            return frozenset()
        return frozenset(values)

    def texts(self, told: Mapping[str, Any], path: str) -> frozenset[str]:
        values = self.listed(told, path)
        if any(not isinstance(value, str) or not value.strip() or len(value) > 200 for value in values):
            self.wrong(path, _("A list of words."))
            return frozenset()
        return words(values)


def _last(path: str) -> str:
    return path.rpartition(".")[2]
