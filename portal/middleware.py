"""The member behind a request, and their time zone."""

from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone


class MemberMiddleware:
    """Gives `request.member` (None for staff and strangers) and speaks of times in the member's own zone."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        request.member = getattr(user, "member", None) if user.is_authenticated else None  # type: ignore[attr-defined]
        if request.member is None:  # type: ignore[attr-defined]
            return self.get_response(request)
        with timezone.override(ZoneInfo(request.member.time_zone)):  # type: ignore[attr-defined]
            return self.get_response(request)
