"""The member page, and its timeline filtered and scrolled, at 10,000 events beside 10.

"By hand" is the same page for the member with 10 events: a longer history may cost no query more, and at most a fifth
more time. Both members bought the same few things, so that only the timeline differs.
"""

from collections.abc import Iterator
from datetime import timedelta

from bench.base import Row, migrated, product_on, seconds, side_by_side

FEW, MANY, VISITS = 10, 10_000, 60


def run(server: str) -> Iterator[Row]:
    from django.conf import settings
    from django.db import connection
    from django.test.utils import CaptureQueriesContext, override_settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # no list of built files needed
    safe = {"ALLOWED_HOSTS": ["testserver"], "SECURE_SSL_REDIRECT": False, "REQUIRE_STAFF_MFA": False}
    with migrated(server, "bench_timeline") as url, product_on(url):
        with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}, **safe):
            few, many = _member_with(FEW), _member_with(MANY)
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE members_timelineevent")
            client = _desk()
            pages = {
                "member page": ("change/", {}),
                "timeline": ("timeline/", {}),
                "timeline, one rare group": ("timeline/", {"kinds": "tier"}),
                "timeline, some groups": ("timeline/", {"kinds": ["points", "tier", "consent"]}),
                "timeline, the oldest": ("timeline/", {"until": "2020-01-02"}),
            }
            for name, (path, query) in pages.items():
                visits = {pk: _visit(client, pk, path, query) for pk in (few, many)}
                queries = {}
                for pk, visit in visits.items():
                    visit()
                    with CaptureQueriesContext(connection) as captured:
                        visit()
                    queries[pk] = len(captured)
                if queries[few] != queries[many]:
                    raise SystemExit(f"bench: {name} costs {queries[few]} queries, then {queries[many]}")
                ours, by_hand = side_by_side(
                    lambda visits=visits: seconds(visits[many]),
                    lambda visits=visits: seconds(visits[few]),
                    times=VISITS,
                )
                note = f"{queries[many]} queries; by hand = the page at {FEW} events"
                yield Row(name, MANY, ours, by_hand, at_least=1 / 1.2, note=note)


def _visit(client, pk: int, path: str, query: dict):
    def visit() -> None:
        response = client.get(f"/admin/members/member/{pk}/{path}", query)
        if b'id="timeline"' not in response.content:
            raise SystemExit(f"bench: the page did not come: {response.status_code}")

    return visit


def _member_with(events: int) -> int:
    """A member with `events` events of many kinds, one in a thousand of them a change of tier, among a thousand others
    whose events lie in between, as they do where many members live at once."""
    from django.utils import timezone

    from common.sql import execute
    from members.models import Member
    from members.services.profile import create_member

    now = timezone.now()
    member = create_member(at=now - timedelta(days=3000), profile={"name": f"Member {events}"}, source="bench")
    if not Member.objects.filter(source="crowd").exists():
        crowd = [Member(name=f"Somebody {n}", email="", source="crowd", joined_at=now) for n in range(1000)]
        for one in crowd:
            one.street = one.postal_code = one.country = ""
        Member.objects.bulk_create(crowd)
    execute(
        """
        INSERT INTO members_timelineevent (member_id, kind, at, data)
        SELECT CASE other WHEN 0 THEN %(member)s ELSE
                   (SELECT min(id) FROM members_member WHERE source = 'crowd') + (n * 9 + other) %% 1000 END,
               CASE WHEN n %% 1000 = 5 THEN 'tier.changed' WHEN n %% 3 = 0 THEN 'message.sent'
                    WHEN n %% 3 = 1 THEN 'points.gifted' ELSE 'purchase.paid' END,
               %(now)s::timestamptz - n * interval '6 hours',
               CASE WHEN n %% 1000 = 5 THEN '{"up": true, "name": {"en": "Gold"}}'
                    WHEN n %% 3 = 0 THEN '{"campaign": "birthday"}' WHEN n %% 3 = 1 THEN '{"points": 5, "reason": ""}'
                    ELSE '{"amount_minor": 1250, "currency": "EUR", "store": "Old Town"}' END::jsonb
        FROM generate_series(2, %(events)s) AS n, generate_series(0, 9) AS other ORDER BY n DESC
        """,
        {"member": member.pk, "events": events, "now": now},
    )
    return member.pk


def _desk():
    from django.test import Client

    from members.models import User

    client = Client()
    user = User.objects.create_superuser("manager@example.com", "x")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
