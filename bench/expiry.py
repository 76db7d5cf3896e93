"""A night in which half of all members lose points: some by date, some because they were not seen for so long."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

from bench.base import Row, migrated, most_memory, on_copies

AT = datetime(2026, 5, 1, tzinfo=UTC)
MEMBERS = int(os.environ.get("BENCH_MEMBERS", "1000000"))
DUE = MEMBERS // 2

# Everybody has a lot that stays for some time. One member in four had one that expired in the last hour by its date,
# and one in four had one that did because they were not seen for six months.
FILL = f"""
SET LOCAL synchronous_commit = off;
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule)
    SELECT 'Member ' || n, '', '', 'en', 'UTC', '', 'solar', false, 'feb28' FROM generate_series(1, {MEMBERS}) AS n;
INSERT INTO rewards_account (kind, unit, member_id, balance)
    SELECT 'wallet', 'points', id, CASE WHEN id % 4 < 2 THEN 20 ELSE 10 END FROM members_member;
CREATE TEMP TABLE lot ON COMMIT DROP AS
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, wallet.id AS wallet_id,
           CASE WHEN is_due THEN timestamptz '{AT}' - interval '1 hour' * (hashint8(wallet.id) & 1023) / 1024.0
                ELSE timestamptz '{AT}' + interval '1 day' * (1 + wallet.id % 180) END AS expires_at,
           CASE WHEN member_id % 2 = 1 THEN 6 END AS inactivity_months
    FROM (VALUES (true), (false)) AS one (is_due), rewards_account AS wallet
    WHERE wallet.kind = 'wallet' AND (NOT is_due OR member_id % 4 < 2)
    ORDER BY hashint8(wallet.id), is_due;
INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at)
    SELECT lot.id, 'gift:' || lot.id, 'gift', issued.id, wallet_id, 10, timestamptz '{AT}' - interval '1 year'
    FROM lot, rewards_account AS issued WHERE issued.kind = 'issued' AND issued.unit = 'points';
INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at, inactivity_months)
    SELECT wallet_id, id, 10, 10, timestamptz '{AT}' - interval '1 year', expires_at, inactivity_months FROM lot;
"""
# What a careful person would write for this night alone: no locks, one transaction, every table touched once.
BY_HAND = """
CREATE TEMP TABLE due AS
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, lot.id AS lot_id, account_id, remaining,
           expires_at
    FROM rewards_lot AS lot WHERE remaining > 0 AND expires_at <= %(at)s;
ANALYZE due;
INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, why)
    SELECT due.id, 'expire:' || lot_id, 'expire', account_id, expired.id, remaining, expires_at,
           jsonb_build_object('lot', lot_id)
    FROM due, rewards_account AS expired WHERE expired.kind = 'expired' AND expired.unit = 'points';
INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT id, lot_id, remaining FROM due;
UPDATE rewards_lot AS lot SET remaining = 0 FROM due WHERE lot.id = due.lot_id;
CREATE TEMP TABLE lost AS
    SELECT account_id, sum(remaining)::bigint AS points, count(*) AS lots, max(expires_at) AS at
    FROM due GROUP BY account_id;
ANALYZE lost;
UPDATE rewards_account AS account SET balance = balance - points FROM lost WHERE account.id = lost.account_id;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT account.member_id, 'points.expired', at, jsonb_build_object('points', points, 'lots', lots)
    FROM lost JOIN rewards_account AS account ON account.id = lost.account_id;
INSERT INTO members_changedmember (member_id)
    SELECT account.member_id FROM lost JOIN rewards_account AS account ON account.id = lost.account_id;
"""
COUNTED = {
    "transfers": "SELECT count(*), sum(amount), min(at), max(at) FROM rewards_transfer WHERE kind = 'expire'",
    "lots": "SELECT sum(remaining), count(*) FILTER (WHERE remaining = 0) FROM rewards_lot",
    "uses": "SELECT count(*), sum(amount) FROM rewards_lotuse",
    "wallets": "SELECT sum(balance), min(balance), max(balance) FROM rewards_account",
    "to look at": "SELECT count(*), sum(member_id) FROM members_changedmember",
    "reactions": "SELECT count(*) FROM members_pendingreaction",
    "events": "SELECT count(*), sum((data->>'points')::int), min(at), max(at) FROM members_timelineevent",
}


def run(server: str) -> Iterator[Row]:
    from rewards.services.expiry import expire_due

    with migrated(server, "bench_expiry") as template:
        with psycopg.connect(template) as connection:
            connection.execute(FILL)
        with psycopg.connect(template, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        mine, theirs = on_copies(server, "bench_expiry", lambda: expire_due(at=AT), BY_HAND, {"at": AT}, COUNTED)
        yield Row("expire lots, by date and inactivity", DUE, mine, theirs, at_least=0.5, megabytes=most_memory())
