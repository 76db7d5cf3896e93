"""Import of purchases with points, beside hand-written SQL that writes the same rows on the same server.

Both read the same file into a database that holds nothing else, and must leave the same number of rows and points.
The import runs in a process of its own, so that its memory can be measured.
"""

import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

SOURCE, CURRENCY, STORES = "till", "EUR", 20
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)


def write_file(path: Path, rows: int, members: int) -> None:
    """A year of purchases, every member with at least one, in the order of a till's export."""
    chance = random.Random(rows)
    first = AS_OF - timedelta(days=360)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["customer", "purchased_at", "amount", "receipt", "store"])
        for i in range(rows):
            moment = first + timedelta(seconds=i * 31_000_000 // rows)
            customer = i if i < members else chance.randrange(members)
            amount = f"{chance.randrange(100, 20_000) / 100:.2f}"
            out.writerow([f"C{customer:07}", f"{moment:%Y-%m-%d %H:%M:%S}", amount, f"R{i:08}", f"Store {i % STORES}"])


# --- by hand ------------------------------------------------------------------------------------------------------
# What a careful person would write who knew this file and these tables: one transaction, each table filled once.
BY_HAND = """
ANALYZE raw;
CREATE TEMP TABLE customer AS
    SELECT customer AS ref, nextval(pg_get_serial_sequence('members_member', 'id')) AS id, min(purchased_at) AS first_at
    FROM raw GROUP BY customer;
ANALYZE customer;
INSERT INTO members_member (id, name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule, joined_at)
    SELECT id, '', '', '', 'en', 'UTC', '', 'solar', false, 'feb28', first_at FROM customer;
INSERT INTO members_identity (member_id, system, value) SELECT id, 'till', ref FROM customer;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT id, 'member.joined', first_at, '{"source": "till", "import": 1}' FROM customer;
CREATE TEMP TABLE bought AS
    SELECT nextval(pg_get_serial_sequence('members_purchase', 'id')) AS id, customer.id AS member_id, receipt,
           purchased_at, (amount * 100)::bigint AS minor, floor(amount)::bigint AS points, store
    FROM raw JOIN customer ON customer.ref = raw.customer;
ANALYZE bought;
INSERT INTO members_purchase
        (id, member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store, channel)
    SELECT id, member_id, 'till', receipt, md5(concat_ws('|', member_id, 'EUR', minor, extract(epoch FROM purchased_at),
           store, 'store', '[]'))::uuid, purchased_at, 'EUR', minor, store, 'store' FROM bought;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member_id, 'purchase.paid', purchased_at,
           jsonb_build_object('purchase', id, 'amount_minor', minor, 'currency', 'EUR', 'store', store) FROM bought;
INSERT INTO rewards_account (kind, unit, member_id, balance)
    SELECT 'wallet', 'points', member_id, sum(points) FROM bought GROUP BY member_id;
CREATE TEMP TABLE earned AS
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, bought.id AS purchase_id,
           wallet.id AS wallet_id, bought.minor, bought.points, bought.purchased_at
    FROM bought JOIN rewards_account AS wallet USING (member_id) WHERE bought.points > 0;
ANALYZE earned;
INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, reason, why, purchase_id)
    SELECT earned.id, 'earn:purchase:' || purchase_id, 'earn', (SELECT id FROM rewards_account WHERE kind = 'issued'),
           wallet_id, points, purchased_at, '',
           jsonb_build_object('rule', rule.id, 'version', rule.version, 'points_per_unit', rule.points_per_unit,
                              'multiplier', 1, 'amount_minor', minor, 'currency', 'EUR'), purchase_id
    FROM earned, (SELECT * FROM rewards_earningrule WHERE active) AS rule;
INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
    SELECT wallet_id, id, points, points, purchased_at, purchased_at + interval '12 months' FROM earned;
CREATE TEMP TABLE stands AS
    SELECT member_id, points, (SELECT id FROM rewards_tier WHERE threshold <= points ORDER BY threshold DESC LIMIT 1)
           AS tier_id
    FROM (SELECT member_id, sum(points) AS points FROM bought WHERE purchased_at + interval '12 months' > %(as_of)s
          GROUP BY member_id) AS total;
INSERT INTO rewards_membertier (member_id, tier_id, qualifying_points, since, assessed_at)
    SELECT member_id, tier_id, points, %(as_of)s, %(as_of)s FROM stands;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member_id, 'tier.changed', %(as_of)s,
           jsonb_build_object('from', base.id, 'to', tier.id, 'up', true, 'name', jsonb_build_object('en', tier.name_en,
                              'zh-hans', tier.name_zh_hans))
    FROM stands JOIN rewards_tier AS tier ON tier.id = stands.tier_id, rewards_tier AS base
    WHERE base.threshold = 0 AND tier.id <> base.id;
"""
RAW = "CREATE TEMP TABLE raw (customer text, purchased_at timestamptz, amount numeric, receipt text, store text)"
COUNTED = {
    "members": "SELECT count(*) FROM members_member",
    "identities": "SELECT count(*) FROM members_identity",
    "purchases": "SELECT count(*) || '/' || sum(amount_minor) FROM members_purchase",
    "events": "SELECT count(*) FROM members_timelineevent",
    "transfers": "SELECT count(*) || '/' || sum(amount) FROM rewards_transfer",
    "lots": "SELECT count(*) || '/' || sum(remaining) FROM rewards_lot",
    "wallets": "SELECT count(*) || '/' || sum(balance) FROM rewards_account",
    "tiers": "SELECT count(*) || '/' || sum(qualifying_points) || '/' || sum(tier_id) FROM rewards_membertier",
}


def by_hand(url: str, path: Path) -> float:
    """Seconds for hand-written SQL."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL work_mem = '64MB'")
        cursor.execute(RAW)
        with path.open("rb") as file, cursor.copy("COPY raw FROM STDIN WITH (FORMAT csv, HEADER)") as copy:
            while block := file.read(1 << 18):
                copy.write(block)
        for statement in BY_HAND.split(";"):
            if statement.strip():
                psycopg.ClientCursor(connection).execute(statement, {"as_of": AS_OF})
        connection.commit()
        return time.perf_counter() - started


# --- by the product -----------------------------------------------------------------------------------------------
def by_import(url: str, path: Path) -> tuple[float, float]:
    """Seconds for the product's import, and the most memory that its process had, in MB."""
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.import_purchases", "--child", str(path)],
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        stdout=subprocess.PIPE,
    )
    told = json.loads(answer.stdout.splitlines()[-1])
    return told["seconds"], told["megabytes"]


