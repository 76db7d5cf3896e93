"""What is answered where a call cannot be done: {"error": {"code", "message", "field"?}}, for programs and people."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic_core import to_json

JSON = "application/json"


class Refused(Exception):
    """A call that is not done. `code` is for programs and never changes, `message` is a sentence for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str | Promise,
        *,
        field: str | None = None,
        facts: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.field = status, code, message, field
        self.facts, self.headers = facts, headers or {}

    def told(self) -> dict[str, Any]:
        """The body of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": str(self.message)}
        if self.field:
            error["field"] = self.field
        if self.facts:
            error["facts"] = dict(self.facts)
        return {"error": error}

    def response(self) -> HttpResponse:
        return respond(self.status, self.told(), self.headers)


def respond(status: int, body: Any, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An answer in JSON, that nobody keeps on the way and no browser takes for a page."""
    response = HttpResponse(to_json(body, fallback=str), status=status, content_type=JSON, headers=headers)
    response["Content-Length"] = str(len(response.content))  # else the answer comes in chunks
    response["Cache-Control"] = "no-store"
    response["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    return response


def _sentence(error: Mapping[str, Any]) -> str:
    """What is wrong with a value, from pydantic's error of it (its `type` and `ctx`)."""
    kind, facts = error["type"], error.get("ctx") or {}
    match kind:
        case "missing":
            return _("This is needed.")
        case "extra_forbidden":
            return _("There is no such field.")
        case "string_too_long":
            n = facts["max_length"]
            return ngettext("At most %(n)d character.", "At most %(n)d characters.", n) % {"n": n}
        case "string_too_short":
            return _("This must not be empty.")
        case "string_type":
            return _("This must be a text.")
        case "too_long":
            n = facts["max_length"]
            return ngettext("At most %(n)d of these.", "At most %(n)d of these.", n) % {"n": n}
        case "too_short":
            n = facts["min_length"]
            return ngettext("At least %(n)d of these.", "At least %(n)d of these.", n) % {"n": n}
        case "int_type" | "int_from_float" | "int_parsing":
            return _("This must be a whole number.")
        case "greater_than_equal" | "greater_than":
            return _("This is too small.")
        case "less_than_equal" | "less_than":
            return _("This is too large.")
        case "bool_type" | "bool_parsing":
            return _("This must be true or false.")
        case "list_type" | "tuple_type":
            return _("This must be a list.")
        case "model_type" | "model_attributes_type" | "dict_type":
            return _("This must be an object.")
        case "literal_error" | "enum":
            return _("This must be one of %(choices)s.") % {"choices": facts["expected"]}
        case "value_error":
            return str(facts["error"])
        case _:
            return _("This cannot be read.")


def invalid(errors: Sequence[Mapping[str, Any]], *, drop: int = 0) -> Refused:
    """The first of pydantic's errors as an answer; `drop` leaves out what stands before the body's own fields."""
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"][drop:])
    return Refused(422, "invalid", _sentence(first), field=field or None)
