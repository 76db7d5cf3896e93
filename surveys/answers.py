"""What was answered to a question, read and checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext

from surveys.definition import LONGEST_TEXT, Question
from surveys.enums import NUMERIC, SCALES, TEXTS, QuestionKind

OTHER = "other"  # the choice with words of one's own
LONGEST_OTHER = 200
MOST_NUMBER = Decimal(10) ** 12
_UNREADABLE = {n: None for n in range(32) if n not in (9, 10)} | {127: None}


class Refused(Exception):
    """The answer cannot be taken; the message says why, in the active language."""


@dataclass(frozen=True, slots=True)
class Given:
    """One answer. All empty: the question was passed over. `choices` are in the order given (a ranking's order is the
    answer); `rows` has the choice for each row of a table; `upload` names a file kept elsewhere."""

    number: Decimal | None = None
    choices: tuple[str, ...] = ()
    rows: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    day: date | None = None
    upload: int | None = None

    def __bool__(self) -> bool:
        return self != NOTHING


NOTHING = Given()


def clean(question: Question, raw: Any) -> Given:
    """Reads what JSON can hold: a number for scales, "a" or ["a", …] for choices, {"choice": "other", "text": "…"} with
    words of one's own, {"row": "a", …} for a table, "2026-05-12" for a date, true for a consent. Nothing, "" and empty
    lists pass the question over. Refused."""
    if isinstance(raw, Given):
        given = raw
    elif raw is None or raw == "" or raw == [] or raw == {} or question.kind == QuestionKind.STATEMENT:
        given = NOTHING
    else:
        given = _READERS[question.kind](question, raw)
    if question.required and not given and question.kind != QuestionKind.STATEMENT:
        raise Refused(gettext("Please answer this question."))
    return given


def _number(question: Question, raw: Any) -> Given:
    if isinstance(raw, bool) or not isinstance(raw, int | str | float | Decimal):
        raise Refused(gettext("Please give a number."))
    try:
        number = Decimal(str(raw).strip().replace(",", "."))
    except InvalidOperation:
        raise Refused(gettext("Please give a number.")) from None
    if not number.is_finite() or abs(number) > MOST_NUMBER:
        raise Refused(gettext("Please give a number."))
    low, high = SCALES.get(question.kind, (question.low, question.high))
    if question.kind == QuestionKind.STARS:
        high = question.high or high
    if (low is not None and number < low) or (high is not None and number > high):
        raise Refused(_between(low, high))
    whole = question.kind != QuestionKind.NUMBER
    if whole and (number != number.to_integral_value() or (number - (low or 0)) % question.step):
        raise Refused(gettext("Please choose one of the values shown."))
    if not whole and -int(number.as_tuple().exponent) > 6:
        raise Refused(gettext("Please give at most six decimals."))
    return Given(number=number)


def _between(low: int | None, high: int | None) -> str:
    if low is None:
        return gettext("Please give at most %(high)s.") % {"high": high}
    if high is None:
        return gettext("Please give at least %(low)s.") % {"low": low}
    return gettext("Please give a number from %(low)s to %(high)s.") % {"low": low, "high": high}


def _text(question: Question, raw: Any) -> Given:
    return Given(text=_words(raw, min(question.high or 10**9, LONGEST_TEXT[question.kind]), question.kind == "long"))


def _words(raw: Any, longest: int, lines: bool = False) -> str:
    if not isinstance(raw, str):
        raise Refused(gettext("Please write some words."))
    text = raw.replace("\r\n", "\n").translate(_UNREADABLE).strip()
    if not lines:
        text = " ".join(text.split())
    if len(text) > longest:
        raise Refused(
            gettext("Please write at most %(n)d characters; these are %(m)d.") % {"n": longest, "m": len(text)}
        )
    return text


def _choice(question: Question, raw: Any) -> tuple[str, str]:
    """The key, and the words of one's own."""
    text = ""
    if isinstance(raw, dict):
        raw, text = raw.get("choice"), _words(raw.get("text") or "", LONGEST_OTHER)
    if raw == OTHER and question.other:
        if not text:
            raise Refused(gettext("Please say what else."))
        return OTHER, text
    if not isinstance(raw, str) or question.choice(raw) is None:
        raise Refused(gettext("Please choose one of those shown."))
    return raw, ""


def _single(question: Question, raw: Any) -> Given:
    key, text = _choice(question, raw)
    return Given(choices=(key,), text=text)


def _several(question: Question, raw: Any) -> Given:
    if not isinstance(raw, list | tuple):
        raw = [raw]
    if len(raw) > len(question.choices) + 1:
        raise Refused(gettext("Please choose one of those shown."))
    read = [_choice(question, each) for each in raw]
    keys = [key for key, _ in read]
    if len(set(keys)) != len(keys):
        raise Refused(gettext("Please choose each only once."))
    if question.kind == QuestionKind.RANKING:
        if set(keys) != {choice.id for choice in question.choices}:
            raise Refused(gettext("Please put all of them in order."))
    elif question.low is not None and len(keys) < question.low:
        raise Refused(gettext("Please choose at least %(n)d.") % {"n": question.low})
    elif question.high is not None and len(keys) > question.high:
        raise Refused(gettext("Please choose at most %(n)d.") % {"n": question.high})
    if question.kind != QuestionKind.RANKING:  # the order of a list means nothing, so one set is one answer
        places = {choice.id: n for n, choice in enumerate(question.choices)}
        keys.sort(key=lambda key: places.get(key, len(places)))
    return Given(choices=tuple(keys), text=next((text for _, text in read if text), ""))


def _table(question: Question, raw: Any) -> Given:
    rows = {row.id for row in question.rows}
    if not isinstance(raw, dict) or not set(raw) <= rows:
        raise Refused(gettext("Please choose one of those shown."))
    told = {str(row): _choice(question, key)[0] for row, key in raw.items() if key not in (None, "")}
    if question.required and len(told) < len(rows):
        raise Refused(gettext("Please choose one in each row."))
    return Given(rows={row.id: told[row.id] for row in question.rows if row.id in told})


def _day(question: Question, raw: Any) -> Given:
    try:
        return Given(day=raw if isinstance(raw, date) else date.fromisoformat(str(raw)))
    except ValueError:
        raise Refused(gettext("Please give a day, such as 2026-05-12.")) from None


def _consent(question: Question, raw: Any) -> Given:
    if raw in (False, "off", "no"):
        if question.required:
            raise Refused(gettext("This needs your consent to go on."))
        return Given(choices=("no",))
    if raw in (True, "on", "yes"):
        return Given(choices=("yes",))
    raise Refused(gettext("Please choose one of those shown."))


def _photo(question: Question, raw: Any) -> Given:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise Refused(gettext("Please choose a picture."))
    return Given(upload=raw)


_READERS: dict[str, Callable[[Question, Any], Given]] = {
    **dict.fromkeys(NUMERIC, _number),
    **dict.fromkeys(TEXTS, _text),
    QuestionKind.SINGLE: _single,
    QuestionKind.PICTURE: _single,
    QuestionKind.MULTIPLE: _several,
    QuestionKind.RANKING: _several,
    QuestionKind.MATRIX: _table,
    QuestionKind.DATE: _day,
    QuestionKind.CONSENT: _consent,
    QuestionKind.PHOTO: _photo,
}
