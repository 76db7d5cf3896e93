"""/api/v1/: the calls, their description, and a page to read it on."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from api.description import groups
from api.errors import Refused, invalid, respond
from api.middleware import refusal
from api.reading import JsonParser
from api.views import cases, coupons, events, members, purchases, redemptions, referrals, refunds, surveys

_ABOUT = """\
JSON in UTF-8. Amounts are decimal texts ("12.50"), points whole numbers, times RFC 3339.

Every POST has a `key` of yours: the same key with the same body gives the same answer for ever and never a second
effect; with another body it is refused with 409 and nothing is changed. So a call that was not answered may always be
sent again. Errors: {"error": {"code", "message", "field"?}}, the message in the language of Accept-Language."""


class _Api(NinjaAPI):
    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        """For calls that add headers to it. Ours answer with a response of their own, so that one serves all."""
        return _UNUSED


_UNUSED = HttpResponse()
api = _Api(
    title="Loyalty CRM",
    version="1",
    description=_ABOUT,
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
    parser=JsonParser(),
)


def _failed(request: HttpRequest, error: Any) -> HttpResponse:
    if isinstance(error, HttpError) and error.__cause__ is not None:  # what the parser says of a body
        error = error.__cause__
    if isinstance(error, ValidationError):
        # loc is ("body", name of the argument, field…) or ("path", field)
        return invalid(error.errors, drop=2 if error.errors[0]["loc"][0] == "body" else 1).response()
    return refusal(error).response()


for _kind in (Exception, HttpError, ValidationError, Http404, Refused):
    api.add_exception_handler(_kind, _failed)
for _calls in (members, purchases, refunds, redemptions, coupons, events, surveys, cases, referrals):
    api.add_router("", _calls.router)


def openapi(request: HttpRequest) -> HttpResponse:
    """The description of all calls, in OpenAPI 3.1. No key is needed to read it."""
    return respond(200, api.get_openapi_schema())


_STATUSES = (
    (200, _("Done, or known from before: the answer is the one that was given then.")),
    (201, _("Done for the first time.")),
    (400, _("The body cannot be read.")),
    (401, _("No key, or one that is not known or has been revoked.")),
    (403, _("The key may not do this.")),
    (404, _("There is no such call, member or purchase.")),
    (409, _("The key of the call was used with another body, or what it asks for clashes with what is there.")),
    (410, _("What was answered once is gone: the member has been erased.")),
    (413, _("The body is too large.")),
    (415, _("The body is not sent as JSON.")),
    (422, _("A value cannot be, or a rule forbids it: the message says which.")),
    (429, _("Too many calls: Retry-After says in how many seconds to try again.")),
    (503, _("Not now: send it again in a moment.")),
)


def docs(request: HttpRequest) -> HttpResponse:
    """The same to be read by people: no script, no request to anywhere."""
    context = {"groups": groups(api.get_openapi_schema()), "statuses": _STATUSES, "site_url": settings.SITE_URL}
    return render(request, "api/docs.html", context)


urlpatterns = [
    path("api/v1/docs", docs, name="api_docs"),
    path("api/v1/openapi.json", openapi, name="api_openapi"),
    path("api/v1/", include((api.urls[0], "api"))),
]
