"""Redis wiped every few seconds while Celery delivers a broadcast: nobody gets two, nobody is forgotten."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench._sink import running
from drills import _mail
from drills.stage import expect

EVERY = 3.0  # seconds between two wipes
SPREAD = 30  # seconds over which mails become due: were all due at once, one ring of the bell would do for them


def run(server: str) -> Iterator[str]:
    from redis import Redis

    from common.sql import execute
    from loyalty_crm.celery import app

    members = int(os.environ.get("DRILL_MEMBERS", "10000"))
    with tempfile.TemporaryDirectory(prefix="crm-drill-") as folder:
        log = Path(folder) / "taken"
        log.touch()
        broker, url = start_broker(Path(folder))
        try:
            with running(str(log)) as port, _mail.office(server, "mail_redis", port) as office:
                _mail.plan(members)
                later = f"next_try_at + id %% {SPREAD} * interval '1 second'"
                execute(f"UPDATE campaigns_message SET next_try_at = {later}", [])
                yield f"{members:,} mails, due over {SPREAD} seconds"
                argv = [sys.executable, "-m", "celery", "-A", "loyalty_crm.celery", "worker", "-c", "2", "-l", "error"]
                quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                office.env |= {"REDIS_URL": url}
                worker = subprocess.Popen(argv, env=office.env, start_new_session=True, **quiet)  # type: ignore[call-overload]
                try:
                    wipes, last = 0, time.monotonic()

                    def tick() -> None:
                        nonlocal wipes, last
                        expect(worker.poll() is None, "the worker ended")
                        # By the product's own app: its queue, its way to ring.
                        with app.connection_for_write(url) as bell:
                            app.send_task("campaigns.tasks.deliver_messages", connection=bell, expires=5)
                        if time.monotonic() - last > EVERY:
                            Redis.from_url(url).flushall()
                            wipes, last = wipes + 1, time.monotonic()
                        time.sleep(0.5)

                    _mail.until(_mail.is_over, 120, tick)
                finally:
                    os.killpg(worker.pid, 9)
                    worker.wait()
                yield f"Redis wiped {wipes} times"
                expect(wipes >= SPREAD / EVERY / 2, "hardly a wipe")
                yield from _mail.reckon(log, members)
                expect(_mail.states()["unknown"] == 0, "a message is in doubt although no worker died")
                yield office.verify()
        finally:
            broker.kill()
            broker.wait()


def start_broker(folder: Path) -> tuple[subprocess.Popen, str]:
    """A Valkey of our own, and its URL."""
    from redis import Redis

    from loyalty_crm.launch.binaries import find_valkey

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [str(find_valkey()[0]), "--port", str(port), "--save", "", "--dir", str(folder), "--loglevel", "warning"]
    broker, url = subprocess.Popen(argv, stdout=subprocess.DEVNULL), f"redis://127.0.0.1:{port}/0"
    for _try in range(100):
        try:
            Redis.from_url(url).ping()
            return broker, url
        except OSError:
            time.sleep(0.1)
        except Exception:
            time.sleep(0.1)
    raise OSError("the broker does not start")
