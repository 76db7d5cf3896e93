"""A night's assessment of all members: five awards each in the last 13 months, some of which just ceased to count."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from bench.base import Row, migrated, most_memory, on_copies, product_on

AT = datetime(2026, 5, 1, tzinfo=UTC)
MEMBERS, AWARDS = int(os.environ.get("BENCH_MEMBERS", "1000000")), 5

# One member in eleven had an award that was a year old yesterday, so their points, and at times their tier, change; and
# for one in forty the same comes in 30 days, of which some are told.
FILL = f"""
SET LOCAL synchronous_commit = off;
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule, joined_at)
    SELECT 'Member ' || n, '', '', 'en', 'UTC', '', 'solar', false, 'feb28', timestamptz '{AT}' - interval '3 years'
    FROM generate_series(1, {MEMBERS}) AS n;
INSERT INTO rewards_tier (name, name_en, description, rank, threshold, combine, multiplier, color)
    VALUES ('Bronze', 'Bronze', '', 0, NULL, 'all', 1, ''), ('Silver', 'Silver', '', 1, 300, 'all', 1, ''),
           ('Gold', 'Gold', '', 2, 450, 'all', 1, '');
INSERT INTO rewards_account (kind, unit, member_id, balance)
    SELECT 'wallet', 'points', id, 500 FROM members_member ORDER BY id;
CREATE TEMP TABLE award ON COMMIT DROP AS
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, wallet.id AS wallet_id, wallet.member_id,
           60 + (wallet.id * 7 + n * 13) % 70 AS amount,
           timestamptz '{AT}' - CASE
               WHEN n = {AWARDS} AND wallet.id % 11 = 0 THEN interval '12 months 6 hours'
               WHEN n = {AWARDS} AND wallet.id % 40 = 1 THEN interval '12 months 6 hours' - interval '30 days'
               ELSE interval '60 days' * n + interval '1 minute' * (wallet.id % 999) END AS at
    FROM generate_series(1, {AWARDS}) AS n, rewards_account AS wallet
    WHERE wallet.kind = 'wallet' ORDER BY n DESC, wallet.id;
INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, created_at)
    SELECT award.id, 'earn:' || award.id, 'earn', issued.id, wallet_id, amount, award.at,
           award.at - interval '10 years'  -- long before any night, whatever the clock says
    FROM award, rewards_account AS issued WHERE issued.kind = 'issued' AND issued.unit = 'points';
INSERT INTO rewards_membertier (member_id, tier_id, qualifying_points, since, assessed_at)
    SELECT member_id, (
               SELECT id FROM rewards_tier WHERE coalesce(threshold, 0) <= sum(amount) ORDER BY rank DESC LIMIT 1),
           sum(amount), timestamptz '{AT}' - interval '1 day', timestamptz '{AT}' - interval '1 day'
    FROM award GROUP BY member_id;
"""
# What a careful person would write for this one ladder who knows that a night was yesterday: no locks, one transaction,
# and only those looked at of whom an award ceased to count, or will in 30 days.
BY_HAND = """
CREATE TEMP TABLE stirred AS
    SELECT DISTINCT credit_id FROM rewards_transfer WHERE kind = 'earn'
    AND (at > %(at)s - interval '12 months 1 day' AND at <= %(at)s - interval '12 months'
         OR at > %(at)s + interval '30 days' - interval '12 months 1 day'
            AND at <= %(at)s + interval '30 days' - interval '12 months');
ANALYZE stirred;
CREATE TEMP TABLE stands AS
    SELECT wallet.member_id,
           coalesce(sum(earn.amount) FILTER (WHERE earn.at + interval '12 months' > %(at)s), 0)::bigint AS points,
           coalesce(sum(earn.amount) FILTER (
               WHERE earn.at + interval '12 months' > %(at)s + interval '30 days'), 0)::bigint AS later
    FROM stirred JOIN rewards_account AS wallet ON wallet.id = stirred.credit_id
    JOIN rewards_transfer AS earn ON earn.credit_id = wallet.id AND earn.kind = 'earn'
     AND earn.at > %(at)s - interval '12 months 1 day'
    GROUP BY wallet.member_id;
