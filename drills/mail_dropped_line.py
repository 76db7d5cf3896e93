"""A mail server that takes mails and drops the line before its answer: listed as uncertain, and none comes twice."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench._sink import running
from drills import _mail
from drills.stage import expect

EVERY = 25  # mails


def run(server: str) -> Iterator[str]:
    members = int(os.environ.get("DRILL_MEMBERS", "500"))
    with tempfile.TemporaryDirectory(prefix="crm-drill-") as folder:
        log = Path(folder) / "taken"
        log.touch()
        with running(str(log), "--drop", str(EVERY)) as port, _mail.office(server, "mail_line", port) as office:
            _mail.plan(members)
            office.hire()
            _mail.until(_mail.is_over, 300, _time_passes)
            office.close()
            yield from _mail.reckon(log, members)
            uncertain = _mail.states()["unknown"]
            expect(uncertain == members // EVERY, f"{uncertain} uncertain for {members // EVERY} dropped lines")
            yield office.verify()


def _time_passes() -> None:
    """The pauses after a trouble are over: the sender's and the messages'."""
    from common.sql import execute

    execute("UPDATE campaigns_sender SET open_until = now() WHERE open_until > now()")
    execute("UPDATE campaigns_message SET next_try_at = now() WHERE state = 'queued' AND next_try_at > now()")
