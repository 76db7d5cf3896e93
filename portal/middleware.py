"""The member behind a request, and their language and time zone."""

from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from members.models import Member


class MemberMiddleware:
    """Gives `request.member` (None for staff and strangers) and speaks to members in their own language and time."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        member = Member.objects.filter(user=request.user).first() if request.user.is_authenticated else None
        request.member = member  # type: ignore[attr-defined]
        if member is None:
            return self.get_response(request)
        with timezone.override(ZoneInfo(member.time_zone)), translation.override(member.language):
            request.LANGUAGE_CODE = member.language  # type: ignore[attr-defined]
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", member.language)
            return response
