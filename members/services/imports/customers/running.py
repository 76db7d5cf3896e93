"""Runs imports of customers: reads the file into the database, plans, then posts chunk by chunk; or takes one back.

Each chunk and the note of how far the import is are one transaction: whatever dies, the next worker goes on after the
last whole chunk. Described in docs/import.md.
"""

import time
from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F

from common.doorbell import ring
from common.sql import execute, lock
from members.enums import ImportState
from members.import_problems import FileRefused
from members.models import Attribute, CustomerImport
from members.queries import get_programme
from members.services.imports import leases
from members.services.imports.columns import Layout
from members.services.imports.customers import intake, posting, undo
from members.services.imports.customers.plan import make_plan
from members.services.imports.customers.rows import COLUMNS, RowReader
from members.services.imports.intake import go_on
from members.services.imports.staging import copy_rows
from members.services.imports.tables import drop_tables, is_staged, tables

log = structlog.get_logger(__name__)
CHUNK = 10_000  # rows of one transaction
TRIES = 3
RUN = "members.tasks.run_customer_import"
_ANALYZE = "ANALYZE members_member, members_identity, members_timelineevent, members_membertag, members_consent"
_CREATE = """
CREATE UNLOGGED TABLE {raw} (
    n int, number int, customer text, card text, email text, phone text, name text, language text, time_zone text,
    street text, postal_code text, city text, country text, birthday text, joined_at timestamptz, attributes jsonb,
    tags jsonb, consents jsonb, extras jsonb, faults jsonb
)
"""

Progress = Callable[[CustomerImport], None]


def start_customer_import(*, import_id: int, dry_run: bool, at: datetime) -> None:
    """Hands an import to a worker. `at` is the moment at which it counts. TooLate."""
    intake.make_ready(import_id=import_id, dry_run=dry_run, at=at)
    ring(RUN, import_id)


def undo_customer_import(*, import_id: int, at: datetime) -> None:
    """Lets a worker take back what an import did. TooLate."""
    intake.make_ready_to_undo(import_id=import_id, at=at)
    ring(RUN, import_id)


def resume_customer_import(*, import_id: int) -> None:
    """Lets a cancelled or failed import go on. TooLate."""
    go_on(import_id=import_id, model=CustomerImport)
    ring(RUN, import_id)


def resume_customer_imports() -> None:
    """Wakes a worker for every import that waits, or whose worker died."""
    for import_id in leases.waiting(CustomerImport):
        ring(RUN, import_id)


