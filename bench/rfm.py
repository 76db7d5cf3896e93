"""RFM scores of a million members beside one hand-written statement, and the pages of figures beside their budget.

By hand, each member is placed by three window functions, and what changed is written by the same statement. A page may
take 0.3 s: "by hand" is that budget.
"""

from collections.abc import Callable, Iterator

from bench.base import Row, product_on, seconds, side_by_side
from bench.world import AT, MEMBERS, world

BUDGET, VISITS = 0.3, 9

BY_HAND = """
WITH placed AS (
    SELECT summary.member_id,
           percent_rank() OVER (ORDER BY (summary.last_at AT TIME ZONE 'UTC')::date) AS recency,
           percent_rank() OVER (ORDER BY summary.visit_days) AS frequency,
           percent_rank() OVER (ORDER BY summary.spent_minor) AS monetary
    FROM members_purchasesummary AS summary JOIN members_member AS member ON member.id = summary.member_id
    WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL AND member.personalised
),
scored AS (
    SELECT member_id, least(5, 1 + floor(5 * recency + 1e-12))::smallint AS recency,
           least(5, 1 + floor(5 * frequency + 1e-12))::smallint AS frequency,
           least(5, 1 + floor(5 * monetary + 1e-12))::smallint AS monetary
    FROM placed
),
gone AS (
    DELETE FROM analytics_memberscore AS old
    WHERE NOT EXISTS (SELECT FROM scored WHERE scored.member_id = old.member_id)
)
INSERT INTO analytics_memberscore AS old (member_id, recency, frequency, monetary, since)
SELECT member_id, recency, frequency, monetary, %s FROM scored
ON CONFLICT (member_id) DO UPDATE
SET recency = excluded.recency, frequency = excluded.frequency, monetary = excluded.monetary, since = excluded.since
WHERE (old.recency, old.frequency, old.monetary) <> (excluded.recency, excluded.frequency, excluded.monetary)
"""


def run(server: str) -> Iterator[Row]:
    with product_on(world(server)):
        yield from _scores()
        yield from _pages()


def _scores() -> Iterator[Row]:
    from django.db import connection, transaction

    from analytics.services.scores import score_members
    from common.sql import execute, fetch_all

    def undone(act: Callable[[], object], prepare: Callable[[], object]) -> float:
        """The seconds of `act` in a transaction of which nothing stays."""
        with transaction.atomic():
            prepare()
            took = seconds(act)
            transaction.set_rollback(True)
        return took

    def ours() -> None:
        score_members(at=AT, zone="UTC")

    def by_hand() -> None:
        execute(BY_HAND, [AT])

    def scores() -> list[tuple]:
        return fetch_all("SELECT member_id, recency, frequency, monetary FROM analytics_memberscore ORDER BY 1")

    def empty() -> None:
        execute("TRUNCATE analytics_memberscore")

    by_hand()
    expected = scores()
    ours()
    if scores() != expected:
        raise SystemExit("bench: the scores differ from those by hand")
    first = side_by_side(lambda: undone(ours, empty), lambda: undone(by_hand, empty), times=3)
    yield Row("RFM, everybody anew", len(expected), *first, at_least=1 / 1.2)
    again = side_by_side(lambda: undone(ours, lambda: None), lambda: undone(by_hand, lambda: None), times=3)
    yield Row("RFM, a night without a change", len(expected), *again, at_least=1 / 1.2, note="writes nothing")
    connection.close()


def _pages() -> Iterator[Row]:
    from django.conf import settings
    from django.test import Client
    from django.test.utils import override_settings
    from django.utils.timezone import now

    from analytics.services import snapshots
    from analytics.services.scores import score_all
    from members.models import User

    snapshots.KEEP = 10**6  # nobody is there to count anew

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # no list of built files needed
    safe = {"ALLOWED_HOSTS": ["testserver"], "SECURE_SSL_REDIRECT": False, "REQUIRE_STAFF_MFA": False}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}, **safe):
        score_all(at=now())
        counting = seconds(lambda: snapshots.refresh_all(at=now()))
        user, _made = User.objects.get_or_create(email="bench@example.com", is_staff=True, is_superuser=True)
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        for name, address in (
            ("dashboard", "/admin/?days=365"),
            ("customers", "/admin/analytics/memberscore/customers/?days=365"),
            ("RFM map", "/admin/analytics/memberscore/"),
            ("data quality", "/admin/analytics/memberscore/quality/"),
        ):

            def visit(address: str = address) -> None:
                answer = client.get(address)
                if answer.status_code != 200:
                    raise SystemExit(f"bench: {address} answered {answer.status_code}")

            visit()
            took, _same = side_by_side(lambda visit=visit: seconds(visit), lambda: BUDGET, times=VISITS)
            note = f"all figures counted behind in {counting:.0f} s" if name == "dashboard" else ""
            yield Row(f"page: {name}", MEMBERS, took, BUDGET, at_least=1, note=note)
