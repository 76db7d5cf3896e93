"""Segments kept fresh, beside hand-written SQL that leaves the same memberships, histories and timelines.

Both work on the same database in turns: a fiftieth of the members is moved, one of the two follows, they are moved
back, the other follows. The SQL by hand is what a careful person would write who knew these fifty conditions.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bench.base import Row, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
CITIES = ("Berlin", "Paris", "Rome", "Wien", "上海", "北京", "Oslo", "London")
MEMBERS, BOUGHT_EACH, CHANGED = int(os.environ.get("BENCH_MEMBERS", "200000")), 3, 1_000

# Roll-ups are written as the product would have them; purchases only for those who are to be added up anew.
_FILL = """
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule, joined_at)
    SELECT 'M' || n, '', '', CASE WHEN n %% 3 = 0 THEN 'zh-hans' ELSE 'en' END, 'UTC', (%(cities)s::text[])[n %% 8 + 1],
           'solar', false, 'feb28', %(at)s - n %% 2000 * interval '1 day'
    FROM generate_series(1, %(members)s) AS n;
INSERT INTO members_purchasesummary (member_id, purchases, visit_days, spent_minor, first_at, last_at, rhythm_days)
    SELECT id, 1 + id %% 20, 1 + id %% 20, id * 7919 %% 100000, %(at)s - (id %% 1500 + 900) * interval '1 day',
           %(at)s - id * 31 %% 900 * interval '1 day', CASE WHEN id %% 20 > 1 THEN 3 + id * 13 %% 60 END
    FROM members_member WHERE id %% 10 > 0;
INSERT INTO members_purchase (member_id, source, key, fingerprint, purchased_at, currency, amount_minor)
    SELECT id, 'till', id || '/' || n, gen_random_uuid(), %(at)s - (id * 31 %% 900 + n * 20) * interval '1 day', 'EUR',
           id * 7919 %% 50000
    FROM members_member, generate_series(1, %(each)s) AS n WHERE id %% 5 = 0;
