"""What the drills of referrals share: a programme, friends who came, and a worker that can be killed.

python -m drills._referrals KILLS works off what is due in children that are killed with -9 after some milliseconds, by
chance, and then in one that is left to end.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

POINTS = {"giver": 200, "friend": 100}


def programme(at: datetime, *, budget_minor: int | None = None, **changes: Any) -> Any:
    """One that runs: a first purchase of 20.00, and nothing to wait for."""
    from referrals.enums import ProgrammeState
    from referrals.services.programmes import make_programme, move

    texts = dict.fromkeys(("headline", "text", "welcome", "terms"), "Bring a friend") | {"share": "Come: {link}"}
    definition = {
        "qualifies": {"by": "purchase", "least": "20.00"},
        "hold_days": 0,
        "review": {"from": 100},
        **{who: {"points": points} for who, points in POINTS.items()},
        "texts": {name: {"en": text, "zh-hans": text} for name, text in texts.items()},
        **changes,
    }
    made = make_programme(name="Drill", definition=definition, at=at, budget_minor=budget_minor)
    return move(programme_id=made.pk, to=ProgrammeState.LIVE, at=at)


def codes_of(members: Sequence[Any], at: datetime) -> list[str]:
    from referrals.services.advocates import advocate_of

    return [advocate_of(member_id=member.pk, at=at).code for member in members]


def bring(givers: Sequence[Any], friends: Sequence[Any], at: datetime) -> None:
    """Each friend by one of the givers, in turns."""
    from referrals.enums import Source
    from referrals.services.attribution import Came, attribute

    codes = codes_of(givers, at)
    for n, friend in enumerate(friends):
        attribute(friend_id=friend.pk, came=[Came(codes[n % len(codes)], Source.CODE, at)], at=at)


def work() -> None:
    """As workers do until nothing is due."""
    from django.db import connection
    from django.utils import timezone

    from members.services.reactions import run_due
    from referrals.services.qualifying import settle_due

    try:
        while run_due(at=timezone.now(), limit=20) + settle_due(at=timezone.now()):
            pass
    finally:
        connection.close()


def main(kills: int) -> None:
    import django

    django.setup()
    for n in range(kills + 1):
        child = os.fork()  # this process has one thread and no connection
        if not child:
            work()
            os._exit(0)
        if n < kills:
            time.sleep(random.uniform(0.01, 0.4))
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_crm.settings")
    main(int(sys.argv[1]))
