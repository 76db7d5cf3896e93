"""The embedded servers: PostgreSQL and Valkey, fully durable, their data in the state folder.

The Python packages that carry them serve as a source of programs only: their own interfaces would open folders to
other accounts, trust every local user, or stop a server by killing it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from loyalty_crm.launch.binaries import Account, find_postgres, find_valkey, reachable_copy
from loyalty_crm.launch.supervisor import BROKER, DATABASE, Family, StartError, progress, stop_left_behind, wait_until

SOCKET_PATH_MAX = 103  # bytes: 104 on macOS, 108 on Linux, one for the end
USER = "app"
POSTGRES = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "lc_messages": "C",
    "logging_collector": "off",
    # Statements and details hold what was to be written: names, addresses. Who is erased would live on in the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# Only for data that is thrown away: what a test wrote need not survive a power cut. And statistics that were taken
# while a test had its thousands of rows would plan the questions of those after it: a minute instead of a second.
FORGETFUL = {
    "shared_buffers": "256MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_analyze_threshold": "2147483647",
}


def memory_settings() -> dict[str, str]:
    """What PostgreSQL keeps in memory itself, an eighth of the machine's (128 MB to 2 GB; it takes up no more than it
    uses), and what it may expect the system to keep: half."""
    megabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    with contextlib.suppress(OSError, ValueError):  # a container's limit; "max" where there is none
        megabytes = min(megabytes, int(Path("/sys/fs/cgroup/memory.max").read_text()) >> 20)
    shared = min(max(megabytes // 8, 128), 2048)
    return {"shared_buffers": f"{shared}MB", "effective_cache_size": f"{max(megabytes // 2, shared)}MB"}


class Busy(Exception):
    """Another command holds this state; the first argument says which."""


class State:
    """A folder that keeps all data of one copy: the servers' data, mails, files, keys. Made 0700 when missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        try:
            # Root's servers run as another account, which must be able to pass through.
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
            for name in ("outbox", "media", "private", "static"):
                (self.folder / name).mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            sentence = f"Cannot keep data in {self.folder}: {error.strerror}. Set CRM_STATE to another folder."
            raise StartError(sentence) from None

    def secret(self, name: str) -> str:
        """The secret kept under this name, made at the first call."""
        path = self.folder / name
        if not path.exists():
            self._write(path, secrets.token_urlsafe(48))
        return path.read_text()

    def _write(self, path: Path, text: str) -> None:
        """Whole or not at all, and for nobody else to read."""
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        part.touch(mode=0o600, exist_ok=False)
        part.write_text(text)
        part.replace(path)

    @contextlib.contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """Holds the state for one owner of its servers; raises Busy where someone else is the owner."""
        with (self.folder / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise Busy(file.read() or "another command") from None
            file.truncate(0)
            file.write(f"./crm {command} (process {os.getpid()})")
            file.flush()
            # What an owner left behind that was killed:
            self.connection.unlink(missing_ok=True)
            stop_left_behind(self.processes)
            yield

    def users(self, how: int) -> int | None:
        """A shared lock for who borrows running servers, an exclusive one for who stops them; None where refused."""
        file = os.open(self.folder / "users", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        return file

    @property
    def processes(self) -> Path:
        return self.folder / "processes"

    @property
    def connection(self) -> Path:
        return self.folder / "connection.json"

    def publish(self, env: dict[str, str]) -> None:
        """Tells other commands of this state where the running servers are."""
        self._write(self.connection, json.dumps(env))

    def published(self) -> dict[str, str] | None:
        with contextlib.suppress(OSError, ValueError):
            return json.loads(self.connection.read_text())
        return None


def answers(env: dict[str, str]) -> bool:
    """Whether both servers of these addresses answer."""
    try:
        psycopg.connect(env["DATABASE_URL"], connect_timeout=5).close()
        redis.Redis.from_url(env["REDIS_URL"], socket_timeout=5, socket_connect_timeout=5).ping()
    except (psycopg.Error, redis.RedisError):
        return False
    return True


class Servers:
    """Starts what the environment does not name. `state` must be locked by the caller: then whatever still runs there
    was left behind by a command that was killed, and is stopped first.
    """

    def __init__(self, state: State, family: Family, *, fresh: bool = False, durable: bool = True) -> None:
        self.state, self.family, self.durable = state, family, durable
        self.account = Account()
        tag = hashlib.sha256(bytes(state.folder)).hexdigest()[:10]
        self.home = state.folder / "servers"
        if not self.account.reaches(state.folder):
            self.home = Path("/var/tmp") / f"loyalty-crm-{tag}"
        self._own_folder(self.home)
        self.sockets = self.home / "run"
        longest = len(bytes(self.sockets / ".s.PGSQL.5432"))
        if longest > SOCKET_PATH_MAX or not re.fullmatch(r"[\w./-]+", str(self.sockets), re.ASCII):
            self.sockets = Path("/tmp") / f"loyalty-crm-{os.geteuid()}-{tag}"
        self._own_folder(self.sockets)
        password = self.home / "password"
        if not password.exists():
            password.write_text(secrets.token_urlsafe(24))
        self.account.own(password, 0o600)
        self.password = password.read_text()
        self.fresh = fresh
        self.ready: list[str] = []  # a line for each server started

    def _own_folder(self, path: Path) -> None:
        path.mkdir(exist_ok=True, mode=0o700)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), self.account.entry.pw_uid):
            raise StartError(f"{path} belongs to someone else. Remove it, or set CRM_STATE to another folder.")
        self.account.own(path, 0o700)

    @property
    def env(self) -> dict[str, str]:
        # LC_ALL=C: without it macOS calls PostgreSQL multithreaded and it refuses to start.
        drop = ("PG", "LC_", "LANG", "PYTHON")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(drop)}
        return kept | {"LC_ALL": "C", "LANG": "C", "TZ": "UTC", "HOME": str(self.home)}

    def start(self) -> dict[str, str]:
        """Starts the servers and returns the environment that leads to them."""
        found: dict[str, str] = {}
        if not os.environ.get("DATABASE_URL"):
            found |= self._start_postgres()
        if not os.environ.get("REDIS_URL"):
            found |= self._start_valkey()
        return found

    def _spawn(self, name: str, argv: list, *, stage: int, stop: int, stdin: bytes | None = None) -> subprocess.Popen:
        log = self.home / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            pipe = subprocess.DEVNULL if stdin is None else subprocess.PIPE
            options = {"stdin": pipe, "stdout": output, "stderr": output, "cwd": self.home, "env": self.env}
            process = self.family.start(name, argv, stage=stage, stop=stop, **options, **self.account.popen)
        if stdin is not None and process.stdin:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(stdin)
        return process

    def _await(self, name: str, process: subprocess.Popen, ready) -> None:
        # Ten minutes: after a crash PostgreSQL may have gigabytes of log to replay.
        alive = wait_until(lambda: process.poll() is not None or ready(), f"waiting for {name}", 600)
        if not alive or process.poll() is not None:
            log = (self.home / f"{name}.log").read_text(errors="replace")[-1500:]
            raise StartError(f"{name} did not start (exit code {process.poll()}). Its last words:\n{log}")

    # --- PostgreSQL
    def _start_postgres(self) -> dict[str, str]:
        started = time.monotonic()
        folder, version = find_postgres()
        folder = reachable_copy(folder / "postgres", self.account, self.home).parent
        data = self._data_folder(folder, version)
        settings = POSTGRES | memory_settings() | {"unix_socket_directories": str(self.sockets)}
        settings |= {} if self.durable else FORGETFUL
        argv = [folder / "postgres", "-D", data, *(f"--{key}={value}" for key, value in settings.items())]
        # SIGINT: stop without waiting for the clients to leave.
        process = self._spawn("postgres", argv, stage=DATABASE, stop=signal.SIGINT)
        url = f"postgresql://{USER}:{self.password}@/{{}}?host={self.sockets}&port=5432"

        def ready() -> bool:
            with contextlib.suppress(psycopg.OperationalError):
                with psycopg.connect(url.format("postgres"), autocommit=True, connect_timeout=5) as connection:
                    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [USER]).fetchone():
                        connection.execute(f"CREATE DATABASE {USER}")
                return True
            return False

        self._await("postgres", process, ready)
        self.ready.append(f"PostgreSQL {version} in {data} ({time.monotonic() - started:.1f} s)")
        # With PATH and PGHOST the tools that came with the server find it: ./crm manage dbshell
        path = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {"DATABASE_URL": url.format(USER), "PGHOST": str(self.sockets), "PATH": path}

    def _data_folder(self, programs: Path, version: str) -> Path:
        """The data folder of this major version, made whole or not at all, and served by nobody."""
        major = int(re.match(r"\d+", version)[0])  # type: ignore[index]
        data = self.home / f"pg{major}"
        if data.exists():
            self._stop_left_behind(programs, data)
        for unfinished in self.home.glob("pg*.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if self.fresh:
            shutil.rmtree(data, ignore_errors=True)
        if data.exists():
            return data
        if others := sorted(path.name for path in self.home.glob("pg[0-9][0-9]")):
            raise StartError(
                f"{self.home} holds data of {', '.join(others)}, but the PostgreSQL found is {version} in {programs}. "
                "Install that version, or move the folder away to start empty."
            )
        # Never the same name twice: the initdb of a killed command may still be writing.
        new = self.home / f"pg{major}.new-{secrets.token_hex(4)}"
        password = self.home / "password"
        argv: list[str | Path] = [programs / "initdb", "-D", new, "-U", USER, f"--pwfile={password}"]
        argv += ["-E", "UTF8", "--auth=scram-sha-256", "--data-checksums", "--no-instructions"]
        argv += [] if self.durable else ["--no-sync"]
        env = self.env
        if major >= 17:  # the builtin provider needs no locale of the system and is the same everywhere
            argv += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            argv.append("--locale=C.UTF-8" if sys.platform == "linux" else "--locale=en_US.UTF-8")
            env = {key: value for key, value in env.items() if key not in ("LC_ALL", "LANG")}
        with progress("creating the database's folder"):
            made = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=self.home, **self.account.popen)
        if made.returncode:
            raise StartError(f"PostgreSQL could not create {data}:\n{made.stdout}{made.stderr}")
        new.rename(data)
        return data

    def _stop_left_behind(self, programs: Path, data: Path) -> None:
        if (data / "postmaster.pid").exists():
            argv = [str(programs / "pg_ctl"), "-D", str(data), "-m", "fast", "-w", "-t", "60", "stop"]
            with progress("stopping the PostgreSQL that a killed command left behind"):
                subprocess.run(argv, capture_output=True, env=self.env, cwd=self.home, **self.account.popen)

    # --- Valkey
    def _start_valkey(self) -> dict[str, str]:
        started = time.monotonic()
        program, version = find_valkey()
        program = reachable_copy(program, self.account, self.home)
        data = self.home / "valkey"
        self._call_valkey("SHUTDOWN SAVE")  # one that a killed command left behind
        if self.fresh:
            shutil.rmtree(data, ignore_errors=True)
        self._own_folder(data)
        for attempt in range(5):
            with socket.socket() as probe:  # a free port; someone may take it before Valkey does
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            # A port and not the socket alone: one form of redis:// URL serves the broker, the cache and production.
            config = (
                f'bind 127.0.0.1\nport {port}\nunixsocket "{self.sockets / "valkey.sock"}"\nunixsocketperm 700\n'
                f'requirepass "{self.password}"\ndir "{data}"\nappendonly yes\nappendfsync everysec\nsave ""\n'
                "maxmemory-policy noeviction\ndaemonize no\n"
            )
            process = self._spawn("valkey", [program, "-"], stage=BROKER, stop=signal.SIGTERM, stdin=config.encode())
            try:
                self._await("valkey", process, lambda: b"+PONG" in self._call_valkey("PING"))
                break
            except StartError as error:
                if "in use" not in str(error) or attempt == 4:
                    raise
                self.family.release(process)
        self.ready.append(f"Valkey {version} in {data} ({time.monotonic() - started:.1f} s)")
        return {"REDIS_URL": f"redis://:{self.password}@127.0.0.1:{port}/0"}

    def _call_valkey(self, command: str) -> bytes:
        """What the Valkey behind our socket answers, until its pong, the end, or five silent seconds."""
        answer = b""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.sockets / "valkey.sock"))
            client.sendall(f"AUTH {self.password}\r\n{command}\r\n".encode())
            while b"+PONG" not in answer and (chunk := client.recv(1024)):
                answer += chunk
        return answer
