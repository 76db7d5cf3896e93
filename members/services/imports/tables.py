"""The tables of a job's own: unlogged, filled once, gone when it ends. Described in docs/import.md."""

from typing import Any

from common.sql import execute, fetch_all
from members.models import CustomerImport, ExportJob, PurchaseImport

# Purchases: row (as read), who (each customer once), fact (their contacts), plan (what to do with each row).
# Customers: raw (as read), row (the plan). Exports: member (who is in it).
_TABLES = {
    PurchaseImport: ("members_import", ("row", "who", "fact", "plan")),
    CustomerImport: ("members_customers", ("raw", "row")),
    ExportJob: ("members_export", ("member",)),
}


def tables(job: Any) -> dict[str, str]:
    """Their names."""
    prefix, names = _TABLES.get(type(job), ("", ()))  # other jobs stage nothing
    return {name: f"{prefix}_{int(job.pk)}_{name}" for name in names}


def drop_tables(job: Any) -> None:
    """Throws away all that was staged."""
    for name in tables(job).values():
        execute(f"DROP TABLE IF EXISTS {name}")


def exists(table: str) -> bool:
    """Whether there is such a table."""
    return fetch_all("SELECT to_regclass(%s) IS NOT NULL", [table]) == [(True,)]


def is_staged(job: PurchaseImport | CustomerImport) -> bool:
    """Whether what was staged is there and whole: a crash of the server empties unlogged tables."""
    table = tables(job)["plan" if isinstance(job, PurchaseImport) else "row"]
    if not job.staged or not exists(table):
        return False
    return fetch_all(f"SELECT count(*) FROM {table}")[0][0] == job.rows
