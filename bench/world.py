"""A programme as a large shop has it, made by set-based SQL: who asks for it first waits, the others of a run share it.

Members joined over five years and bought over the last three, each month a tenth of them never to be seen again; a
fifth has no e-mail address, seven in ten agreed to offers. The same numbers give the same data.
"""

import atexit
import os
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache

import psycopg
from psycopg import sql

from bench.base import on_server, product_on, url_of

AT = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
MEMBERS = int(os.environ.get("BENCH_MEMBERS", "1000000"))
PURCHASES = 10 * MEMBERS

# A number of 32 bits for a row and a topic that looks random, and is the same each time.
_MIXED = """
CREATE FUNCTION bench_mix(n bigint, topic int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (hashint8extended(n, topic) & 2147483647) / 2147483648.0::float8
$$
"""
_FILL = [
    f"""
    INSERT INTO members_member (id, name, email, phone, language, time_zone, city, postal_code, country, source,
        birthday_calendar, birthday_month, birthday_day, birthday_leap_month, leap_day_rule, attributes, personalised,
        email_verified_at, joined_at, updated_at)
    SELECT n, 'Member ' || n, CASE WHEN bench_mix(n, 1) < 0.8 THEN 'm' || n || '@example.com' ELSE '' END, '',
           CASE WHEN n % 3 = 0 THEN 'zh-hans' ELSE 'en' END, 'UTC',
           'City ' || floor(40 * bench_mix(n, 2) ^ 2), lpad((n % 99999)::text, 5, '0'), 'DE',
           (ARRAY['till', 'portal', 'import', 'fair'])[1 + n % 4], CASE WHEN n % 5 = 0 THEN 'lunar' ELSE 'solar' END,
           1 + n % 12, 1 + n % 28, false, 'feb28', jsonb_build_object('milk', (ARRAY['oat', 'cow'])[1 + n % 2]),
           bench_mix(n, 3) < 0.97, NULL, '{AT}'::timestamptz - interval '5 years' * (1 - n::float8 / {MEMBERS}), '{AT}'
    FROM generate_series(1, {MEMBERS}) AS n
    """,
    # Buyers are drawn with a square root's skew among those who were there; the purchases lie in order of time.
    f"""
    INSERT INTO members_purchase (id, member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store,
                                  channel)
    SELECT n, 1 + floor({MEMBERS - 1} * (0.4 + 0.6 * n::float8 / {PURCHASES}) * bench_mix(n, 4) ^ 1.5), 'till',
           'p' || n, md5(n::text)::uuid, '{AT}'::timestamptz - interval '3 years' * (1 - n::float8 / {PURCHASES}),
           'EUR', 100 + floor(9900 * bench_mix(n, 5) ^ 3), 'Store ' || n % 30,
           CASE WHEN n % 7 = 0 THEN 'online' ELSE 'store' END
    FROM generate_series(1, {PURCHASES}) AS n
    """,
    """
    INSERT INTO members_purchaseline (purchase_id, sku, name, category, brand, quantity, amount_minor)
    SELECT id, 'sku' || id % 997, 'Article ' || id % 997, 'Category ' || id / 2 % 24, 'Brand ' || id / 2 % 60, 1,
           amount_minor
    FROM members_purchase WHERE id % 2 = 0
    """,
    """
    INSERT INTO rewards_tier (id, name, name_en, description, rank, threshold, combine, multiplier, color)
    VALUES (1, 'Bronze', 'Bronze', '', 0, NULL, 'all', 1, ''), (2, 'Silver', 'Silver', '', 1, 500, 'all', 1, ''),
           (3, 'Gold', 'Gold', '', 2, 1000, 'all', 1, ''), (4, 'Platinum', 'Platinum', '', 3, 3000, 'all', 1, '')
    """,
    f"""
    INSERT INTO rewards_membertier (member_id, tier_id, qualifying_points, since, assessed_at)
    SELECT n, 1 + floor(4 * bench_mix(n, 6) ^ 3), floor(3000 * bench_mix(n, 6) ^ 3), '{AT}', '{AT}'
    FROM generate_series(1, {MEMBERS}) AS n WHERE bench_mix(n, 7) < 0.9
    """,
    f"""
    INSERT INTO rewards_account (kind, unit, member_id, balance)
    SELECT 'wallet', 'points', n, floor(2000 * bench_mix(n, 8) ^ 4) FROM generate_series(1, {MEMBERS}) AS n
    """,
    f"""
    INSERT INTO members_consent (id, member_id, channel, purpose, granted, source, at)
    SELECT 3 * n + topic, n, CASE topic WHEN 2 THEN 'sms' ELSE 'email' END,
           CASE topic WHEN 0 THEN 'greetings' ELSE 'offers' END, bench_mix(n, 10 + topic) < 0.85, 'bench', '{AT}'
    FROM generate_series(1, {MEMBERS}) AS n, generate_series(0, 2) AS topic WHERE bench_mix(n, 20 + topic) < 0.8
    """,
    """
    INSERT INTO members_consentstate (member_id, channel, purpose, granted, at, consent_id)
    SELECT member_id, channel, purpose, granted, at, id FROM members_consent
    """,
    "INSERT INTO members_tag (id, name) SELECT n, 'Tag ' || n FROM generate_series(1, 20) AS n",
    f"""
    INSERT INTO members_membertag (member_id, tag_id, at)
    SELECT n, 1 + n % 20, '{AT}' FROM generate_series(1, {MEMBERS}) AS n WHERE bench_mix(n, 9) < 0.2
    """,
    """
    SELECT setval(pg_get_serial_sequence(name, 'id'), greatest(top, 1)) FROM (VALUES
        ('members_member', (SELECT max(id) FROM members_member)),
        ('members_purchase', (SELECT max(id) FROM members_purchase)),
        ('members_consent', (SELECT max(id) FROM members_consent)),
        ('members_tag', (SELECT max(id) FROM members_tag)),
        ('rewards_tier', (SELECT max(id) FROM rewards_tier))) AS used (name, top)
    """,
]
_TEXT_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'members_member' AND indexdef LIKE '%USING gin%'
"""


@cache
def world(server: str) -> str:
    """The URL of a database with MEMBERS members and ten times as many purchases, added up; gone with the process.

    Whoever writes to it does so in a transaction that is rolled back, or in a copy.
    """
    name = "bench_world"
    on_server(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    on_server(server, "CREATE DATABASE {}", name)
    atexit.register(on_server, server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    url = url_of(server, name)
    env = {**os.environ, "DATABASE_URL": url}
    subprocess.run([sys.executable, "-W", "ignore", "manage.py", "migrate", "-v0"], env=env, check=True)
    with psycopg.connect(url, autocommit=True) as connection:
        # No triggers, no checks of foreign keys: the rows are right by their making.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '256MB'")
        connection.execute(_MIXED)
        searched = connection.execute(_TEXT_INDEXES).fetchall()  # slow to fill row by row
        for name_, _ in searched:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name_)))
        for statement in [*_FILL, *(definition for _, definition in searched)]:
            connection.execute(statement)
    with product_on(url):
        from members.services.summaries import recompute

        recompute()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return url
