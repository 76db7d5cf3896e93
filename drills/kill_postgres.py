"""PostgreSQL killed with -9 under load, three times: no acknowledged purchase is lost, none is there twice."""

import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drills.stage import Away, Stage, expect, make_members, stage

CALLERS, KILLS, BETWEEN = 8, 3, 3.0  # seconds


def run(server: str) -> Iterator[str]:
    with own_server() as (url, _folder, restart):
        yield from _drill(url, restart)


@contextmanager
def own_server() -> Iterator[tuple[str, Path, Callable[[int], None]]]:
    """A server of our own, durable as in a shop, for others may be at work on the one that was given: its URL, a
    folder, and what ends it by a signal and starts it again."""
    from loyalty_crm.launch.servers import Servers, State
    from loyalty_crm.launch.supervisor import Family

    given = {name: os.environ.pop(name, None) for name in ("DATABASE_URL", "REDIS_URL")}
    os.environ["REDIS_URL"] = given["REDIS_URL"] or "redis://127.0.0.1:1/0"
    folder = Path(tempfile.mkdtemp(prefix="crm-drill-", dir="/var/tmp"))
    state = State(folder)
    family = Family(state.processes)

    def restart(how: int) -> None:
        (postgres,) = [child.process for child in family.children if child.name == "postgres"]
        os.kill(postgres.pid, how)
        postgres.wait()
        family.release(postgres)
        del os.environ["DATABASE_URL"]
        Servers(state, family).start()
        os.environ["DATABASE_URL"] = url

    try:
        url = Servers(state, family, fresh=True).start()["DATABASE_URL"]
        os.environ["DATABASE_URL"] = url
        yield url, folder, restart
    finally:
        family.stop()
        os.environ.update({name: value for name, value in given.items() if value is not None})


def _drill(url: str, restart: Callable[[int], None]) -> Iterator[str]:
    from django.db import connection
    from django.utils import timezone

    from rewards.services.rules import publish_rule

    before = dict(connection.settings_dict)
    point_at(url)
    with stage(url, "killed") as stand:
        publish_rule(currency="EUR", points_per_unit=1, valid_months=12, at=timezone.now())
        members = make_members(40)
        stop, acknowledged, doubts = threading.Event(), {}, []
        threads = [
            threading.Thread(target=_buy, args=(stand, n, members, stop, acknowledged, doubts)) for n in range(CALLERS)
        ]
        for thread in threads:
            thread.start()
        for n in range(KILLS):
            time.sleep(BETWEEN)
            had = len(acknowledged)
            connection.close()
            started = time.monotonic()
            restart(signal.SIGKILL)
            yield f"killed after {had:,} purchases, up again in {time.monotonic() - started:.1f} s ({n + 1} of {KILLS})"
        time.sleep(BETWEEN)
        stop.set()
        for thread in threads:
            thread.join()
        yield f"{len(acknowledged):,} acknowledged, {len(doubts):,} calls had to be sent again"
        expect(doubts, "no call was in doubt: the kills hit nothing")
        _compare(acknowledged)
        yield stand.verify()
    connection.settings_dict.update(before)


def point_at(url: str) -> None:
    """Django's connection of this process, on another server."""
    import environ
    from django.db import connection

    connection.close()
    told = environ.Env.db_url_config(url)
    connection.settings_dict |= {name: told.get(name, "") for name in ("HOST", "PORT", "USER", "PASSWORD", "NAME")}
    connection.settings_dict["OPTIONS"] = {**connection.settings_dict["OPTIONS"], **told.get("OPTIONS", {})}


def _buy(stand: Stage, caller: int, members: list, stop: threading.Event, acknowledged: dict, doubts: list) -> None:
    """Buys, and sends again whatever got no answer, until it has one: what a till does."""
    dice, n = random.Random(caller), 0
    while not stop.is_set():
        n += 1
        key, cents = f"{caller}-{n}", dice.randrange(100, 9_999)
        body = {
            "key": key,
            "member": dice.choice(members).card_number,
            "currency": "EUR",
            "lines": [{"sku": "A", "unit_price": f"{cents // 100}.{cents % 100:02d}"}],
        }
        for _try in range(600):
            try:
                status, _told = stand.post("/purchases", body)
            except Away:
                status = 0
            if status in (200, 201):
                acknowledged[key] = cents
                break
            doubts.append(key)
            expect(status in (0, 500, 503), f"purchase {key} was answered {status}")
            time.sleep(0.1)


def _compare(acknowledged: dict[str, int]) -> None:
    from django.db.models import Sum

    from members.models import Purchase
    from rewards.models import Transfer

    kept = dict(Purchase.objects.values_list("key", "amount_minor"))
    lost = acknowledged.keys() - kept.keys()
    expect(not lost, f"{len(lost)} acknowledged purchases are lost: {sorted(lost)[:5]}")
    expect(kept == acknowledged, "a purchase is there that nobody was told of, or with another amount")
    points = Transfer.objects.filter(kind="earn").aggregate(n=Sum("amount"))["n"]
    expect(points == sum(cents // 100 for cents in kept.values()), f"{points} points were given")
