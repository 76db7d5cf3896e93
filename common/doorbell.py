"""Waking a worker. The work itself is in a table, where a tick of the beat finds it even if nobody hears the bell."""

from time import monotonic

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)
_rung: dict[str, float] = {}


def _lately(task: str, every: float) -> bool:
    return bool(every) and monotonic() - _rung.get(task, -every) < every


def ring(task: str, *args, every: float = 0) -> None:
    """Sends a task after the commit. A broker that is down is logged in a line and costs nothing but time.

    The task is named ("members.tasks.run_reactions"), because tasks import services and not the other way.
    With `every`, this process rings for it once in so many seconds at most: one answer serves many calls. And a
    transaction rings once for the same, however often it is asked to.
    """
    if _lately(task, every):
        return
    bell = (task, args)
    if any(getattr(hook[1], "bell", None) == bell for hook in transaction.get_connection().run_on_commit):
        return

    def send() -> None:
        if _lately(task, every):  # meanwhile
            return
        _rung[task] = monotonic()
        try:
            current_app.send_task(task, args)
        except OperationalError as error:
            log.warning("broker is away", task=task, error=str(error))

    send.bell = bell  # type: ignore[attr-defined]
    transaction.on_commit(send, robust=True)
