"""Running one set-based statement on Django's connection."""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from django.db import connection
from psycopg import Cursor


def execute(statement: str, params: Mapping[str, Any] | Sequence[Any] | None = ()) -> int:
    """Runs a statement, with None for one in which % stands for itself; the number of rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


LONG = 20  # of more, planning is a small part, and their number decides the plan


class _Prepared(Cursor[Any]):
    """Lets the server keep the plan: of a statement that tills wait for, planning is the larger part."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        try:
            return super().execute(query, params, **{**options, "prepare": True})
        finally:
            self._query = SimpleNamespace(query=query.encode())  # type: ignore[assignment]  # for Django's log


def fetch_prepared(statement: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple]:
    """As fetch_all, for a statement whose text is always the same and that runs again and again: each connection plans
    it once. One that writes may answer nothing. With a list of more than LONG it is planned as long as it is."""
    given = params.values() if isinstance(params, Mapping) else params
    if any(isinstance(value, list) and len(value) > LONG for value in given):
        return fetch_all(statement, params)
    connection.ensure_connection()
    with connection._prepare_cursor(_Prepared(connection.connection)) as cursor:  # type: ignore[attr-defined]  # counted and logged as all others are
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def fetch_all(statement: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple]:
    """All rows of a query, as tuples."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def fetch_one(statement: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> Any:
    """The one row of a query, with its columns as attributes. IndexError where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        row = cursor.fetchone()
        if row is None:
            raise IndexError("no row")
        columns = [column.name for column in cursor.description]
        return namedtuple("Row", columns)(*row)  # type: ignore[misc]


def lock(name: str) -> None:
    """Waits until no other transaction holds the lock of this name, and holds it to the end of this one."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def try_lock(name: str) -> bool:
    """Takes the lock of this name to the end of this transaction; False where another transaction holds it."""
    return fetch_one("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS taken", [name]).taken
