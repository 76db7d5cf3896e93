"""The processes of a run: start them, watch them, stop them in order."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loyalty_crm.launch.watchdog import send

PROJECT = Path(__file__).resolve().parents[2]
APP, BROKER, DATABASE = range(3)  # the stages of stopping
GRACE = {APP: 20, BROKER: 10, DATABASE: 60}  # seconds until what does not stop is killed
output = sys.stdout
received: list[int] = []  # signals that asked us to stop


class StartError(Exception):
    """What keeps a command from running, as a sentence for the person at the terminal."""


class Stopped(Exception):
    """A signal asked us to stop; its number is the first argument."""


def say(text: str, name: str = "crm") -> None:
    # A closed terminal or pipe must not keep us from stopping what runs.
    with contextlib.suppress(OSError, ValueError):
        print(f"{name:<8}| {text}", file=output, flush=True)


def listen() -> None:
    """From now on Ctrl-C, SIGTERM and a closed terminal raise Stopped at the next pause."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: received.append(number))


def pause(seconds: float) -> None:
    time.sleep(seconds)
    if received:
        raise Stopped(received[0])


@contextlib.contextmanager
def progress(text: str) -> Iterator[None]:
    """Says what takes longer than two seconds, every five seconds, and how long it took."""
    done, started = threading.Event(), time.monotonic()

    def tell() -> None:
        wait = 2
        while not done.wait(wait):
            say(f"{text} ({time.monotonic() - started:.0f} s)")
            wait = 5

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def wait_until(ready: Callable[[], bool], text: str, timeout: float, every: float = 0.05) -> bool:
    """Whether `ready` came true within `timeout` seconds; says so meanwhile where it takes long."""
    deadline = time.monotonic() + timeout
    with progress(text):
        while not ready():
            if time.monotonic() > deadline:
                return False
            pause(every)
    return True


def command_line(pid: int) -> str:
    """How the process was called; nothing where there is none."""
    with contextlib.suppress(OSError):
        if Path("/proc/self").exists():
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout
    return ""


def stop_left_behind(record: Path) -> None:
    """Stops the application's processes of a killed family; its servers are found by their data."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        found = [pid for pid in json.loads(record.read_text()) if "loyalty_crm" in command_line(pid)]
    for pid in found:
        send(os.kill, pid, signal.SIGTERM)
    waiting = "waiting for the processes that a killed ./crm left behind"
    wait_until(lambda: not any("loyalty_crm" in command_line(pid) for pid in found), waiting, 10)
    for pid in found:
        send(os.killpg, pid, signal.SIGKILL)
    record.unlink(missing_ok=True)


@dataclass
class Child:
    name: str
    process: subprocess.Popen
    stage: int
    stop: int


class Family:
    """Child processes, each in a session of its own, so that we and not the terminal choose the order of stopping.

    A watchdog process knows them too and stops them should this process be killed. Should both be killed, the file
    `record` keeps their numbers for stop_left_behind.
    """

    def __init__(self, record: Path) -> None:
        self.record = record
        self.children: list[Child] = []
        self.pumps: list[threading.Thread] = []
        self.watchdog: Child | None = None

    def _tell_watchdog(self, line: str) -> None:
        if self.watchdog is None:
            argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("watchdog.py"))]
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                bufsize=1,
                start_new_session=True,
                cwd="/",
            )
            self.watchdog = Child("watchdog", process, APP, signal.SIGTERM)
        stdin = self.watchdog.process.stdin
        with contextlib.suppress(OSError):  # a watchdog that was killed is named by fallen()
            if stdin:
                stdin.write(line + "\n")

    def start(
        self, name: str, argv: Sequence[str | Path], *, stage: int = APP, stop: int = signal.SIGTERM, **options: Any
    ) -> subprocess.Popen:
        """Starts a process; without a `stdout` of its own its lines are said under its name."""
        said = "stdout" not in options
        if said:
            options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("cwd", PROJECT)
        process: subprocess.Popen = subprocess.Popen([str(arg) for arg in argv], start_new_session=True, **options)
        self.children.append(Child(name, process, stage, stop))
        self._tell_watchdog(f"+ {stage} {int(stop)} {process.pid}")
        self._write_record()
        if said:
            self.say_lines(name, process.stdout)
        return process

    def watch(self, process: subprocess.Popen) -> None:
        """Has the watchdog stop a process that is not ours to stop: it would outlive its servers."""
        self._tell_watchdog(f"+ {APP} {int(signal.SIGTERM)} {process.pid}")

    def say_lines(self, name: str, stream: Any) -> None:
        def pump() -> None:
            with stream:
                for line in stream:
                    if text := line.decode(errors="replace").rstrip():
                        say(text, name)

        self.pumps.append(threading.Thread(target=pump, daemon=True))
        self.pumps[-1].start()

    def release(self, process: subprocess.Popen) -> None:
        """Forgets a process that ended as it should."""
        self.children = [child for child in self.children if child.process is not process]
        self._tell_watchdog(f"- {process.pid}")
        self._write_record()

    def _write_record(self) -> None:
        self.record.write_text(json.dumps([child.process.pid for child in self.children if child.stage == APP]))

    def fallen(self) -> Child | None:
        """The first process that ended by itself."""
        everyone = [*self.children, *([self.watchdog] if self.watchdog else [])]
        return next((child for child in everyone if child.process.poll() is not None), None)

    def stop(self) -> None:
        """Stops all, the application first and the database last; a second signal stops the application at once."""
        heard = received.count(signal.SIGINT)
        for stage in GRACE:
            group = [child for child in self.children if child.stage == stage]
            for child in group:
                if child.process.poll() is None:
                    child.process.send_signal(child.stop)
            asked, told = time.monotonic(), False
            while alive := [child.name for child in group if child.process.poll() is None]:
                waited = time.monotonic() - asked
                if waited > GRACE[stage] or (stage == APP and received.count(signal.SIGINT) > heard):
                    break
                if waited > 4 and not told:
                    told = True
                    say(f"waiting for {' and '.join(alive)} to finish, at most {GRACE[stage]} s; Ctrl-C: stop at once")
                time.sleep(0.05)
            for child in group:
                if child.process.poll() is None:
                    say(f"{child.name} did not stop in time; killing it")
                send(os.killpg, child.process.pid, signal.SIGKILL)  # and whatever its leader left behind
                child.process.wait()
        self.children = []
        self.record.unlink(missing_ok=True)
        for thread in self.pumps:
            thread.join(1)
        if self.watchdog:
            self._tell_watchdog("bye")
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self.watchdog.process.communicate(timeout=5)
            self.watchdog = None
