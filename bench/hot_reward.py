"""Eight tills and shops redeem one reward of which there are few: how many a second, and not one piece too many.

Each is a process with a connection of its own and members of its own, and goes on until the shelf is empty. There is
no SQL by hand beside it, but the rate that is asked.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

from bench.base import Row, migrated, product_on

AT = datetime(2026, 5, 1, tzinfo=UTC)
BUYERS, EACH, PIECES, PRICE = 8, 150, 1_000, 100
A_SECOND = 25

FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule)
    SELECT 'Member ' || n, '', '', 'en', 'UTC', '', 'solar', false, 'feb28'
    FROM generate_series(1, {BUYERS * (EACH + 1)}) AS n
"""


def buyer(hot: int, other: int, members: list[int]) -> None:
    """Warms up on another reward, waits for the word, then redeems the hot one for each of its members; prints how
    many had it, how many were told that it is sold out, and the moment of the last that had it."""
    import django

    django.setup()
    from rewards.services.redemptions import RedemptionRefused, redeem_reward

    def redeem(member: int, reward: int) -> str:
        try:
            redeem_reward(member_id=member, reward_id=reward, source="bench", key=str(member), at=AT)
        except RedemptionRefused as refused:
            return refused.reasons[0].code
        return "had"

    assert redeem(members.pop(), other) == "had"
    print("ready", flush=True)
    sys.stdin.readline()
    told, last = {"had": 0, "sold_out": 0}, 0.0
    for member in members:
        answer = redeem(member, hot)
        told[answer] += 1
        last = time.time() if answer == "had" else last
    print(json.dumps([told["had"], told["sold_out"], last]))


def race(url: str, hot: int, other: int, members: list[int]) -> tuple[float, int, int]:
    """Seconds until the last piece was gone, how many were had, and how many were refused."""
    command = [sys.executable, "-W", "ignore", "-m", "bench.hot_reward"]
    parts = [members[n::BUYERS] for n in range(BUYERS)]
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "loyalty_crm.settings"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    buyers = [subprocess.Popen([*command, json.dumps([hot, other, part])], env=env, **pipes) for part in parts]  # type: ignore[call-overload]
    try:
        assert all(one.stdout.readline() == "ready\n" for one in buyers)
        began = time.time()
        for one in buyers:
            one.stdin.write("go\n")
            one.stdin.flush()
        told = [json.loads(one.stdout.readline()) for one in buyers]
    finally:
        for one in buyers:
            one.kill()
            one.wait()
    had, refused, last = zip(*told, strict=True)
    return max(last) - began, sum(had), sum(refused)


def run(server: str) -> Iterator[Row]:
    from django.db.models import Sum

    from rewards.models import Account, Redemption, Reward
    from rewards.services.gifts import Gift, give_points

    with migrated(server, "bench_hot_reward") as url:
        with psycopg.connect(url) as connection:
            connection.execute(FILL)
            members = [row[0] for row in connection.execute("SELECT id FROM members_member ORDER BY id")]
        with product_on(url):
            give_points(gifts=[Gift(member, PRICE, f"bench:{member}") for member in members], at=AT)
            what = {"kind": "goods", "points": PRICE, "state": "live"}
            hot = Reward.objects.create(name_en="Hot", stock=PIECES, **what)
            other = Reward.objects.create(name_en="Other", **what)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        taken, had, refused = race(url, hot.pk, other.pk, members)
        with product_on(url):
            hot.refresh_from_db()
            had_it = Redemption.objects.filter(reward=hot, state="confirmed").count()
            assert (hot.stock, hot.redeemed, had_it, had, refused) == (
                0,
                PIECES,
                PIECES,
                PIECES,
                BUYERS * EACH - PIECES,
            )
            left = Account.objects.filter(kind="wallet").aggregate(left=Sum("balance"))["left"]
            assert left == refused * PRICE, left  # who was refused kept the points
        note = f"{PIECES / taken:.0f} a second by {BUYERS} processes, beside {A_SECOND}; none too many"
        yield Row("redemptions of one hot reward", PIECES, taken, PIECES / A_SECOND, at_least=1, note=note)


if __name__ == "__main__":
    buyer(*json.loads(sys.argv[1]))
