"""The first page of a member with 2,000 movements in the ledger, beside that of one with 20.

Both buy once a day; one of them for three years by now, so that two years' points have expired. Here "by hand" is the
page at 20 movements: a longer history may cost no query more, and at most a fifth more time.
"""

from collections.abc import Iterator
from datetime import timedelta

from bench.base import Row, migrated, product_on, seconds, side_by_side

# Days of buying: 20 movements, and 1,182 purchases with 817 expiries.
FEW, MANY, VISITS = 20, 1_182, 200


def run(server: str) -> Iterator[Row]:
    from django.conf import settings
    from django.db import connection
    from django.test.utils import CaptureQueriesContext, override_settings
    from django.utils import timezone

    from rewards.models import Transfer
    from rewards.services.expiry import expire_due

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # no list of built files needed
    safe = {"ALLOWED_HOSTS": ["testserver"], "SECURE_SSL_REDIRECT": False}
    with migrated(server, "bench_portal_home") as url, product_on(url):
        with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}, **safe):
            pages = {days: _member_with(days) for days in (FEW, MANY)}
            expire_due(at=timezone.now())
            movements = Transfer.objects.count() - FEW
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
            queries = {}
            for days, visit in pages.items():
                with CaptureQueriesContext(connection) as captured:
                    visit()
                queries[days] = len(captured)
            if len(set(queries.values())) > 1:
                raise SystemExit(f"bench: the first page costs {queries[FEW]} queries, then {queries[MANY]}")

            # Visit by visit in turns: a page takes milliseconds, and the machine's mood changes by the second.
            many, few = side_by_side(lambda: seconds(pages[MANY]), lambda: seconds(pages[FEW]), times=VISITS)
    note = f"{queries[MANY]} queries; by hand = the page at {FEW} rows"
    yield Row("portal home", movements, many, few, at_least=1 / 1.2, note=note)


def _member_with(days: int):
    """Someone who bought once on each of the last `days`, signed in; a visit to their first page."""
    from django.test import Client
    from django.utils import timezone

    from members.models import User
    from members.services.profile import create_member, link_account
    from members.services.purchases import NewPurchase
    from rewards.models import Tier
    from rewards.services.purchases import post_purchases
    from rewards.services.rules import publish_rule

    now = timezone.now()
    publish_rule(currency="EUR", points_per_unit=1, valid_months=12, at=now)
    for rank, (threshold, name) in enumerate(((None, "Bronze"), (500, "Silver"), (50_000, "Gold"))):
        Tier.objects.get_or_create(rank=rank, defaults={"threshold": threshold, "name_en": name})
    user = User.objects.create_user(f"member{days}@example.com")
    member = create_member(at=now, profile={"name": f"Member {days}"}, source="bench")
    link_account(member_id=member.pk, user=user, at=now)
    bought = [
        NewPurchase(
            member_id=member.pk,
            source="till",
            key=f"{days}-{n}",
            purchased_at=now - timedelta(days=n),
            currency="EUR",
            amount_minor=1000,
        )
        for n in range(days)
    ]
    post_purchases(purchases=bought, at=now)
    client = Client()
    client.force_login(user)

    def visit() -> None:
        response = client.get("/")
        if b'class="balance"' not in response.content:
            raise SystemExit(f"bench: the first page did not come: {response.status_code}")

    return visit