def _child(path: Path) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    started = time.perf_counter()
    call_command("import_purchases", str(path), source=SOURCE, currency=CURRENCY, at=AS_OF, stdout=sys.stderr)
    seconds = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "megabytes": most / (1024 if sys.platform == "darwin" else 1)}))


# --- side by side -------------------------------------------------------------------------------------------------
def prepare() -> None:
    """The earning rule and the tiers, in the database that the settings name."""
    from decimal import Decimal

    from rewards.models import Tier
    from rewards.services.rules import publish_rule

    publish_rule(currency=CURRENCY, points_per_unit=Decimal(1), valid_months=12, at=AS_OF - timedelta(days=400))
    for name, chinese, threshold, multiplier in (("Member", "会员", 0, 1), ("Silver", "银卡", 400, "1.25")):
        Tier.objects.create(name_en=name, name_zh_hans=chinese, threshold=threshold, multiplier=Decimal(multiplier))


def with_database(url: str, name: str) -> str:
    head, _, tail = url.rpartition("/")
    return f"{head}/{name}{'?' + tail.split('?', 1)[1] if '?' in tail else ''}"


@contextmanager
def copies(url: str, template: str, *names: str) -> Iterator[list[str]]:
    """Databases made from a template, gone afterwards; their URLs."""

    def run(statement: str, *identifiers: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, identifiers)))

    try:
        for name in names:
            run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            run("CREATE DATABASE {} TEMPLATE {}", name, template)
        yield [with_database(url, name) for name in names]
    finally:
        for name in names:
            run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def compare(first: str, second: str) -> None:
    """AssertionError where the two databases do not hold the same."""
    with psycopg.connect(first) as one, psycopg.connect(second) as two:
        for name, statement in COUNTED.items():
            here, there = one.execute(statement).fetchone(), two.execute(statement).fetchone()
            assert here == there, f"{name}: by hand {here}, by import {there}"


def measure(rows: int, members: int) -> dict[str, float]:
    """One import and one run of SQL by hand: seconds of each, the ratio of their rates, MB of the import's process."""
    url = os.environ["DATABASE_URL"]
    template = "bench_import_template"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(template)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
    env = {**os.environ, "DATABASE_URL": with_database(url, template)}
    for arguments in (["manage.py", "migrate", "-v0"], ["-m", "bench.import_purchases", "--prepare"]):
        subprocess.run([sys.executable, "-W", "ignore", *arguments], env=env, check=True)
    with tempfile.TemporaryDirectory() as folder, copies(url, template, "bench_hand", "bench_import") as (hand, ours):
        path = Path(folder) / "purchases.csv"
        write_file(path, rows, members)
        hand_seconds = by_hand(hand, path)
        seconds, megabytes = by_import(ours, path)
        compare(hand, ours)
    return {"rows": rows, "hand": hand_seconds, "ours": seconds, "ratio": hand_seconds / seconds, "mb": megabytes}


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        _child(Path(sys.argv[2]))
    elif sys.argv[1] == "--prepare":
        import django

        django.setup()
        prepare()
    else:
        print(measure(int(sys.argv[1]), int(sys.argv[2])))
