"""The tables of an import's own: unlogged, filled from the file, gone when it ends. Described in docs/import.md."""

from common.sql import execute, fetch_all
from members.models import PurchaseImport

_TABLES = ("row", "who", "fact", "plan")


def tables(import_id: int) -> dict[str, str]:
    """Their names: row (as read), who (each customer once), fact (their contacts), plan (what to do with each row)."""
    return {name: f"members_import_{int(import_id)}_{name}" for name in _TABLES}


def drop_tables(import_id: int) -> None:
    """Throws away all that was staged."""
    for name in tables(import_id).values():
        execute(f"DROP TABLE IF EXISTS {name}")


def exists(table: str) -> bool:
    """Whether there is such a table."""
    return fetch_all("SELECT to_regclass(%s) IS NOT NULL", [table]) == [(True,)]


def is_staged(purchase_import: PurchaseImport) -> bool:
    """Whether the plan is there and whole: a crash of the server empties unlogged tables."""
    plan = tables(purchase_import.pk)["plan"]
    if not purchase_import.staged or not exists(plan):
        return False
    return fetch_all(f"SELECT count(*) FROM {plan}")[0][0] == purchase_import.rows
