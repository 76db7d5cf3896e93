"""Files of members, written behind: asked for, written by a worker, kept for some days. docs/export.md."""

import csv
import io
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from typing import IO, Any

import structlog
from django.core.files import File
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from common.cells import plain_cell
from common.doorbell import ring
from common.sql import execute, fetch_all
from members.enums import AccessAction, ExportFormat, ImportState
from members.exporting import headings, sources
from members.import_problems import FileRefused
from members.models import PRESENT, ExportJob, Member
from members.queries import get_programme
from members.services.access import log_access
from members.services.imports import leases
from members.services.imports.intake import request_cancel
from members.services.imports.tables import exists, tables

log = structlog.get_logger(__name__)
RUN = "members.tasks.run_export"
BATCH = 2_000  # members of one round of queries
KEPT_DAYS = 7
MOST_XLSX = 1_048_575  # rows of a sheet, without the headings


class TooManyForSheet(Exception):
    """More members than a sheet of Excel has rows; `args[0]` is how many."""


@transaction.atomic
def create_export(
    *,
    members: QuerySet[Member],
    name: str,
    columns: Sequence[str],
    file_format: ExportFormat | str,
    language: str,
    at: datetime,
    actor_id: int | None = None,
) -> ExportJob:
    """Asks for a file of these members, as they are now; who is merged or erased is left out.

    `name` says which list it was. TooManyForSheet; ValueError for a column that there is not.
    """
    if unknown := set(columns) - headings().keys():
        raise ValueError(f"no such columns: {', '.join(sorted(unknown))}")
    job = ExportJob.objects.create(
        name=name[:200],
        columns=list(columns),
        format=file_format,
        language=language,
        created_by_id=actor_id,
        created_at=at,
    )
    table = tables(job)["member"]
    select, params = members.filter(PRESENT).order_by().values("pk").query.sql_with_params()
    job.rows = execute(
        f"CREATE UNLOGGED TABLE {table} AS SELECT row_number() OVER (ORDER BY id) AS n, id"
        f" FROM (SELECT DISTINCT found.id FROM ({select}) AS found (id)) AS found",
        params,
    )
    if file_format == ExportFormat.XLSX and job.rows > MOST_XLSX:
        raise TooManyForSheet(job.rows)
    execute(f"CREATE UNIQUE INDEX ON {table} (n)")
    job.save(update_fields=["rows"])
    log_access(
        actor_id=actor_id, action=AccessAction.EXPORTED, what=f"members as {file_format}", members=job.rows, at=at
    )
    ring(RUN, job.pk)
    return job


def cancel_export(*, export_id: int, at: datetime) -> None:
    """Stops an export. TooLate where it has ended."""
    request_cancel(import_id=export_id, at=at, model=ExportJob)


def note_download(*, export_id: int, at: datetime, actor_id: int | None) -> ExportJob:
    """The export, once it stands in the log who took it along. ExportJob.DoesNotExist where there is no file."""
    job = ExportJob.objects.exclude(file="").get(pk=export_id, state=ImportState.DONE)
    what = f"members as {job.format}"
    log_access(actor_id=actor_id, action=AccessAction.DOWNLOADED, what=what, members=job.rows, at=at)
    return job


def resume_exports() -> None:
    """Wakes a worker for every export that waits, or whose worker died."""
    for export_id in leases.waiting(ExportJob):
        ring(RUN, export_id)


def delete_expired(*, at: datetime) -> int:
    """Throws away files whose days are over; how many."""
    over = list(ExportJob.objects.filter(expires_at__lte=at).exclude(file=""))
    for job in over:
        job.file.delete(save=False)
        ExportJob.objects.filter(pk=job.pk).update(file="")
    return len(over)


