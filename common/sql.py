"""Running one set-based statement on Django's connection."""

import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg import Connection, OperationalError, RawCursor
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult


def execute(statement: str, params: Mapping[str, Any] | Sequence[Any] | None = ()) -> int:
    """Runs a statement, with None for one in which % stands for itself; the number of rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


MOST = 200  # plans that the server keeps for a connection
LONG = 20  # of more, planning is a small part, and their number decides the plan


class _Watched(RawCursor[Any]):
    """For those who watch: what runs under the eyes of Django's log, or of a test."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        try:
            # Not prepared by the driver: with the first rollback it would have the server forget what _Plans knows.
            return super().execute(query, params, **{**options, "prepare": False})
        finally:
            self._query = SimpleNamespace(query=query)  # type: ignore[assignment]  # for Django's log

    def all(self) -> list[tuple]:
        """What it answered, if it was a question."""
        return self.fetchall() if self.pgresult and self.pgresult.nfields else []


class _Plans:
    """The statements of which the server keeps the plan for one connection: of a statement that tills wait for,
    planning is the larger part. They are run by the driver's own layer over libpq: a cursor for each costs more."""

    def __init__(self, raw: Connection) -> None:
        self.raw, self.pgconn, self.reading = raw, raw.pgconn, Transformer(raw)
        self.names: dict[bytes, bytes] = {}

    def run(self, query: bytes, values: Sequence[bytes | None]) -> list[tuple]:
        pgconn = self.pgconn
        if not self.raw.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
            self._done(pgconn.exec_(b"BEGIN"))
        name = self.names.get(query)
        if name is None:
            if len(self.names) == MOST:  # it is not meant for so many
                self._done(pgconn.exec_(b"DEALLOCATE ALL"))
                self.names.clear()
            name = f"kept_{len(self.names)}".encode()
            self._done(pgconn.prepare(name, query))
            self.names[query] = name
        result = self._done(pgconn.exec_prepared(name, values))  # type: ignore[arg-type]  # None is NULL
        if not result.nfields:
            return []
        self.reading.set_pgresult(result)
        return self.reading.load_rows(0, result.ntuples, tuple)

    def _done(self, result: PGresult) -> PGresult:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            if self.pgconn.status != ConnStatus.OK:
                raise OperationalError(result.get_error_message("utf-8"))
            raise error_from_result(result, "utf-8")
        return result


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """The statement with $1, $2… in the place of %(name)s or %s, and which names these are."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        return f"${names.setdefault(found[1] or str(len(names)), len(names) + 1)}"

    return re.sub(r"%\((\w+)\)s|%s|%%", number, statement).encode(), tuple(names)


_TEXTS: dict[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    Decimal: str,
    bool: lambda value: "t" if value else "f",
    bytes: lambda value: f"\\x{value.hex()}",
    datetime: datetime.isoformat,
}


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _as_text(value: Any) -> str | None:
    """A parameter as PostgreSQL reads it. All of them are text, so that a statement has one plan, and not one for each
    size of its numbers; and a list costs a tenth of what the driver, which looks for the type of its parts, takes."""
    if value is None:
        return None
    kind = type(value)
    if kind is not list:
        return _TEXTS.get(kind, str)(value)
    kinds = set(map(type, value))
    if kinds <= {int}:
        return f"{{{','.join(map(str, value))}}}"
    texts = ["NULL" if one is None else _quoted(_TEXTS.get(type(one), str)(one)) for one in value]
    return f"{{{','.join(texts)}}}"


def fetch_prepared(statement: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple]:
    """As fetch_all, for a statement whose text is always the same and that runs again and again: each connection plans
    it once. One that writes may answer nothing. With a list of more than LONG it is planned as long as it is.

    Parameters are text, numbers, moments, bytes and lists of them; where their place does not tell their type, the
    statement does (%(ids)s::bigint[]).
    """
    given = params.values() if isinstance(params, Mapping) else params
    if any(type(value) is list and len(value) > LONG for value in given):
        if isinstance(params, Mapping):
            return fetch_all(statement, {name: _as_text(value) for name, value in params.items()})
        return fetch_all(statement, [_as_text(value) for value in params])
    query, names = _numbered(statement)
    values = [_as_text(params[name]) for name in names] if isinstance(params, Mapping) else list(map(_as_text, params))
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    raw = connection.connection
    if connection.queries_logged or connection.execute_wrappers:
        cursor = _Watched(raw)
        with connection._prepare_cursor(cursor) as watched:  # type: ignore[attr-defined]
            watched.execute(query, values)
            return cursor.all()
    # What Django does besides costs more than the question itself.
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        plans: _Plans | None = getattr(connection, "kept_plans", None)
        if plans is None or plans.raw is not raw:  # each connection has its own
            plans = connection.kept_plans = _Plans(raw)  # type: ignore[attr-defined]
        return plans.run(query, [None if value is None else value.encode() for value in values])


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
