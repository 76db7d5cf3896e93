"""What the calls share."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from ninja import Router

from api.auth import ApiKey
from api.enums import Scope
from api.errors import Refused, respond
from api.queries import find_members, finding, read_ref
from api.schemas import Error
from api.services.answers import Done, KeyReused, MemberErased, once, once_new
from api.services.keys import Caller
from common.money import minor_digits, to_minor
from common.sql import Params

PROBLEMS = dict.fromkeys((400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 503), Error)


def call(
    router: Router,
    method: str,
    path: str,
    scope: Scope,
    response: dict[int, Any],
    *,
    lately: bool = False,
    **options: Any,
) -> Callable:
    """Declares a call: its scope stands in the description, the errors that all share in the answers. For `lately` see
    ApiKey."""
    extra, auth = {"x-scope": scope.value}, ApiKey(scope, lately=lately)
    return router.api_operation(
        [method], path, auth=auth, response={**response, **PROBLEMS}, openapi_extra=extra, **options
    )


def caller(request: HttpRequest) -> Caller:
    return request.auth  # type: ignore[attr-defined]


def rfc3339(at: datetime | None) -> str | None:
    """A moment in UTC: "2026-05-12T07:30:00Z"."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def member_of(request: HttpRequest, ref: str) -> int:
    """The member that a caller means."""
    found = read_ref(ref, caller(request).source)
    member_id = find_members([found]).get(found) if found else None
    if member_id is None:
        raise unknown_member()
    return member_id


def finding_of(request: HttpRequest, ref: str) -> tuple[str, Params]:
    """The statement that finds them, see `finding`."""
    found = read_ref(ref, caller(request).source)
    if found is None:
        raise unknown_member()
    return finding(found)


def unknown_member() -> Refused:
    return Refused(404, "no_such_member", _("There is no such member."), field="member")


def key_reused() -> Refused:
    return Refused(
        409, "key_reused", _("This key was used for a call with another body. Nothing was changed."), field="key"
    )


def member_erased() -> Refused:
    return Refused(410, "member_erased", _("The member has been erased, and what was answered with them."))


def answer_once(
    request: HttpRequest, name: str, key: str, act: Callable[..., Done], *, body: Any = None, new: bool = False
) -> HttpResponse:
    """Does the call, or says what was answered when it was done. With `new` it is taken for new, see once_new."""
    told = request.told if body is None else body  # type: ignore[attr-defined]
    try:
        done = (once_new if new else once)(call=name, source=caller(request).source, key=key, body=told, act=act)
    except KeyReused:
        raise key_reused() from None
    except MemberErased:
        raise member_erased() from None
    return respond(done.status, done.body)


def from_validation(error: ValidationError) -> Refused:
    """A service's refusal of a value. What belongs to another is `taken`."""
    if hasattr(error, "error_dict"):
        field, errors = next(iter(error.error_dict.items()))
        first = errors[0]
    else:
        field, first = NON_FIELD_ERRORS, error.error_list[0]
    code = "taken" if first.code == "taken" else "invalid"
    return Refused(422, code, first.messages[0], field=None if field == NON_FIELD_ERRORS else field)


def guessers(request: HttpRequest, refs: Sequence[str | None]) -> list[str]:
    """Whose guesses of coupon codes are counted together: those of the member who is named; else, where nobody is or
    nobody is found, of all on the key. So no visitor of a web shop keeps the others from their codes."""
    all_, source = f"key:{caller(request).key_id}", caller(request).source
    read = [read_ref(ref, source) if ref else None for ref in refs]
    found = find_members([one for one in read if one]) if any(read) else {}
    return [f"{all_}:{found[one]}" if one in found else all_ for one in read]


def too_many_guesses(seconds: int) -> Refused:
    text = ngettext(
        "Too many codes that there are not. Please try again in %(n)d second.",
        "Too many codes that there are not. Please try again in %(n)d seconds.",
        seconds,
    )
    return Refused(429, "too_many_guesses", text % {"n": seconds}, headers={"Retry-After": str(seconds)})


AHEAD = timedelta(hours=24)  # clocks and time zones of tills are wrong now and then


def not_in_future(told: datetime | None, at: datetime) -> datetime:
    """When it happened: as told, or now. A clock that is some hours ahead means now; one that is far off is told so."""
    if told is None:
        return at
    if told > at + AHEAD:
        message = _("This lies in the future. Please check the clock: here it is %(now)s.") % {"now": rfc3339(at)}
        raise Refused(422, "in_future", message, field="at", facts={"now": rfc3339(at)})
    return min(told, at)


def to_minor_or_refuse(amount: Decimal, currency: str, field: str) -> int:
    """An amount in minor units."""
    try:
        return to_minor(amount, currency)
    except ValueError:
        n = minor_digits(currency)
        text = ngettext(
            "%(currency)s has %(n)d decimal place at most.", "%(currency)s has %(n)d decimal places at most.", n
        )
        raise Refused(422, "too_many_decimals", text % {"currency": currency, "n": n}, field=field) from None
