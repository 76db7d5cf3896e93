"""A minute of 50 journeys over 1,000,000 members, beside the bare indexed queries that it cannot do without.

Ten journeys each for joining's anniversary, birthdays, staying away, points that expire and events; 100,000 members are
inside. Two minutes are told of:

- nobody is due: the whole round, beside one query for the journeys that run, one for those in which somebody is due,
  and one that notes for all of them up to when it was looked;
- it becomes ten where a quarter of the members live, and those whose day it is come into twenty journeys: beside one
  INSERT…SELECT by hand for each journey, which knows the days and the zone beforehand. Both must let the same number
  in. All is taken back each time, so that each is the first.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from bench.base import Row, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 12, 9, 31, tzinfo=UTC)
TEN = datetime(2026, 5, 13, 2, tzinfo=UTC)  # in Shanghai
MEMBERS, INSIDE = 1_000_000, 100_000
TRIGGERS = (
    {"kind": "occasion", "occasion": "joined", "days": 0, "hour": 10},
    {"kind": "occasion", "occasion": "birthday", "days": -3, "hour": 10},
    {"kind": "lapsed", "factor": 2.0, "days": 90, "hour": 10},
    {"kind": "expiring", "days": 14, "points": 1, "hour": 10},
    {"kind": "joined"},
)
# The zone changes slower than the days do, so that each day is kept in each zone.
FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_month,
                            birthday_day, birthday_leap_month, leap_day_rule, joined_at)
    SELECT 'Member ' || n, 'm' || n || '@example.com', '', 'en',
           (ARRAY['Asia/Shanghai', 'Europe/Berlin', 'America/New_York', 'UTC'])[1 + n / 8400 % 4], '', 'solar',
           1 + n % 12, 1 + n / 12 % 28, false, 'feb28', timestamptz '2024-01-01' + n % 700 * interval '1 day'
    FROM generate_series(1, {MEMBERS}) AS n;
"""
RUNS = f"""
INSERT INTO campaigns_journeyrun (journey_id, version_id, member_id, key, state, step, hears, entered_at, arrived_at,
                                  should_at, due_at, why, laps, attempts, error)
    SELECT journey.campaign_id, version.id, n, 'event:' || n, 'active', 'w', '{{}}', %(at)s, %(at)s, %(at)s,
           %(at)s + n %% 30 * interval '1 day' + interval '1 hour', '{{}}', 0, 0, ''
    FROM generate_series(1, {INSIDE}) AS n
    JOIN (SELECT campaign_id, row_number() OVER (ORDER BY campaign_id) - 1 AS place FROM campaigns_journey) AS journey
      ON journey.place = n %% 50
    JOIN campaigns_journeyversion AS version ON version.journey_id = journey.campaign_id
"""
BARE_JOURNEYS = """
SELECT journey.campaign_id, version.id FROM campaigns_journey AS journey
JOIN campaigns_campaign AS campaign ON campaign.id = journey.campaign_id AND campaign.state = 'running'
JOIN campaigns_journeyversion AS version ON version.journey_id = journey.campaign_id
ORDER BY journey.campaign_id
"""
BARE_DUE = """
SELECT journey.campaign_id FROM campaigns_journey AS journey
WHERE journey.campaign_id = ANY(%s) AND EXISTS (
    SELECT FROM campaigns_journeyrun AS run
    WHERE run.journey_id = journey.campaign_id AND run.state = 'active' AND run.due_at <= %s)
"""
BARE_LOOK = "UPDATE campaigns_journey SET last_checked_at = %s WHERE campaign_id = ANY(%s) AND last_checked_at < %s"
BARE_IN = """
WITH run AS (
    INSERT INTO campaigns_journeyrun (journey_id, version_id, member_id, key, state, step, hears, entered_at,
                                      arrived_at, should_at, due_at, why, laps, attempts, error)
    SELECT %(journey)s, %(version)s, id, '{name}:2026:' || id, 'active', 'w', '{{}}', %(at)s, %(at)s, %(at)s, %(at)s,
           '{{}}', 0, 0, ''
    FROM members_member
    WHERE ({whose}) AND time_zone = 'Asia/Shanghai' AND merged_into_id IS NULL AND erased_at IS NULL
    ON CONFLICT DO NOTHING RETURNING id
)
INSERT INTO campaigns_journeylog (run_id, step, at, what, why) SELECT id, '', %(at)s, 'entered', '{{}}' FROM run
"""
WHOSE = {
    "joined": (
        "joined_at >= '2025-05-12 16:00+00' AND joined_at < '2025-05-13 16:00+00'"
        " OR joined_at >= '2024-05-12 16:00+00' AND joined_at < '2024-05-13 16:00+00'"
    ),
    "birthday": "birthday_calendar = 'solar' AND birthday_month = 5 AND birthday_day = 16",
}


