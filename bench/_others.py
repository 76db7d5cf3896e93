"""What other packages do a second, in an environment of their own: a transfer of django-hordak, an award of
pinax-points. Neither has rules, lots, tiers, answers or HTTP: two processes do nothing else.

python _others.py PLACE hordak|pinax SECONDS, by the Python of that environment, prints how many were done.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# pinax-points knows no newer Django.
PACKAGES = {
    "hordak": ("django-hordak", "Django<5.3", "psycopg[binary]"),
    "pinax": ("pinax-points", "Django<4", "psycopg2-binary"),
}
PROCESSES = 2


def others(server: str, seconds: float) -> Iterator[tuple[str, float]]:
    """(package and version, how many a second) of each that can be installed here."""
    from psycopg.conninfo import conninfo_to_dict

    from bench.base import on_server, url_of

    for what, packages in PACKAGES.items():
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            python = str(Path(folder) / "bin" / "python")
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            install = [python, "-m", "pip", "install", "-q", *packages, "setuptools<81"]
            if subprocess.run(install, capture_output=True).returncode:
                print(f"    {packages[0]} cannot be installed here", flush=True)
                continue
            name = f"bench_{what}"
            on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            on_server(server, "CREATE DATABASE {}", name)
            try:
                place = json.dumps(conninfo_to_dict(url_of(server, name)))
                argv = [python, __file__, place, what]
                subprocess.run([*argv, "0"], check=True, capture_output=True)  # makes the tables
                work = [subprocess.Popen([*argv, str(seconds)], stdout=subprocess.PIPE) for _ in range(PROCESSES)]
                yield packages[0], sum(float(process.communicate()[0]) for process in work)
            except subprocess.CalledProcessError as error:
                print(f"    {packages[0]} does not run here: {error.stderr.decode()[-200:].strip()}", flush=True)
            finally:
                on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def main(place: str, what: str, seconds: str) -> None:
    import django
    from django.conf import settings

    told = json.loads(place)
    database = {name.upper(): told.get(name, "") for name in ("host", "port", "user", "password")}
    database |= {"ENGINE": "django.db.backends.postgresql", "NAME": told["dbname"]}
    apps = ["django.contrib.auth", "django.contrib.contenttypes"]
    apps += ["mptt", "hordak"] if what == "hordak" else ["pinax.points"]
    settings.configure(
        INSTALLED_APPS=apps,
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DEFAULT_CURRENCY="EUR",
        CURRENCIES=["EUR"],
        USE_TZ=what == "hordak",
    )
    django.setup()
    if seconds == "0":
        from django.core.management import call_command

        call_command("migrate", "--run-syncdb", verbosity=0)
        return
    act = _hordak() if what == "hordak" else _pinax()
    act()
    done, started = 0, time.monotonic()
    while (took := time.monotonic() - started) < float(seconds):
        act()
        done += 1
    print(done / took)


def _hordak():
    from hordak.models import Account
    from moneyed import Money

    mine = f"{os.getpid()}"
    accounts = [Account.objects.create(name=f"{mine} {n}", type="AS", currencies=["EUR"]) for n in range(2)]
    return lambda: accounts[0].transfer_to(accounts[1], Money(29, "EUR"))


def _pinax():
    from django.contrib.auth.models import User
    from pinax.points.models import award_points

    user = User.objects.create_user(f"user{os.getpid()}")
    return lambda: award_points(user, 29)


if __name__ == "__main__":
    main(*sys.argv[1:])
