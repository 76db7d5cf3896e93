"""What a run does before it serves, in one process: each Django start saved is a second.

Says its progress on standard error; standard output holds the lines about demo accounts.
"""

import hashlib
import io
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError

from loyalty_crm.management.commands.messages import compile_catalogues


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Count(io.StringIO):
    """Takes a command's output; counts what carries a mark and tells the count every few seconds."""

    def __init__(self, text: str, mark: str) -> None:
        super().__init__()
        self.text, self.mark, self.count = text, mark, 0
        self.started = self.told = time.monotonic()

    def write(self, chunk: str) -> int:
        self.count += chunk.count(self.mark)
        if time.monotonic() - self.told > 3:
            self.told = time.monotonic()
            say(f"{self.text}: {self.count} so far ({self.told - self.started:.0f} s)")
        return len(chunk)

    def done(self) -> None:
        if self.count:
            say(f"{self.text}: {self.count} ({time.monotonic() - self.started:.1f} s)")


def static_files() -> str:
    """A checksum over name, size and time of every static file and of the pinned packages."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def main(*, demo: bool) -> None:
    compile_catalogues()
    django.setup()
    call_command("check", stdout=io.StringIO())
    migrations = Count("migrations", " OK")
    call_command("migrate", interactive=False, stdout=migrations)
    migrations.done()
    mark, checksum = Path(settings.STATIC_ROOT) / "checksum", static_files()
    if not mark.exists() or mark.read_text() != checksum:
        files = Count("static files", "Post-processed")
        call_command("collectstatic", interactive=False, clear=True, verbosity=2, stdout=files)
        files.done()
        mark.write_text(checksum)
    if demo:
        call_command("demo", "--if-empty", stdout=sys.stderr)
        call_command("demo", "--accounts")


if __name__ == "__main__":
    try:
        main(demo="--demo" in sys.argv)
    except (ImproperlyConfigured, SystemCheckError) as error:
        sys.exit(f"The settings are wrong: {error}")
    except OperationalError as error:
        sys.exit(f"The database does not answer; check DATABASE_URL. {error}")
