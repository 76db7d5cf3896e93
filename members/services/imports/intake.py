"""An import before and after its run: the upload, the choice of columns, waiting, cancelling."""

from codecs import BOM_UTF16_BE
from datetime import datetime
from typing import Any

from django.core.files import File
from django.db import transaction

from members.enums import ImportState
from members.import_problems import FileRefused
from members.models import ImportProblem, PurchaseImport
from members.models.file_import import FileImport
from members.models.job import Job
from members.queries import get_programme
from members.services.imports.columns import Layout, Look, check, look_at, propose_formats
from members.services.imports.reading import WORKBOOK
from members.services.imports.staging import bytes_of, raw_file

_COUNTS = ("read_bytes", "rows", "posted_rows", "purchases", "members", "repeats", "problems", "points")


class TooLate(Exception):
    """The import waits, runs, or has brought purchases in: it can no longer be changed."""


def create_import(
    *, file: File, name: str, source: str, at: datetime, actor_id: int | None = None, most_mb: int | None = None
) -> tuple[PurchaseImport, Look]:
    """Keeps an uploaded file, with columns and formats as proposed from what is in it.

    FileRefused, or ValidationError by field: nothing is kept.
    """
    if most_mb is not None and (file.size or 0) > most_mb * 1_000_000:
        raise FileRefused("too_large", most=most_mb)
    look = look_at(bytes_of(file))
    programme = get_programme()
    purchase_import = PurchaseImport(
        name=name[:200],
        source=source,
        mapping=look.mapping,
        layout=look.layout.as_json(),
        currency=programme.currency,
        time_zone=programme.time_zone,
        state=ImportState.DRAFT,
        as_of=at,
        total_bytes=file.size or 0,
        created_by_id=actor_id,
    )
    purchase_import.clean_fields(exclude=["file"])
    file.seek(0)
    purchase_import.file.save(f"{at:%Y%m%d-%H%M%S}.csv", file, save=False)
    purchase_import.save()
    return purchase_import, look


def look_into(purchase_import: PurchaseImport, **chosen: Any) -> Look:
    """A look into the stored file; `chosen` are encoding, delimiter and header, by default as decided. FileRefused."""
    layout = Layout(**purchase_import.layout)
    given = {"encoding": layout.encoding, "delimiter": layout.delimiter, "header": layout.header}
    with raw_file(purchase_import) as file:
        return look_at(file, **{**given, **chosen})


def ends_open(purchase_import: FileImport) -> str:
    """The last line of the file where no line break ends it, else nothing."""
    encoding = purchase_import.layout["encoding"]
    if encoding == WORKBOOK:
        return ""
    with raw_file(purchase_import) as file:
        if encoding == "utf-16":
            encoding = "utf-16-be" if file.read(2) == BOM_UTF16_BE else "utf-16-le"
        file.seek(max(0, purchase_import.total_bytes - 2000))
        tail = file.read().decode(encoding, errors="ignore")
    return "" if tail.endswith(("\n", "\r")) else tail.splitlines()[-1].replace("\0", "").strip()


def read_anew(*, import_id: int, encoding: str, delimiter: str, header: bool) -> PurchaseImport:
    """Reads the file in another way; columns and formats are proposed anew. FileRefused; TooLate."""
    with transaction.atomic():
        purchase_import = _changeable(import_id)
        look = look_into(purchase_import, encoding=encoding, delimiter=delimiter, header=header)
        purchase_import.layout, purchase_import.mapping = look.layout.as_json(), look.mapping
        purchase_import.save()
        return purchase_import


