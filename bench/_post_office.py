"""What django-post_office takes to send fixed mails that stand in its tables, in an environment of its own.

python _post_office.py PLACE PORT MAILS FILE, by the Python of that environment, prints the seconds that FILE took.
"""

import json
import subprocess
import sys
import tempfile
import time
from email import message_from_bytes
from email.policy import default
from pathlib import Path

PACKAGES = ("django-post_office==3.12.0", "Django<5.3", "psycopg[binary]")


def post_office(server: str, port: int, mails: int, frame: bytes) -> float | None:
    """The seconds of the fastest of its ways that were tried (one thread, 5,000 a batch, no log); None where it cannot
    be installed."""
    from psycopg.conninfo import conninfo_to_dict

    from bench.base import on_server, url_of

    name = "bench_post_office"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "-q", *PACKAGES]
        if subprocess.run(install, capture_output=True).returncode:
            print("    django-post_office cannot be installed here", flush=True)
            return None
        on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        on_server(server, "CREATE DATABASE {}", name)
        try:
            place = json.dumps(conninfo_to_dict(url_of(server, name)))
            file = Path(folder) / "mail"
            file.write_bytes(frame)
            argv = [python, __file__, place, str(port), str(mails), str(file)]
            done = subprocess.run(argv, capture_output=True, text=True)
            if done.returncode:
                print(f"    django-post_office does not run here: {done.stderr[-300:].strip()}", flush=True)
                return None
            return float(done.stdout)
        finally:
            on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def main(place: str, port: str, mails: str, file: str) -> None:
    import django
    from django.conf import settings

    told = json.loads(place)
    database = {name.upper(): told.get(name, "") for name in ("host", "port", "user", "password")}
    database |= {"ENGINE": "django.db.backends.postgresql", "NAME": told["dbname"]}
    settings.configure(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "post_office"],
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        EMAIL_BACKEND="post_office.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=int(port),
        POST_OFFICE={
            "BATCH_SIZE": 5000,
            "THREADS_PER_PROCESS": 1,
            "LOG_LEVEL": 0,
            "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
        },
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command
    from post_office import mail
    from post_office.mail import send_queued
    from post_office.models import STATUS, Email

    call_command("migrate", "--run-syncdb", verbosity=0)
    same = message_from_bytes(Path(file).read_bytes(), policy=default)
    text, html = same.get_body(("plain",)), same.get_body(("html",))
    assert text is not None
    assert html is not None
    fixed = {
        "sender": "loyalty@example.com",
        "subject": "News",
        "message": text.get_content(),
        "html_message": html.get_content(),
    }
    for start in range(0, int(mails), 500):
        mail.send_many([{"recipients": [f"m{n}@example.com"], **fixed} for n in range(start, start + 500)])
    started = time.monotonic()
    while Email.objects.filter(status=STATUS.queued).exists():
        send_queued(processes=1, log_level=0)
    took = time.monotonic() - started
    assert Email.objects.filter(status=STATUS.sent).count() == int(mails)
    print(took)


if __name__ == "__main__":
    main(*sys.argv[1:])
