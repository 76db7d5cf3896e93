"""The API's own short way: it needs no session, no sign-in, no form's token, and so it pays for none."""

import logging
from datetime import datetime, timedelta, tzinfo
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.urls import ResolverMatch, get_resolver
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from api.errors import Refused
from members.queries import get_programme

ROOT = "/api/v1/"
PAGES = ("docs",)  # what people read is a page like any other
log = logging.getLogger(__name__)


def refusal(error: Exception) -> Refused:
    """What is answered to an exception that nothing else has turned into an answer; it is logged if it is our fault."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Http404):
        return Refused(404, "no_such_call", _("There is no such call."))
    if isinstance(error, RequestDataTooBig):
        return Refused(413, "too_large", _("This is too large. Please send less at once."))
    if isinstance(error, UnreadablePostError):
        return Refused(400, "bad_json", _("This is not JSON that can be read."))
    if isinstance(error, RecursionError):
        return Refused(400, "too_deep", _("This is nested too deeply."))
    if isinstance(error, OperationalError):
        # The database is away, or chose this transaction to end a deadlock: nothing was done, and the key makes it safe
        # to send the call again.
        log.warning("call not answered: %s", error)
        message = _("This cannot be answered right now. Please send it again in a moment.")
        return Refused(503, "try_again", message, headers={"Retry-After": "1"})
    log.error("call failed", exc_info=error)
    return Refused(500, "our_fault", _("This went wrong on our side. Nothing was changed."))


class ShopTime(tzinfo):
    """The programme's time zone, which is read only where a sentence tells a time: few calls' answers do."""

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(get_programme().time_zone)

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        return self.zone.utcoffset(at)

    def dst(self, at: datetime | None) -> timedelta | None:
        return self.zone.dst(at)

    def tzname(self, at: datetime | None) -> str | None:
        return self.zone.tzname(at)

    def fromutc(self, at: datetime) -> datetime:
        return self.zone.fromutc(at.replace(tzinfo=self.zone))

    def __str__(self) -> str:
        return str(self.zone)


@lru_cache(maxsize=256)
def _match(path: str) -> ResolverMatch:
    """Which call an address means: tills call few of them, again and again."""
    return get_resolver("api.urls").resolve(path)


class ApiMiddleware:
    """Answers what lies under ROOT before any other middleware is asked."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(ROOT) or path[len(ROOT) :].strip("/") in PAGES:
            return self.get_response(request)
        # The language of the call before, in this thread, is not this one's.
        translation.activate(translation.get_language_from_request(request))
        with timezone.override(ShopTime()):
            try:
                return self.answer(request)
            except Exception as error:
                return refusal(error).response()

    def answer(self, request: HttpRequest) -> HttpResponse:
        match = _match(request.path_info)
        response = match.func(request, *match.args, **match.kwargs)
        if response.status_code == 405:
            allow = {"Allow": response["Allow"]}
            raise Refused(405, "wrong_method", _("This address is not called this way."), headers=allow)
        return response
