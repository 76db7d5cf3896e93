"""An import of customers before and after its run: the upload, the choices, waiting, throwing away, taking back."""

from datetime import date, datetime
from typing import Any

from django.core.files import File
from django.db import transaction

from members.enums import ImportState
from members.import_problems import FileRefused
from members.models import CustomerImport, CustomerProblem
from members.queries import get_programme
from members.services.imports.cells import Bad
from members.services.imports.columns import Layout, Look
from members.services.imports.customers.fields import check, look_at, propose_formats, propose_key
from members.services.imports.customers.rows import RowReader, Values
from members.services.imports.intake import TooLate
from members.services.imports.reading import WORKBOOK, Row
from members.services.imports.staging import bytes_of, raw_file
from members.validators import time_zones

COUNTS = ("read_bytes", "rows", "posted_rows", "created", "updated", "unchanged", "skipped", "problems")


def create_customer_import(
    *, file: File, name: str, source: str, at: datetime, actor_id: int | None = None, most_mb: int | None = None
) -> tuple[CustomerImport, Look]:
    """Keeps an uploaded file, with columns, formats and key as proposed from what is in it.

    FileRefused, or ValidationError by field: nothing is kept.
    """
    if most_mb is not None and (file.size or 0) > most_mb * 1_000_000:
        raise FileRefused("too_large", most=most_mb)
    look = look_at(bytes_of(file))
    i = CustomerImport(
        name=name[:200],
        source=source.strip(),
        mapping=look.mapping,
        layout=look.layout.as_json(),
        key=propose_key(look.mapping),
        state=ImportState.DRAFT,
        as_of=at,
        total_bytes=file.size or 0,
        created_by_id=actor_id,
    )
    i.clean_fields(exclude=["file"])
    file.seek(0)
    ending = "xlsx" if look.layout.encoding == WORKBOOK else "csv"
    i.file.save(f"{at:%Y%m%d-%H%M%S}-customers.{ending}", file, save=False)
    i.save()
    return i, look


def look_into(i: CustomerImport, **chosen: Any) -> Look:
    """A look into the stored file; `chosen` are encoding, delimiter and header, by default as decided. FileRefused."""
    layout = Layout(**i.layout)
    given = {"encoding": layout.encoding, "delimiter": layout.delimiter, "header": layout.header}
    with raw_file(i) as file:
        return look_at(file, **{**given, **chosen})


def read_anew(*, import_id: int, encoding: str, delimiter: str, header: bool) -> CustomerImport:
    """Reads the file in another way; columns and formats are proposed anew. FileRefused; TooLate."""
    with transaction.atomic():
        i = _changeable(import_id)
        look = look_into(i, encoding=encoding, delimiter=delimiter, header=header)
        i.layout, i.mapping, i.key = look.layout.as_json(), look.mapping, propose_key(look.mapping)
        i.save()
        return i


def set_choices(
    *,
    import_id: int,
    mapping: dict[str, int],
    source: str,
    key: str,
    mode: str,
    clear_empty: bool = False,
    new_options: bool = False,
    consent_on: date | None = None,
    consent_source: str = "",
    consent_evidence: str = "",
    phone_country: str | None = None,
    date_order: str | None = None,
    decimal_mark: str | None = None,
    last_row_whole: bool = True,
) -> CustomerImport:
    """Decides how the file is read and what it may do. FileRefused where something is in doubt; TooLate."""
    with transaction.atomic():
        i = _changeable(import_id)
        look = _decide(
            i,
            mapping=mapping,
            source=source,
            key=key,
            mode=mode,
            clear_empty=clear_empty,
            new_options=new_options,
            fixed=_fixed(consent_on, consent_source, consent_evidence, phone_country),
            date_order=date_order,
            decimal_mark=decimal_mark,
            last_row_whole=last_row_whole,
        )
        i.state = ImportState.DRAFT
        check(layout=look.layout, mapping=mapping, key=key, mode=mode, fixed=i.fixed, look=look)
        i.clean_fields(exclude=["file"])
        i.save()
        return i


