"""50 friends become customers at the same moment, and the budget is for 10: 10 are thanked, and it is not overshot."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from drills._referrals import bring, programme
from drills.stage import at_once, expect, make_members, stage

FRIENDS, ROOM = 50, 10


def run(server: str) -> Iterator[str]:
    from django.db import connection, transaction
    from django.utils import timezone

    from referrals.models import Referral, ThanksGiven
    from referrals.services.qualifying import consider, settle_due

    with stage(server, "referral_budget") as stand:
        at = timezone.now()
        made = programme(at - timedelta(days=1))
        cost = _cost(made)
        type(made).objects.filter(pk=made.pk).update(budget_minor=cost * ROOM + cost - 1)
        friends = make_members(FRIENDS)
        bring(make_members(5), friends, at)
        lines = [{"sku": "A", "unit_price": "25.00"}]
        for n, friend in enumerate(friends):
            body = {"key": f"b{n}", "member": friend.card_number, "currency": "EUR", "lines": lines}
            expect(stand.post("/purchases", body)[0] == 201, "a purchase was refused")

        def considered(friend):
            def act() -> None:
                try:
                    with transaction.atomic():
                        consider(friend_ids=[friend.pk], at=timezone.now())
                finally:
                    connection.close()

            return act

        at_once(list(map(considered, friends)))
        while settle_due(at=timezone.now()):
            pass
        made.refresh_from_db()
        states = Counter(Referral.objects.values_list("state", flat=True))
        expect(states == {"rewarded": ROOM, "lapsed": FRIENDS - ROOM}, f"the referrals are {dict(states)}")
        expect(made.spent_minor == cost * ROOM, f"{made.spent_minor} were spent of {made.budget_minor}")
        expect(ThanksGiven.objects.count() == 2 * ROOM, f"{ThanksGiven.objects.count()} thanks")
        yield f"{FRIENDS} at once: {ROOM} thanked, {made.spent_minor} of {made.budget_minor} minor units spent"
        yield stand.verify()


def _cost(made) -> int:
    """What one friend costs, in minor units."""
    from referrals.queries import reading
    from referrals.services.thanking import promise

    return promise(reading(made.versions.latest("number").pk), is_capped=False)
