"""Merge fields: what a text may say about its reader, in a small part of Liquid.

Apps register their fields in `AppConfig.ready()`. A resolver is asked once for a whole batch, never once a member.
Of Liquid there are conditions and harmless filters only: no loops, no includes, nothing that grows without bound.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from babel.core import Locale
from babel.dates import format_date
from babel.numbers import format_decimal
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, override, to_locale
from liquid import Environment, StrictUndefined
from liquid.exceptions import LiquidError, ResourceLimitError, UnknownFilterError

if TYPE_CHECKING:
    from members.models import Member

TAGS = ("content", "output", "illegal", "#", "comment", "if", "unless", "case", "assign")
FILTERS = (
    *("default", "capitalize", "upcase", "downcase", "strip", "append", "prepend", "truncate", "truncatewords", "size"),
    *("plus", "minus", "times", "divided_by", "modulo", "round", "ceil", "floor", "abs", "at_least", "at_most"),
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One reader, and what the message is about. `gift_expires_on` is the last day of the gift, None for never."""

    member: "Member"
    language: str
    at: datetime
    birthday: date
    gift_points: int = 0
    gift_expires_on: date | None = None
    coupon_id: int | None = None  # the coupon that comes with it; else the newest they can use
    invitation_id: int | None = None  # to the survey that it invites to


@dataclass(frozen=True, slots=True)
class Field:
    """How people call a merge field, and a value to show in its place."""

    label: Promise | str
    sample: Any


Resolver = Callable[[Sequence[Recipient]], Sequence[Mapping[str, Any]]]
FieldsOf = Callable[[], dict[str, Field]]
_spaces: dict[str, tuple[FieldsOf, Resolver]] = {}
_families: dict[str, Callable[..., Sequence[Mapping[str, Any]]]] = {}


class Number(int):
    """A whole number that reads as the active language writes it, and still compares as a number."""

    def __str__(self) -> str:
        return format_decimal(int(self), locale=_locale())


def day(value: date | None) -> str:
    """A day as the active language writes it; nothing for None."""
    return "" if value is None else _day(value, get_language() or "en")


@lru_cache(maxsize=512)  # a batch has many members and few days
def _day(value: date, language: str) -> str:
    return format_date(value, "long", locale=Locale.parse(to_locale(language)))


def _locale() -> Locale:
    return Locale.parse(to_locale(get_language() or "en"))


def register(space: str, fields: dict[str, Field] | FieldsOf, resolve: Resolver) -> None:
    """Adds the fields `space.name`. `resolve` gets recipients of one language, the active one, and answers in order.

    `fields` that come and go are a function, asked each time anew.
    """
    if space in _spaces:
        raise ValueError(f"merge fields {space}.* are registered twice")
    _spaces[space] = (fields if callable(fields) else lambda: fields, resolve)


def fields() -> dict[str, Field]:
    """All merge fields by their full name, e.g. `member.name`."""
    return {f"{space}.{name}": field for space, (known, _) in _spaces.items() for name, field in known().items()}


def register_family(prefix: str, resolve: Callable[[Sequence[Recipient], str], Sequence[Mapping[str, Any]]]) -> None:
    """Adds spaces that are made for one thing each, e.g. `offer_12`: `resolve` is told what stands behind the line."""
    if prefix in _families:
        raise ValueError(f"merge fields {prefix}_* are registered twice")
    _families[prefix] = resolve


def values(
    recipients: Sequence[Recipient], spaces: Collection[str] | None = None
) -> list[dict[str, Mapping[str, Any]]]:
    """What each recipient's fields say, in order: {"member": {"name": …}, …}. Only those spaces, where they are named;
    else all but families. Whole numbers, texts, yes or no, lists and mappings: fit to be kept as JSON (`revived`)."""
    asked = [(space, resolve) for space, (_, resolve) in _spaces.items() if spaces is None or space in spaces]
    for space in spaces or ():
        prefix, _line, what = space.partition("_")
        if space not in _spaces and prefix in _families:
            asked.append((space, partial(_families[prefix], what=what)))
    found: list[dict[str, Mapping[str, Any]]] = [{} for _ in recipients]
    for language in {recipient.language for recipient in recipients}:
        places = [place for place, recipient in enumerate(recipients) if recipient.language == language]
        with override(language):
            for space, resolve in asked:
                answers = resolve([recipients[place] for place in places])
                for place, answer in zip(places, answers, strict=True):
                    found[place][space] = answer
    return found


class Said(dict[str, Any]):
    """Values whose numbers read in the active language."""

    def __or__(self, more: Mapping[str, Any]) -> "Said":  # type: ignore[override]
        return Said({**self, **revived(more)})