def _decide(
    i: CustomerImport,
    *,
    mapping: dict[str, int],
    date_order: str | None,
    decimal_mark: str | None,
    last_row_whole: bool,
    **chosen: Any,
) -> Look:
    look = look_into(i)
    look.mapping = mapping
    propose_formats(look)
    look.layout.date_order = date_order or look.layout.date_order
    look.layout.decimal_mark = decimal_mark or look.layout.decimal_mark
    look.layout.last_row_whole = last_row_whole
    i.layout, i.mapping = look.layout.as_json(), mapping
    for name, value in chosen.items():
        setattr(i, name, value)
    return look


def _fixed(consent_on: date | None, source: str, evidence: str, phone_country: str | None) -> dict[str, str]:
    found = {"consent_source": source.strip()[:40], "consent_evidence": evidence.strip()[:200]}
    if consent_on is not None:
        # Midday, so that it is this day in every time zone that matters.
        zone = get_programme().time_zone
        found["consent_on"] = f"{consent_on.isoformat()} 12:00:00" if zone in time_zones() else consent_on.isoformat()
    found = {name: value for name, value in found.items() if value}
    return found if phone_country is None else {**found, "phone_country": phone_country}  # "": none, whatever is set up


def preview(
    *,
    import_id: int,
    rows: int,
    consent_on: date | None = None,
    consent_source: str = "",
    consent_evidence: str = "",
    phone_country: str | None = None,
    **chosen: Any,
) -> list[tuple[Row, Values, list[Bad]]]:
    """The first rows as they would be understood with these choices; nothing is saved. FileRefused."""
    i = CustomerImport.objects.get(pk=import_id)
    look = _decide(i, fixed=_fixed(consent_on, consent_source, consent_evidence, phone_country), **chosen)
    if i.key not in i.mapping:
        raise FileRefused("columns_missing", fields=[i.key])
    reader = RowReader(i, new_option=(lambda attribute, word: word) if i.new_options else None)
    return [(row, *reader.understand(row)) for row in look.rows[:rows]]


def make_ready(*, import_id: int, dry_run: bool, at: datetime) -> None:
    """Lets the import wait for a worker, all counts at zero. A dry run may be followed by the real one. TooLate."""
    with transaction.atomic():
        i = _changeable(import_id)
        CustomerProblem.objects.filter(customer_import=i).delete()
        for field in (*COUNTS, "attempts"):
            setattr(i, field, 0)
        i.problem_counts = {}
        i.state, i.dry_run, i.as_of = ImportState.QUEUED, dry_run, at
        i.cancel_requested = i.staged = False
        i.error, i.error_params = "", {}
        i.finished_at = i.lease_until = i.dismissed_at = None
        i.save()


def start_over(i: CustomerImport) -> None:
    """Sets all counts back to zero: a dry run that lost its tables has nothing else to lose."""
    CustomerProblem.objects.filter(customer_import=i).delete()
    CustomerImport.objects.filter(pk=i.pk).update(**dict.fromkeys(COUNTS, 0), problem_counts={})
    i.refresh_from_db()


def make_ready_to_undo(*, import_id: int, at: datetime) -> None:
    """Lets a worker take back what the import did. TooLate where it runs, did nothing, or is taken back already."""
    with transaction.atomic():
        i = CustomerImport.objects.select_for_update().get(pk=import_id)
        if i.is_open or not i.changed_something:
            raise TooLate
        i.undoing, i.state, i.cancel_requested, i.staged = True, ImportState.QUEUED, False, False
        i.posted_rows, i.rows = 0, i.journal.count()
        i.removed = i.restored = i.kept = i.attempts = 0
        i.error, i.error_params, i.finished_at, i.lease_until = "", {}, None, None
        i.save()


def discard(*, import_id: int) -> None:
    """Throws an import away, file and all, before it has brought anything in. TooLate."""
    with transaction.atomic():
        i = _changeable(import_id)
        i.delete()
        transaction.on_commit(lambda: i.file.delete(save=False))


def _changeable(import_id: int) -> CustomerImport:
    i = CustomerImport.objects.select_for_update().get(pk=import_id)
    if i.is_open or i.undoing or i.changed_something:
        raise TooLate
    return i
