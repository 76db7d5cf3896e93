"""A mail server for benches and drills: takes everything as fast as it comes, and writes down what it took.

python -m bench._sink PORT_FILE [LOG] [--plain] [--drop N]: the port stands in PORT_FILE once it listens; LOG gets a
line "Message-ID To" for each mail taken, before the answer. Without pipelining if --plain; every Nth mail is taken and
the line dropped instead of an answer.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_END = b"\r\n.\r\n"


class Sink:
    def __init__(self, log: str | None, *, is_plain: bool, drop: int) -> None:
        self.log = Path(log).open("ab", buffering=0) if log else None  # noqa: SIM115  as long as it runs
        self.is_plain, self.drop, self.taken, self.lock = is_plain, drop, 0, threading.Lock()

    def take(self, mail: bytes) -> bool:
        """Writes a mail down; False where its answer is to be lost."""
        with self.lock:
            self.taken += 1
            if self.log:
                named = {line[:3].lower(): line for line in mail.partition(b"\r\n\r\n")[0].split(b"\r\n")}
                name, to = named[b"mes"].partition(b":")[2].strip(), named[b"to:"].partition(b":")[2].strip()
                self.log.write(name + b" " + to + b"\n")
            return not (self.drop and self.taken % self.drop == 0)

    def talk(self, line: socket.socket) -> None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = b"250-sink\r\n250 8BITMIME\r\n" if self.is_plain else b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        held = b""
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
                elif word == b"DATA":
                    line.sendall(out + b"354 go on\r\n")
                    out = b""
                    while (place := held.find(_END)) == -1:
                        if not (more := line.recv(65536)):
                            return
                        held += more
                    mail, held = held[:place], held[place + len(_END) :]
                    if not self.take(mail):
                        line.close()
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
    asked.add_argument("--drop", type=int, default=0)
    told = asked.parse_args()
    sink = Sink(told.log, is_plain=told.plain, drop=told.drop)
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