def run_customer_import(
    *, import_id: int, seconds: float | None = None, on_progress: Progress = lambda customer_import: None
) -> CustomerImport:
    """Takes an import as far as it goes, for about `seconds`, if given, before it lets the next worker go on.

    Does nothing where another worker has it or it has ended. A file that cannot come in ends as failed, with the
    reason. Any other error is raised; the import then goes on later, or is given up after a few attempts.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    i = leases.claim(CustomerImport, import_id)
    if i is None:
        return CustomerImport.objects.get(pk=import_id)
    try:
        _run(i, deadline, on_progress)
    except FileRefused as problem:
        leases.refuse(i, problem)
    except leases.Cancelled:
        leases.end(i, ImportState.CANCELLED)
    except KeyboardInterrupt:
        leases.end(i, ImportState.CANCELLED)
        raise
    except leases.LeaseLost:
        log.warning("another worker took the import over", customer_import=import_id)
    except Exception as error:
        log.exception("import stopped", customer_import=import_id, attempts=i.attempts)
        if i.attempts >= leases.MAX_ATTEMPTS:
            leases.refuse(i, FileRefused("unexpected", detail=str(error)[:500]))
        raise
    i.refresh_from_db()
    on_progress(i)
    return i


def _run(i: CustomerImport, deadline: float | None, on_progress: Progress) -> None:
    def progress() -> None:
        i.refresh_from_db()
        on_progress(i)

    step = _undo_chunk if i.undoing else _post_chunk
    if not i.undoing and not is_staged(i):
        if i.dry_run:
            intake.start_over(i)
        _stage(i, progress)
    while i.posted_rows < i.rows:
        step(i)
        progress()
        if i.created == CHUNK and not i.dry_run and not i.undoing:
            # After ten thousand rows the planner must know that these tables are no longer small.
            execute(_ANALYZE)
        if deadline is not None and time.monotonic() > deadline:
            leases.let_go(i)
            ring(RUN, i.pk)
            return
    leases.end(i, ImportState.DONE)


def _stage(i: CustomerImport, on_progress: Callable[[], None]) -> None:
    raw = tables(i)["raw"]
    with transaction.atomic():
        leases.hold(i)
        drop_tables(i)
        execute(_CREATE.format(raw=raw))
        CustomerImport.objects.filter(pk=i.pk).update(rows=0, read_bytes=0)
    reader = RowReader(i, new_option=_new_option(i) if i.new_options else None)
    copy = f"COPY {raw} ({', '.join(COLUMNS)}) FROM STDIN"
    copy_rows(i, Layout(**i.layout), copy, reader.line, get_programme().time_zone, on_progress)
    with transaction.atomic():
        leases.hold(i)
        make_plan(i, raw)
        CustomerImport.objects.filter(pk=i.pk).update(staged=True, attempts=0)
    on_progress()


def _new_option(i: CustomerImport) -> Callable[[Attribute, str], str]:
    """What makes an unknown choice of an attribute known. A dry run only pretends."""

    def add(attribute: Attribute, word: str) -> str:
        with transaction.atomic():
            fresh = attribute if i.dry_run else Attribute.objects.select_for_update().get(pk=attribute.pk)
            attribute.options = [*fresh.options, {"key": word[:80], "en": word[:80]}]
            if not i.dry_run:
                attribute.save(update_fields=["options"])
        return word[:80]

    return add


def _post_chunk(i: CustomerImport) -> None:
    for left in reversed(range(TRIES)):
        try:
            _post(i, again=left < TRIES - 1)
            return
        except (IntegrityError, OperationalError):
            # Somebody signed up, or waited for us and we for them: a second look finds it settled.
            if not left:
                raise


@transaction.atomic
def _post(i: CustomerImport, *, again: bool) -> None:
    leases.hold(i)
    after = i.posted_rows
    programme = get_programme()
    to = min(after + CHUNK, i.rows)
    chunk = posting.Chunk(i, after, to, language=programme.language, time_zone=programme.time_zone)
    if i.dry_run:
        counts = posting.count(chunk)
    else:
        lock("members.imports.customers")  # two files that tell of the same customers take turns
        if again:
            posting.look_again(chunk)
        counts = posting.post(chunk)
    problems, by_kind = posting.keep_problems(chunk, i.problems)
    if after + counts.created + counts.updated + counts.unchanged + counts.skipped + problems != chunk.to:
        raise RuntimeError(f"rows after {after} do not add up: {counts} + {problems}")
    kinds = {code: i.problem_counts.get(code, 0) + by_kind.get(code, 0) for code in {*i.problem_counts, *by_kind}}
    CustomerImport.objects.filter(pk=i.pk).update(
        posted_rows=chunk.to,
        attempts=0,
        created=F("created") + counts.created,
        updated=F("updated") + counts.updated,
        unchanged=F("unchanged") + counts.unchanged,
        skipped=F("skipped") + counts.skipped,
        problems=F("problems") + problems,
        problem_counts=kinds,
    )


@transaction.atomic
def _undo_chunk(i: CustomerImport) -> None:
    leases.hold(i)
    taken_back = undo.undo_chunk(i, most=CHUNK)
    CustomerImport.objects.filter(pk=i.pk).update(
        posted_rows=F("posted_rows") + taken_back.rows,
        attempts=0,
        removed=F("removed") + taken_back.removed,
        restored=F("restored") + taken_back.restored,
        kept=F("kept") + taken_back.kept,
    )
