"""Who works on a job. A lease lapses by itself when its worker dies; another then goes on from the last chunk."""

from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from common.sql import execute, fetch_all
from members.enums import ImportState
from members.import_problems import FileRefused
from members.models.job import Job
from members.services.imports.tables import drop_tables

J = TypeVar("J", bound=Job)
MINUTES = 1  # a dead worker's job goes on after that; each batch and chunk prolongs it
MAX_ATTEMPTS = 5  # claims without a chunk between them


class LeaseLost(Exception):
    """Another worker has the job now: this one must stop."""


class Cancelled(Exception):
    """Somebody asked to stop the job."""


_CLAIM = f"""
UPDATE {{table}}
SET state = 'running', lease = gen_random_uuid(), lease_until = now() + interval '{MINUTES} minute',
    attempts = attempts + 1
WHERE id = %(id)s AND (state = 'queued' OR (state = 'running' AND coalesce(lease_until, now()) <= now()))
RETURNING lease
"""
_HOLD = f"""
UPDATE {{table}} SET lease_until = now() + interval '{MINUTES} minute'
WHERE id = %(id)s AND lease = %(lease)s AND state = 'running'
RETURNING cancel_requested
"""


def claim(model: type[J], job_id: int) -> J | None:
    """Takes the job in hand; None where it is in another's, or finished."""
    if not fetch_all(_CLAIM.format(table=model._meta.db_table), {"id": job_id}):
        return None
    return model._default_manager.get(pk=job_id)


def waiting(model: type[Job]) -> list[int]:
    """Jobs that wait for a worker, or whose worker died."""
    queued = Q(state=ImportState.QUEUED) | Q(state=ImportState.RUNNING, lease_until=None)
    lapsed = Q(state=ImportState.RUNNING, lease_until__lte=timezone.now())
    return list(model._default_manager.filter(queued | lapsed).order_by("pk").values_list("pk", flat=True))


def hold(job: Job) -> None:
    """Locks the job until the transaction ends, and prolongs the lease. LeaseLost; Cancelled."""
    if prolong(job):
        raise Cancelled


def prolong(job: Job) -> bool:
    """Prolongs the lease; whether somebody asked to stop. LeaseLost."""
    rows = fetch_all(_HOLD.format(table=job._meta.db_table), {"id": job.pk, "lease": job.lease})
    if not rows:
        raise LeaseLost
    return rows[0][0]


def let_go(job: Job) -> None:
    """Gives the job back, so that the next worker need not wait for the lease to lapse."""
    type(job)._default_manager.filter(pk=job.pk, lease=job.lease).update(lease_until=None)


def refuse(job: Job, problem: FileRefused) -> None:
    """Ends a job that cannot be done."""
    end(job, ImportState.FAILED, error=problem.code, error_params=problem.params)


@transaction.atomic
def end(job: Job, state: ImportState, **changes: Any) -> None:
    """Ends a job and throws away what it staged. LeaseLost."""
    fields = {"state": state, "lease": None, "lease_until": None, **changes}
    if hasattr(job, "staged"):
        fields["staged"] = False
    if not type(job)._default_manager.filter(pk=job.pk, lease=job.lease).update(**fields):
        raise LeaseLost
    drop_tables(job)
    execute(f"UPDATE {job._meta.db_table} SET finished_at = clock_timestamp() WHERE id = %s", [job.pk])
