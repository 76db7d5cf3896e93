"""The drill: workers killed with -9, and Redis wiped, in the middle of birthday greetings to a real SMTP server.

DRILL_MEMBERS says how many greetings (100). With DRILL_PATIENCE=1 the two minutes of a dead worker's claim are waited
for; without it, the drill puts the clock of the claims back instead.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from redis import Redis

from campaigns.models import Message
from campaigns.services.delivery import LEASE
from campaigns.tests.factories import switch_on
from campaigns.tests.smtp import SinkServer
from loyalty_crm.launch.binaries import find_valkey
from members.models import Consent, Member
from rewards.models import Transfer

pytestmark = pytest.mark.django_db(transaction=True)
MEMBERS = int(os.environ.get("DRILL_MEMBERS", "100"))
PATIENT = bool(os.environ.get("DRILL_PATIENCE"))
JOINED = datetime(2025, 1, 1, tzinfo=UTC)


class Stage:
    """A mail server, a broker that keeps nothing, and workers to kill."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.mail = SinkServer()
        self.mail.start()
        # Long enough in the server's hands that a kill finds a message there.
        self.mail.sink.slow = 0.01
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.redis_url = f"redis://127.0.0.1:{self.port}/0"
        self.app = Celery(broker=self.redis_url, set_as_current=False)
        self.app.conf.task_default_queue = settings.CELERY_TASK_DEFAULT_QUEUE
        self.app.conf.broker_transport_options = {"socket_connect_timeout": 1}
        self.broker = self.start_broker()
        self.worker = self.start_worker()

    def start_broker(self) -> subprocess.Popen:
        argv = [find_valkey()[0], "--port", str(self.port), "--save", "", "--appendonly", "no", "--dir", "/tmp"]
        broker = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait(lambda: answers(self.redis_url), 20)
        return broker

    def start_worker(self) -> subprocess.Popen:
        database = connection.settings_dict
        login = quote(database["USER"]) + (f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else "")
        host, port = quote(database["HOST"], safe=""), database["PORT"] or 5432
        env = os.environ | {
            "DATABASE_URL": f"postgres://{login}@{host}:{port}/{database['NAME']}",
            "REDIS_URL": self.redis_url,
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "SECRET_KEY": "drill",
        }
        argv = [sys.executable, "-m", "celery", "-A", "loyalty_crm.celery", "worker", "-c", "2", "-l", "warning"]
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(argv, env=env, stdout=log, stderr=log, start_new_session=True)

    def kill_worker(self) -> None:
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()

    def wipe_broker(self) -> None:
        self.broker.kill()
        self.broker.wait()
        self.broker = self.start_broker()

    def beat(self) -> None:
        """One tick. A broker that is down swallows it, as in life."""
        for task in ("campaigns.tasks.plan_birthday_greetings", "campaigns.tasks.deliver_messages"):
            try:
                self.app.send_task(task, expires=5, retry=False)
            except Exception as error:
                print("the broker is away:", error)

    def beat_until(self, done: Callable[[], bool], seconds: float) -> None:
        def tick() -> bool:
            self.beat()
            return done()

        wait(tick, seconds)

    def stop(self) -> None:
        self.kill_worker()
        self.broker.kill()
        self.broker.wait()
        self.mail.stop()


def answers(url: str) -> bool:
    try:
        return Redis.from_url(url, socket_connect_timeout=1).ping()
    except Exception:
        return False


def wait(done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, f"not done after {seconds} seconds"
        time.sleep(0.2)


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    stage.stop()


def celebrants() -> None:
    """MEMBERS members whose birthday is today, and who want to hear of it."""
    now = datetime.now(UTC)
    switch_on(at=now - timedelta(days=1), send_hour=0, gift_points=25)
    members = Member.objects.bulk_create(
        Member(
            name=f"Member {n}",
            email=f"m{n}@example.com",
            language=random.choice(["en", "zh-hans"]),
            birthday_month=now.month,
            birthday_day=now.day,
            leap_day_rule="feb28",
            joined_at=JOINED,
        )
        for n in range(MEMBERS)
    )
    Consent.objects.bulk_create(
        Consent(member=member, channel="email", purpose="greetings", granted=True, source="drill", at=JOINED)
        for member in members
    )


def time_passes() -> None:
    """The claims of dead workers run out."""
    if PATIENT:
        return
    Message.objects.filter(lease_until__isnull=False).update(lease_until=datetime.now(UTC))


def is_settled() -> bool:
    return Message.objects.filter(state__in=["sent", "unknown"]).count() == MEMBERS


@pytest.mark.parametrize("wipe", [False, True], ids=["workers die", "workers die and redis is wiped"])
def test_nobody_is_left_out_and_nobody_gets_two(stage, wipe):
    celebrants()
    kept = stage.mail.sink.kept
    kills = 2
    for number in range(1, kills + 1):
        goal = MEMBERS * number // (kills + 1)
        stage.beat_until(lambda goal=goal: len(kept) >= goal, 120)
        time.sleep(random.random() / 10)
        stage.kill_worker()
        if wipe:
            stage.wipe_broker()
        time_passes()
        stage.worker = stage.start_worker()
    stage.beat_until(is_settled, 240 + LEASE.total_seconds() * PATIENT * 2 + MEMBERS / 10)

    states = {message.to: message.state for message in Message.objects.all()}
    received = stage.mail.sink.received()
    doubtful = {to for to, state in states.items() if state == "unknown"}
    print(
        f"{MEMBERS} greetings, {kills} kills: {len(states) - len(doubtful)} sent; in doubt and listed: {len(doubtful)}"
    )
    print(f"of the doubtful arrived: {sum(received[to] for to in doubtful)}")
    assert len(states) == MEMBERS
    assert max(received.values()) == 1
    assert {to for to, state in states.items() if state == "sent"} <= set(received)
    assert len(doubtful) <= kills  # one message at a time is in the server's hands
    assert Transfer.objects.filter(kind="gift").count() == MEMBERS
    assert len({mail["Message-ID"] for mail in kept}) == len(kept)
