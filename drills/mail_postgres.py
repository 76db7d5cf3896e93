"""PostgreSQL restarted and killed with -9 while a worker delivers: nobody gets two, nobody is forgotten."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from bench._sink import running
from drills import _mail
from drills.kill_postgres import own_server, point_at
from drills.stage import expect

ENDS = (signal.SIGINT, signal.SIGKILL, signal.SIGINT, signal.SIGKILL)  # an orderly restart and a crash, in turns


def run(server: str) -> Iterator[str]:
    members = int(os.environ.get("DRILL_MEMBERS", "5000"))
    with own_server() as (url, folder, restart):
        from django.db import connection

        before = dict(connection.settings_dict)
        point_at(url)
        try:
            log = Path(folder) / "taken"
            log.touch()
            with running(str(log)) as port, _mail.office(url, "mail_postgres", port) as office:
                yield from _drill(office, log, members, restart)
        finally:
            connection.close()
            connection.settings_dict.update(before)


def _drill(office: _mail.Office, log: Path, members: int, restart) -> Iterator[str]:
    from django.db import connection

    from campaigns.services.delivery import CHUNK

    _mail.plan(members)
    office.hire()
    for n, how in enumerate(ENDS, 1):
        goal = members * n // (len(ENDS) + 1)
        _mail.until(lambda goal=goal: log.read_bytes().count(b"\n") >= goal, 300)  # type: ignore[misc]
        connection.close()
        restart(how)
        yield f"PostgreSQL ended by {how.name} after {goal:,} mails, and up again"
        time.sleep(0.5)
    _mail.until(_mail.is_over, 300)
    office.close()
    yield from _mail.reckon(log, members)
    doubts, crashes = _mail.states()["unknown"], ENDS.count(signal.SIGKILL)
    most = crashes * CHUNK + len(ENDS) - crashes
    expect(doubts <= most, f"{doubts} uncertain: a crash may leave a chunk of {CHUNK}, a restart one")
    yield office.verify()
