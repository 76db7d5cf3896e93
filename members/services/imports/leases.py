"""Who works on an import. A lease lapses by itself when its worker dies; another then goes on from the last chunk."""

from typing import Any
from uuid import UUID

from django.db import transaction

from common.sql import execute, fetch_all
from members.enums import ImportState
from members.import_problems import FileRefused
from members.models import PurchaseImport
from members.services.imports.tables import drop_tables

MINUTES = 1  # a dead worker's import goes on after that; each batch and chunk prolongs it
MAX_ATTEMPTS = 5  # claims without a chunk between them


class LeaseLost(Exception):
    """Another worker has the import now: this one must stop."""


class Cancelled(Exception):
    """Somebody asked to stop the import."""


_CLAIM = f"""
UPDATE members_purchaseimport
SET state = 'running', lease = gen_random_uuid(), lease_until = now() + interval '{MINUTES} minute',
    attempts = attempts + 1
WHERE id = %(id)s AND (state = 'queued' OR (state = 'running' AND coalesce(lease_until, now()) <= now()))
RETURNING lease
"""
_HOLD = f"""
UPDATE members_purchaseimport SET lease_until = now() + interval '{MINUTES} minute'
WHERE id = %(id)s AND lease = %(lease)s AND state = 'running'
RETURNING cancel_requested
"""


def claim(import_id: int) -> PurchaseImport | None:
    """Takes the import in hand; None where it is in another's, or finished."""
    if not fetch_all(_CLAIM, {"id": import_id}):
        return None
    return PurchaseImport.objects.get(pk=import_id)


def hold(import_id: int, lease: UUID | None) -> None:
    """Locks the import until the transaction ends, and prolongs the lease. LeaseLost; Cancelled."""
    if prolong(import_id, lease):
        raise Cancelled


def prolong(import_id: int, lease: UUID | None) -> bool:
    """Prolongs the lease; whether somebody asked to stop. LeaseLost."""
    rows = fetch_all(_HOLD, {"id": import_id, "lease": lease})
    if not rows:
        raise LeaseLost
    return rows[0][0]


def let_go(import_id: int, lease: UUID | None) -> None:
    """Gives the import back, so that the next worker need not wait for the lease to lapse."""
    PurchaseImport.objects.filter(pk=import_id, lease=lease).update(lease_until=None)


def refuse(import_id: int, lease: UUID | None, problem: FileRefused) -> None:
    """Ends an import whose file cannot come in."""
    end(import_id, lease, ImportState.FAILED, error=problem.code, error_params=problem.params)


@transaction.atomic
def end(import_id: int, lease: UUID | None, state: ImportState, **changes: Any) -> None:
    """Ends an import and throws away what it staged. LeaseLost."""
    fields = {"state": state, "lease": None, "lease_until": None, "staged": False, **changes}
    if not PurchaseImport.objects.filter(pk=import_id, lease=lease).update(**fields):
        raise LeaseLost
    drop_tables(import_id)
    execute("UPDATE members_purchaseimport SET finished_at = clock_timestamp() WHERE id = %s", [import_id])
