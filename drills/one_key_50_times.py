"""One purchase sent 50 times at once, and one refund: one effect, 50 answers that say the same."""

from collections import Counter
from collections.abc import Iterator

from drills.stage import at_once, expect, make_members, stage

CALLERS = 50


def run(server: str) -> Iterator[str]:
    from django.utils import timezone

    from members.models import Purchase, Refund
    from rewards.queries import balance
    from rewards.services.rules import publish_rule

    with stage(server, "one_key") as stand:
        publish_rule(currency="EUR", points_per_unit=1, valid_months=12, at=timezone.now())
        (member,) = make_members(1)
        bought = {
            "key": "r1",
            "member": member.card_number,
            "currency": "EUR",
            "lines": [{"sku": "A", "quantity": 2, "unit_price": "10.00"}],
        }
        for path, body, rows in (
            ("/purchases", bought, Purchase),
            ("/refunds", {"key": "b1", "purchase": "r1", "amount": "5.00"}, Refund),
        ):
            answers = at_once([lambda path=path, body=body: stand.post(path, body)] * CALLERS)
            told = Counter(status for status, _body in answers)
            expect(told == {201: 1, 200: CALLERS - 1}, f"the answers to {path} were {dict(told)}")
            expect(all(body == answers[0][1] for _status, body in answers), f"the answers to {path} differ")
            expect(rows.objects.count() == 1, f"{path} had {rows.objects.count()} effects")
            yield f"{path}: {dict(told)}"
        expect(balance(member.pk) == 15, f"the member has {balance(member.pk)} points, not 15")
        status, body = stand.post("/purchases", bought | {"store": "Elsewhere"})
        expect((status, body["error"]["code"]) == (409, "key_reused"), f"another body was answered {status}")
        yield stand.verify()
