"""Stops a run whose supervisor was killed. Standard library only; started by supervisor.Family.

Reads lines from the supervisor: "+ STAGE SIGNAL PID" names a process to stop, "- PID" one that ended as it should,
"bye" ends the watch. When the pipe closes without "bye" the supervisor is dead: the processes get their signals, stage
by stage, and what is left of their groups is killed. Works on Linux and macOS alike.
"""

import os
import signal
import sys
import time

PATIENCE = 8  # seconds a stage; bounded, since a zombie that process 1 never reaps looks alive for ever


def send(kill, pid: int, number: int) -> bool:
    """Calls os.kill or os.killpg; returns whether there was someone to hear it."""
    try:
        kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watched: dict[int, tuple[int, int]] = {}
    for line in sys.stdin:
        match line.split():
            case ["+", stage, number, pid]:
                watched[int(pid)] = int(stage), int(number)
            case ["-", pid]:
                watched.pop(int(pid), None)
            case ["bye"]:
                return
    for stage in sorted({stage for stage, _ in watched.values()}):
        group = {pid: number for pid, (at, number) in watched.items() if at == stage}
        for pid, number in group.items():
            send(os.kill, pid, number)
        deadline = time.monotonic() + PATIENCE
        while any(send(os.killpg, pid, 0) for pid in group) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in group:
            send(os.killpg, pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