def run_export(*, export_id: int) -> ExportJob:
    """Writes the file. Does nothing where another worker is at it or it is done; what was half written is written
    anew. An error that was not foreseen is raised, and after a few attempts the export is given up."""
    job = leases.claim(ExportJob, export_id)
    if job is None:
        return ExportJob.objects.get(pk=export_id)
    try:
        with translation.override(job.language), timezone.override(get_programme().time_zone):
            _write(job)
    except FileRefused as problem:
        leases.refuse(job, problem)
    except leases.Cancelled:
        leases.end(job, ImportState.CANCELLED)
    except leases.LeaseLost:
        log.warning("another worker took the export over", export=export_id)
    except Exception as error:
        log.exception("export stopped", export=export_id, attempts=job.attempts)
        if job.attempts >= leases.MAX_ATTEMPTS:
            leases.refuse(job, FileRefused("unexpected", detail=str(error)[:500]))
        raise
    job.refresh_from_db()
    return job


def _write(job: ExportJob) -> None:
    table = tables(job)["member"]
    if not exists(table) or fetch_all(f"SELECT count(*) FROM {table}") != [(job.rows,)]:
        raise FileRefused("list_gone")
    ExportJob.objects.filter(pk=job.pk).update(written=0)
    with tempfile.TemporaryFile() as file:
        write = _write_xlsx if job.format == ExportFormat.XLSX else _write_csv
        names = headings()
        write(file, [names[key] for key in job.columns], _rows(job, table))
        file.seek(0)
        done = timezone.now()
        name = job.file.storage.save(f"exports/{done:%Y/%m}/members-{job.pk}.{job.format}", File(file))
    try:
        leases.end(job, ImportState.DONE, file=name, expires_at=done + timedelta(days=KEPT_DAYS))
    except leases.LeaseLost:
        job.file.storage.delete(name)
        raise


def _rows(job: ExportJob, table: str) -> Iterator[list[Any]]:
    used = [(source, [key for key in source.columns() if key in job.columns]) for source in sources()]
    used = [(source, keys) for source, keys in used if keys]
    told = time.monotonic()
    for after in range(0, job.rows, BATCH):
        ids = [row[0] for row in fetch_all(f"SELECT id FROM {table} WHERE n > %s AND n <= %s ORDER BY n",
                                           [after, after + BATCH])]  # fmt: skip
        found = [source.rows(ids, keys) for source, keys in used]
        # Who was erased since stays out.
        present = set(Member.objects.filter(PRESENT, pk__in=ids).values_list("pk", flat=True))
        for pk in ids:
            if pk in present:
                values: dict[str, Any] = {}
                for rows in found:
                    values |= rows.get(pk, {})
                yield [values.get(key) for key in job.columns]
        if time.monotonic() - told > 1 or after + BATCH >= job.rows:
            told = time.monotonic()
            if leases.prolong(job):
                raise leases.Cancelled
            ExportJob.objects.filter(pk=job.pk).update(written=min(after + BATCH, job.rows))


def _write_csv(file: IO[bytes], header: list[str], rows: Iterator[list[Any]]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # Excel knows Chinese by the byte order mark
    writer = csv.writer(text)
    writer.writerow(map(plain_cell, header))
    writer.writerows([_csv_cell(value) for value in row] for row in rows)
    text.flush()
    text.detach()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "" if value is None else plain_cell(value)


def _write_xlsx(file: IO[bytes], header: list[str], rows: Iterator[list[Any]]) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in chain([header], rows):
        sheet.append([_xlsx_cell(sheet, value) for value in row])
    book.save(file)


def _xlsx_cell(sheet: Any, value: Any) -> Any:
    if isinstance(value, date):
        cell = WriteOnlyCell(sheet, value)
        cell.number_format = "yyyy-mm-dd hh:mm" if isinstance(value, datetime) else "yyyy-mm-dd"
        return cell
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("", value)
        if plain_cell(value) != value:
            # A text is never run here; marked as one, it stays a text for who edits the cell.
            cell = WriteOnlyCell(sheet, value)
            cell.data_type, cell.quotePrefix = "s", True
            return cell
    return value
