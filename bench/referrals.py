"""The funnel of 1,000,000 friends, by channel and by programme, beside SQL by hand that counts the same; signs of
cheating of 10,000 referrals beside the same one by one; and the first levels below a member with 10,000 descendants.

BENCH_REFERRALS sets another number.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bench.base import Row, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 12, 9, tzinfo=UTC)
FRIENDS = int(os.environ.get("BENCH_REFERRALS", "1000000"))
GIVERS, CHAIN = 20_000, 10_000
START = AT - timedelta(days=364)

# Givers first, then friends; of four friends one is on the way, one held, two rewarded, with thanks for both sides.
# The last 10,000 friends hang below the first giver, in a tree of ten each.
FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule, joined_at)
    SELECT 'Member ' || n, 'm' || n || '@example.com', '', 'en', 'UTC', '', 'solar', false, 'feb28',
           timestamptz '{AT}' - interval '1 day' * (n % 364)
    FROM generate_series(1, {GIVERS + FRIENDS}) AS n;
CREATE TEMP TABLE person ON COMMIT DROP AS SELECT id, row_number() OVER (ORDER BY id) AS n FROM members_member;
CREATE UNIQUE INDEX ON person (n);
INSERT INTO referrals_advocate (member_id, code, shows_name, is_listed, created_at)
    SELECT id, 'B' || n, false, false, timestamptz '{START}' FROM person WHERE n <= {GIVERS};
INSERT INTO referrals_traffic (advocate_id, day, channel, shares, visits, taken)
    SELECT id, date '{START.date()}' + (id * 7 + day)::int % 364, channel, 1, 3, 1
    FROM referrals_advocate, generate_series(1, 5) AS day, unnest(ARRAY['whatsapp', 'wechat', 'copy']) AS channel
    ON CONFLICT DO NOTHING;
INSERT INTO referrals_referral (version_id, programme_id, giver_id, friend_id, source, channel, state, touched_at,
                                joined_at, qualified_at, due_at, ended_at, why, is_capped, friend_shows_name)
    SELECT version.id, version.programme_id, giver.id, friend.id, 'link',
           (ARRAY['whatsapp', 'wechat', 'copy', 'line', 'invite'])[1 + friend.n % 5],
           (ARRAY['joined', 'held', 'rewarded', 'rewarded'])[1 + friend.n % 4], told.at, told.at,
           CASE WHEN friend.n % 4 > 0 THEN told.at + interval '2 days' END,
           CASE WHEN friend.n % 4 < 2 THEN told.at + interval '90 days' END,
           CASE WHEN friend.n % 4 > 1 THEN told.at + interval '16 days' END, '{{}}', false, false
    FROM person AS friend
    CROSS JOIN LATERAL (SELECT timestamptz '{AT}' - interval '1 day' * (friend.n % 364) AS at) AS told
    JOIN person AS giver ON giver.n = CASE
        WHEN friend.n <= {GIVERS + FRIENDS - CHAIN} THEN 2 + friend.n % {GIVERS - 2}
        WHEN friend.n <= {GIVERS + FRIENDS - CHAIN + 10} THEN 1
        ELSE {GIVERS + FRIENDS - CHAIN} + (friend.n - {GIVERS + FRIENDS - CHAIN} - 1) / 10 END
    JOIN (SELECT id, programme_id, row_number() OVER (ORDER BY id) AS n FROM referrals_programmeversion) AS version
        ON version.n = 1 + friend.n % 3
    WHERE friend.n > {GIVERS};
INSERT INTO referrals_thanksgiven (referral_id, member_id, role, occasion, what, amount, key, cost_minor, given_at)
    SELECT referral.id, CASE role WHEN 'giver' THEN giver_id ELSE friend_id END, role, 'qualified', 'points', 100,
           role || referral.id, 100, referral.ended_at
    FROM referrals_referral AS referral, unnest(ARRAY['giver', 'friend']) AS role WHERE state = 'rewarded';
"""
# One reading of each table.
BY_HAND = """
WITH given AS (
    SELECT referral_id, sum(cost_minor) AS minor FROM referrals_thanksgiven WHERE taken_at IS NULL GROUP BY 1
), came AS (
    SELECT {by} AS name, count(*) AS joined,
           count(*) FILTER (WHERE state IN ('review', 'held', 'rewarded')) AS qualified,
           count(*) FILTER (WHERE state = 'rewarded') AS rewarded, sum(given.minor)::bigint AS minor
    FROM referrals_referral AS referral LEFT JOIN given ON given.referral_id = referral.id
    WHERE joined_at >= %(start)s AND joined_at < %(end)s GROUP BY 1
), seen AS ({seen})
SELECT coalesce(came.name, seen.name), coalesce(shares, 0), coalesce(visits, 0), coalesce(taken, 0),
       coalesce(joined, 0), coalesce(qualified, 0), coalesce(rewarded, 0), coalesce(minor, 0)
FROM came FULL JOIN seen ON seen.name = came.name ORDER BY joined DESC NULLS LAST, visits DESC NULLS LAST, 1
"""
SEEN = {
    "channel": "SELECT channel AS name, sum(shares)::bigint AS shares, sum(visits)::bigint AS visits,"
    " sum(taken)::bigint AS taken FROM referrals_traffic WHERE day >= %(first)s AND day < %(last)s GROUP BY 1",
    "programme_id": "SELECT NULL::bigint AS name, NULL::bigint AS shares, NULL::bigint AS visits, NULL::bigint AS taken"
    " WHERE false",
}


