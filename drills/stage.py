"""What every drill stands on: a database of its own, web servers as in production, callers, a verify at the end."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from bench.base import migrated, product_on

ALL = "members:read members:write purchases:write refunds:write redemptions:write coupons:read coupons:write"
ALL += " surveys:write"


class Failed(Exception):
    """What was not as it must be."""


def expect(true: object, what: str) -> None:
    if not true:
        raise Failed(what)


class Away(Exception):
    """No answer came: whether the call was done is not known."""


class Stage:
    """A web server on a scratch database, with a key to call it by."""

    def __init__(self, url: str, *, workers: int = 2, threads: int = 3, **env: str) -> None:
        self.url = url
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.env = os.environ | {"DATABASE_URL": url, "ALLOWED_HOSTS": "*", "SECURE_SSL_REDIRECT": "off"}
        served = self.env | env
        self.key = self.manage("create_api_key", "Drill", "--source", "drill", "--scopes", *ALL.split()).strip()
        argv = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--host", "127.0.0.1"]
        argv += ["--port", str(self.port), "--workers", str(workers), "--blocking-threads", str(threads)]
        argv += ["--backpressure", "512", "--log-level", "critical", "loyalty_crm.wsgi:application"]
        self.process = subprocess.Popen(argv, env=served, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.local = threading.local()
        self.wait(self.answers, 180, "the web server")

    def manage(self, *argv: str) -> str:
        command = [sys.executable, "-W", "ignore", "manage.py", *argv]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True)
        expect(done.returncode == 0, f"manage.py {argv[0]}: {done.stdout[-800:]}{done.stderr[-800:]}")
        return done.stdout

    def answers(self) -> bool:
        try:
            return self.call("GET", "/members/1")[0] == 404
        except Away:
            return False

    @staticmethod
    def wait(ready: Callable[[], bool], seconds: float, what: str) -> None:
        until = time.monotonic() + seconds
        while not ready():
            expect(time.monotonic() < until, f"{what} did not come within {seconds:.0f} s")
            time.sleep(0.1)

    def call(self, method: str, path: str, body: Any = None, timeout: float = 60) -> tuple[int, Any]:
        """Status and body of an answer. Away where none came. Each thread keeps its connection."""
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/api/v1{path}", json.dumps(body or {}) if method == "POST" else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            self.local.connection = None
            raise Away(str(error)) from error

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        return self.call("POST", path, body)

    def verify(self) -> str:
        """The last line of ./crm verify, which must be green."""
        return self.manage("verify").strip().splitlines()[-1]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def stage(server: str, name: str, **options: int) -> Iterator[Stage]:
    """A stage on a fresh database of `server`; Django of this process works on it, too."""
    with migrated(server, f"bench_drill_{name}") as url, product_on(url):
        set_up = Stage(url, **options)
        try:
            yield set_up
        finally:
            set_up.stop()


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """What all of them answer, started at the same moment, each in a thread of its own."""
    gate = threading.Barrier(len(acts))

    def one(act: Callable[[], Any]) -> Any:
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def make_members(how_many: int, points: int = 0) -> list[Any]:
    """Members with points to spend."""
    from django.utils import timezone

    from members.services.profile import create_member
    from rewards.services.adjustments import adjust_points

    at, made = timezone.now(), []
    for n in range(how_many):
        member = create_member(at=at, profile={"name": f"Member {n}"}, source="drill")
        if points:
            adjust_points(member_id=member.pk, amount=points, reason="Drill", key=f"drill:{member.pk}", at=at)
        made.append(member)
    return made
