"""Is it well? One address for load balancers, monitors and ./crm run."""

from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaigns.queries_delivery import senders_in_trouble, waits_since
from members.models import ChangedMember, PendingReaction

LATE = timedelta(minutes=5)


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """200 while the site can serve: `ok`, or `degraded` with the broker or the workers away, or a sender in trouble;
    503 without a database. `oldest_due_seconds`: how long the message has waited that is due longest."""
    checks, waits = {"database": _database(), "broker": _broker(), "workers": "unknown", "senders": "unknown"}, None
    if checks["database"] == "ok":
        checks["workers"] = _workers()
        checks["senders"] = "trouble" if senders_in_trouble() else "ok"
        waits = int(waits_since(timezone.now()).total_seconds())
    status = "ok" if set(checks.values()) == {"ok"} else "degraded" if checks["database"] == "ok" else "down"
    told = {"status": status, "checks": checks, "oldest_due_seconds": waits}
    return JsonResponse(told, status=503 if status == "down" else 200)


def _database() -> str:
    try:
        PendingReaction.objects.exists()
    except DatabaseError:
        return "down"
    return "ok"


def _broker() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            client.ping()
    except redis.RedisError:
        return "down"
    return "ok"


def _workers() -> str:
    since = timezone.now() - LATE
    reactions = PendingReaction.objects.filter(parked_at=None, attempts=0, due_at__lt=since)
    oldest = ChangedMember.objects.order_by("id").values_list("at", flat=True).first()
    return "late" if reactions.exists() or (oldest is not None and oldest < since) else "ok"
