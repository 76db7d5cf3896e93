"""Telling another system: rows that wait, each with a key that stays the same however often it is tried."""

from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any

import structlog
from django.db import transaction

from campaigns.channels import Fate, Refusal
from campaigns.channels.http import HttpLine
from campaigns.enums import Medium, Transport
from campaigns.models import JourneyCall, Sender
from common.sql import fetch_prepared

log = structlog.get_logger(__name__)
MOST, MAX_ATTEMPTS = 100, 8
LEASE = timedelta(minutes=5)


_DUE = "SELECT 1 FROM campaigns_journeycall WHERE next_try_at <= %(at)s LIMIT 1"


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


def make_calls(*, at: datetime) -> int:
    """Makes the calls that are due; how many were answered well. An attempt counts before it is made."""
    if not fetch_prepared(_DUE, {"at": at}):  # most looks end here
        return 0
    target = Sender.objects.filter(channel=Medium.WEBHOOK, transport=Transport.HTTP).order_by("-is_default").first()
    if target is None or target.paused_at:
        return 0
    done, line = 0, HttpLine(target)
    for call in _claim(at):
        try:
            line.open()
            line.call(str(call.uid), body_of(call))
        except (Refusal, OSError, HTTPException, ValueError) as error:
            text = str(error) if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
            never = isinstance(error, Refusal) and error.fate is Fate.NEVER
            over = never or call.attempts >= MAX_ATTEMPTS
            JourneyCall.objects.filter(pk=call.pk).update(
                error=text[:500], next_try_at=None if over else at + pause(call.attempts)
            )
            log.warning("journey's call failed", call=call.pk, error=text)
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
