"""What every response and every staff request must meet."""

from zoneinfo import ZoneInfo

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from members.queries import get_programme


class NulMiddleware:
    """Refuses the one character that PostgreSQL cannot hold, before a filter asks for it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "%00" in request.META.get("QUERY_STRING", "") or "\0" in request.path:
            return HttpResponseBadRequest("Bad request", content_type="text/plain")
        return self.get_response(request)


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """Strict everywhere; the admin alone may evaluate script and style inline, which Alpine inside unfold needs."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path.startswith(reverse("admin:index")):
            response._csp_update = {  # type: ignore[attr-defined]
                "script-src": [SELF, UNSAFE_EVAL],
                "style-src": [SELF, UNSAFE_INLINE],
            }
        return super().process_response(request, response)


def is_staff_page(request: HttpRequest) -> bool:
    """Of the admin or the till."""
    return request.path.startswith((reverse("admin:index"), reverse("till:start")))


class StaffSecondFactorMiddleware:
    """Where the setting asks for it, staff set up a second factor before they may use the admin or the till."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.REQUIRE_STAFF_MFA and request.user.is_authenticated and request.user.is_staff:
            from allauth.mfa.utils import is_mfa_enabled

            if is_staff_page(request) and not is_mfa_enabled(request.user):
                return redirect("mfa_index")
        return self.get_response(request)


class ShopTimeMiddleware:
    """Staff see and state times as the clocks in the shop show them."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_staff_page(request):
            return self.get_response(request)
        with timezone.override(ZoneInfo(get_programme().time_zone)):
            return self.get_response(request)


class WrongMethodMiddleware:
    """A page that is only posted to, opened from the address bar: the framework's answer is an empty sheet."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 405 or response.content:
            return response
        page = render(request, "405.html", {"at_till": is_staff_page(request)}, status=405)
        page["Allow"] = response["Allow"]
        return page
