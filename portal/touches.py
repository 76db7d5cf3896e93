"""What a browser remembers of the codes by which somebody came: signed, and only once they pressed "take the gift"."""

from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse

from portal.limits import address_of
from referrals.enums import ShareChannel, Source
from referrals.services import traces
from referrals.services.attribution import Came

COOKIE, DAYS, MOST = "came_by", 90, 5
BROWSER = "shares"  # set where somebody shares their link: who joins in the same browser is looked at
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


def note(request: HttpRequest, response: HttpResponse, *, member_id: int, at: datetime) -> None:
    """Keeps, as keyed hashes, the network and the browser in which a member shares their link or joins by one."""
    browser = request.COOKIES.get(BROWSER, "")[:64]
    if not browser:
        browser = token_urlsafe(16)
        response.set_cookie(
            BROWSER, browser, max_age=DAYS * 24 * 3600, secure=settings.SESSION_COOKIE_SECURE, httponly=True,
            samesite="Lax",
        )  # fmt: skip
    address = address_of(request)
    traces.note(member_id=member_id, seen={"network": address, "browser": browser}, at=at)