ANALYZE stands;
CREATE TEMP TABLE moved AS
    SELECT stands.member_id, stands.points, status.tier_id AS from_id, tier.id AS to_id, tier.name_en,
           tier.name_zh_hans, coalesce(tier.threshold, 0) AS asked, later,
           later < coalesce(tier.threshold, 0) AS warned
    FROM stands JOIN rewards_membertier AS status USING (member_id) CROSS JOIN LATERAL (
        SELECT * FROM rewards_tier WHERE coalesce(threshold, 0) <= stands.points ORDER BY rank DESC LIMIT 1) AS tier
    WHERE stands.points <> status.qualifying_points OR later < coalesce(tier.threshold, 0);
ANALYZE moved;
UPDATE rewards_membertier AS status
    SET tier_id = to_id, qualifying_points = points, assessed_at = %(at)s,
        since = CASE WHEN to_id = from_id THEN since ELSE %(at)s END, noticed_at = CASE WHEN warned THEN %(at)s END
    FROM moved WHERE moved.member_id = status.member_id;
INSERT INTO rewards_tierchange (member_id, from_tier_id, to_tier_id, cause, why, at)
    SELECT member_id, from_id, to_id, 'lost', jsonb_build_object('points', points, 'spend_minor', 0, 'visits', 0,
           'days', 1096, 'window', 'rolling', 'asked', (
               SELECT jsonb_strip_nulls(to_jsonb(step)) FROM (
                   SELECT rank, threshold, combine FROM rewards_tier WHERE id = from_id) AS step)), %(at)s
    FROM moved WHERE from_id <> to_id;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member_id, 'tier.changed', %(at)s, jsonb_build_object('from', from_id, 'to', to_id, 'up', false, 'name',
           jsonb_build_object('en', name_en, 'zh-hans', name_zh_hans))
    FROM moved WHERE from_id <> to_id;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT moved.member_id, 'tier.will_drop', %(at)s, jsonb_build_object('tier', to_id, 'name',
           jsonb_build_object('en', name_en, 'zh-hans', name_zh_hans),
           'until', (falls.at - interval '1 microsecond')::date,
           'missing', jsonb_build_object('points', asked - falls.points), 'currency', 'EUR')
    FROM moved JOIN rewards_account AS wallet ON wallet.member_id = moved.member_id CROSS JOIN LATERAL (
        SELECT earn.at + interval '12 months' AS at,
               moved.points - sum(amount) OVER (ORDER BY earn.at) AS points
        FROM rewards_transfer AS earn
        WHERE earn.credit_id = wallet.id AND earn.kind = 'earn' AND earn.at + interval '12 months' > %(at)s
    ) AS falls
    WHERE warned AND falls.at <= %(at)s + interval '30 days' AND falls.points < asked;
INSERT INTO members_changedmember (member_id) SELECT DISTINCT member_id FROM moved WHERE from_id <> to_id OR warned;
"""
COUNTED = {
    "tiers": """SELECT count(*), sum(qualifying_points), sum(tier_id), min(since), max(assessed_at)
        FROM rewards_membertier""",
    "changes": "SELECT count(*), sum(from_tier_id), sum(to_tier_id), min(at), max(at) FROM rewards_tierchange",
    "why": "SELECT md5(string_agg(md5(why::text), '' ORDER BY member_id)) FROM rewards_tierchange",
    "events": "SELECT count(*), md5(string_agg(md5(kind || data), '' ORDER BY member_id)) FROM members_timelineevent",
    "notices": "SELECT count(*), min(noticed_at) FROM rewards_membertier WHERE noticed_at IS NOT NULL",
    "to look at": "SELECT count(*) FROM members_changedmember",
}


def run(server: str) -> Iterator[Row]:
    from rewards.services.tier_nights import reassess_all

    with migrated(server, "bench_tiers") as template:
        with psycopg.connect(template) as connection:
            connection.execute(FILL)
        with psycopg.connect(template, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        with product_on(template):
            assert reassess_all(at=AT - timedelta(days=1)) == 0  # the night before: it finds everybody in their place
        mine, theirs = on_copies(server, "bench_tiers", lambda: reassess_all(at=AT), BY_HAND, {"at": AT}, COUNTED)
        yield Row("assess tiers, a night", MEMBERS, mine, theirs, at_least=0.5, megabytes=most_memory())
