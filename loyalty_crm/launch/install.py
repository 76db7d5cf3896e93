"""Makes .venv hold what a requirements file pins. Run by ./crm with any Python; standard library only.

The three requirement files nest (production < local < dev) and are locked together, so one stamp is enough: the
checksum of all three and the largest set installed. It is removed before pip starts and written when pip is done:
whatever interrupts an installation, the next one finds no stamp and begins afresh.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
VENV = PROJECT / ".venv"
STAMP = VENV / "installed"
SETS = ["requirements.txt", "requirements-local.txt", "requirements-dev.txt"]


def say(text: str) -> None:
    print(f"crm     | {text}", file=sys.stderr, flush=True)


def checksum() -> str:
    texts = [path.read_bytes() for path in map(PROJECT.joinpath, SETS) if path.exists()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def stamp() -> tuple[str, str]:
    """Checksum and set of the finished installation; two empty strings where there is none."""
    with contextlib.suppress(OSError, ValueError):
        digest, installed = STAMP.read_text().split()
        if installed in SETS:
            return digest, installed
    return "", ""


def works() -> bool:
    """Whether .venv has a Python that starts, of the minor version asked for where PYTHON asks."""
    if Path(sys.prefix) == VENV:
        return True
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        code = "import sys; print(*sys.version_info[:2])"
        found = subprocess.run([VENV / "bin/python", "-c", code], capture_output=True, text=True, check=True)
        return not os.environ.get("PYTHON") or found.stdout.split() == [str(n) for n in sys.version_info[:2]]
    return False


def is_current(needed: str) -> bool:
    digest, installed = stamp()
    return digest == checksum() and SETS.index(installed) >= SETS.index(needed) and works()


def pip(requirements: Path) -> None:
    """Runs pip quietly with a line every few seconds; raises SystemExit with pip's last words where it fails."""
    total = len(re.findall(r"^[\w.-]+(?:\[[^]]*\])?==", requirements.read_text(), re.M))
    argv: list[str | Path] = [VENV / "bin/python", "-m", "pip", "install", "--require-hashes", "-r", requirements]
    argv += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--root-user-action", "ignore"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, started, told = b"", time.monotonic(), time.monotonic()
    pipe = process.stdout.fileno() if process.stdout else -1
    while True:
        if select.select([pipe], [], [], 1)[0]:
            chunk = os.read(pipe, 65536)
            if not chunk:
                break
            output += chunk
        if time.monotonic() - told > 3:
            told = time.monotonic()
            collected = len(re.findall(rb"^Collecting |^Requirement already satisfied: ", output, re.M))
            doing = "unpacking them" if b"\nInstalling collected" in output else f"{collected} of about {total} fetched"
            say(f"installing packages: {doing} ({told - started:.0f} s)")
    if process.wait():
        sys.exit(
            output.decode(errors="replace")[-3000:] + f"\ncrm: pip could not install {requirements.name}; see above"
        )


def install(needed: str) -> None:
    started, (digest, installed) = time.monotonic(), stamp()
    wanted = max(needed, installed, key=SETS.index) if digest == checksum() else needed
    if not digest or not works():
        say(f"making .venv with Python {sys.version.split()[0]}")
        shutil.rmtree(VENV, ignore_errors=True)
        # The base interpreter: a .venv must not be made from itself.
        base = getattr(sys, "_base_executable", sys.executable)
        if subprocess.run([base, "-m", "venv", VENV], stdout=subprocess.DEVNULL).returncode:
            sys.exit(f"crm: could not make {VENV}; see above")
    say(f"installing packages of {wanted}")
    STAMP.unlink(missing_ok=True)
    digest = checksum()
    pip(PROJECT / wanted)
    unfinished = STAMP.with_suffix(".part")
    unfinished.write_text(f"{digest} {wanted}\n")
    unfinished.replace(STAMP)
    say(f"packages ready ({time.monotonic() - started:.0f} s)")


def main(needed: str) -> None:
    if is_current(needed):
        return
    folder = os.open(PROJECT, os.O_RDONLY)  # a lock on the folder itself leaves no file behind
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another ./crm is installing packages; waiting for it")
        fcntl.flock(folder, fcntl.LOCK_EX)
    if not is_current(needed):
        install(needed)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit(130)