def fill(url: str) -> None:
    """The members, the journeys and who is inside."""
    from campaigns.services.journeys.definitions import publish_journey, save_journey
    from common.sql import execute

    with psycopg.connect(url) as filling:
        filling.execute(FILL)
    steps = [{"id": "w", "kind": "wait", "days": 1}, {"id": "t", "kind": "tag", "tag": "Seen"}]
    for n in range(50):
        definition = {"trigger": TRIGGERS[n % 5], "steps": steps}
        made = save_journey(journey_id=None, name=f"Journey {n}", definition=definition, at=AT, holdout_percent=0)
        publish_journey(journey_id=made.pk, at=AT - timedelta(minutes=1))
    execute(RUNS, {"at": AT})
    with psycopg.connect(url, autocommit=True) as resting:
        resting.execute("VACUUM ANALYZE")


def run(server: str) -> Iterator[Row]:
    with migrated(server, "bench_journeys") as url, product_on(url):
        fill(url)
        yield nobody_due()
        yield many_come_in()


def nobody_due() -> Row:
    from campaigns.services.journeys.running import run as round_of
    from common.sql import execute, fetch_all

    moment = [AT]

    def ours() -> None:
        moment[0] += timedelta(minutes=1)
        assert round_of(at=moment[0]) == 0

    def bare() -> None:
        moment[0] += timedelta(minutes=1)
        ids = [journey_id for journey_id, _version in fetch_all(BARE_JOURNEYS)]
        execute(BARE_LOOK, [moment[0], ids, moment[0]])
        assert not fetch_all(BARE_DUE, [ids, moment[0]])

    mine, theirs = side_by_side(lambda: seconds(ours), lambda: seconds(bare), 11)
    note = f"50 journeys, {INSIDE:,} inside; {mine * 1000:.0f} ms"
    return Row("journeys: a minute, nobody due", MEMBERS, mine, theirs, 0.5, most_memory(), note)


def many_come_in() -> Row:
    from django.db import transaction

    from campaigns.services.journeys.entering import let_in_by_time
    from common.sql import execute, fetch_all

    counted = {}

    def taken_back(name: str, act: Callable[[], object]) -> float:
        with transaction.atomic():
            execute("UPDATE campaigns_journey SET last_checked_at = %s", [TEN - timedelta(minutes=1)])
            took = seconds(act)
            ((counted[name],),) = fetch_all("SELECT count(*) FROM campaigns_journeyrun WHERE entered_at = %s", [TEN])
            transaction.set_rollback(True)
        return took

    def bare() -> None:
        for place, (journey_id, version_id) in enumerate(fetch_all(BARE_JOURNEYS)):
            if name := TRIGGERS[place % 5].get("occasion"):
                params = {"journey": journey_id, "version": version_id, "at": TEN}
                execute(BARE_IN.format(name=name, whose=WHOSE[str(name)]), params)

    mine, theirs = side_by_side(
        lambda: taken_back("ours", lambda: let_in_by_time(at=TEN)), lambda: taken_back("bare", bare)
    )
    assert counted["ours"] == counted["bare"] > 1000, counted
    note = f"{counted['ours']:,} come into 20 journeys"
    return Row("journeys: ten o'clock for a quarter", MEMBERS, mine, theirs, 0.5, most_memory(), note)
