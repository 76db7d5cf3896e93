"""Telling another system: rows that wait, each with a key that stays the same however often it is tried."""

import hashlib
import hmac
import ipaddress
import json
import os
import socket
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.db import transaction

from campaigns.enums import Medium, Transport
from campaigns.models import JourneyCall, Sender

log = structlog.get_logger(__name__)
MOST, MAX_ATTEMPTS = 100, 8
LEASE = timedelta(minutes=5)


def pause(attempts: int) -> timedelta:
    """How long a call waits after its n-th attempt: 1 min, 4 min, 16 min, 64 min, then 6 h."""
    return min(timedelta(minutes=4 ** (attempts - 1)), timedelta(hours=6))


def body_of(call: JourneyCall) -> dict[str, Any]:
    """What is told: who by the card number, what, and where in which journey."""
    run = call.run
    return {
        "id": str(call.uid),
        "event": call.event,
        "member": run.member.card_number,
        "journey": run.journey_id,
        "step": call.step,
        "entered_at": run.entered_at.isoformat(),
    }


def signed(body: bytes, secret: str) -> str:
    """HMAC-SHA256 of the body, as hexadecimal digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_public(address: str) -> bool:
    """Whether an address is one of the open network: whoever may enter an address here may not reach into ours."""
    return ipaddress.ip_address(address).is_global


def make_calls(*, at: datetime, allowed: Callable[[str], bool] = is_public) -> int:
    """Makes the calls that are due; how many were answered well. An attempt counts before it is made."""
    target = Sender.objects.filter(channel=Medium.WEBHOOK, transport=Transport.HTTP).order_by("-is_default").first()
    if target is None or not target.url:
        return 0
    done = 0
    for call in _claim(at):
        body = json.dumps(body_of(call)).encode()
        error = _post(target, call, body, allowed)
        if error:
            over = call.attempts >= MAX_ATTEMPTS
            JourneyCall.objects.filter(pk=call.pk).update(
                error=error[:500], next_try_at=None if over else at + pause(call.attempts)
            )
            log.warning("journey's call failed", call=call.pk, error=error)
        else:
            JourneyCall.objects.filter(pk=call.pk).update(answered_at=at, next_try_at=None, error="")
            done += 1
    return done


@transaction.atomic
def _claim(at: datetime) -> list[JourneyCall]:
    due = JourneyCall.objects.filter(next_try_at__lte=at).order_by("next_try_at", "id")
    calls = list(due.select_for_update(skip_locked=True)[:MOST])
    for call in calls:
        call.attempts += 1
        call.next_try_at = at + LEASE
    JourneyCall.objects.bulk_update(calls, ["attempts", "next_try_at"])
    rows = JourneyCall.objects.select_related("run__member").in_bulk([call.pk for call in calls])
    return list(rows.values())


def _post(target: Sender, call: JourneyCall, body: bytes, allowed: Callable[[str], bool]) -> str:
    """What went wrong, in the words of the machine; empty where the answer was 2xx. Redirects are not followed."""
    url = urlsplit(target.url)
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(call.uid)}
    if secret := os.environ.get(target.signing_key) if target.signing_key else None:
        headers["X-Signature"] = f"sha256={signed(body, secret)}"
    if token := os.environ.get(target.token) if target.token else None:
        headers["Authorization"] = f"Bearer {token}"
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
        addresses = [entry[4][0] for entry in found]
        if not all(allowed(str(address)) for address in addresses):
            return "the address is not on the open network"
        # To the very address that was looked at: a name may mean another the next time it is asked.
        line = socket.create_connection((str(addresses[0]), port), timeout=target.timeout)
        with line:
            if url.scheme == "https":
                line = ssl.create_default_context().wrap_socket(line, server_hostname=url.hostname)
            way = (HTTPSConnection if url.scheme == "https" else HTTPConnection)(url.hostname or "", port)
            way.sock = line
            way.request("POST", url.path + (f"?{url.query}" if url.query else "") or "/", body, headers)
            answer = way.getresponse()
            answer.read(10_000)
            return "" if 200 <= answer.status < 300 else f"HTTP {answer.status}"
    except (OSError, HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
