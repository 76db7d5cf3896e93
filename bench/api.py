"""The API over HTTP with 1,000,000 members and five live rules, beside SQL by hand that writes the same rows, beside a
view that makes one query, and beside what other packages take for a transfer alone.

BENCH_MEMBERS, BENCH_TRANSFERS and BENCH_SECONDS set other sizes. Asked of the batch are 0.3 of the SQL by hand and
five times the single call.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from bench._api_by_hand import by_thousands, one_by_one
from bench._api_world import grow, prepare, warm
from bench._others import others
from bench.base import Row, copied, migrated, product_on
from drills.stage import Stage

MEMBERS = int(os.environ.get("BENCH_MEMBERS", "1000000"))
TRANSFERS = int(os.environ.get("BENCH_TRANSFERS", "10000000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
CLIENTS, TIMES, FEW = 8, 5, 10_000
# As ./crm run starts it.
WEB: dict[str, Any] = {"workers": min(2, os.cpu_count() or 1), "threads": 2}
_WRITTEN = "SELECT relname, n_tup_ins, n_tup_upd FROM pg_stat_user_tables"
_NOTED = 11  # seconds after which a connection at rest has told the statistics what it wrote


def _calls(stand: Stage, what: str, clients: int = CLIENTS) -> float:
    """How many a second."""
    argv = [sys.executable, "-m", "bench._calls", str(stand.port), stand.key, str(clients), str(SECONDS), what]
    done = subprocess.run([*argv, str(MEMBERS)], capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise SystemExit(f"bench: {what}: {done.stderr[-700:]}")
    count, seconds = done.stdout.split()
    return int(count) / float(seconds)


def _per_purchase(url: str, act: Callable[[], object]) -> dict[str, list[float]]:
    """How many rows `act` inserted into each table for each purchase, and how many it updated."""

    def written() -> dict[str, tuple[int, int]]:
        time.sleep(_NOTED)
        with psycopg.connect(url) as connection:
            return {table: counts for table, *counts in connection.execute(_WRITTEN)}  # type: ignore[misc]

    before = written()
    act()
    after = written()
    bought = after["members_purchase"][0] - before["members_purchase"][0]
    each = {
        t: [round((n - n_before) / bought, 1) for n, n_before in zip(after[t], before[t], strict=True)] for t in after
    }
    return {table: counts for table, counts in each.items() if any(counts)}


def _medians(*acts: Callable[[], float]) -> list[float]:
    """Of all, done in turns."""
    rounds = [[act() for act in acts] for _ in range(TIMES)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def run(server: str) -> Iterator[Row]:
    with migrated(server, "bench_api") as few:
        with product_on(few):
            prepare(few, MEMBERS)
        grow(few, FEW, MEMBERS)
        with copied(server, "bench_api", "bench_api_grown") as grown:
            grow(grown, TRANSFERS, MEMBERS)
            small, stand = Stage(few, **WEB), Stage(grown, **WEB)
            try:
                yield from _purchases(few, small, grown, stand)
                yield from _look_ups(grown, stand)
            finally:
                small.stop(), stand.stop()
    for name, rate in others(server, SECONDS):
        yield Row(f"beside it: {name}", 0, 1 / rate, 1 / rate, at_least=0, note=f"{rate:.0f} a second")


def _purchases(few: str, small: Stage, grown: str, stand: Stage) -> Iterator[Row]:
    def single() -> float:
        return _calls(stand, "purchase")

    def single_of_few() -> float:
        return _calls(small, "purchase")

    def batch() -> float:
        return _calls(stand, "batch")

    def many_by_hand() -> float:
        return by_thousands(grown, members=MEMBERS, clients=2, seconds=SECONDS)  # its best

    # It warms them, too, and leaves what the SQL by hand writes again.
    ours, _ = _per_purchase(grown, single), single_of_few()
    given: dict[str, Any] = {"members": MEMBERS, "clients": CLIENTS, "seconds": SECONDS}
    with one_by_one(grown, **given) as by_hand, one_by_one(few, **given) as by_hand_of_few:
        for act in (by_hand, batch, many_by_hand):
            if (written := _per_purchase(grown, act)) != ours:
                raise SystemExit(f"bench: a purchase is {ours}, but {written} here")
        warm(few), warm(grown)
        at_first, at_first_by_hand, later, later_by_hand = _medians(single_of_few, by_hand_of_few, single, by_hand)
        for transfers, mine, theirs in (FEW, at_first, at_first_by_hand), (TRANSFERS, later, later_by_hand):
            note = f"{mine:.0f} a second beside {theirs:.0f} of pgbench, {CLIENTS} clients"
            yield Row(f"POST /purchases, {transfers:,} transfers", MEMBERS, 1 / mine, 1 / theirs, 0.35, note=note)
        note = f"its cost at {FEW:,} beside that at {TRANSFERS:,}, in turns"
        yield Row("POST /purchases as the ledger grows", MEMBERS, 1 / later, 1 / at_first, 1 / 1.2, note=note)
        mine, theirs, alone = _medians(batch, many_by_hand, single)
        note = f"{mine:.0f} purchases a second beside {theirs:.0f} of set-based SQL"
        yield Row("POST /purchases/batch", MEMBERS, 1 / mine, 1 / theirs, at_least=0.3, note=note)
        note = f"beside five times the single call, {alone:.0f} a second"
        yield Row("POST /purchases/batch, the single call", MEMBERS, 1 / mine, 1 / (5 * alone), at_least=1, note=note)


def _look_ups(url: str, stand: Stage) -> Iterator[Row]:
    plain = Stage(url, **WEB, DJANGO_SETTINGS_MODULE="bench._plain")
    try:
        _calls(stand, "member"), _calls(plain, "member")
        mine, theirs = _medians(lambda: _calls(stand, "member"), lambda: _calls(plain, "member"))
    finally:
        plain.stop()
    note = f"{mine:.0f} a second beside {theirs:.0f} of a view with one query"
    yield Row("GET /members/{ref}", MEMBERS, 1 / mine, 1 / theirs, at_least=0.5, note=note)
