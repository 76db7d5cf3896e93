"""Running one set-based statement on Django's connection."""

import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from select import POLLIN, poll
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


def storable(text: str) -> str:
    """Without what PostgreSQL cannot hold: a NUL, half a character of UTF-16."""
    return text.replace("\0", "").encode(errors="replace").decode()


MOST = 200  # plans that the server keeps for a connection
LONG = 1_000  # of more, planning is a small part, and their number decides the plan


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


Bound = tuple[bytes, Sequence[bytes | None]]  # a statement with its values
_BEGIN: Bound = (b"BEGIN", ())
_COMMIT: Bound = (b"COMMIT", ())


class _Plans:
    """The statements of which the server keeps the plan for one connection: of a statement that tills wait for,
    planning is the larger part. They are run by the driver's own layer over libpq: a cursor for each costs more."""

    def __init__(self, raw: Connection) -> None:
        self.raw, self.pgconn, self.reading = raw, raw.pgconn, Transformer(raw)
        self.names: dict[bytes, bytes] = {}
        self.waits = poll()
        self.waits.register(raw.fileno(), POLLIN)

    def run(self, asked: Sequence[Bound], commits: bool = False) -> list[list[tuple]]:
        begins = not self.raw.autocommit and self.pgconn.transaction_status == TransactionStatus.IDLE
        if len(self.names) + len(asked) + 2 > MOST:  # it is not meant for so many
            self._done(self.pgconn.exec_(b"DEALLOCATE ALL"))
            self.names.clear()
        if begins or commits or len(asked) > 1:
            results = self._piped([*([_BEGIN] if begins else ()), *asked, *([_COMMIT] if commits else ())])
            results = results[begins : begins + len(asked)]
        else:
            ((query, values),) = asked
            results = [self._done(self.pgconn.exec_prepared(self._name(query), values))]  # type: ignore[arg-type]  # None is NULL
        return [self._rows(result) for result in results]

    def run_beside(self, asked: Bound, meanwhile: Callable[[], object]) -> list[tuple]:
        """One statement, and what is done here while the server runs it."""
        pgconn, (query, values) = self.pgconn, asked
        name = self._name(query)
        results: list[PGresult] = []
        try:
            pgconn.send_query_prepared(name, values)  # type: ignore[arg-type]  # None is NULL
            pgconn.flush()
            meanwhile()
            while pgconn.is_busy():  # what waits here lets other threads go on: get_result does not
                self.waits.poll()
                pgconn.consume_input()
            while result := pgconn.get_result():
                results.append(result)
        except BaseException:
            self.raw.close()  # the answer may be on its way, and nobody asks for it any more
            raise
        if not results:
            raise OperationalError(pgconn.get_error_message())
        return self._rows(self._done(results[0]))

    def _name(self, query: bytes) -> bytes:
        name = self.names.get(query)
        if name is None:
            name = f"kept_{len(self.names)}".encode()
            self._done(self.pgconn.prepare(name, query))
            self.names[query] = name
        return name

    def _piped(self, asked: Sequence[Bound]) -> list[PGresult]:
        """What all of them answer, asked in one go; of the first that fails, nothing after it is run."""
        pgconn, named = self.pgconn, [(self._name(query), values) for query, values in asked]
        results: list[PGresult | None] = []  # None stands between them
        pgconn.enter_pipeline_mode()
        try:
            for name, values in named:
                pgconn.send_query_prepared(name, values)  # type: ignore[arg-type]  # None is NULL
            pgconn.pipeline_sync()
            # The answers are sent when all of them are there. What waits here lets other threads go on: get_result does
            # not, and to ask is_busy before each would have threads wake each other for nothing.
            while not results:
                self.waits.poll()
                pgconn.consume_input()
                if not pgconn.is_busy():
                    results.append(pgconn.get_result())
            while results[-1] is None or results[-1].status != ExecStatus.PIPELINE_SYNC:
                results.append(pgconn.get_result())
                if pgconn.status != ConnStatus.OK:
                    raise OperationalError(pgconn.get_error_message())
            pgconn.exit_pipeline_mode()
        except BaseException:
            self.raw.close()  # answers may be on their way, to questions that nobody asks any more
            raise
        return [self._done(result) for result in results[:-1] if result]

    def _rows(self, result: PGresult) -> list[tuple]:
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


