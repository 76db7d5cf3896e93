"""From the file into the database: batches of rows by COPY into the import's own table, then the plan.

What is staged can be made again from the file at any time, so a half-filled table is thrown away and filled anew.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.db import connection, transaction

from common.sql import execute
from members.enums import DateOrder, DecimalMark
from members.import_problems import FileRefused
from members.models import PurchaseImport
from members.models.file_import import FileImport
from members.services.imports.cells import RowReader
from members.services.imports.columns import Layout
from members.services.imports.leases import hold
from members.services.imports.plan import make_plan
from members.services.imports.reading import Row, read_rows
from members.services.imports.tables import drop_tables, tables

BATCH = 20_000  # rows of one COPY, and so of one step of the progress bar


@contextmanager
def raw_file(purchase_import: FileImport) -> Iterator[IO[bytes]]:
    """The stored file, as bytes. FileRefused where it is gone."""
    try:
        stored = purchase_import.file.open("rb")
    except (OSError, ValueError) as error:
        raise FileRefused("file_gone") from error
    try:
        yield bytes_of(stored)
    finally:
        stored.close()


def bytes_of(file: File) -> IO[bytes]:
    """The innermost file: what Django wraps around it does not count where it stands."""
    inner: Any = file
    while isinstance(inner, File):
        inner = inner.file
    return inner


def stage(purchase_import: PurchaseImport, on_progress: Callable[[], None] = lambda: None) -> None:
    """Reads the file into the tables. FileRefused; LeaseLost; Cancelled."""
    import_id = purchase_import.pk
    names = tables(purchase_import)
    with transaction.atomic():
        hold(purchase_import)
        drop_tables(purchase_import)
        execute(_CREATE.format(**names))
        _note(import_id, rows=0, read_bytes=0)
    layout = Layout(**purchase_import.layout)
    reader = RowReader(
        mapping=purchase_import.mapping,
        width=len(layout.columns),
        order=DateOrder(layout.date_order or ""),
        mark=DecimalMark(layout.decimal_mark or ""),
        last_row_whole=layout.last_row_whole,
        currency=purchase_import.currency,
        time_zone=purchase_import.time_zone,
        as_of=purchase_import.as_of,
        region=settings.PHONENUMBER_DEFAULT_REGION,
    )
    copy = f"COPY {names['row']} ({', '.join(reader.columns)}) FROM STDIN"
    copy_rows(purchase_import, layout, copy, reader.line, purchase_import.time_zone, on_progress)
    with transaction.atomic():
        hold(purchase_import)
        make_plan(purchase_import)
        _note(import_id, staged=True, attempts=0)
    on_progress()


def copy_rows(
    i: FileImport,
    layout: Layout,
    copy: str,
    line: Callable[[int, Row], str],
    time_zone: str,
    on_progress: Callable[[], None],
) -> None:
    """Reads the file, and copies a line for each row into a table, by batches. FileRefused; LeaseLost; Cancelled."""
    with raw_file(i) as file:
        rows = read_rows(file, layout.encoding, layout.delimiter)
        if layout.header:
            next(rows, None)
        numbered, count = enumerate(rows, 1), 0
        while lines := [line(n, row) for n, row in islice(numbered, BATCH)]:
            count += len(lines)
            with transaction.atomic():
                hold(i)
                _copy(copy, "".join(lines), time_zone)
                type(i)._default_manager.filter(pk=i.pk).update(rows=count, read_bytes=file.tell())
            on_progress()
    if not count:
        raise FileRefused("no_rows")


def _note(import_id: int, **progress: int | bool) -> None:
    PurchaseImport.objects.filter(pk=import_id).update(**progress)


def _copy(statement: str, lines: str, time_zone: str) -> None:
    with connection.cursor() as cursor:
        # Moments without an offset are those of the import's time zone. Django reads all others in its own.
        cursor.execute(_TIME_ZONE, [time_zone])
        with cursor.copy(statement) as copy:
            copy.write(lines)
        cursor.execute(_TIME_ZONE, [connection.timezone_name])


_TIME_ZONE = "SELECT set_config('TimeZone', %s, true)"
_CREATE = """
CREATE UNLOGGED TABLE {row} (
    n int, number int, kind text, ref text, customer text, card text, email text, phone text, name text,
    purchased_at timestamptz, currency text, key text, store text, channel text, product text, category text,
    brand text, quantity numeric, amount bigint, problem text, params jsonb, others jsonb
)
"""
