"""A night's assessment of all members: five awards each in the last 13 months, some of which just ceased to count."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

from bench.base import Row, contents, copied, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 1, tzinfo=UTC)
MEMBERS, AWARDS = 200_000, 5

# One member in eleven had an award that was a year old yesterday, so their points, and at times their tier, change.
FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule, joined_at)
    SELECT 'Member ' || n, '', '', 'en', 'UTC', '', 'solar', false, 'feb28', timestamptz '{AT}' - interval '3 years'
    FROM generate_series(1, {MEMBERS}) AS n;
INSERT INTO rewards_tier (name, name_en, description, rank, threshold, combine, multiplier, color)
    VALUES ('Bronze', 'Bronze', '', 0, NULL, 'all', 1, ''), ('Silver', 'Silver', '', 1, 300, 'all', 1, ''),
           ('Gold', 'Gold', '', 2, 450, 'all', 1, '');
INSERT INTO rewards_account (kind, unit, member_id, balance)
    SELECT 'wallet', 'points', id, 500 FROM members_member ORDER BY id;
CREATE TEMP TABLE award AS
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, wallet.id AS wallet_id, wallet.member_id,
           60 + (wallet.id * 7 + n * 13) % 70 AS amount,
           timestamptz '{AT}' - CASE WHEN n = 5 AND wallet.id % 11 = 0 THEN interval '12 months 6 hours'
                                     ELSE interval '60 days' * n + interval '1 minute' * (wallet.id % 999) END AS at
    FROM generate_series(1, {AWARDS}) AS n, rewards_account AS wallet
    WHERE wallet.kind = 'wallet' ORDER BY n, wallet.id;
INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at)
    SELECT award.id, 'earn:' || award.id, 'earn', issued.id, wallet_id, amount, award.at
    FROM award, rewards_account AS issued WHERE issued.kind = 'issued' AND issued.unit = 'points';
INSERT INTO rewards_membertier (member_id, tier_id, qualifying_points, since, assessed_at)
    SELECT member_id, (
               SELECT id FROM rewards_tier WHERE coalesce(threshold, 0) <= sum(amount) ORDER BY rank DESC LIMIT 1),
           sum(amount), timestamptz '{AT}' - interval '1 day', timestamptz '{AT}' - interval '1 day'
    FROM award GROUP BY member_id;
UPDATE rewards_rewardsettings SET notice_days = 0;
"""
# What a careful person would write for this one ladder: no locks, one transaction, every table read once.
BY_HAND = """
CREATE TEMP TABLE stands AS
    SELECT wallet.member_id, coalesce(sum(earn.amount), 0)::bigint AS points
    FROM rewards_account AS wallet LEFT JOIN rewards_transfer AS earn
      ON earn.credit_id = wallet.id AND earn.kind = 'earn' AND earn.at + interval '12 months' > %(at)s
    WHERE wallet.kind = 'wallet' AND wallet.unit = 'points' GROUP BY wallet.member_id;
ANALYZE stands;
CREATE TEMP TABLE moved AS
    SELECT stands.member_id, stands.points, status.tier_id AS from_id, (
        SELECT id FROM rewards_tier WHERE coalesce(threshold, 0) <= stands.points ORDER BY rank DESC LIMIT 1) AS to_id
    FROM stands JOIN rewards_membertier AS status USING (member_id) WHERE stands.points <> status.qualifying_points;
ANALYZE moved;
UPDATE rewards_membertier AS status
    SET tier_id = to_id, qualifying_points = points, assessed_at = %(at)s,
        since = CASE WHEN to_id = from_id THEN since ELSE %(at)s END
    FROM moved WHERE moved.member_id = status.member_id;
INSERT INTO rewards_tierchange (member_id, from_tier_id, to_tier_id, cause, why, at)
    SELECT member_id, from_id, to_id, 'lost', jsonb_build_object('points', points), %(at)s FROM moved
    WHERE from_id <> to_id;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member_id, 'tier.changed', %(at)s, jsonb_build_object('from', from_id, 'to', to_id, 'up', false, 'name',
           jsonb_build_object('en', tier.name_en, 'zh-hans', tier.name_zh_hans))
    FROM moved JOIN rewards_tier AS tier ON tier.id = to_id WHERE from_id <> to_id;
"""
COUNTED = {
    "tiers": """SELECT count(*), sum(qualifying_points), sum(tier_id), min(since), max(assessed_at)
        FROM rewards_membertier""",
    "changes": "SELECT count(*), sum(from_tier_id), sum(to_tier_id), min(at), max(at) FROM rewards_tierchange",
    "events": "SELECT count(*), sum((data->>'to')::bigint), min(at), max(at) FROM members_timelineevent",
}


def run(server: str) -> Iterator[Row]:
    from rewards.services.tier_nights import reassess_all

    with migrated(server, "bench_tiers") as template:
        with psycopg.connect(template) as connection:
            connection.execute(FILL)
        with psycopg.connect(template, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        left: dict[str, dict] = {}

        def ours() -> float:
            with copied(server, "bench_tiers", "bench_tiers_ours") as url:
                with product_on(url):
                    taken = seconds(lambda: reassess_all(at=AT))
                left["ours"] = contents(url, COUNTED)
                return taken

        def by_hand() -> float:
            with copied(server, "bench_tiers", "bench_tiers_hand") as url:
                with psycopg.connect(url) as connection:
                    cursor = psycopg.ClientCursor(connection)

                    def write() -> None:
                        cursor.execute(BY_HAND, {"at": AT})
                        connection.commit()

                    taken = seconds(write)
                left["by hand"] = contents(url, COUNTED)
                return taken

        mine, theirs = side_by_side(ours, by_hand)
        assert left["ours"] == left["by hand"], left
        yield Row("assess tiers, a night", MEMBERS, mine, theirs, at_least=0.5, megabytes=most_memory())
