"""What every benchmark shares: databases to run in, timing side by side, and the row that it reports.

A benchmark is a module of this folder with `run(url)`, which yields `Row`s. `url` is a server on which it may make
and drop databases whose names begin with "bench".
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: the seconds of our code and of hand-written SQL for the same work, both medians.

    `at_least` is the ratio of our rate to the other (by_hand / ours) that must be reached.
    """

    name: str
    rows: int
    ours: float
    by_hand: float
    at_least: float
    megabytes: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.by_hand / self.ours


def url_of(server: str, name: str) -> str:
    """The URL of another database on the same server."""
    place, mark, options = server.partition("?")  # the options may hold a path of their own
    return f"{place.rpartition('/')[0]}/{name}{mark}{options}"


def name_of(url: str) -> str:
    """The name of the database in a URL."""
    return url.partition("?")[0].rpartition("/")[2]


def on_server(server: str, statement: str, *names: str) -> None:
    """Runs a statement about databases; `names` fill its {}."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def migrated(server: str, name: str) -> Iterator[str]:
    """A database with the product's tables and nothing in them, gone afterwards; its URL."""
    on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    on_server(server, "CREATE DATABASE {}", name)
    try:
        env = {**os.environ, "DATABASE_URL": url_of(server, name)}
        subprocess.run([sys.executable, "-W", "ignore", "manage.py", "migrate", "-v0"], env=env, check=True)
        yield url_of(server, name)
    finally:
        on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


@contextmanager
def copied(server: str, template: str, name: str) -> Iterator[str]:
    """A copy of a database, gone afterwards; its URL. Its pages are warm: the copy goes through the server's cache."""
    on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    on_server(server, "CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield url_of(server, name)
    finally:
        on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


@contextmanager
def product_on(url: str) -> Iterator[None]:
    """Django's connection, set to another database of the same server."""
    from django.db import connection

    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = name_of(url)
    try:
        connection.ensure_connection()
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def seconds(act: Callable[[], object]) -> float:
    """How long `act` takes by the clock on the wall."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def side_by_side(ours: Callable[[], float], by_hand: Callable[[], float], times: int = 5) -> tuple[float, float]:
    """Medians of both, run in turns, so that what the machine does besides meets both alike."""
    pairs = [(ours(), by_hand()) if n % 2 else (by_hand(), ours())[::-1] for n in range(times)]
    mine, theirs = zip(*pairs, strict=True)
    return statistics.median(mine), statistics.median(theirs)


def on_copies(
    server: str,
    template: str,
    act: Callable[[], object],
    statement: str,
    params: dict[str, Any],
    counted: dict[str, str],
) -> tuple[float, float]:
    """Medians of an act of the product and of hand-written SQL, each on fresh copies of a database.
    AssertionError where they do not leave the same (`counted`: queries of one row)."""
    left: dict[str, dict[str, tuple | None]] = {}

    def ours() -> float:
        with copied(server, template, f"{template}_ours") as url:
            with product_on(url):
                taken = seconds(act)
            left["ours"] = contents(url, counted)
            return taken

    def by_hand() -> float:
        with copied(server, template, f"{template}_hand") as url:
            with psycopg.connect(url) as connection:
                cursor = psycopg.ClientCursor(connection)

                def write() -> None:
                    cursor.execute(statement, params)
                    connection.commit()

                taken = seconds(write)
            left["by hand"] = contents(url, counted)
            return taken

    mine, theirs = side_by_side(ours, by_hand, times=3)
    assert left["ours"] == left["by hand"], left
    return mine, theirs


def most_memory() -> float:
    """The most resident memory that this process has had, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def contents(url: str, counted: dict[str, str]) -> dict[str, tuple | None]:
    """The one row of each of these queries."""
    with psycopg.connect(url) as connection:
        return {name: connection.execute(statement).fetchone() for name, statement in counted.items()}
