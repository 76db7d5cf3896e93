"""A minute of 50 journeys over 1,000,000 members: who comes in by time, and who goes on; beside the bare queries.

Ten journeys each for occasions, birthdays, staying away, points that expire and events; 100,000 members are inside. An
ordinary minute finds nobody by time and a hundred who go on. The bare queries ask the same indexes and do nothing else.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from bench.base import Row, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 12, 9, 31, tzinfo=UTC)
MEMBERS, INSIDE, DUE, TIMES = 1_000_000, 100_000, 100, 11
TRIGGERS = (
    {"kind": "occasion", "occasion": "joined", "days": 0, "hour": 10},
    {"kind": "occasion", "occasion": "birthday", "days": -3, "hour": 10},
    {"kind": "lapsed", "factor": 2.0, "days": 90, "hour": 10},
    {"kind": "expiring", "days": 14, "points": 1, "hour": 10},
    {"kind": "joined"},
)
FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_month,
                            birthday_day, birthday_leap_month, leap_day_rule, joined_at)
    SELECT 'Member ' || n, 'm' || n || '@example.com', '', 'en',
           (ARRAY['Asia/Shanghai', 'Europe/Berlin', 'America/New_York', 'UTC'])[1 + n % 4], '', 'solar',
           1 + n % 12, 1 + n % 28, false, 'feb28', timestamptz '2024-01-01' + n % 700 * interval '1 day'
    FROM generate_series(1, {MEMBERS}) AS n;
"""
RUNS = f"""
INSERT INTO campaigns_journeyrun (journey_id, version_id, member_id, key, state, step, hears, entered_at, arrived_at,
                                  should_at, due_at, why, laps, attempts, error)
    SELECT journey.campaign_id, version.id, n, 'event:' || n, 'active', 'w', '{{}}', %(at)s, %(at)s, %(at)s,
           %(at)s + CASE WHEN n <= {DUE} THEN interval '-1 second'
                         ELSE n %% 30 * interval '1 day' + interval '1 hour' END,
           '{{}}', 0, 0, ''
    FROM generate_series(1, {INSIDE}) AS n
    JOIN (SELECT campaign_id, row_number() OVER (ORDER BY campaign_id) - 1 AS place FROM campaigns_journey) AS journey
      ON journey.place = n %% 50
    JOIN campaigns_journeyversion AS version ON version.journey_id = journey.campaign_id
"""
# What a minute has to know at the least: which journeys run, and who of each is due.
BARE_JOURNEYS = """
SELECT journey.campaign_id, version.id FROM campaigns_journey AS journey
JOIN campaigns_campaign AS campaign ON campaign.id = journey.campaign_id AND campaign.state = 'running'
JOIN campaigns_journeyversion AS version ON version.journey_id = journey.campaign_id
"""
BARE_DUE = """
SELECT id FROM campaigns_journeyrun WHERE journey_id = %s AND state = 'active' AND due_at <= %s
ORDER BY due_at, id LIMIT 500 FOR UPDATE SKIP LOCKED
"""
BARE_LOOK = "UPDATE campaigns_journey SET last_checked_at = %s WHERE campaign_id = %s AND last_checked_at < %s"


def run(server: str) -> Iterator[Row]:
    from django.db import connection, transaction

    from campaigns.services.journeys.advancing import _DUE
    from campaigns.services.journeys.definitions import publish_journey, save_journey
    from campaigns.services.journeys.entering import let_in_by_time
    from common.sql import execute, fetch_all

    with migrated(server, "bench_journeys") as url:
        with psycopg.connect(url) as filling:
            filling.execute(FILL)
        with product_on(url):
            steps = [{"id": "w", "kind": "wait", "days": 1}, {"id": "t", "kind": "tag", "tag": "Seen"}]
            for n in range(50):
                definition = {"trigger": TRIGGERS[n % 5], "steps": steps}
                made = save_journey(journey_id=None, name=f"Journey {n}", definition=definition, at=AT)
                publish_journey(journey_id=made.pk, at=AT - timedelta(minutes=1))
            execute(RUNS, {"at": AT})
            with psycopg.connect(url, autocommit=True) as resting:
                resting.execute("VACUUM ANALYZE")
            moment = [AT]

            def ours() -> None:
                moment[0] += timedelta(seconds=1)
                let_in_by_time(at=moment[0])
                fetch_all(_DUE, {"at": moment[0]})

            def bare() -> None:
                moment[0] += timedelta(seconds=1)
                rows = fetch_all(BARE_JOURNEYS)
                with connection.cursor() as cursor:
                    for journey_id, _version in rows:
                        with transaction.atomic():
                            cursor.execute(BARE_LOOK, [moment[0], journey_id, moment[0]])
                        with transaction.atomic():
                            cursor.execute(BARE_DUE, [journey_id, moment[0]])

            mine, theirs = side_by_side(lambda: seconds(ours), lambda: seconds(bare), TIMES)
            note = f"50 journeys, {INSIDE:,} inside; {mine * 1000:.0f} ms a minute"
            yield Row("journeys: an ordinary minute", MEMBERS, mine, theirs, 0.5, most_memory(), note)
