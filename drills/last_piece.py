"""200 reserve the last piece at once: one has it, 199 are told that nothing is left."""

import time
from collections import Counter
from collections.abc import Iterator

from drills.stage import at_once, expect, make_members, stage

CALLERS = 200


def run(server: str) -> Iterator[str]:
    from rewards.models import Redemption, Reward

    with stage(server, "last_piece") as stand:
        reward = Reward.objects.create(name_en="The last one", kind="goods", points=100, state="live", stock=1)
        members = make_members(CALLERS, points=150)

        def asking(member):
            body = {"key": f"k{member.pk}", "member": member.card_number, "reward": reward.pk}
            return lambda: stand.post("/redemptions", body)

        started = time.monotonic()
        answers = at_once([asking(member) for member in members])
        took = time.monotonic() - started
        told = Counter(body["error"]["code"] if status >= 400 else status for status, body in answers)
        expect(told == {201: 1, "sold_out": CALLERS - 1}, f"the answers were {dict(told)}")
        expect(Redemption.objects.count() == 1, "there is more than one redemption")
        reward.refresh_from_db()
        expect((reward.stock, reward.redeemed) == (0, 1), f"stock {reward.stock}, redeemed {reward.redeemed}")
        yield f"{CALLERS} answers in {took:.1f} s ({CALLERS / took:.0f} a second): {dict(told)}"
        yield stand.verify()
