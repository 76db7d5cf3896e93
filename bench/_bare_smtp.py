"""A bare smtplib loop that sends ready bytes, in a process of its own: python -m bench._bare_smtp FILE PORT prints the
seconds. FILE holds the mails, as `written` wrote them."""

import pickle
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path


def written(file: Path, batches: Iterable[list[tuple[str, bytes]]]) -> None:
    """Keeps address and bytes of each mail on disk, not in the process whose memory is measured."""
    with file.open("wb") as out:
        for batch in batches:
            pickle.dump(batch, out)


def batches_of(file: Path) -> Iterator[list[tuple[str, bytes]]]:
    with file.open("rb") as held:
        while held.peek(1):
            yield pickle.load(held)


def bare_loop(file: Path, port: int) -> float:
    """The seconds that it takes."""
    argv = [sys.executable, "-m", "bench._bare_smtp", str(file), str(port)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(file: str, port: str) -> None:
    mails = [mail for batch in batches_of(Path(file)) for mail in batch]
    started = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", int(port)) as smtp:
        for to, frame in mails:
            smtp.sendmail("loyalty@example.com", [to], frame)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
