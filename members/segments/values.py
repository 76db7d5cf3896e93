"""Values of a definition: read with care, and said in the active language."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal
from django.utils.translation import get_language, gettext, ngettext, to_locale

MOST_NUMBER = 10**12
MOST_DAYS = 3660
MOST_TEXT = 200
MOST_VALUES = 500
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)


class Refused(Exception):
    """A value that a leaf cannot have; `args[0]` is the sentence that says why, in the active language."""


def clean_text(raw: Any) -> str:
    """A text that can be compared; Refused."""
    if not isinstance(raw, str) or not raw.strip():
        raise Refused(gettext("Please enter a text."))
    if len(raw) > MOST_TEXT:
        raise Refused(gettext("This text is longer than %(most)d characters.") % {"most": MOST_TEXT})
    if "\0" in raw:
        raise Refused(gettext("This text holds a character that cannot be stored."))
    try:
        raw.encode()
    except UnicodeEncodeError as error:  # half a surrogate pair
        raise Refused(gettext("This text holds a character that cannot be stored.")) from error
    return raw.strip()


def clean_number(raw: Any, *, whole: bool = False, least: int = -MOST_NUMBER, most: int = MOST_NUMBER) -> Decimal:
    """A number from `least` to `most`; Refused."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal) or len(str(raw)) > 40:
        raise Refused(gettext("Please enter a number."))
    try:
        number = Decimal(str(raw).strip())
    except InvalidOperation as error:
        raise Refused(gettext("Please enter a number.")) from error
    if not number.is_finite() or not least <= number <= most or number.as_tuple().exponent < -9:  # type: ignore[operator]
        raise Refused(gettext("This number is out of range."))
    if whole and number != number.to_integral_value():
        raise Refused(gettext("Please enter a whole number."))
    return number


def clean_days(raw: Any) -> int:
    """A number of days; Refused."""
    return int(clean_number(raw, whole=True, least=0, most=MOST_DAYS))


def clean_day(raw: Any) -> date:
    """A day as YYYY-MM-DD; Refused."""
    try:
        day = date.fromisoformat(raw) if isinstance(raw, str) and len(raw) == 10 else None
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        raise Refused(gettext("Please enter a date as YYYY-MM-DD."))
    return day


def clean_list(raw: Any) -> list:
    """A list of one or more values; a single value is a list of one. Refused."""
    values = raw if isinstance(raw, list | tuple) else [raw]
    if not values or len(values) > MOST_VALUES:
        raise Refused(gettext("Please give 1 to %(most)d values.") % {"most": MOST_VALUES})
    return list(values)


def pair(raw: Any) -> list:
    """A list of two; Refused."""
    if not isinstance(raw, list | tuple) or len(raw) != 2:
        raise Refused(gettext("Please give two values, from and to."))
    return list(raw)


def clean_choices(raw: Any, known: dict[Any, str]) -> tuple:
    """Values that are all known; Refused. "7" stands for 7: forms send text."""
    by_text = {str(value): value for value in known}
    chosen = []
    for value in clean_list(raw):
        if isinstance(value, bool) or not isinstance(value, str | int) or str(value) not in by_text:
            shown = str(value)[:40] if isinstance(value, str | int) else "?"
            raise Refused(gettext("“%(value)s” is not there (any more).") % {"value": shown})
        chosen.append(by_text[str(value)])
    return tuple(dict.fromkeys(chosen))


def number_words(value: Decimal | int | float) -> str:
    """A number as the active language writes it, without idle zeros."""
    return format_decimal(value, format="#,##0.###", locale=to_locale(get_language() or "en"))


def day_words(day: date) -> str:
    """A day as the active language writes it: "May 3, 2026"."""
    return format_date(day, "medium", locale=to_locale(get_language() or "en"))


def or_words(values: Iterable[Any]) -> str:
    """A list in words: "a, b, or c". Long ones are cut short, with how many more there are."""
    return _listed(values, "or")


def and_words(values: Iterable[Any]) -> str:
    """A list in words: "a, b, and c"."""
    return _listed(values, "standard")


def _listed(values: Iterable[Any], style: str) -> str:
    said = [str(value) for value in values]
    if (more := len(said) - 10) > 0:
        said = [*said[:10], ngettext("%(n)d more", "%(n)d more", more) % {"n": more}]
    return format_list(said, style=style, locale=to_locale(get_language() or "en"))  # type: ignore[arg-type]


def quoted(text: Any) -> str:
    """A text that somebody typed, in quotation marks."""
    return gettext("“%(text)s”") % {"text": text}
