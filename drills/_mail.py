"""What the drills of delivery share: members who want a mail, a campaign that waits, workers to kill, the reckoning."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.base import migrated, product_on
from drills.stage import expect

# A worker delivers whatever waits, again and again. Workers branch off one process that has everything loaded and no
# connection open: starting Python a hundred times would take longer than the work.
_WORK = """
import logging, os, signal, sys, time, django
django.setup()
logging.disable(logging.WARNING)
from django.utils import timezone
from campaigns.content import compiled
from campaigns.services.delivery import deliver
from django.db import DatabaseError, connection
from django.urls import reverse
reverse("campaigns:unsubscribe", args=["x"])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for line in sys.stdin:
    worker = os.fork()
    if worker:
        print(worker, flush=True)
        continue
    while True:
        try:
            deliver(clock=timezone.now)
        except DatabaseError:  # as a task of Celery: the next one goes on
            connection.close()
        time.sleep(0.02)
"""


class Office:
    """A database of its own, and workers that deliver to the mail server at `port`."""

    def __init__(self, url: str, port: int) -> None:
        self.env = os.environ | {
            "DATABASE_URL": url,
            "EMAIL_URL": f"smtp://127.0.0.1:{port}",
            "DJANGO_SETTINGS_MODULE": "loyalty_crm.settings",
            "EMAIL_TIMEOUT": "5",
        }
        self.workers: list[int] = []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        argv = [sys.executable, "-W", "ignore", "-c", _WORK]
        self.stem = subprocess.Popen(argv, env=self.env, **pipes)  # type: ignore[call-overload]
        expect(self.stem.stdout.readline() == "ready\n", "the workers do not start")

    def hire(self) -> int:
        """A worker that begins at once; its process."""
        self.stem.stdin.write("go\n")
        self.stem.stdin.flush()
        worker = int(self.stem.stdout.readline())
        self.workers.append(worker)
        return worker

    def kill(self, worker: int) -> None:
        os.kill(worker, signal.SIGKILL)
        self.workers.remove(worker)

    def close(self) -> None:
        for worker in list(self.workers):
            self.kill(worker)
        self.stem.kill()
        self.stem.wait()

    def verify(self) -> str:
        argv = [sys.executable, "-W", "ignore", "manage.py", "verify"]
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True)
        expect(done.returncode == 0, f"verify: {done.stdout[-600:]}{done.stderr[-300:]}")
        return done.stdout.strip().splitlines()[-1]


@contextmanager
def office(server: str, name: str, port: int) -> Iterator[Office]:
    """An office on a fresh database of `server`; Django of this process works on it, too."""
    with migrated(server, f"bench_drill_{name}") as url, product_on(url):
        made = Office(url, port)
        try:
            yield made
        finally:
            made.close()


def people(members: int) -> None:
    """So many members who agreed to be written to."""
    from common.sql import execute

    execute(
        f"""
        INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar,
                                    birthday_leap_month, leap_day_rule, joined_at)
            SELECT 'Member ' || n, 'm' || n || '@example.com', '', 'en', 'UTC', '', 'solar', false, 'feb28',
                   '2024-01-01' FROM generate_series(1, {members}) AS n;
        INSERT INTO members_consent (member_id, channel, purpose, granted, source, at)
            SELECT id, 'email', 'offers', true, 'drill', '2024-01-01' FROM members_member;
        """,
        None,
    )


def plan(members: int) -> int:
    """A broadcast to so many members who agreed; the campaign."""
    from django.utils import timezone

    from campaigns.models import Broadcast, BroadcastVariant, Campaign
    from campaigns.services.senders import default_sender
    from common.sql import execute

    people(members)
    at, version = timezone.now(), version_of("marketing")
    campaign = Campaign.objects.create(kind="broadcast", name="Drill", purpose="offers", state="running")
    broadcast = Broadcast.objects.create(campaign=campaign, everybody=True)
    BroadcastVariant.objects.create(broadcast=broadcast, number=1, version=version)
    execute(
        """
        INSERT INTO campaigns_message (uid, campaign_id, occurrence, channel, member_id, address, sender_id, due_at,
                                       expires_at, next_try_at, state, changed_at)
        SELECT gen_random_uuid(), %(campaign)s, '', 'email', id, md5(lower(email))::uuid, %(sender)s, %(at)s,
               timestamptz %(at)s + interval '1 day', %(at)s, 'queued', %(at)s
        FROM members_member
        """,
        {"campaign": campaign.pk, "sender": default_sender("email").pk, "at": at},
    )
    return campaign.pk


def version_of(kind: str) -> Any:
    """What the mails of a drill say."""
    from django.utils import timezone

    from campaigns.content.ready import READY
    from campaigns.services.templates import save_template

    content = READY["welcome" if kind == "marketing" else "thanks"].content
    return save_template(
        template_id=None, name=f"Drill {kind}", kind=kind, content=content, actor_id=None, at=timezone.now()
    )


def accepted(log: Path) -> Counter[str]:
    """How often the mail server took each mail, by its Message-ID."""
    return Counter(line.split()[0].decode() for line in log.read_bytes().splitlines() if not line.startswith(b"! "))


def states() -> Counter[str]:
    from django.db.models import Count

    from campaigns.models import Message

    return Counter(dict(Message.objects.values_list("state").annotate(Count("pk")).order_by()))


def is_over() -> bool:
    now = states()
    return not any(now[state] for state in ("queued", "claimed", "handing_over"))


def until(done: Callable[[], bool], seconds: float, act: Callable[[], Any] = lambda: None) -> None:
    """Waits, doing `act` in between."""
    end = time.monotonic() + seconds
    while not done():
        expect(time.monotonic() < end, f"not over after {seconds:.0f} s: {dict(states())}")
        act()
        time.sleep(0.05)


def reckon(log: Path, members: int) -> Iterator[str]:
    """Compares what the mail server took with what the tables say."""
    from campaigns.models import Message

    taken = accepted(log)
    rows = {message.message_id: message.state for message in Message.objects.all()}
    failed = [name for name, state in rows.items() if state == "failed"]
    doubled = sum(n - 1 for n in taken.values())
    uncertain = [name for name, state in rows.items() if state == "unknown"]
    lost = [name for name, state in rows.items() if state == "sent" and name not in taken]
    yield f"recipients {members:,}, accepted by the mail server {len(taken):,}, doubled {doubled}, lost {len(lost)}"
    arrived = sum(name in taken for name in uncertain)
    yield f"listed as uncertain {len(uncertain)}, of which {arrived} had been accepted"
    expect(len(rows) == members, f"{len(rows)} rows for {members} members")
    expect(doubled == 0, f"{doubled} mails came twice")
    expect(not lost, f"{len(lost)} messages say {rows[lost[0]] if lost else ''} and never came")
    if failed:
        yield f"refused for good and listed as failed {len(failed)}"
        expect(not taken.keys() & set(failed), "a message that says failed came")
    expect(set(rows.values()) <= {"sent", "unknown", "failed"}, f"states {Counter(rows.values())}")


def met(log: Path) -> Counter[str]:
    """How often the mail server made which trouble."""
    return Counter(line[2:].decode() for line in log.read_bytes().splitlines() if line.startswith(b"! "))


def at_random(low: float, high: float) -> None:
    """A pause of some seconds."""
    time.sleep(random.uniform(low, high))