def revived(values: Mapping[str, Any]) -> Said:
    """Values that were kept as JSON, so that numbers read in the active language again."""
    return values if isinstance(values, Said) else Said(_revived(values))


def _revived(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: value if type(value) is str else _revived(value) for name, value in values.items()}
    if isinstance(values, list):
        return [_revived(value) for value in values]
    return Number(values) if type(values) is int else values


def samples() -> dict[str, dict[str, Any]]:
    """Values to show where there is no recipient."""
    return {space: {name: field.sample for name, field in known().items()} for space, (known, _) in _spaces.items()}


class MergeEnvironment(Environment):
    """The part of Liquid that marketers may use. The result is plain text; whoever makes HTML of it escapes it."""

    output_stream_limit = 50_000
    local_namespace_limit = 10_000
    block_nesting_limit = 10
    context_depth_limit = 10
    loop_iteration_limit = 100

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined)
        self.tags = {name: self.tags[name] for name in TAGS}
        self.filters = {name: self.filters[name] for name in FILTERS}


environment = MergeEnvironment()


def problems(source: str) -> list[str]:
    """What is wrong with a text, as sentences that name the line. Nothing wrong: an empty list."""
    try:
        template = environment.from_string(source)
        found = template.analyze()
    except LiquidError as error:
        return _braces(source) or [_explain(error)]
    if wrong := _braces(source, readable=True):
        return wrong
    there_are = fields() if found.globals else {}  # which asks the database
    unknown = [
        (variable.span.line_col(source)[0], ".".join(str(segment) for segment in variable.segments))
        for variables in found.globals.values()
        for variable in variables
    ]
    sentences = [_unknown_field(line, path) for line, path in sorted(unknown) if path not in there_are]
    if not sentences:
        try:
            template.render(**(samples() if found.globals else {}))
        except LiquidError as error:
            return [_explain(error)]
    return sentences


_PAIRED = re.compile(r"\{\{[^{}]*\}\}|\{%[^{}%]*%\}")
_SINGLE = re.compile(r"\{\s*([a-z_]+\.[a-z_]+)\s*\}")


def _braces(source: str, *, readable: bool = False) -> list[str]:
    """Braces without their partner, which Liquid only calls unreadable; and, where the text can be read, fields in
    single braces, which it would print as they stand."""
    begun = gettext("Line %(line)d: %(open)s has no %(close)s after it. A field looks like this: %(example)s.")
    ended = gettext("Line %(line)d: %(close)s has no %(open)s before it. A field looks like this: %(example)s.")
    marks = {"{{": ("{{", "}}", begun), "}}": ("{{", "}}", ended), "{%": ("{%", "%}", begun), "%}": ("{%", "%}", ended)}
    single = gettext("Line %(line)d: a field stands between two braces on each side: %(example)s.")
    found = []
    rest = _PAIRED.sub(lambda pair: "\n" * pair[0].count("\n"), source)
    for number, line in enumerate(rest.splitlines(), 1):
        typed = _SINGLE.search(line)
        mark = next((mark for mark in marks if mark in line), "")
        if typed and typed[1] in fields():
            found.append(single % {"line": number, "example": f"{{{{ {typed[1]} }}}}"})
        elif mark and not readable:
            opening, closing, sentence = marks[mark]
            words = {"line": number, "open": opening, "close": closing, "example": "{{ member.name }}"}
            found.append(sentence % words)
    return found


def _unknown_field(line: int, path: str) -> str:
    close = get_close_matches(path, fields(), 1)
    if close:
        return gettext("Line %(line)d: there is no field “%(field)s”. Did you mean “%(close)s”?") % {
            "line": line,
            "field": path,
            "close": close[0],
        }
    return gettext("Line %(line)d: there is no field “%(field)s”.") % {"line": line, "field": path}


def _explain(error: LiquidError) -> str:
    context = error.context()
    if context is None or error.token is None:
        return gettext("A tag is left open: every {% if %} needs its {% endif %}.")
    line, _column, _before, text, _after = context
    if isinstance(error, ResourceLimitError):
        sentence = gettext("Line %(line)d would make a text without end.")
    elif isinstance(error, UnknownFilterError):
        sentence = gettext("Line %(line)d: there is no filter “%(word)s”.")
    elif error.token.kind == "tag":
        sentence = gettext("Line %(line)d: there is no tag “%(word)s” here.")
    else:
        sentence = gettext("Line %(line)d cannot be read: %(text)s")
    return sentence % {"line": line, "word": error.token.value, "text": text.strip()}
