"""A worker killed with -9 at 100 random points of a broadcast to 10,000: nobody gets two, nobody is forgotten.

DRILL_KILLS and DRILL_MEMBERS say how many kills and members.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench._sink import running
from drills import _mail
from drills.stage import expect


def run(server: str) -> Iterator[str]:
    kills, members = int(os.environ.get("DRILL_KILLS", "100")), int(os.environ.get("DRILL_MEMBERS", "10000"))
    with tempfile.TemporaryDirectory(prefix="crm-drill-") as folder:
        log = Path(folder) / "taken"
        log.touch()
        with running(str(log)) as port, _mail.office(server, "mail_kill", port) as office:
            yield from drill(office, log, kills, members)


def drill(office: _mail.Office, log: Path, kills: int, members: int) -> Iterator[str]:
    _mail.plan(members)
    hit = 0
    for n in range(1, kills + 1):
        goal = members * n // (kills + 1)
        worker = office.hire()
        _mail.until(lambda goal=goal: _count(log) >= goal or _mail.is_over(), 120)  # type: ignore[misc]
        _mail.at_random(0, 0.02)
        office.kill(worker)
        hit += not _mail.is_over()
    office.hire()
    _mail.until(_mail.is_over, 300)
    office.close()
    yield f"{kills} kills, {hit} of them in the middle of the work"
    yield from _mail.reckon(log, members)
    uncertain = _mail.states()["unknown"]
    expect(uncertain <= kills, f"{uncertain} uncertain after {kills} kills: one at a time is in the server's hands")
    yield office.verify()


def _count(log: Path) -> int:
    return log.read_bytes().count(b"\n")
