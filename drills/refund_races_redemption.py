"""1,000 times a refund and a redemption at the same moment: what comes of it is what one after the other gives."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from drills.stage import Stage, expect, make_members, stage

PAIRS = int(os.environ.get("DRILL_PAIRS", "1000"))
EARNED = PRICE = 100
AT_ONCE = 4  # pairs


def run(server: str) -> Iterator[str]:
    from django.utils import timezone

    from rewards.models import Reward
    from rewards.queries import balances
    from rewards.services.rules import publish_rule

    with stage(server, "refund_races") as stand:
        publish_rule(currency="EUR", points_per_unit=1, valid_months=12, at=timezone.now())
        reward = Reward.objects.create(name_en="Mug", kind="goods", points=PRICE, state="live")
        members = make_members(PAIRS)

        def pair(member) -> str:
            with ThreadPoolExecutor(2) as two:
                return _pair(stand, member, reward.pk, two)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            first = Counter(pool.map(pair, members))
        left = balances([member.pk for member in members])
        expect(set(left.values()) == {0}, f"balances of {sorted(set(left.values()))} are left; all must be 0")
        yield f"{PAIRS:,} pairs: {dict(first)}"
        yield stand.verify()


def _pair(stand: Stage, member, reward: int, two: ThreadPoolExecutor) -> str:
    bought = {"key": f"p{member.pk}", "member": member.card_number, "currency": "EUR"}
    status, told = stand.post("/purchases", {**bought, "lines": [{"unit_price": f"{EARNED}.00"}]})
    expect(status == 201 and told["points"]["spendable"] == EARNED, f"the purchase was answered {status} {told}")
    redeeming = {"key": f"r{member.pk}", "member": member.card_number, "reward": reward}
    back = two.submit(stand.post, "/refunds", {"key": f"b{member.pk}", "purchase": bought["key"]})
    taken = two.submit(stand.post, "/redemptions", redeeming)
    (back_status, refund), (took_status, redemption) = back.result(), taken.result()
    expect(back_status == 201, f"the refund was answered {back_status} {refund}")
    points = (refund["points"]["taken"], refund["points"]["short"])
    if took_status == 201:  # the model: what is reserved is not there to be taken
        expect(points == (0, EARNED), f"the redemption came first, and the refund took {points}")
        return "redemption first"
    expect(redemption["error"]["code"] == "points_missing", f"the redemption was answered {redemption}")
    expect(points == (EARNED, 0), f"the refund came first, and took {points}")
    return "refund first"
