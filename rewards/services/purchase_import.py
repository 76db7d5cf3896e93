"""Runs imports of purchases: reads the file into the database, then posts it chunk by chunk, with points.

Each chunk and the note of how far the import is are one transaction: whatever dies, the next worker goes on after the
last whole chunk. Described in docs/import.md.
"""

import gc
import time
from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F

from common.doorbell import ring
from common.sql import execute
from members.enums import ImportState
from members.import_problems import FileRefused
from members.models import PurchaseImport
from members.services.imports import chunks, go_on, leases, make_ready
from members.services.imports.chunks import Chunk
from members.services.imports.intake import start_over
from members.services.imports.staging import stage
from members.services.imports.tables import is_staged
from rewards.services.purchases import award_purchases, foresee_points
from rewards.services.tiers import reassess

log = structlog.get_logger(__name__)
CHUNK = 10_000  # rows of one transaction: tills wait for the wallets of so many
REASSESS = 5_000  # members of one transaction
TRIES = 3
MANY = 1_000
# After many rows the planner must know that these tables are no longer small, or it joins row by row.
_ANALYZE = """
ANALYZE members_member, members_identity, members_purchase, members_timelineevent, rewards_account, rewards_transfer,
        rewards_lot, rewards_membertier
"""
RUN = "rewards.tasks.run_import"

Progress = Callable[[PurchaseImport], None]


def start_import(*, import_id: int, dry_run: bool, at: datetime) -> None:
    """Hands an import to a worker. `at` is the moment at which it counts. TooLate."""
    make_ready(import_id=import_id, dry_run=dry_run, at=at)
    ring(RUN, import_id)


def resume_import(*, import_id: int) -> None:
    """Lets a cancelled or failed import go on. TooLate."""
    go_on(import_id=import_id)
    ring(RUN, import_id)


def resume_imports() -> None:
    """Wakes a worker for every import that waits, or whose worker died."""
    for import_id in leases.waiting(PurchaseImport):
        ring(RUN, import_id)


def run_import(
    *, import_id: int, seconds: float | None = None, on_progress: Progress = lambda purchase_import: None
) -> PurchaseImport:
    """Takes an import as far as it goes, for about `seconds`, if given, before it lets the next worker go on.

    Does nothing where another worker has it or it has ended. A file that cannot come in ends as failed, with the
    reason. Any other error is raised; the import then goes on later, or is given up after a few attempts.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    purchase_import = leases.claim(PurchaseImport, import_id)
    if purchase_import is None:
        return PurchaseImport.objects.get(pk=import_id)
    try:
        _run(purchase_import, deadline, on_progress)
    except FileRefused as problem:
        leases.refuse(purchase_import, problem)
    except leases.Cancelled:
        _end(purchase_import, ImportState.CANCELLED)
    except KeyboardInterrupt:
        _end(purchase_import, ImportState.CANCELLED)
        raise
    except leases.LeaseLost:
        log.warning("another worker took the import over", purchase_import=import_id)
    except Exception as error:
        log.exception("import stopped", purchase_import=import_id, attempts=purchase_import.attempts)
        if purchase_import.attempts >= leases.MAX_ATTEMPTS:
            _reassess(purchase_import)  # what came in counts for tiers, and stays
            leases.refuse(purchase_import, FileRefused("unexpected", detail=str(error)[:500]))
        raise
    purchase_import.refresh_from_db()
    on_progress(purchase_import)
    return purchase_import


def _run(purchase_import: PurchaseImport, deadline: float | None, on_progress: Progress) -> None:
    def progress() -> None:
        purchase_import.refresh_from_db()
        on_progress(purchase_import)

    if not is_staged(purchase_import):
        if purchase_import.dry_run:
            start_over(purchase_import)
        stage(purchase_import, progress)
    while purchase_import.posted_rows < purchase_import.rows:
        _post_chunk(purchase_import)
        progress()
        if purchase_import.purchases == CHUNK and not purchase_import.dry_run:
            execute(_ANALYZE)
        if deadline is not None and time.monotonic() > deadline:
            leases.let_go(purchase_import)
            ring(RUN, purchase_import.pk)
            return
    _end(purchase_import, ImportState.DONE)


def _post_chunk(purchase_import: PurchaseImport) -> None:
    gc.disable()  # a chunk makes many objects and no cycles: to look for some took a third of Python's time
    try:
        for left in reversed(range(TRIES)):
            try:
                _post(purchase_import)
                return
            except (IntegrityError, OperationalError):
                # A customer signed up, or a till had to wait for us and we for it: a second look finds it settled.
                if not left:
                    raise
    finally:
        gc.enable()


@transaction.atomic
def _post(purchase_import: PurchaseImport) -> None:
    leases.hold(purchase_import)
    after = purchase_import.posted_rows
    chunk = Chunk(purchase_import, after, min(after + CHUNK, purchase_import.rows))
    points = 0
    if purchase_import.dry_run:
        members = chunks.count_newcomers(chunk)
        problems, repeats = chunks.settle(chunk, [], purchase_import.problems)
        purchases = chunk.to - after - problems - repeats
        if purchase_import.with_points:
            select, params = chunks.new_purchases(chunk)
            points = foresee_points(select=select, params=params)
    else:
        chunks.queue_up()
        members = chunks.welcome(chunk)
        new_ids = chunks.record(chunk)
        problems, repeats = chunks.settle(chunk, new_ids, purchase_import.problems)
        purchases = len(new_ids)
        if after + purchases + problems + repeats != chunk.to:
            raise RuntimeError(f"rows after {after} do not add up: {purchases} + {problems} + {repeats}")
        if purchase_import.with_points:
            points = award_purchases(purchase_ids=new_ids, at=purchase_import.as_of)
    PurchaseImport.objects.filter(pk=purchase_import.pk).update(
        posted_rows=chunk.to,
        attempts=0,
        members=F("members") + members,
        purchases=F("purchases") + purchases,
        repeats=F("repeats") + repeats,
        problems=F("problems") + problems,
        points=F("points") + points,
    )


def _end(purchase_import: PurchaseImport, state: ImportState) -> None:
    _reassess(purchase_import)
    leases.end(purchase_import, state)


def _reassess(purchase_import: PurchaseImport) -> None:
    """Assesses the tiers of all who are in the import."""
    purchase_import.refresh_from_db()
    if purchase_import.purchases and purchase_import.with_points and not purchase_import.dry_run:
        if purchase_import.purchases > MANY:
            execute(_ANALYZE)
        last = 0
        while members := chunks.touched_members(purchase_import, last, REASSESS):
            reassess(at=purchase_import.as_of, member_ids=members)
            leases.prolong(purchase_import)
            last = members[-1]
