"""120 purchases at once against a rule's budget and a member's daily limit: neither is overshot by a point."""

from collections import Counter
from collections.abc import Iterator

from drills.stage import at_once, expect, make_members, stage

CALLERS, BUDGET, DAY = 60, 505, 130


def run(server: str) -> Iterator[str]:
    from django.db.models import Sum
    from django.utils import timezone

    from rewards.models import Transfer
    from rewards.queries import balance
    from rewards.services.earning.publishing import publish, save_draft

    with stage(server, "limits") as stand:
        at = timezone.now()
        terms = {"effect": {"kind": "per_amount", "points": "1", "per": "1.00"}, "expiry": {"kind": "never"}}
        budgeted = {**terms, "conditions": {"currency": "EUR", "stores": ["Budget"]}}
        limited = {**terms, "conditions": {"currency": "EUR", "stores": ["Daily"]}, "limits": {"day": DAY}}
        for name, definition, budget in (("Budget", budgeted, BUDGET), ("Daily", limited, None)):
            draft = save_draft(names={"en": name}, definition=definition, budget=budget, at=at)
            publish(rule_id=draft.rule_id, at=at)
        one, *members = make_members(CALLERS + 1)

        def buying(member, n: int, store: str):
            lines = [{"sku": "A", "unit_price": "20.00"}]
            body = {"key": f"{store}{n}", "member": member.card_number, "currency": "EUR", "store": store}
            return lambda: stand.post("/purchases", {**body, "lines": lines})

        answers = at_once(
            [buying(member, n, "Budget") for n, member in enumerate(members)]
            + [buying(one, n, "Daily") for n in range(CALLERS)]
        )
        told = Counter(status for status, _body in answers)
        expect(told == {201: 2 * CALLERS}, f"the answers were {dict(told)}")
        daily = balance(one.pk)
        given = Transfer.objects.filter(kind="earn").aggregate(n=Sum("amount"))["n"] - daily
        expect(given == BUDGET, f"{given} points were given of a budget of {BUDGET}")
        expect(daily == DAY, f"the member was given {daily} points of {DAY} a day")
        yield f"{2 * CALLERS} purchases: {given} points of {BUDGET}, and {daily} of {DAY} a day"
        yield stand.verify()
