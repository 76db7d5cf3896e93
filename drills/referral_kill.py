"""A worker that thanks 200 friends and those who brought them is killed with -9, 40 times: each is thanked once.

Every second friend was brought before; the others say the code with their purchase."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle

from drills._referrals import POINTS, bring, codes_of, programme
from drills.stage import at_once, expect, make_members, stage

FRIENDS, GIVERS = 200, 10
KILLS = int(os.environ.get("DRILL_KILLS", 40))


def run(server: str) -> Iterator[str]:
    from django.db.models import Sum
    from django.utils import timezone

    from members.models import PendingReaction
    from referrals.models import Referral, Said, ThanksGiven
    from rewards.models import Transfer
    from rewards.queries import balance

    with stage(server, "referral_kill") as stand:
        at = timezone.now()
        programme(at - timedelta(days=1))
        givers, friends = make_members(GIVERS), make_members(FRIENDS)
        bring(givers, friends[::2], at)
        saying = dict(zip([friend.pk for friend in friends[1::2]], cycle(codes_of(givers, at)), strict=False))

        def buying(friend):
            lines = [{"sku": "A", "unit_price": "25.00"}]
            body = {"key": f"b{friend.pk}", "member": friend.card_number, "currency": "EUR", "lines": lines}
            if code := saying.get(friend.pk):
                body["referral_code"] = code
            return lambda: stand.post("/purchases", body)

        told = Counter(
            status for n in range(0, FRIENDS, 20) for status, _b in at_once(list(map(buying, friends[n : n + 20])))
        )
        expect(told == {201: FRIENDS}, f"the purchases were answered {dict(told)}")
        # In one process of its own for the workers, so that they begin at once.
        argv = [sys.executable, "-W", "ignore", "-m", "drills._referrals", str(KILLS)]
        done = subprocess.run(argv, env=stand.env, capture_output=True, text=True)
        expect(done.returncode == 0, done.stderr[-600:])
        while PendingReaction.objects.filter(parked_at=None).exists():  # what a killed one held comes due again
            from members.services.reactions import run_due
            from referrals.services.qualifying import settle_due

            run_due(at=timezone.now() + timedelta(hours=1))
            settle_due(at=timezone.now())
        expect(not PendingReaction.objects.exists(), "a reaction was given up")
        expect(not Said.objects.exists(), "a code that was said was not looked at")
        states = Counter(Referral.objects.values_list("state", flat=True))
        expect(states == {"rewarded": FRIENDS}, f"the referrals are {dict(states)}")
        expect(ThanksGiven.objects.count() == 2 * FRIENDS, f"{ThanksGiven.objects.count()} thanks")
        given = Transfer.objects.filter(kind="gift").aggregate(n=Sum("amount"))["n"]
        expect(given == FRIENDS * sum(POINTS.values()), f"{given} points were given")
        wrong = [one.pk for one in friends if Transfer.objects.filter(kind="gift", credit__member=one).count() != 1]
        expect(not wrong, f"{len(wrong)} friends have another number of gifts than one")
        each = {balance(giver.pk, timezone.now()) for giver in givers}
        expect(each == {POINTS["giver"] * FRIENDS // GIVERS}, f"the givers have {each}")
        yield f"{KILLS} kills: {FRIENDS} friends and {GIVERS} givers thanked once each, {given} points"
        yield stand.verify()