def run(server: str) -> Iterator[Row]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from common.sql import fetch_all
    from drills._referrals import programme
    from referrals.models import Referral
    from referrals.queries import tree
    from referrals.queries_figures import funnel
    from referrals.services.signals import signals_of

    with migrated(server, "bench_referrals") as url, product_on(url):
        for _n in range(3):
            programme(START)
        with psycopg.connect(url) as filling:
            filling.execute("SET LOCAL synchronous_commit = off")
            filling.execute(FILL)
        with psycopg.connect(url, autocommit=True) as resting:
            resting.execute("VACUUM ANALYZE")
        told: dict[str, Any] = {"start": START, "end": AT, "first": START.date(), "last": AT.date()}
        for by in ("channel", "programme_id"):
            statement = BY_HAND.format(by=by, seen=SEEN[by])
            mine, theirs = funnel(start=START, end=AT, by=by), fetch_all(statement, told)
            assert [tuple(one) for one in mine] == [tuple(one) for one in theirs], (mine, theirs)

            def ours(by: str = by) -> float:
                return seconds(lambda: funnel(start=START, end=AT, by=by))

            def by_hand(statement: str = statement) -> float:
                return seconds(lambda: fetch_all(statement, told))

            name = f"funnel by {by.removesuffix('_id')}"
            yield Row(name, FRIENDS, *side_by_side(ours, by_hand), at_least=1 / 1.3, megabytes=most_memory())

        some = list(Referral.objects.order_by("-pk").values_list("pk", flat=True)[:CHAIN])
        together = seconds(lambda: signals_of(some))
        alone = seconds(lambda: [signals_of([pk]) for pk in some[:200]]) * len(some) / 200
        note = "beside each by itself, of which 200 were done"
        yield Row("signs of cheating", len(some), together, alone, at_least=1, note=note)

        top = Referral.objects.order_by("giver_id").values_list("giver_id", flat=True)[0]
        with CaptureQueriesContext(connection) as asked:
            taken = seconds(lambda: tree(top))
        expected = seconds(lambda: tree(some[0]))
        note = f"{len(asked)} query, 200 of the nearest three levels; beside the tree of one with nobody below"
        yield Row("tree below one with 10,000", CHAIN, taken, expected, at_least=0, note=note)
