"""A slow mail server that hangs now and then, and far more recipients than it can take: what else must go on goes on.

DRILL_MEMBERS says how many recipients; the broadcast is cancelled in the middle, so their number costs little time.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench._sink import running
from bench.base import most_memory
from drills import _mail
from drills.stage import expect

LANES, WORKERS = 3, 4
EVERY = 400  # mails: this one is taken, and never answered
TURN = 25.0  # seconds: of one sender, with the mails in hand


def run(server: str) -> Iterator[str]:
    members = int(os.environ.get("DRILL_MEMBERS", "200000"))
    with tempfile.TemporaryDirectory(prefix="crm-drill-") as folder:
        log = Path(folder) / "taken"
        log.touch()
        options = ("--slow", "50-200", "--every", str(EVERY), "--trouble", "hang")
        with running(str(log), *options) as port, _mail.office(server, "mail_slow", port) as office:
            yield from drill(office, log, members)


def drill(office: _mail.Office, log: Path, members: int) -> Iterator[str]:
    from campaigns.models import Sender
    from campaigns.services.broadcasts import control
    from campaigns.services.senders import default_sender

    _mail.people(members)
    campaign = broadcast(members)
    yield f"{members:,} planned, which takes at most {most_memory():.0f} MB"
    Sender.objects.filter(pk=default_sender("email").pk).update(lanes=LANES)
    workers = [office.hire() for _ in range(WORKERS)]
    paces: list[tuple[float, int]] = []
    sample(log, paces, 20)
    first = memory(workers)
    told, at = estimate(campaign), time.monotonic()
    other = rows_of("broadcast", 150, "offers", Sender.objects.create(channel="email", transport="site", label="B").pk)
    service = rows_of("service", 1, "service", default_sender("email").pk)
    begun, waits = count(log), list[float]()
    for turn in range(8):  # a receipt every few seconds, in the middle of all this
        if turn:
            more(service)
        asked = time.monotonic()
        _mail.until(lambda: waiting(service) == 0, 60, lambda: sample(log, paces, 0.2))
        waits.append(time.monotonic() - asked)
        sample(log, paces, 2)
    _mail.until(lambda: waiting(other) == 0, 120, lambda: sample(log, paces, 1))
    yield f"receipts meanwhile: {sorted(waits)[len(waits) // 2]:.1f} s by the median, at most {max(waits):.1f} s"
    expect(max(waits) < TURN, "a receipt waited behind the broadcast for longer than a turn")
    yield f"a second campaign by another sender: 150 mails after {time.monotonic() - at:.0f} s"
    rate = (count(log) - begun) / (time.monotonic() - at)
    yield f"estimate after 20 s: {told:.1f} mails a second until the end; then it were {rate:.1f}"
    expect(0.6 < told / rate < 1.6, "the estimate of the end is far from the truth")
    yield from pace(paces)
    yield from stops(log, campaign, lambda: control.pause(campaign_id=campaign, why="Drill"), "pause")
    control.resume(campaign_id=campaign, at=now())
    held, asked = count(log), time.monotonic()
    _mail.until(lambda: count(log) > held + LANES, 30)
    yield f"resumed: the next mail left after {time.monotonic() - asked:.1f} s"
    sample(log, [], 8)
    last = memory(workers)
    yield f"a worker's memory: {max(first):.0f} MB after 20 s, {max(last):.0f} MB at the end"
    expect(max(last) < 200, "a worker is larger than 200 MB")
    expect(max(last) - max(first) < 20, "a worker grows")
    yield from stops(log, campaign, lambda: control.cancel(campaign_id=campaign, at=now()), "cancel")
    started = time.monotonic()
    beat()
    yield f"the rest written down as cancelled in {time.monotonic() - started:.1f} s"
    _mail.until(_mail.is_over, 60)
    office.close()
    yield from reckon(log, members)
    yield office.verify()


def now() -> Any:
    from django.utils import timezone

    return timezone.now()


def beat() -> None:
    from campaigns.services.broadcasts.running import run_broadcasts

    run_broadcasts(clock=now)


def draft(name: str, **values: Any) -> int:
    """A broadcast to everybody, which nobody has to approve."""
    from campaigns.models import CampaignSettings
    from campaigns.services.broadcasts import control

    CampaignSettings.objects.update_or_create(pk=1, defaults={"approval_above": None})
    made = control.create(name=name, actor_id=None)
    control.edit(
        campaign_id=made.pk,
        campaign={"holdout_percent": 0},
        broadcast={"everybody": True, **values},
        versions=[control.Version(_mail.version_of("marketing").pk)],
    )
    return made.pk


def broadcast(members: int) -> int:
    """Asked for as staff do, and its audience taken down."""
    from campaigns.models import Broadcast
    from campaigns.services.broadcasts import control

    made = draft("Drill")
    control.ask(campaign_id=made, at=now(), actor_id=None)
    _mail.until(lambda: Broadcast.objects.get(pk=made).planned_at is not None, 600, beat)
    expect(_mail.states() == {"queued": members}, f"planned: {dict(_mail.states())}")
    return made


def rows_of(kind: str, members: int, purpose: str, sender: int | None) -> int:
    """A campaign of another kind whose messages are due; its id."""
    from campaigns.models import Broadcast, BroadcastVariant, Campaign

    campaign = Campaign.objects.create(
        kind=kind, name=kind, purpose=purpose, state="running", counts_for_cap=kind != "service"
    )
    if kind == "broadcast":
        made = Broadcast.objects.create(campaign=campaign, everybody=True, planned_at=now())
        BroadcastVariant.objects.create(broadcast=made, number=1, version=_mail.version_of("marketing"))
    put(campaign.pk, members, sender, None if kind == "broadcast" else _mail.version_of("service").pk, "")
    return campaign.pk


def more(campaign: int) -> None:
    """One more message of a campaign, to its member."""
    from campaigns.models import Message

    last = Message.objects.filter(campaign=campaign).latest("pk")
    put(campaign, 1, last.sender_id, last.version_id, f"r{last.pk}")


def put(campaign: int, members: int, sender: int | None, version: int | None, occurrence: str) -> None:
    from common.sql import execute

    execute(
        """
        INSERT INTO campaigns_message (uid, campaign_id, occurrence, channel, member_id, address, sender_id, due_at,
                                       expires_at, next_try_at, state, changed_at, version_id)
        SELECT gen_random_uuid(), %(campaign)s, %(occurrence)s, 'email', id, md5(lower(email))::uuid, %(sender)s,
               now(), now() + interval '1 day', now(), 'queued', now(), %(version)s
        FROM members_member ORDER BY id LIMIT %(members)s
        """,
        {"campaign": campaign, "members": members, "sender": sender, "version": version, "occurrence": occurrence},
    )


def waiting(campaign: int) -> int:
    from campaigns.models import Message

    return Message.objects.filter(campaign=campaign, state__in=["queued", "claimed", "handing_over"]).count()


def count(log: Path) -> int:
    return sum(not line.startswith(b"!") for line in log.read_bytes().splitlines())


def sample(log: Path, paces: list[tuple[float, int]], seconds: float) -> None:
    """Lets time go by, and notes every five seconds how many mails the server has."""
    end = time.monotonic() + seconds
    while True:
        if not paces or time.monotonic() - paces[-1][0] >= 5:
            paces.append((time.monotonic(), count(log)))
        if (left := end - time.monotonic()) <= 0:
            return
        time.sleep(min(left, 0.2))


def pace(paces: list[tuple[float, int]]) -> Iterator[str]:
    """Whether the second half is as fast as the first."""
    rates = [(n - m) / (t - s) for (s, m), (t, n) in pairwise(paces[1:])]
    half = len(rates) // 2
    early, late = sum(rates[:half]) / half, sum(rates[half:]) / (len(rates) - half)
    yield f"mails a second: {early:.1f} in the first half, {late:.1f} in the second, {min(rates):.1f} at the worst"
    expect(late > 0.7 * early, "it becomes slower")


def estimate(campaign: int) -> float:
    """The mails a second by which the end is foretold."""
    from campaigns.queries_broadcast_results import progress

    at = now()
    told = progress(campaign, at=at)
    expect(told.ends_at is not None, "no estimate of the end")
    return told.waiting / ((told.ends_at - at) / timedelta(seconds=1))  # type: ignore[operator]


def stops(log: Path, campaign: int, act: Any, name: str) -> Iterator[str]:
    """What still leaves after an act that stops a campaign."""
    act()
    before = count(log)
    time.sleep(6)  # longer than the server thinks, and than we wait for a server that hangs
    after = count(log)
    time.sleep(4)
    yield f"{name}: {after - before} mails that were in the server's hands, and then none"
    expect(after - before <= LANES, f"{after - before} mails left after the {name}")
    expect(count(log) == after, f"mails leave after the {name}")


def memory(workers: list[int]) -> list[float]:
    """Resident megabytes."""
    found = []
    for worker in workers:
        status = Path(f"/proc/{worker}/status").read_text()
        found.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
    return found


def reckon(log: Path, members: int) -> Iterator[str]:
    """Every row is somewhere, and what left is what came."""
    from campaigns.models import Message

    taken, states = _mail.accepted(log), _mail.states()
    left = Message.objects.filter(state__in=["sent", "unknown"])
    rows = {message.message_id: message.state for message in left.only("uid", "state").iterator()}
    doubled, lost = sum(n - 1 for n in taken.values()), [name for name in rows if name not in taken]
    yield ", ".join(f"{n:,} {state}" for state, n in sorted(states.items()))
    yield f"accepted by the mail server {len(taken):,}, doubled {doubled}, lost {len(lost)}"
    expect(sum(states.values()) == members + 150 + 8, f"{sum(states.values())} rows")
    expect(doubled == 0, f"{doubled} mails came twice")
    expect(not lost, f"{len(lost)} messages say they left and never came")
    expect(taken.keys() == rows.keys(), f"{len(taken.keys() - rows.keys())} came that do not say so")
    # Of those at which the server meant to hang, one that was stopped in that moment never left.
    hangs, doubts = _mail.met(log)["hang"], states["unknown"]
    expect(hangs - 2 * LANES <= doubts <= hangs, f"{doubts} in doubt, {hangs} never answered")
    expect(set(states) <= {"sent", "unknown", "cancelled"}, f"states {dict(states)}")
