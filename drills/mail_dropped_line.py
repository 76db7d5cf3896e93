"""A mail server that takes mails and drops the line, hangs, says it is busy, later or no: none comes twice."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench._sink import running
from drills import _mail
from drills.stage import expect

EVERY = 25  # mails
TROUBLES = ("drop", "busy", "later", "cut", "refuse", "hang")
IN_DOUBT = ("drop", "hang")


def run(server: str) -> Iterator[str]:
    members = int(os.environ.get("DRILL_MEMBERS", "500"))
    with tempfile.TemporaryDirectory(prefix="crm-drill-") as folder:
        log = Path(folder) / "taken"
        log.touch()
        options = ("--every", str(EVERY), "--trouble", ",".join(TROUBLES))
        with running(str(log), *options) as port, _mail.office(server, "mail_line", port) as office:
            _mail.plan(members)
            office.hire()
            _mail.until(_mail.is_over, 300, _time_passes)
            office.close()
            troubles = _mail.met(log)
            yield "troubles: " + ", ".join(f"{kind} {n}" for kind, n in sorted(troubles.items()))
            yield from _mail.reckon(log, members)
            states = _mail.states()
            doubts = sum(troubles[kind] for kind in IN_DOUBT)
            expect(states["unknown"] == doubts, f"{states['unknown']} uncertain for {doubts} answers that never came")
            expect(states["failed"] == troubles["refuse"], f"{states['failed']} failed, {troubles['refuse']} refused")
            yield office.verify()


def _time_passes() -> None:
    """The pauses after a trouble are over: the sender's and the messages'."""
    from common.sql import execute

    execute("UPDATE campaigns_sender SET open_until = now() WHERE open_until > now()")
    execute("UPDATE campaigns_message SET next_try_at = now() WHERE state = 'queued' AND next_try_at > now()")
