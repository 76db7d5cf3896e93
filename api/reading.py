"""Bodies, read so that nothing strange gets further: no JSON, what PostgreSQL cannot hold, what is too deep."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.parser import Parser

from api.errors import Refused


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _check(value: Any) -> None:
    """A NUL has no place in PostgreSQL's text, half a surrogate pair has none in UTF-8."""
    if isinstance(value, str):
        if "\0" in value or (not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value)):
            raise Refused(400, "bad_text", _("The text holds a character that cannot be stored."))
    elif isinstance(value, dict):
        for name, part in value.items():
            _check(name)
            _check(part)
    elif isinstance(value, list):
        for part in value:
            _check(part)


class JsonParser(Parser):
    """Reads a body once and leaves it at `request.told`, for its fingerprint."""

    def parse_body(self, request: HttpRequest) -> Any:
        kind = request.content_type or ""
        if kind != "application/json":
            raise Refused(415, "not_json", _("Please send JSON: “Content-Type: application/json”."))
        raw = request.body
        try:
            told = json.loads(raw.decode(), parse_constant=_no_constant)
            if b"\\u" in raw:  # such characters come by an escape or not at all
                _check(told)
        except RecursionError:
            raise Refused(400, "too_deep", _("This is nested too deeply.")) from None
        except ValueError:  # and what derives from it: bad UTF-8, bad JSON, a number of thousands of digits
            raise Refused(400, "bad_json", _("This is not JSON that can be read.")) from None
        request.told = told  # type: ignore[attr-defined]
        return told
