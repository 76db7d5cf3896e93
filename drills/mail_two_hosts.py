"""Two hosts whose clocks are two hours off, one each way, deliver the same broadcasts: none doubled, lost or too early.

Each is a process of its own that takes down audiences and delivers, by the product's tasks. DRILL_MEMBERS says to how
many.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from bench._sink import running
from drills import _mail
from drills.mail_slow import draft, now
from drills.stage import expect

HOURS = (-2, 2)
MINUTE = timedelta(minutes=1)
_HOST = """
import logging, sys, time
from datetime import UTC, datetime, timedelta
import django, time_machine
django.setup()
logging.disable(logging.WARNING)
from campaigns.tasks import deliver_messages, run_broadcasts
from django.db import OperationalError, connection
print("ready", flush=True)
sys.stdin.readline()
with time_machine.travel(datetime.now(UTC) + timedelta(hours=int(sys.argv[1])), tick=True):
    print(datetime.now(UTC).isoformat(), flush=True)
    while True:
        for task in (run_broadcasts, deliver_messages):
            try:
                task()
            except OperationalError:
                connection.close()
        time.sleep(0.05)
"""


def run(server: str) -> Iterator[str]:
    members = int(os.environ.get("DRILL_MEMBERS", "5000"))
    with tempfile.TemporaryDirectory(prefix="crm-drill-") as folder:
        log = Path(folder) / "taken"
        log.touch()
        with running(str(log)) as port, _mail.office(server, "mail_hosts", port) as office:
            yield from drill(office, log, members)


def drill(office: _mail.Office, log: Path, members: int) -> Iterator[str]:
    from campaigns.models import Campaign, Message, Sender
    from campaigns.services.broadcasts import control
    from campaigns.services.senders import default_sender

    _mail.people(members)
    Sender.objects.filter(pk=default_sender("email").pk).update(lanes=2)
    at = now()
    due, early = draft("Now"), draft("In an hour", when="moment", send_at=at + 60 * MINUTE)
    last = draft("An hour left", when="moment", send_at=at + MINUTE / 2, late_hours=1)
    for campaign in (due, early, last):
        control.ask(campaign_id=campaign, at=at, actor_id=None)

    def over() -> bool:
        states = Campaign.objects.filter(pk__in=[due, last]).values_list("state", flat=True)
        return set(states) == {"done"}

    with hosts(office) as clocks:
        yield "the hosts' clocks: " + ", ".join(f"{(clock - at) / (60 * MINUTE):+.1f} h" for clock in clocks)
        _mail.until(over, 300)
    states = {one: Counter(Message.objects.filter(campaign=one).values_list("state", flat=True)) for one in (due, last)}
    yield f"due now: {dict(states[due])}; with an hour left: {dict(states[last])}"
    expect(all(found == {"sent": members} for found in states.values()), "not all of them left")
    early_left = Message.objects.filter(campaign=early).exclude(state="queued")
    expect(not early_left.exists(), f"{early_left.count()} of those due in an hour are {early_left.first()}")
    yield f"due in an hour: {Campaign.objects.get(pk=early).state}, none of {members:,} left"
    wrong = Message.objects.filter(state="sent").exclude(sent_at__range=(at, now()))
    expect(not wrong.exists(), f"{wrong.count()} are said to have left at another time than they did")
    shares = Counter(log.read_bytes().splitlines())
    expect(max(shares.values()) == 1, "a mail came twice")
    Message.objects.filter(campaign=early).delete()
    yield from _mail.reckon(log, 2 * members)
    expect(_mail.states()["unknown"] == 0, "a message is in doubt although no worker died")
    yield office.verify()


@contextmanager
def hosts(office: _mail.Office) -> Iterator[list[datetime]]:
    """Both at work, begun at the same moment; what time it is there."""
    argv = [sys.executable, "-W", "ignore", "-c", _HOST]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([*argv, str(by)], env=office.env, **pipes) for by in HOURS]  # type: ignore[call-overload]
    try:
        for one in started:
            expect(one.stdout.readline() == "ready\n", "a host does not start")
        for one in started:
            one.stdin.write("go\n")
            one.stdin.flush()
        yield [datetime.fromisoformat(one.stdout.readline().strip()) for one in started]
        expect(all(one.poll() is None for one in started), "a host ended")
    finally:
        for one in started:
            one.kill()
            one.wait()
