"""What the benchmarks of imports share: the product's import beside COPY and SQL by hand, on copies of one database.

The import runs in a process of its own, so that its memory can be measured. Both must leave the same rows.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from bench.base import Row, contents, copied, most_memory, seconds, side_by_side

MOST = 300  # MB


@dataclass(frozen=True, slots=True)
class Import:
    """An import: by `module`, run with a file's path, which ends with `say`; by hand, `by_hand` over a table `raw`.

    `counted` are queries of one row each, by name, that must answer alike afterwards.
    """

    name: str
    module: str
    raw: str
    by_hand: str
    as_of: datetime
    counted: dict[str, str]
    at_least: float

    def compared(self, server: str, template: str, path: Path, rows: int, times: int) -> Row:
        """Both on copies of `template`, in turns."""
        left: dict[str, dict] = {}
        most: list[float] = []

        def ours() -> float:
            with copied(server, template, f"{template}_ours") as url:
                command = [sys.executable, "-W", "ignore", "-m", self.module, str(path)]
                env = {**os.environ, "DATABASE_URL": url}
                told = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE)
                taken, megabytes = json.loads(told.stdout.splitlines()[-1])
                most.append(megabytes)
                left["ours"] = contents(url, self.counted)
                return taken

        def theirs() -> float:
            with copied(server, template, f"{template}_hand") as url:
                taken = self._by_hand(url, path)
                left["by hand"] = contents(url, self.counted)
                return taken

        mine, hand = side_by_side(ours, theirs, times)
        assert left["ours"] == left["by hand"], left
        return Row(self.name, rows, mine, hand, at_least=self.at_least, megabytes=max(most))

    def _by_hand(self, url: str, path: Path) -> float:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:

            def write() -> None:
                cursor.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL work_mem = '64MB'")
                cursor.execute(f"CREATE TEMP TABLE raw ({self.raw})")
                with path.open("rb") as file, cursor.copy("COPY raw FROM STDIN WITH (FORMAT csv, HEADER)") as copy:
                    while block := file.read(1 << 18):
                        copy.write(block)
                psycopg.ClientCursor(connection).execute(self.by_hand, {"as_of": self.as_of})
                connection.commit()

            return seconds(write)


def say(taken: float) -> None:
    """The last words of an import's own process: its seconds, and the most memory that it had, in MB."""
    print(json.dumps([taken, most_memory()]))


def assert_flat(small: Row, large: Row) -> None:
    """Memory does not grow with the file."""
    few, many = small.megabytes or 0, large.megabytes or 0
    assert many < MOST, f"{large.name} took {many:.0f} MB"
    assert many < 1.25 * few, f"{large.name}: memory grew with the file: {few:.0f} MB, then {many:.0f} MB"
