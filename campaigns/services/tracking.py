"""Opens and clicks: the links that a mail holds, and each request for one of them, kept as it came.

A request is one statement. It changes nothing of the member's: it counts.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.utils.encoding import iri_to_uri
from django.utils.text import slugify
from liquid.exceptions import LiquidError

from campaigns import merge
from campaigns.content import places
from campaigns.content.links import TRAP, Measure, with_query
from campaigns.enums import CampaignPurpose, TrackKind
from campaigns.models import Campaign
from campaigns.services.verdicts import looks_like
from common.networks import network_of
from common.sql import fetch_all

_SALT, _DIGEST = b"campaigns.links", 9
_HOST = re.compile(r"https?://([^/{}?#\s<>\"']+)", re.IGNORECASE)


# --- the token of a message ----------------------------------------------------------------------------------------
def _digest(secret: str, number: bytes) -> bytes:
    key = hashlib.blake2b(secret.encode(), digest_size=32, person=_SALT).digest()
    return hashlib.blake2b(number, digest_size=_DIGEST, key=key, person=_SALT).digest()


def token_of(message_id: int) -> str:
    """What stands for a message in the addresses of its links: its number, signed."""
    number = message_id.to_bytes(6, "big")
    return base64.urlsafe_b64encode(number + _digest(settings.SECRET_KEY, number)).decode("ascii")


def read_token(token: str) -> int | None:
    """The message of a token; None where we did not sign it."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError:
        return None
    number, signature = raw[:6], raw[6:]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if len(raw) == 6 + _DIGEST and hmac.compare_digest(signature, _digest(secret, number)):
            return int.from_bytes(number, "big")
    return None


# --- what a mail says ----------------------------------------------------------------------------------------------
def measure_of(campaign: Campaign) -> Measure:
    """What is measured of a campaign's mails; nothing of service."""
    if campaign.purpose == CampaignPurpose.SERVICE:
        return Measure()
    return Measure(campaign.measure_clicks, campaign.measure_opens, utm=True)


def utm_of(kind: str, name: str, utm_campaign: str, medium: str) -> str:
    """The parameters by which web statistics know a campaign."""
    named = utm_campaign or slugify(name, allow_unicode=True) or kind
    return urlencode({"utm_source": "loyalty", "utm_medium": medium, "utm_campaign": named})


# --- a request -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for a link or a picture, and how. `address` is an IP address, of which only half is kept."""

    method: str
    agent: str
    address: str


@dataclass(frozen=True, slots=True)
class Found:
    """Where a link leads, for a reader of `language`. `url` is empty where the mail has no such link."""

    url: str
    language: str


_KEEP = """
WITH told AS MATERIALIZED (
    SELECT message.id, message.channel, message.language, link.id AS link_id, link.url, message."values",
           campaign.kind, campaign.name, campaign.utm_campaign, member.personalised AND member.erased_at IS NULL AS may,
           extract(epoch FROM %(at)s - coalesce(message.answered_at, message.sent_at, message.dot_at))::int AS after
    FROM campaigns_message AS message JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
    JOIN members_member AS member ON member.id = message.member_id
    LEFT JOIN campaigns_link AS link ON link.id = %(link)s
     AND (link.version_id = message.version_id OR link.campaign_id = message.campaign_id)
    WHERE message.id = %(message)s AND campaign.purpose <> 'service'
), put AS (
    INSERT INTO campaigns_trackevent (message_id, kind, link_id, at, minute, method, agent, network, after_seconds,
                                      looks)
    SELECT id, %(kind)s, link_id, %(at)s, %(minute)s, %(method)s, %(agent)s, %(network)s, after, %(looks)s
    FROM told WHERE may AND (%(kind)s <> 'click' OR link_id IS NOT NULL OR %(link)s IS NULL)
    ON CONFLICT (message_id, kind, link_id, minute, looks) DO UPDATE SET times = campaigns_trackevent.times + 1
)
SELECT channel, language, url, CASE WHEN url LIKE '%%{%%' THEN "values" END, kind, name, utm_campaign
FROM told
"""


def keep(
    *, message_id: int, kind: TrackKind, link_id: int | None, request: Request, at: datetime
) -> tuple[Any, ...] | None:
    """Writes a request down, unless its member does not want that. None where there is no such message."""
    rows = fetch_all(
        _KEEP,
        {
            "message": message_id,
            "kind": kind.value,
            "link": link_id,
            "at": at,
            "minute": at.replace(second=0, microsecond=0),
            "method": request.method[:8],
            "agent": request.agent.replace("\x00", "")[:200],
            "network": network_of(request.address),
            "looks": looks_like(request.method, request.agent, kind).value,
        },
    )
    return rows[0] if rows else None


def opened(*, token: str, request: Request, at: datetime) -> None:
    """The picture of a mail was asked for."""
    if message_id := read_token(token):
        keep(message_id=message_id, kind=TrackKind.OPEN, link_id=None, request=request, at=at)


def followed(*, token: str, number: int, place: int, request: Request, at: datetime) -> Found | None:
    """A link was asked for: where it leads. None where we sent no such mail."""
    message_id = read_token(token)
    if message_id is None:
        return None
    kind = TrackKind.TRAP if number == TRAP else TrackKind.CLICK
    told = keep(message_id=message_id, kind=kind, link_id=number or None, request=request, at=at)
    if told is None:
        return None
    channel, language, url, values, campaign, name, utm = told
    if kind is TrackKind.TRAP:
        return Found(settings.SITE_URL, language)
    if url is None:
        return Found("", language)
    target = _target(url, _read(values), place)
    return Found(with_query(target, utm_of(campaign, name, utm, channel)), language)


def _target(url: str, values: Mapping[str, Any], place: int) -> str:
    """Where a stored link leads one reader. What fields say can change the path, never the host."""
    address = places.address(url)
    if "{" not in address:
        return iri_to_uri(address)
    literal = _HOST.match(address)
    home = f"{literal[0]}/" if literal else settings.SITE_URL
    own = {"programme": {**values.get("programme", {}), "url": settings.SITE_URL}}
    # What is ours: whole addresses of this site, and numbers.
    ours = {name: said for name, said in values.items() if name.startswith(("cards_affordable", "survey"))}
    try:
        said = merge.environment.from_string(address).render(**_quoted(values) | own | ours, n=place)
    except LiquidError:  # what its fields said is no longer kept
        return home
    parts = urlsplit(iri_to_uri(" ".join(said.split())))
    return parts.geturl() if parts.scheme in ("http", "https") and parts.netloc == urlsplit(home).netloc else home


def _read(values: Any) -> dict[str, Any]:
    """A cursor of Django's hands JSON over as text."""
    return json.loads(values) if isinstance(values, str) else values or {}


def _quoted(values: Any) -> Any:
    """What fields say, fit to stand in an address."""
    if isinstance(values, dict):
        return {name: _quoted(value) for name, value in values.items()}
    return quote(values, safe="") if isinstance(values, str) else values
