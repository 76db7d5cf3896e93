"""Segments kept fresh, beside hand-written SQL that leaves the same memberships, histories and timelines.

Both work on the same copy of the shared world in turns: a fiftieth of the members is moved, one of the two follows,
they are moved back, the other follows. The SQL by hand is what a careful person would write who knew these fifty
conditions.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg

from bench.base import Row, copied, most_memory, name_of, product_on, seconds, side_by_side
from bench.world import AT, MEMBERS, world

SEGMENTS, CHANGED = 50, 1_000
_JOINS = {
    "s.": "LEFT JOIN members_purchasesummary AS s ON s.member_id = m.id",
    "t.": "LEFT JOIN rewards_membertier AS t ON t.member_id = m.id",
    "w.": "LEFT JOIN rewards_account AS w ON w.member_id = m.id AND w.unit = 'points'",
    "c.": "LEFT JOIN members_consentstate AS c ON c.member_id = m.id AND c.channel = 'email' AND c.purpose = 'offers'",
}


def conditions(n: int) -> tuple[dict[str, Any], str, str]:
    """The n-th condition, as a definition, and as the joins and the SQL over them by which a hand would ask it."""
    spent, times, days, points = 250 + 20 * (n % 30), 12 + n % 15, 30 + 17 * (n % 20), 500 + 40 * (n % 30)
    since = AT.replace(hour=0, minute=0) - timedelta(days=days)
    leaves = {
        "much": ("purchase.spent", "at_least", spent, f"s.spent_minor >= {spent * 100}"),
        "often": ("purchase.count", "at_least", times, f"s.purchases >= {times}"),
        "lately": ("purchase.last", "on_or_after", since.date().isoformat(), f"s.last_at >= '{since.isoformat()}'"),
        "rare": ("purchase.rhythm", "at_least", 90, "s.rhythm_days >= 90"),
        "there": ("city", "any_of", [f"City {n % 40}"], f"lower(m.city) = 'city {n % 40}'"),
        "chinese": ("language", "any_of", ["zh-hans"], "m.language = 'zh-hans'"),
        "high": ("tier", "any_of", [3, 4], "t.tier_id IN (3, 4)"),
        "rich": ("points", "at_least", points, f"w.balance >= {points}"),
        "agreed": ("consent.offers_email", "yes", None, "c.granted"),
    }
    a = {name: {"trait": trait, "op": op, "value": value} for name, (trait, op, value, _) in leaves.items()}
    definition, text = (
        ({"all": [a["much"], a["lately"], a["agreed"]]}, "{much} AND {lately} AND {agreed}"),
        ({"all": [{"any": [a["much"], a["often"]]}, a["there"]]}, "({much} OR {often}) AND {there}"),
        (
            {"all": [a["much"], a["high"], {"not": {"all": [a["often"], a["lately"]]}}]},
            "{much} AND {high} AND ({often} AND {lately}) IS NOT TRUE",
        ),
        (
            {"any": [{"all": [a["chinese"], a["rich"], a["lately"]]}, {"all": [a["there"], a["rare"]]}]},
            "({chinese} AND {rich} AND {lately} OR {there} AND {rare})",
        ),
        (
            {
                "all": [
                    {"any": [a["much"], {"all": [a["often"], a["high"]]}]},
                    {"any": [a["lately"], a["chinese"]]},
                    {"not": a["there"]},
                    a["rich"],
                ]
            },
            "({much} OR {often} AND {high}) AND ({lately} OR {chinese}) AND ({there}) IS NOT TRUE AND {rich}",
        ),
    )[n % 5]
    where = text.format(**{name: by_hand for name, (*_, by_hand) in leaves.items()})
    return definition, " ".join(join for alias, join in _JOINS.items() if alias in where), where


_BY_HAND = """
WITH wanted AS MATERIALIZED (
    SELECT m.id FROM members_member AS m {joins}
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
UPDATE members_purchasesummary SET spent_minor = 100000 - spent_minor, purchases = 41 - purchases
WHERE member_id %% 50 = 7 AND spent_minor BETWEEN 0 AND 100000 AND purchases <= 40
"""
_HELD = "SELECT segment_id, count(*), sum(member_id) FROM members_segmentmember GROUP BY 1 ORDER BY 1"


def run(server: str) -> Iterator[Row]:
    template = name_of(world(server))
    with copied(server, template, "bench_refresh") as url, psycopg.connect(url) as connection, product_on(url):
        client = psycopg.ClientCursor(connection)

        def do(statement: str, **params: Any) -> None:
            client.execute(statement, params)
            connection.commit()

        from common.sql import execute, fetch_all
        from members.models import ChangedMember, Segment, SegmentChange, TimelineEvent
        from members.services.derived import bring_up_to_date
        from members.services.purchases import NewPurchase, record_purchases
        from members.services.segments import refresh, save_segment

        by_hand = {}
        for n in range(SEGMENTS):
            definition, joins, where = conditions(n)
            segment = save_segment(names={"en": f"S{n}", "zh-hans": f"S{n}"}, definition=definition, at=AT)
            refresh(segment_id=segment.pk, at=AT)
            by_hand[segment.pk] = _BY_HAND.format(joins=joins, condition=where), f"S{n}"
        rows = SegmentChange.objects.count()
        execute("VACUUM ANALYZE members_segmentmember, members_segmentchange")

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
        def touched() -> dict[str, int]:
            """Rows written since the database was made, by table, as the server counts them."""
            for count_all in (execute, do):
                count_all("SELECT pg_stat_force_next_flush()")
            return dict(fetch_all("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables"))

        ours_all()  # notes the sizes that the SQL by hand left
        before = touched()
        ours_all()
        wrote = {table: many - before[table] for table, many in touched().items() if many != before[table]}
        # Each segment notes when it was last looked at; that is all.
        assert wrote == {"members_segment": SEGMENTS}, wrote
        mine, hand = side_by_side(lambda: seconds(ours_all), lambda: seconds(by_hand_all), times=3)
        yield Row("the same, nothing moved: nothing written", rows, mine, hand, at_least=1 / 1.5)

        # --- some members bought -------------------------------------------------------------------------------------
        taken = []
        buyers = range(1, MEMBERS, max(MEMBERS // (5 * CHANGED), 1))
        for turn in range(5):
            ChangedMember.objects.all().delete()
            record_purchases(
                purchases=[
                    NewPurchase(
                        member_id=pk, source="till", key=f"new/{pk}", purchased_at=AT, currency="EUR", amount_minor=9900
                    )
                    for pk in buyers[turn::5]
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
