"""./crm run: everything a visitor needs, until someone stops it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

from loyalty_crm.launch.supervisor import Family, StartError, Stopped, pause, progress, say

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  only compared with


def address() -> tuple[str, int]:
    """HOST and PORT from the environment."""
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise StartError(f"PORT={port} is not a port. Choose a number from 1024 to 65535, e.g. PORT=8001 ./crm run")
    return host, int(port)


def visible(host: str) -> str:
    """The host as a browser on this machine writes it."""
    host = "127.0.0.1" if host in EVERYWHERE else host
    return f"[{host}]" if ":" in host else host


def require_free(host: str, port: int) -> None:
    """Raises StartError where the address cannot be used. The web server itself would share a taken port unasked."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except PermissionError:
        sentence = f"Port {port} needs more rights than this user has. Choose another: PORT=8001 ./crm run"
        raise StartError(sentence) from None
    except socket.gaierror:
        raise StartError(f"HOST={host} is not an address of this machine.") from None
    except OSError as error:
        raise StartError(
            f"Cannot listen at {visible(host)}:{port}: {(error.strerror or str(error)).lower()}. "
            "Stop what uses it, or choose another port: PORT=8001 ./crm run"
        ) from None


def prepare(family: Family, env: dict[str, str]) -> str:
    """Brings translations, tables, demo data and static files up to date; returns the lines about demo accounts."""
    argv, pipe = [sys.executable, "-m", "loyalty_crm.launch.prepare"], subprocess.PIPE
    # Accounts whose password stands in the documentation never go into a database of the user's own unasked.
    argv += [] if os.environ.get("DATABASE_URL") else ["--demo"]
    process = family.start("setup", argv, env=env, stdout=pipe, stderr=pipe)
    family.say_lines("setup", process.stderr)
    while process.poll() is None:
        pause(0.05)
    if process.returncode:
        raise StartError("Setting up failed; the lines above say why.")
    family.release(process)
    return process.stdout.read().decode(errors="replace") if process.stdout else ""


def commands(env: dict[str, str]) -> dict[str, list[str]]:
    host, port = address()
    python, celery = [sys.executable, "-m"], ["celery", "-A", "loyalty_crm", "--quiet"]
    web = ["granian", "--interface", "wsgi", "--no-ws", "--host", host, "--port", str(port), "--log-level", "warning"]
    # A thread holds a database connection: few threads; and more waiting requests than browsers keep connections open.
    web += ["--workers", str(min(2, os.cpu_count() or 1)), "--blocking-threads", "2", "--backpressure", "256"]
    return {
        "web": [*python, *web, "loyalty_crm.wsgi:application"],
        "worker": [*python, *celery, "worker", "-c", "2", "--without-gossip", "--without-mingle"],
        "beat": [*python, *celery, "beat", "--pidfile=", "--schedule", f"{env['CRM_STATE']}/beat"],
    }


def answering(env: dict[str, str]) -> bool:
    """Whether /health says yes."""
    host, port = address()
    site = urlsplit(env.get("SITE_URL", ""))
    connection = http.client.HTTPConnection(visible(host).strip("[]"), port, timeout=2)
    try:
        # As a proxy would ask, whichever host and scheme the settings insist on.
        headers = {"Host": site.netloc or f"{visible(host)}:{port}", "X-Forwarded-Proto": site.scheme or "http"}
        connection.request("GET", "/health", headers=headers)
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def welcome(env: dict[str, str], accounts: str) -> None:
    host, port = address()
    url = env.get("SITE_URL") or f"http://{visible(host)}:{port}"
    say("")
    say(f"Loyalty CRM is ready: {url}/ for members, {url}/admin/ for staff.")
    for line in accounts.splitlines():
        say(line)
    if env.get("REQUIRE_STAFF_MFA") == "off":
        say("Staff need no second factor here (REQUIRE_STAFF_MFA=off): right for a trial, wrong for a shop.")
    if host in EVERYWHERE:
        say("To be reached from other devices, set ALLOWED_HOSTS and SITE_URL to the name they use.")
    say("Ctrl-C stops everything.")


def supervise(family: Family, env: dict[str, str]) -> int:
    """Runs until a signal comes or a process ends; returns the exit code."""
    # The worker as root: true to warn in production, noise in a trial inside a container.
    quiet = "ignore:You're running the worker with superuser privileges"
    env = {"LOG_FORMAT": "console", "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": quiet} | env
    try:
        accounts = prepare(family, env)
        for name, argv in commands(env).items():
            family.start(name, argv, env=env)
        with progress("waiting for the web server"):
            between = 0.2
            while not answering(env):
                if code := stopped_by_a_fall(family):
                    return code
                pause(between)
                between = min(between * 1.2, 2)  # one that answers with errors logs each of them
        welcome(env, accounts)
        while not (code := stopped_by_a_fall(family)):
            pause(0.3)
        return code
    except Stopped as stopped:
        say(f"{signal.Signals(stopped.args[0]).name}: stopping")
        return 0


def stopped_by_a_fall(family: Family) -> int:
    """The exit code where a process has ended, named; 0 where all live."""
    child = family.fallen()
    if child is None:
        return 0
    code = child.process.returncode
    how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
    say(f"{child.name} ended ({how}); stopping everything")
    return 1
