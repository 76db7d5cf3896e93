"""What a browser remembers of the codes by which somebody came: signed, and only once they pressed "take the gift"."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse

from referrals.enums import ShareChannel, Source
from referrals.services.attribution import Came

COOKIE, DAYS, MOST = "came_by", 90, 5
_signer = TimestampSigner(salt="portal.touches")


def read(request: HttpRequest) -> list[Came]:
    """The codes that this browser came by, oldest first. What is altered, or too old, is nothing."""
    try:
        raw: list[Any] = _signer.unsign_object(request.COOKIES.get(COOKIE, ""), max_age=DAYS * 24 * 3600)
    except BadSignature:
        return []
    return [Came(code, Source.LINK, datetime.fromtimestamp(at, UTC), channel) for code, channel, at in raw]


def remember(request: HttpRequest, response: HttpResponse, *, code: str, channel: str, at: datetime) -> None:
    """Adds a code; the same code counts from the first time it was taken."""
    known = [came for came in read(request) if came.code != code][-(MOST - 1) :]
    same = next((came for came in read(request) if came.code == code), None)
    all_of_them = [*known, same or Came(code, Source.LINK, at, channel)]
    raw = [[came.code, came.channel, int(came.at.timestamp())] for came in all_of_them]
    response.set_cookie(
        COOKIE,
        _signer.sign_object(raw),
        max_age=DAYS * 24 * 3600,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def forget(response: HttpResponse) -> None:
    response.delete_cookie(COOKIE, samesite="Lax")


def channel_of(raw: str) -> str:
    """A channel as a link names it; "" for none of ours."""
    return raw if raw in ShareChannel.values else ""