"""
_TABLES = ("member", "purchasesummary", "purchase", "segmentmember", "segmentchange")


def conditions(n: int) -> tuple[dict[str, Any], str]:
    """The n-th condition, as a definition and as SQL over m (members) and s (summaries)."""
    spent, times, days, city = 100 + 20 * (n % 30), 2 + n % 15, 30 + 17 * (n % 20), CITIES[n % 8]
    since = AT.replace(hour=0) - timedelta(days=days)
    much = {"trait": "purchase.spent", "op": "at_least", "value": spent}
    often = {"trait": "purchase.count", "op": "at_least", "value": times}
    lately = {"trait": "purchase.last", "op": "on_or_after", "value": since.date().isoformat()}
    there = {"trait": "city", "op": "any_of", "value": [city]}
    chinese = {"trait": "language", "op": "any_of", "value": ["zh-hans"]}
    rare = {"trait": "purchase.rhythm", "op": "at_least", "value": 30}
    by_hand = {
        "much": f"s.spent_minor >= {spent * 100}",
        "often": f"s.purchases >= {times}",
        "lately": f"s.last_at >= '{since.isoformat()}'",
        "there": f"lower(m.city) = lower('{city}')",
        "chinese": "m.language = 'zh-hans'",
        "rare": "s.rhythm_days >= 30",
    }
    definition, text = (
        ({"all": [much, lately]}, "{much} AND {lately}"),
        ({"all": [{"any": [much, often]}, there]}, "({much} OR {often}) AND {there}"),
        ({"all": [much, {"not": {"all": [often, lately]}}]}, "{much} AND ({often} AND {lately}) IS NOT TRUE"),
        ({"any": [{"all": [chinese, much]}, {"all": [there, rare]}]}, "({chinese} AND {much} OR {there} AND {rare})"),
        (
            {"all": [{"any": [much, {"all": [often, rare]}]}, {"any": [lately, chinese]}, {"not": there}]},
            "({much} OR {often} AND {rare}) AND ({lately} OR {chinese}) AND ({there}) IS NOT TRUE",
        ),
    )[n % 5]
    return definition, text.format(**by_hand)


_BY_HAND = """
WITH wanted AS MATERIALIZED (
    SELECT m.id FROM members_member AS m LEFT JOIN members_purchasesummary AS s ON s.member_id = m.id
    WHERE m.merged_into_id IS NULL AND m.erased_at IS NULL AND m.personalised AND ({condition})
),
gone AS (
    DELETE FROM members_segmentmember AS held
    WHERE segment_id = %(segment)s AND NOT EXISTS (SELECT FROM wanted WHERE id = held.member_id) RETURNING member_id
),
come AS (
    INSERT INTO members_segmentmember (segment_id, member_id, entered_at)
    SELECT %(segment)s, id, %(at)s FROM wanted
    WHERE NOT EXISTS (SELECT FROM members_segmentmember WHERE segment_id = %(segment)s AND member_id = wanted.id)
    RETURNING member_id
),
changed AS (
    INSERT INTO members_segmentchange (segment_id, member_id, entered, version, at)
    SELECT %(segment)s, member_id, true, 1, %(at)s FROM come
    UNION ALL SELECT %(segment)s, member_id, false, 1, %(at)s FROM gone
    RETURNING member_id, entered
),
told AS (
    INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member_id, CASE WHEN entered THEN 'segment.entered' ELSE 'segment.left' END, %(at)s,
           jsonb_build_object('segment', %(segment)s::bigint, 'version', 1, 'name',
                              jsonb_build_object('en', %(name)s::text, 'zh-hans', %(name)s::text))
    FROM changed
)
UPDATE members_segment SET built_at = %(at)s, size = (SELECT count(*) FROM wanted) WHERE id = %(segment)s
"""
_MOVE = """
UPDATE members_purchasesummary
SET spent_minor = 100000 - spent_minor, purchases = 21 - purchases WHERE member_id %% 50 = 7
"""
_HELD = "SELECT segment_id, count(*), sum(member_id) FROM members_segmentmember GROUP BY 1 ORDER BY 1"


def run(server: str) -> Iterator[Row]:
    with migrated(server, "bench_refresh") as url, psycopg.connect(url) as connection, product_on(url):
        client = psycopg.ClientCursor(connection)

        def do(statement: str, **params: Any) -> None:
            client.execute(statement, params)
            connection.commit()

        do(_FILL, members=MEMBERS, each=BOUGHT_EACH, cities=list(CITIES), at=AT)
        from members.models import ChangedMember, Segment, SegmentChange, TimelineEvent
        from members.services.derived import bring_up_to_date
        from members.services.purchases import NewPurchase, record_purchases
        from members.services.segments import refresh, save_segment
        from members.services.summaries import recompute

        buyers = range(5, 5 + 5 * 5 * CHANGED, 5)  # of those who have purchases
        recompute(member_ids=buyers)
        by_hand = {}
        for n in range(50):
            definition, condition = conditions(n)
            segment = save_segment(names={"en": f"S{n}", "zh-hans": f"S{n}"}, definition=definition, at=AT)
            refresh(segment_id=segment.pk, at=AT)
            by_hand[segment.pk] = _BY_HAND.format(condition=condition), f"S{n}"
        rows = SegmentChange.objects.count()
        for table in _TABLES:
            connection.commit()
            connection.autocommit = True
            connection.execute(f"VACUUM ANALYZE members_{table}")
            connection.autocommit = False

        def ours_all() -> None:
            for pk in by_hand:
                refresh(segment_id=pk, at=AT)

        def by_hand_all() -> None:
            for pk, (statement, name) in by_hand.items():
                do("SET LOCAL work_mem = '64MB'; " + statement, segment=pk, at=AT, name=name)

        def held() -> list[tuple]:
            found = connection.execute(_HELD).fetchall()
            connection.commit()
            return found

        def written() -> tuple[int, int]:
            return SegmentChange.objects.count(), TimelineEvent.objects.count()

        # --- a fiftieth of the members moved -------------------------------------------------------------------------
        seen: dict[str, set] = {"ours": set(), "by hand": set()}

        def following(who: str, act) -> float:
            do(_MOVE)
            before = written()
            taken = seconds(act)
            changes, told = (now - was for now, was in zip(written(), before, strict=True))
            assert changes == told > 0, (changes, told)
            seen[who].add((tuple(held()), changes))
            return taken

        mine, hand = side_by_side(
            lambda: following("ours", ours_all), lambda: following("by hand", by_hand_all), times=4
        )
        assert seen["ours"] == seen["by hand"], "ours and the SQL by hand leave different members"
        yield Row("refresh of 50 segments, 2 % moved", rows, mine, hand, at_least=1 / 1.5, megabytes=most_memory())

        # --- nothing moved -------------------------------------------------------------------------------------------
        before = written()
        mine, hand = side_by_side(lambda: seconds(ours_all), lambda: seconds(by_hand_all), times=3)
        assert written() == before, "a refresh that changed nothing wrote something"
        yield Row("the same, nothing moved: nothing written", rows, mine, hand, at_least=1 / 1.5)

        # --- some members bought -------------------------------------------------------------------------------------
        taken = []
        for turn in range(5):
            ChangedMember.objects.all().delete()
            record_purchases(
                purchases=[
                    NewPurchase(
                        member_id=pk, source="till", key=f"new/{pk}", purchased_at=AT, currency="EUR", amount_minor=9900
                    )
                    for pk in buyers[turn * CHANGED : (turn + 1) * CHANGED]
                ]
            )
            before = written()
            taken.append(seconds(lambda: bring_up_to_date(at=AT)))
            assert written()[0] > before[0]
            assert not ChangedMember.objects.exists()
        slowest = max(taken)
        note = f"the slowest of {len(taken)}; by hand stands for the 2 s asked"
        yield Row("1,000 changed members into 50 segments", CHANGED, slowest, 2.0, at_least=1, note=note)
        assert not Segment.objects.exclude(error="").exists()