def _as_text(value: Any) -> Any:
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
    if kinds == {datetime}:  # what is written together often happened together
        told = {moment: moment.isoformat() for moment in set(value)}
        return f"{{{','.join([told[moment] for moment in value])}}}"
    if kinds == {str}:
        joined = "\0".join(value)  # which no text has that PostgreSQL takes: all are quoted in one go
        if joined.count("\0") == len(value) - 1:
            quoted = joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
            return f'{{"{quoted}"}}'
    texts = ["NULL" if one is None else _quoted(_TEXTS.get(type(one), str)(one)) for one in value]
    return f"{{{','.join(texts)}}}"


Params = Mapping[str, Any] | Sequence[Any]


def fetch_prepared(statement: str, params: Params = ()) -> list[tuple]:
    """As fetch_all, for a statement whose text is always the same and that runs again and again: each connection plans
    it once. One that writes may answer nothing. With a list of more than LONG it is planned as long as it is.

    Parameters are text, numbers, moments, bytes and lists of them; where their place does not tell their type, the
    statement does (%(ids)s::bigint[]).
    """
    return fetch_together([(statement, params)])[0]


def fetch_beside(statement: str, params: Params, meanwhile: Callable[[], object]) -> list[tuple]:
    """As fetch_prepared outside of transactions, while `meanwhile` is done here: it must not ask the database, nor
    raise. Its lists are short."""
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    bound = _bound((statement, params))
    if bound is None or connection.in_atomic_block or connection.queries_logged or connection.execute_wrappers:
        rows = fetch_prepared(statement, params)
        meanwhile()
        return rows
    with connection.wrap_database_errors:
        return _plans_of(connection).run_beside(bound, meanwhile)


def _plans_of(connection: Any) -> _Plans:
    """Each connection has its own."""
    plans: _Plans | None = getattr(connection, "kept_plans", None)
    if plans is None or plans.raw is not connection.connection:
        plans = connection.kept_plans = _Plans(connection.connection)
    return plans


def fetch_together(asked: Sequence[tuple[str, Params]], *, last: bool = False) -> list[list[tuple]]:
    """As fetch_prepared, for several statements that need not know of each other: all are sent at once, and the wait is
    for one answer. They are run in their order, up to the first that fails; each sees what others have committed
    before it began.

    With `last` they are the last of their transaction, and its commit goes with them where it is nobody else's to say.
    """
    bound = [one for one in map(_bound, asked) if one]
    if len(bound) < len(asked):
        return [fetch_prepared(*one) if _bound(one) else _planned_anew(*one) for one in asked]
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    raw = connection.connection
    if connection.queries_logged or connection.execute_wrappers:
        return [_watched(connection, raw, one) for one in bound]
    # What Django does besides costs more than the question itself.
    connection.validate_no_broken_transaction()
    commits = last and connection.in_atomic_block and connection.commit_on_exit and not connection.savepoint_ids
    with connection.wrap_database_errors:
        return _plans_of(connection).run(bound, commits)


def _planned_anew(statement: str, params: Params) -> list[tuple]:
    if isinstance(params, Mapping):
        return fetch_all(statement, {name: _as_text(value) for name, value in params.items()})
    return fetch_all(statement, [_as_text(value) for value in params])


def _bound(asked: tuple[str, Params]) -> Bound | None:
    """None where a list is so long that the statement is planned anew."""
    statement, params = asked
    query, names = _numbered(statement)
    values: list[bytes | None] = []
    for value in map(params.__getitem__, names) if isinstance(params, Mapping) else params:
        if type(value) is list and len(value) > LONG:
            return None
        values.append(None if value is None else _as_text(value).encode())
    return query, values


def _watched(connection: Any, raw: Connection, asked: Bound) -> list[tuple]:
    cursor = _Watched(raw)
    with connection._prepare_cursor(cursor) as watched:
        watched.execute(asked[0], [None if value is None else value.decode() for value in asked[1]])
        return cursor.all()


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


def server_clock() -> Callable[[], datetime]:
    """The time of the database: for hosts whose clocks differ, and who have to agree on what ran out."""
    ahead = fetch_all("SELECT clock_timestamp()")[0][0] - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead


def lock(name: str) -> None:
    """Waits until no other transaction holds the lock of this name, and holds it to the end of this one."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def try_lock(name: str) -> bool:
    """Takes the lock of this name to the end of this transaction; False where another transaction holds it."""
    return fetch_one("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS taken", [name]).taken
