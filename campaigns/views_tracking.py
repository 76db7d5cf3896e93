"""What mails ask for: their links and a picture. A GET writes here, and only here, that it was made: nothing of the
member's changes by it. No sign-in: the signed address says which mail."""

import base64

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.timezone import now
from django.utils.translation import get_language, override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from campaigns.services import tracking
from members.enums import Language

_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def _asked(request: HttpRequest) -> tracking.Request:
    address, behind = request.META.get("REMOTE_ADDR", ""), settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if behind and (told := request.headers.get("X-Forwarded-For")):
        address = told.split(",")[-behind:][0].strip()
    return tracking.Request(request.method or "", request.headers.get("User-Agent", ""), address)


@never_cache
@require_http_methods(["GET", "HEAD"])
def follow(request: HttpRequest, token: str, number: int, place: int = 0) -> HttpResponse:
    """Leads on to where the link was written to lead."""
    found = tracking.followed(token=token, number=number, place=place, request=_asked(request), at=now())
    if found is not None and found.url:
        answer: HttpResponse = HttpResponseRedirect(found.url)
    else:
        known = found.language if found is not None else ""
        with override(language := known if known in Language.values else get_language()):
            answer = render(request, "campaigns/lost_link.html", status=404)
            answer["Content-Language"] = language
    answer["Referrer-Policy"] = "no-referrer"  # the address names a mail
    answer["X-Robots-Tag"] = "noindex"
    return answer


@never_cache
@require_http_methods(["GET", "HEAD"])
def picture(request: HttpRequest, token: str) -> HttpResponse:
    """The picture that cannot be seen, whatever the token."""
    tracking.opened(token=token, request=_asked(request), at=now())
    return HttpResponse(_PIXEL, content_type="image/gif")
