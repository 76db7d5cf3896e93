"""Movements of every kind that the ledger knows, and what damages each: for test_verify."""

from datetime import timedelta
from decimal import Decimal

from members.models import PurchaseLine
from members.services.purchases import NewLine, record_purchases
from members.tests.factories import make_member, new_purchase
from rewards.enums import RefundPolicy
from rewards.models import EarningRule, RewardSettings, Transfer
from rewards.queries import balance
from rewards.services.expiry import expire_due
from rewards.services.gifts import Gift, give_points
from rewards.services.lots import activate_lot, cancel_lot, extend_lot, reinstate
from rewards.services.paying import Payment, pay
from rewards.services.refunds import refund_purchase
from rewards.tests.factories import award, make_rule, old_award

DAY = timedelta(days=1)


def bought(member, at, *prices):
    """A purchase without points; its id and its lines."""
    lines = tuple(NewLine(price) for price in prices)
    told = new_purchase(member, amount_minor=sum(prices), purchased_at=at, lines=lines)
    (answer,) = record_purchases(purchases=[told])
    return answer.id, list(PurchaseLine.objects.filter(purchase=answer.id).order_by("pk").values_list("pk", flat=True))


def every_movement(at):
    """Of a member of its own: paid with, given back, owed, repaid, activated, cancelled, extended, brought back."""
    member, rule = make_member(), make_rule("USD")
    version, acted = rule.versions.get(), {"at": at, "reason": "x"}
    EarningRule.objects.filter(pk=rule.pk).update(budget=1000, budget_spent=100)
    RewardSettings.objects.update_or_create(pk=1, defaults={"refund_policy": RefundPolicy.ARREARS})
    give_points(gifts=[Gift(member.pk, 30, "was", expires_at=at - DAY)], at=at - 2 * DAY)
    expire_due(at=at)
    reinstate(transfer_id=Transfer.objects.get(kind="expire").pk, expires_at=at + 90 * DAY, key="r", **acted)
    first, (a, b) = bought(member, at, 600, 400)
    award(first, 100, at, lines=[(a, "60"), (b, "40")], rule=version)
    pay(payments=[Payment(member.pk, first, 120)], at=at)
    refund_purchase(purchase_id=first, source="till", key="line", lines=[(a, Decimal(1))], at=at)
    second, _ = bought(member, at, 1000)
    award(second, 40, at, name="owed")
    third, _ = bought(member, at, 1000)
    pay(payments=[Payment(member.pk, third, balance(member.pk, at))], at=at)
    refund_purchase(purchase_id=second, source="till", key="half", amount_minor=500, at=at)
    last, _ = bought(member, at, 1000)
    for n, act in enumerate((activate_lot, cancel_lot)):
        lot = award(last, 50, at, name=str(n), pending_until=at + DAY, expires_at=at + 9 * DAY).lot
        act(lot_id=lot.pk, key=str(n), **acted)
    extend_lot(lot_id=Transfer.objects.get(key=f"earn:purchase:{last}:0").lot.pk, expires_at=None, key="e", **acted)
    old, _ = bought(member, at, 1000)
    old_award(old, at)


_LAST = "(SELECT max(id) FROM rewards_transfer WHERE kind = '{}')"
_OLD = "(SELECT max(id) FROM rewards_transfer WHERE kind = 'earn' AND why ? 'points_per_unit')"
_AWARD = "(SELECT max(id) FROM rewards_transfer WHERE kind = 'earn' AND rule_id IS NOT NULL)"


def _why(part, which=_AWARD):
    return f"UPDATE rewards_transfer SET why = why || '{part}' WHERE id = {which}"


LEDGER_DAMAGES = [
    *(
        ("where its kind says", f"UPDATE rewards_transfer SET {change} WHERE id = {_LAST.format(kind)}")
        for kind, change in [
            ("pay", "kind = 'hold'"),
            ("return", "kind = 'release'"),
            ("reinstate", "kind = 'gift'"),
            ("repay", "kind = 'pay'"),
            (
                "pay",
                "credit_id = (SELECT id FROM rewards_account WHERE kind = 'redeemed' AND unit = 'credit')",
            ),
        ]
    ),
    *(
        (
            "reverses one that can be",
            f"UPDATE rewards_transfer SET reverses_id = (SELECT min(id) FROM rewards_transfer WHERE kind = '{of}')"
            f" WHERE id = {_LAST.format(kind)}",
        )
        for kind, of in [("return", "earn"), ("reinstate", "pay"), ("reverse", "expire")]
    ),
    ("What repays arrears", _why('{"earn": 0}', _LAST.format("repay"))),
    ("What repays arrears", _why('{"back": 0}', _LAST.format("repay"))),
    ("What repays arrears", f"DELETE FROM rewards_lotuse WHERE transfer_id = {_LAST.format('repay')}"),
    (
        "What was paid comes back",
        "DELETE FROM rewards_lotuse WHERE id = (SELECT max(used.id) FROM rewards_lotuse AS used"
        " JOIN rewards_transfer AS back ON back.id = used.transfer_id WHERE back.kind = 'return')",
    ),
    *(
        (
            "times of its last change",
            f"UPDATE rewards_lotchange SET now = now + interval '1 second', was = now WHERE act = '{act}'",
        )
        for act in ("activate",)
    ),
    (
        "times of its last change",
        "UPDATE rewards_lot SET expires_at = '2030-01-01' WHERE id = (SELECT max(lot_id) FROM rewards_lotchange"
        " WHERE act = 'extend')",
    ),
    *(
        ("what the rule gives", _why(part))
        for part in (
            '{"granted": 1}',
            '{"asked": 7}',
            '{"exact": "3.5"}',
            '{"currency": "CHF"}',
            '{"version": 9}',
            '{"lines": [[null, 1000, "1"]]}',
        )
    ),
    ("what the rule gives", f"UPDATE rewards_transfer SET rule_id = NULL WHERE id = {_AWARD}"),
    *(("what the rule gives", _why(part, _OLD)) for part in ('{"amount_minor": 990}', '{"points_per_unit": "2"}')),
    (
        "What only an event sets free",
        "UPDATE rewards_lot SET available_from = '9000-01-01 00:00+00'"
        " WHERE id = (SELECT max(id) FROM rewards_lot WHERE remaining > 0)",
    ),
    ("spent of its budget", "UPDATE rewards_earningrule SET budget_spent = budget_spent + 1 WHERE budget IS NOT NULL"),
    (
        "The lines of a refund",
        "UPDATE members_refundline SET amount_minor = amount_minor + 1"
        " WHERE id = (SELECT min(id) FROM members_refundline WHERE quantity IS NOT NULL)",
    ),
    (
        "The lines of a refund",
        "UPDATE members_refundline SET quantity = 2"
        " WHERE id = (SELECT min(id) FROM members_refundline WHERE quantity IS NOT NULL)",
    ),
]
