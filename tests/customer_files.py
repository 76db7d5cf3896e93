"""Files of customers for tests, brought in through the services as the admin does."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from django.core.files import File

from members.models import CustomerImport
from members.services.imports.customers.intake import (
    create_customer_import,
    make_ready,
    make_ready_to_undo,
    set_choices,
)
from members.services.imports.customers.running import run_customer_import

AT = datetime(2026, 5, 12, 10, 0, tzinfo=UTC)
COUNTS = ("rows", "created", "updated", "unchanged", "skipped", "problems")


def prepare(content: str | bytes, *, dry_run: bool = False, at: datetime = AT, **choices: Any) -> CustomerImport:
    """An import that waits for a worker; all as proposed, where `choices` do not say otherwise."""
    data = content if isinstance(content, bytes) else content.encode()
    made, look = create_customer_import(file=File(BytesIO(data), name="c.csv"), name="c.csv", source="shop", at=AT)
    values = {"mapping": look.mapping, "source": "shop", "key": made.key, "mode": "both"}
    set_choices(import_id=made.pk, **{**values, **choices})
    make_ready(import_id=made.pk, dry_run=dry_run, at=at)
    return made


def bring_in(content: str | bytes, **choices: Any) -> CustomerImport:
    """The import after it has run, with its counts checked against the whole."""
    done = run_customer_import(import_id=prepare(content, **choices).pk)
    assert done.rows == sum(getattr(done, name) for name in COUNTS[1:]), done.error_sentence
    return done


def take_back(done: CustomerImport) -> CustomerImport:
    """The import after it was taken back."""
    make_ready_to_undo(import_id=done.pk, at=AT)
    return run_customer_import(import_id=done.pk)


def counts(done: CustomerImport) -> tuple[int, ...]:
    """rows, created, updated, unchanged, skipped, problems."""
    return tuple(getattr(done, name) for name in COUNTS)


def sentences(done: CustomerImport) -> dict[int, str]:
    """What is wrong, by row."""
    return {problem.row: problem.sentence for problem in done.problem_rows.order_by("row")}
