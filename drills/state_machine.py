"""2,000 random histories of earning, spending, holding, refunding and expiring, beside a model in plain Python."""

import os
import subprocess
import sys
from collections.abc import Iterator

from bench.base import url_of
from drills.stage import expect

EXAMPLES = int(os.environ.get("DRILL_EXAMPLES", "2000"))
TEST = ["-m", "pytest", "rewards/tests/test_property.py", "-q", "-n", "0", "-p", "no:cacheprovider", "--create-db"]


def run(server: str) -> Iterator[str]:
    """Each step of each history compares balances and lots; each history asks verify again and again.

    One process for each core, each with a share of the histories: their seeds differ, for none is given.
    """
    shares = os.cpu_count() or 1
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    env["HYPOTHESIS_EXAMPLES"] = str(-(-EXAMPLES // shares))
    argv, output = [sys.executable, *TEST, "-o", "faulthandler_timeout=0"], subprocess.PIPE
    running = [
        # pytest puts "test_" before the name, and makes that database.
        subprocess.Popen(argv, env=env | {"DATABASE_URL": url_of(server, f"bench_histories_{n}")}, stdout=output)
        for n in range(shares)
    ]
    try:
        for n, process in enumerate(running, 1):
            told = process.communicate()[0].decode()
            expect(process.returncode == 0, told[-3000:])
            yield f"{n} of {shares}: {env['HYPOTHESIS_EXAMPLES']} histories, {told.strip().splitlines()[-1]}"
    finally:
        for process in running:
            process.terminate()
            process.wait()
