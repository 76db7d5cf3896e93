"""2,000 random histories of earning, spending, holding, refunding and expiring, beside a model in plain Python."""

import os
import subprocess
import sys
from collections.abc import Iterator

from drills.stage import expect

EXAMPLES = os.environ.get("DRILL_EXAMPLES", "2000")


def run(server: str) -> Iterator[str]:
    """Each step of each history compares balances and lots; each history ends with a verify of its own."""
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    env |= {"HYPOTHESIS_EXAMPLES": EXAMPLES, "DATABASE_URL": server}
    argv = [sys.executable, "-m", "pytest", "rewards/tests/test_property.py", "-q", "-n", "0", "-p", "no:cacheprovider"]
    done = subprocess.run([*argv, "-o", "faulthandler_timeout=0"], env=env, capture_output=True, text=True)
    expect(done.returncode == 0, done.stdout[-3000:])
    yield f"{int(EXAMPLES):,} histories: {done.stdout.strip().splitlines()[-1]}"
