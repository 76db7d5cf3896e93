"""A mail server for benches and drills: takes everything as fast as it comes, and writes down what it took.

python -m bench._sink PORT_FILE [LOG] [--plain] [--slow A-B] [--every N --trouble KIND,…]: the port stands in PORT_FILE
once it listens; LOG gets a line "Message-ID To" for each mail taken, before the answer. Without pipelining if --plain.
With --slow it thinks for A to B milliseconds about each mail. Every Nth mail meets one of the troubles in turn, and LOG
gets a line "! KIND":

drop    taken, and the line dropped instead of an answer    hang   taken, and no answer ever
cut     the line dropped before the mail                    busy   421 to its recipient, and the line closed
later   451 to its recipient                                refuse 550 to its recipient
"""

import argparse
import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_REFUSED = ("later", "refuse")
_END = b"\r\n.\r\n"


class Sink:
    def __init__(
        self, log: str | None, *, is_plain: bool, every: int, troubles: list[str], slow: tuple[float, float]
    ) -> None:
        self.log = Path(log).open("ab", buffering=0) if log else None  # noqa: SIM115  as long as it runs
        self.is_plain, self.every, self.troubles = is_plain, every, troubles
        self.slow = slow  # seconds, at least and at most
        self.asked, self.lock = 0, threading.Lock()

    def trouble(self) -> str:
        """What the next mail meets."""
        if not self.every:
            return ""
        with self.lock:
            self.asked += 1
            turn, left = divmod(self.asked, self.every)
            met = "" if left else self.troubles[(turn - 1) % len(self.troubles)]
            if met and self.log:
                self.log.write(f"! {met}\n".encode())
            return met

    def take(self, mail: bytes) -> None:
        """Writes a mail down."""
        if self.log:
            named = {line[:3].lower(): line for line in mail.partition(b"\r\n\r\n")[0].split(b"\r\n")}
            name, to = named[b"mes"].partition(b":")[2].strip(), named[b"to:"].partition(b":")[2].strip()
            with self.lock:
                self.log.write(name + b" " + to + b"\n")

    def talk(self, line: socket.socket) -> None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = b"250-sink\r\n250 8BITMIME\r\n" if self.is_plain else b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        held, met = b"", ""
        line.sendall(b"220 sink\r\n")
        while True:
            while b"\r\n" not in held:
                if not (more := line.recv(65536)):
                    return
                held += more
            out = b""
            while b"\r\n" in held:
                said, _end, held = held.partition(b"\r\n")
                word = said[:4].upper()
                if word == b"EHLO":
                    out += hello
                elif word == b"RCPT":
                    met = self.trouble()
                    if met == "busy":
                        line.sendall(out + b"421 4.3.2 too busy\r\n")
                        return
                    out += {"later": b"451 4.3.0 later\r\n", "refuse": b"550 5.2.0 no\r\n"}.get(met, b"250 ok\r\n")
                elif word == b"DATA" and (met == "cut" or met in _REFUSED):
                    if met == "cut":
                        line.sendall(out)  # the answers to what came before
                        return
                    out += b"503 5.5.1 nobody to send it to\r\n"
                elif word == b"DATA":
                    line.sendall(out + b"354 go on\r\n")
                    out = b""
                    while (place := held.find(_END)) == -1:
                        if not (more := line.recv(65536)):
                            return
                        held += more
                    mail, held = held[:place], held[place + len(_END) :]
                    if self.slow[1]:
                        time.sleep(random.uniform(*self.slow))
                    self.take(mail)
                    if met == "hang":
                        time.sleep(3600)
                    if met:
                        return
                    out += b"250 taken\r\n"
                elif word == b"QUIT":
                    line.sendall(out + b"221 bye\r\n")
                    return
                else:
                    out += b"250 ok\r\n"
            if out:
                line.sendall(out)

    def talk_and_close(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            self.talk(line)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("port_file")
    asked.add_argument("log", nargs="?")
    asked.add_argument("--plain", action="store_true")
    asked.add_argument("--every", type=int, default=0)
    asked.add_argument("--trouble", default="drop")
    asked.add_argument("--slow", default="0-0")
    told = asked.parse_args()
    low, high = (int(part) / 1000 for part in told.slow.split("-"))
    sink = Sink(told.log, is_plain=told.plain, every=told.every, troubles=told.trouble.split(","), slow=(low, high))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        part = Path(f"{told.port_file}.part")
        part.write_text(str(server.getsockname()[1]))
        part.rename(told.port_file)
        while True:
            threading.Thread(target=sink.talk_and_close, args=(server.accept()[0],), daemon=True).start()


@contextlib.contextmanager
def running(log: str | None = None, *options: str) -> Iterator[int]:
    """A sink in a process of its own; its port."""
    with tempfile.TemporaryDirectory(prefix="sink-") as folder:
        place = Path(folder) / "port"
        argv = [sys.executable, "-m", "bench._sink", str(place), *([log] if log else []), *options]
        process = subprocess.Popen(argv, cwd=Path(__file__).parents[1], env=os.environ)
        try:
            until = time.monotonic() + 20
            while not place.exists():
                if time.monotonic() > until or process.poll() is not None:
                    raise OSError("the mail server for the measurement does not start")
                time.sleep(0.02)
            yield int(place.read_text())
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