def set_columns(
    *,
    import_id: int,
    mapping: dict[str, int],
    source: str,
    currency: str,
    time_zone: str,
    with_points: bool,
    date_order: str | None = None,
    decimal_mark: str | None = None,
    last_row_whole: bool = True,
) -> PurchaseImport:
    """Decides how the file is read. What is not given is proposed from the file; FileRefused where that is in doubt.

    TooLate; ValidationError by field for a currency or time zone that is none.
    """
    with transaction.atomic():
        purchase_import = _changeable(import_id)
        look = look_into(purchase_import)
        look.mapping = mapping
        propose_formats(look)
        layout = look.layout
        layout.date_order = date_order or layout.date_order
        layout.decimal_mark = decimal_mark or layout.decimal_mark
        layout.last_row_whole = last_row_whole
        purchase_import.layout, purchase_import.mapping = layout.as_json(), mapping
        purchase_import.source, purchase_import.currency = source.strip(), currency
        purchase_import.time_zone, purchase_import.with_points = time_zone, with_points
        purchase_import.state = ImportState.DRAFT
        check(layout, mapping, look)
        purchase_import.clean_fields(exclude=["file"])
        purchase_import.save()
        return purchase_import


def make_ready(*, import_id: int, dry_run: bool, at: datetime) -> None:
    """Lets the import wait for a worker, all counts at zero. A dry run may be followed by the real one. TooLate."""
    with transaction.atomic():
        purchase_import = _changeable(import_id)
        ImportProblem.objects.filter(purchase_import=purchase_import).delete()
        for field in (*_COUNTS, "attempts"):
            setattr(purchase_import, field, 0)
        purchase_import.state, purchase_import.dry_run, purchase_import.as_of = ImportState.QUEUED, dry_run, at
        purchase_import.cancel_requested = purchase_import.staged = False
        purchase_import.error, purchase_import.error_params = "", {}
        purchase_import.finished_at = purchase_import.lease_until = None
        purchase_import.save()


def start_over(purchase_import: PurchaseImport) -> None:
    """Sets all counts back to zero: a dry run that lost its tables has nothing else to lose."""
    ImportProblem.objects.filter(purchase_import=purchase_import).delete()
    PurchaseImport.objects.filter(pk=purchase_import.pk).update(**dict.fromkeys(_COUNTS, 0))
    purchase_import.refresh_from_db()


def discard(*, import_id: int) -> None:
    """Throws an import away, file and all, before it has brought anything in. TooLate."""
    with transaction.atomic():
        purchase_import = _changeable(import_id)
        purchase_import.delete()
        transaction.on_commit(lambda: purchase_import.file.delete(save=False))


def go_on(*, import_id: int, model: type[Job] = PurchaseImport) -> None:
    """Lets a cancelled or failed job wait again, to go on where it stopped. TooLate where it has not stopped."""
    stopped = model._default_manager.filter(pk=import_id, state__in=(ImportState.CANCELLED, ImportState.FAILED))
    if not stopped.update(
        state=ImportState.QUEUED, cancel_requested=False, error="", error_params={}, finished_at=None, attempts=0
    ):
        raise TooLate


def request_cancel(*, import_id: int, at: datetime, model: type[Job] = PurchaseImport) -> None:
    """Stops a job before its next chunk. What is in stays in. TooLate where it has ended."""
    mine = model._default_manager.filter(pk=import_id)
    waiting = mine.filter(state__in=(ImportState.DRAFT, ImportState.QUEUED))
    if waiting.update(state=ImportState.CANCELLED, finished_at=at):
        return
    if not mine.filter(state=ImportState.RUNNING).update(cancel_requested=True):
        raise TooLate


def dismiss(*, import_id: int, at: datetime, model: type[FileImport] = PurchaseImport) -> None:
    """Notes that the bad rows of an import, or its failure, need no more attention."""
    model._default_manager.filter(pk=import_id, dismissed_at=None).update(dismissed_at=at)


def _changeable(import_id: int) -> PurchaseImport:
    purchase_import = PurchaseImport.objects.select_for_update().get(pk=import_id)
    if purchase_import.is_open or (purchase_import.purchases and not purchase_import.dry_run):
        raise TooLate
    return purchase_import
