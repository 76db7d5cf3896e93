"""Finding who is due for a birthday greeting among 1,000,000 members, beside the bare query of the same days.

Twice: at a tick that finds thousands, and at an ordinary minute, when all of them have their rows already. Both ask
for every day that can matter in any time zone; the bare query only reads those members through the index.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bench.base import Row, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
MEMBERS = 1_000_000
TIMES = 11
ZONES = "Asia/Shanghai,Europe/Berlin,Europe/London,America/New_York,America/Los_Angeles,Australia/Sydney,Asia/Tokyo,UTC"

# A fifth keep the lunar calendar; seven in ten want greetings, and were greeted a year ago.
FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_month,
                            birthday_day, birthday_leap_month, leap_day_rule, joined_at)
    SELECT 'Member ' || n, 'm' || n || '@example.com', '', 'en', (string_to_array('{ZONES}', ','))[1 + n % 8], '',
           CASE WHEN n % 5 = 0 THEN 'lunar' ELSE 'solar' END,
           extract(month FROM day), least(extract(day FROM day), CASE WHEN n % 5 = 0 THEN 30 ELSE 31 END), false,
           'feb28', '2024-01-01'
    FROM (SELECT n, date '2024-01-01' + (random() * 365)::int AS day FROM generate_series(1, {MEMBERS}) AS n) AS born;
INSERT INTO members_consent (member_id, channel, purpose, granted, source, at)
    SELECT id, 'email', 'greetings', true, 'bench', '2024-01-01' FROM members_member WHERE id % 10 < 7;
INSERT INTO campaigns_campaign (kind, name, purpose, state, paused_why, channels, priority, counts_for_cap, goal_days,
                                holdout_percent, utm_campaign)
    VALUES ('birthday', '', 'greetings', 'running', '', '{{email}}', 50, true, 14, 0, '');
INSERT INTO campaigns_message (uid, campaign_id, occurrence, channel, member_id, occurrence_year, occurrence_day,
                               due_at, expires_at, next_try_at, state, sent_at, frozen_at, changed_at)
    SELECT gen_random_uuid(), (SELECT id FROM campaigns_campaign), day::text, 'email', id, 2025, day, day, day, day,
           'sent', day, day, day
    FROM (SELECT id, make_date(2025, birthday_month, least(birthday_day, 28)) AS day FROM members_member
          WHERE id % 10 < 7) AS greeted;
INSERT INTO campaigns_birthdaygreeting
        (id, active, send_hour, days_ahead, gift_points, catch_up_hours, active_since, last_checked_at)
    VALUES (1, true, 9, 0, 0, 48, '2024-01-01', '{AT - timedelta(minutes=1)}');
"""
# The patterns of birthday that are kept on these days, and the members who have them.
BARE = """
SELECT member.id, pattern.day, pattern.year
FROM unnest(%(days)s::date[], %(calendars)s::text[], %(months)s::smallint[], %(day_numbers)s::smallint[],
            %(leap_months)s::boolean[], %(leap_day_rules)s::text[], %(years)s::int[])
     AS pattern (day, calendar, month, day_number, leap_month, leap_day_rule, year)
JOIN members_member AS member
  ON member.birthday_calendar = pattern.calendar AND member.birthday_month = pattern.month
 AND member.birthday_day = pattern.day_number
 AND (pattern.leap_month IS NULL OR member.birthday_leap_month = pattern.leap_month)
 AND (pattern.leap_day_rule IS NULL OR member.leap_day_rule = pattern.leap_day_rule)
"""


def run(server: str) -> Iterator[Row]:
    from campaigns.models import BirthdayGreeting
    from campaigns.queries import DUE, due_params
    from campaigns.services.birthdays import plan
    from common.sql import execute, fetch_all

    with migrated(server, "bench_birthdays") as url:
        with psycopg.connect(url) as connection:
            connection.execute(FILL)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        with product_on(url):
            greeting = BirthdayGreeting.objects.get(pk=1)
            found: dict[str, Any] = {}

            def ours() -> None:
                found["ours"] = len(
                    fetch_all(f"SELECT member_id, day, year FROM ({DUE}) AS due", due_params(greeting, AT))
                )

            def bare() -> None:
                found["bare"] = len(fetch_all(BARE, due_params(greeting, AT)))

            def compare(name: str) -> Row:
                mine, theirs = side_by_side(lambda: seconds(ours), lambda: seconds(bare), TIMES)
                note = f"{found['ours']:,} due of {found['bare']:,} with a birthday on these days"
                return Row(name, MEMBERS, mine, theirs, at_least=1 / 1.5, megabytes=most_memory(), note=note)

            yield compare("birthdays: a tick that finds thousands")
            BirthdayGreeting.objects.filter(pk=1).update(last_checked_at=AT - timedelta(hours=3))
            plan(at=AT)
            execute("ANALYZE campaigns_message")
            yield compare("birthdays: an ordinary minute")
