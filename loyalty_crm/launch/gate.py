"""./crm test: every check, one line and time each, then the tests."""

import contextlib
import os
import re
import secrets
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from loyalty_crm.launch.supervisor import PROJECT, Stopped, pause, progress, say
from loyalty_crm.management.commands.messages import compile_catalogues

PYTHON = [sys.executable, "-m"]
MANAGE = [sys.executable, "manage.py"]
# What the shell of whoever runs the tests holds must not decide how they end; pytest has settings of its own.
NOT_OURS = (
    "DJANGO_SETTINGS_MODULE",
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "SITE_URL",
    "ALLOWED_HOSTS",
    "REQUIRE_STAFF_MFA",
    "DEBUG",
    "EMAIL_URL",
    "DEFAULT_FROM_EMAIL",
    "TIME_ZONE",
    "PHONE_REGION",
)
# Of the tests: they wait now and then, so that one more than a small machine has cores is quickest.
WORKERS = 3
COPIED = [*PYTHON, "tests.template"]
TEMPLATE = {"TEST_TEMPLATE": "test_template"}
# What has not ended by then never will.
LONGEST = 30 * 60
SETTINGS = {"SITE_URL": "http://localhost:8000"}
PRODUCTION = {
    "SITE_URL": "https://club.example.com",
    "ALLOWED_HOSTS": "club.example.com",
    "SECRET_KEY": secrets.token_urlsafe(60),
    "REQUIRE_STAFF_MFA": "on",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
    "DEFAULT_FROM_EMAIL": "Club <club@example.com>",
}


def checks() -> dict[str, list[str]]:
    """Each check's name and command, in the order of their speed."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    rooms = project["tool"]["importlinter"]["root_packages"]
    pages = [str(folder.relative_to(PROJECT)) for folder in (PROJECT / "templates", *PROJECT.glob("*/templates"))]
    return {
        "ruff check": [*PYTHON, "ruff", "check", "."],
        "ruff format": [*PYTHON, "ruff", "format", "--check", "."],
        "djlint": [*PYTHON, "djlint", "--lint", "--quiet", *pages],
        "translations": [*MANAGE, "messages", "--check"],
        "migrations": [*MANAGE, "makemigrations", "--check", "--dry-run"],
        "deployment": [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"],
        "import law": [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"],
        "mypy": [*PYTHON, "mypy", *(room for room in rooms if (PROJECT / room).is_dir())],
    }


def run_child(argv: Sequence[str], env: dict[str, str], *, echo: bool) -> tuple[bool, str]:
    """Runs a command to its end; returns whether it passed, and what it wrote. `echo` passes that on as it comes."""
    process = subprocess.Popen(argv, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    written = bytearray()

    def read() -> None:
        with process.stdout as stream:  # type: ignore[union-attr]
            while chunk := os.read(stream.fileno(), 65536):
                written.extend(chunk)
                if echo:
                    with contextlib.suppress(OSError):
                        sys.stdout.buffer.write(chunk)
                        sys.stdout.buffer.flush()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    end = time.monotonic() + LONGEST
    try:
        while process.poll() is None:
            pause(0.05)
            if time.monotonic() > end:
                process.kill()
                process.wait()
                written.extend(f"\nstopped: it had not ended after {LONGEST // 60} minutes\n".encode())
    except Stopped:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)  # Ctrl-C has reached it as well: let it clean up
        process.terminate()
        process.wait()
        raise
    reader.join(5)
    return process.returncode == 0, written.decode(errors="replace")


def static(env: dict[str, str]) -> list[str]:
    """Runs the checks, two at a time, and beside them makes the database that the tests copy; names what failed."""
    failed = []

    def run(name: str, argv: list[str], env: dict[str, str]) -> None:
        started = time.monotonic()
        with progress(name):
            passed, output = run_child(argv, env, echo=False)
        say(f"{'ok    ' if passed else 'FAILED'} {name} ({time.monotonic() - started:.1f} s)")
        if not passed:
            failed.append(name)
            print(output.rstrip(), flush=True)

    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(run, "database of the tests", [*COPIED, "make"], env | TEMPLATE)]
        for name, argv in checks().items():
            made.append(pool.submit(run, name, argv, env | PRODUCTION if name == "deployment" else env))
        for one in made:
            one.result()
    return failed


def check(args: list[str], env: dict[str, str]) -> int:
    """Runs all checks and tests, or with arguments pytest alone with these; returns the exit code.

    The last line written is pytest's closing line.
    """
    compile_catalogues()  # the tests read Chinese too
    failed = [] if args else static(env)
    if not args and "database of the tests" not in failed:
        env = env | TEMPLATE
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    passed, output = run_child([*PYTHON, "pytest", *colour, *(args or ["-n", str(WORKERS)])], env, echo=True)
    if not passed:
        failed.append("tests")
    if not args:
        run_child([*COPIED, "drop"], env, echo=False)
    if failed:
        say(f"failed: {', '.join(failed)}")
    elif not args:
        say("every check and test passed")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", output).strip().splitlines()
    if lines and (failed or not args):
        print(lines[-1], flush=True)
    return 1 if failed else 0
