"""Files of purchases for tests, brought in through the services as the command and the admin do."""

import os
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from django.core.files import File
from django.core.files.storage import storages
from django.db import connection

from members.models import Purchase, PurchaseImport
from members.services.imports import create_import, make_ready, set_columns
from rewards.services.purchase_import import run_import
from rewards.services.verify import verify

AT = datetime(2026, 5, 12, 10, 0, tzinfo=UTC)
COUNTS = ("rows", "purchases", "members", "points", "repeats", "problems")


def prepare(content: str | bytes, *, dry_run: bool = False, **options) -> PurchaseImport:
    """An import that waits for a worker; columns and formats as proposed, where `options` do not say otherwise."""
    data = content if isinstance(content, bytes) else content.encode()
    made, look = create_import(file=File(BytesIO(data), name="p.csv"), name="p.csv", source="till", at=AT)
    at = options.pop("at", AT)
    values = {"mapping": look.mapping, "source": "till", "currency": "EUR", "time_zone": "UTC", "with_points": True}
    set_columns(import_id=made.pk, **{**values, **options})
    make_ready(import_id=made.pk, dry_run=dry_run, at=at)
    return made


def bring_in(content: str | bytes, **options) -> PurchaseImport:
    """The import after it has run."""
    return run_import(import_id=prepare(content, **options).pk)


def counts(done: PurchaseImport) -> dict[str, int]:
    """What the import counted, with what it claims to have counted checked against the whole."""
    assert done.rows == done.purchases + done.repeats + done.problems
    return {name: getattr(done, name) for name in COUNTS}


def sentences(done: PurchaseImport) -> dict[int, str]:
    """What is wrong, by row."""
    return {problem.row: problem.sentence for problem in done.problem_rows.order_by("row")}


def bought() -> list[tuple]:
    """Every purchase: who (card's or customer's own word), when, how much."""
    rows = Purchase.objects.order_by("purchased_at", "amount_minor", "id")
    return [(p.member_id, p.purchased_at, p.amount_minor, p.currency) for p in rows]


def differences() -> list[str]:
    """What does not hold in the ledger."""
    return [f"{result.check}: {result.difference}" for result in verify() if result.difference]


def staged_tables() -> list[str]:
    """What imports have left lying about in the database."""
    with connection.cursor() as cursor:
        return [t for t in connection.introspection.table_names(cursor) if t.startswith("members_import_")]


def child_env() -> dict[str, str]:
    """The environment of a process that works on this test's database."""
    database = connection.settings_dict
    login = quote(database["USER"]) + (f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else "")
    host, port = quote(database["HOST"], safe=""), database["PORT"] or 5432
    url = f"postgres://{login}@{host}:{port}/{database['NAME']}"
    state = Path(storages["private"].location).parent  # where this test keeps its files
    own = {"DATABASE_URL": url, "SECRET_KEY": "child", "CRM_STATE": str(state)}
    return os.environ | own | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
