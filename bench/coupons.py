"""100,000 unique codes into stock, and 20,000 members of a segment who get a coupon each, beside SQL by hand."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

from bench.base import Row, contents, copied, migrated, most_memory, product_on, seconds, side_by_side

CODES, MEMBERS = 100_000, 20_000
FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule)
    SELECT 'Member ' || n, '', '', 'en', 'UTC', '', 'solar', false, 'feb28' FROM generate_series(1, {MEMBERS}) AS n;
INSERT INTO members_segment (name, name_en, description, definition, version, timed, refresh_minutes, built_version,
                             built_at, size, next_refresh_at, error, failures)
    VALUES ('All', 'All', '', '{{"all": []}}', 1, false, 60, 1, now(), {MEMBERS}, now() + interval '1 day', '', 0);
INSERT INTO members_segmentmember (segment_id, member_id, entered_at)
    SELECT segment.id, member.id, now() FROM members_segment AS segment, members_member AS member;
INSERT INTO rewards_offer (kind, name, name_en, description, terms, definition, state, stackable, flash, listed)
    VALUES ('percent', 'Ten', 'Ten', '', '', '{{"percent": "10"}}', 'live', false, false, false);
"""
ISSUE_BY_HAND = """
WITH made AS (
    INSERT INTO rewards_coupon (code, offer_id, member_id, state, issue_key, issued_by, issued_at, why)
    SELECT told.code, offer.id, told.member_id, 'issued', 'job:' || told.member_id, 'segment', now(), '{}'
    FROM rewards_offer AS offer, (
        SELECT row_number() OVER (ORDER BY member_id) AS n, member_id FROM members_segmentmember
    ) AS held (n, member_id) JOIN unnest(%(codes)s::text[]) WITH ORDINALITY AS made (code, n) USING (n),
    LATERAL (SELECT made.code, held.member_id) AS told
    RETURNING id, member_id, offer_id
)
INSERT INTO members_timelineevent (member_id, kind, at, data)
SELECT member_id, 'coupon.issued', now(), jsonb_build_object('offer', offer_id, 'coupon', id) FROM made
"""
COUNTED = {"coupons": "SELECT state, count(*), count(DISTINCT code), count(DISTINCT member_id) FROM rewards_coupon"
           " GROUP BY state"}  # fmt: skip


def run(server: str) -> Iterator[Row]:
    with migrated(server, "bench_coupons") as template:
        with psycopg.connect(template) as connection:
            connection.execute(FILL)
        with psycopg.connect(template, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield _row(server, "make codes", CODES, _make, _make_by_hand, 0.3)
        # By hand it is one statement without gates, chunks, progress, or telling segments who changed.
        yield _row(server, "issue coupons to a segment", MEMBERS, _issue, _issue_by_hand, 0.1)


def _row(server: str, name: str, rows: int, ours, by_hand, at_least: float) -> Row:
    left: dict[str, dict] = {}

    def measured(which: str, act) -> float:
        with copied(server, "bench_coupons", f"bench_coupons_{which}") as url:
            taken = act(url)
            left[which] = contents(url, COUNTED)
            return taken

    mine, theirs = side_by_side(lambda: measured("ours", ours), lambda: measured("hand", by_hand), times=3)
    assert left["ours"] == left["hand"], left
    return Row(name, rows, mine, theirs, at_least=at_least, megabytes=most_memory())


def _make(url: str) -> float:
    from rewards.models import Offer
    from rewards.services.coupons.jobs import create_codes, run_job

    with product_on(url):
        job = create_codes(offer_id=Offer.objects.get().pk, total=CODES, at=datetime.now(UTC))
        return seconds(lambda: run_job(job_id=job.pk))


def _make_by_hand(url: str) -> float:
    def write() -> None:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            offer = cursor.execute("SELECT id FROM rewards_offer").fetchone()
            with cursor.copy("COPY rewards_coupon (code, offer_id, state, issued_by, why) FROM STDIN") as copy:
                for _n in range(CODES):
                    copy.write_row((secrets.token_hex(8).upper(), *(offer or ()), "stock", "", "{}"))

    return seconds(write)


def _issue(url: str) -> float:
    from members.models import Segment
    from rewards.models import Offer
    from rewards.services.coupons.jobs import issue_to_segment, run_job

    with product_on(url):
        offer, segment = Offer.objects.get().pk, Segment.objects.get().pk
        job = issue_to_segment(offer_id=offer, segment_id=segment, at=datetime.now(UTC))
        return seconds(lambda: run_job(job_id=job.pk))


def _issue_by_hand(url: str) -> float:
    def write() -> None:
        codes = [secrets.token_hex(8).upper() for _n in range(MEMBERS)]
        with psycopg.connect(url) as connection:
            connection.execute(ISSUE_BY_HAND, {"codes": codes})

    return seconds(write)
