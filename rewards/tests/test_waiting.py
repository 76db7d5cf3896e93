"""Points that wait for an event, and budgets in money."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from members.events import describe
from members.models import PendingReaction, TimelineEvent
from members.services.custom_events import NewEvent
from members.services.merging import merge_members
from members.services.reactions import run_due
from members.tests.factories import make_member
from rewards import queries
from rewards.earning.words import summary, waits_text
from rewards.enums import NEVER, RefundPolicy
from rewards.models import EarningRule, Lot, LotChange, RewardSettings, Transfer
from rewards.services.checkout import Basket, BasketLine, check_out
from rewards.services.earning.events import post_events
from rewards.services.earning.publishing import BudgetSpent, save_draft
from rewards.services.lots import activate_lot, cancel_lot
from rewards.services.refunds import refund_purchase
from rewards.services.verify import verify
from rewards.services.waiting import cancel_untold, set_free
from rewards.tests.factories import adjust, event_data, make_rule_of, make_tiers

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
TEN = {"effect": {"kind": "fixed", "points": 10}}
YEAR = {"kind": "rolling", "months": 12}


def waiting(otherwise="cancel", **more):
    pending = {"event": "order.delivered", "days": 30, "otherwise": otherwise}
    return make_rule_of("Delivered", {**TEN, "pending": pending, "expiry": YEAR}, **more)


def buy(member, at, key="o1", price="5.00"):
    (receipt,) = check_out(baskets=[Basket(member.pk, "shop", key, "EUR", (BasketLine(Decimal(price)),), at)], at=at)
    return receipt


def delivered(member, at, key="e1", kind="order.delivered", **data):
    """Told and reacted to; how many lots came free."""
    (told,) = post_events(told=[NewEvent(member.pk, "shop", key, kind, at, data)], at=at)
    return set_free(told=[(told.event_id, member.pk)], at=at)


def has(member, at):
    return queries.balance(member.pk, at), queries.pending(member.pk, at)


def sound():
    assert [(str(r.check), r.difference) for r in verify() if r.difference] == []


@pytest.mark.parametrize("otherwise", ["activate", "cancel"])
def test_an_event_sets_free_what_waits_for_it_once(at, otherwise):
    waiting(otherwise)
    member = make_member()
    (earned,) = buy(member, at).earned
    by_itself = at + 30 * DAY if otherwise == "activate" else None
    assert (earned.state, earned.waits_for, earned.available_from) == ("pending", "order.delivered", by_itself)
    assert has(member, at + DAY) == (0, 10)
    assert delivered(member, at + DAY, key="other", kind="order.packed") == 0
    assert delivered(member, at + DAY) == 1
    assert delivered(member, at + DAY) == 0  # told again
    assert delivered(member, at + 2 * DAY, key="e2") == 0
    assert (has(member, at + DAY), LotChange.objects.count()) == ((10, 0), 1)
    assert event_data(member, "points.activated")[0]["waits"] == {"for": "order.delivered"}
    assert cancel_untold(at=at + 60 * DAY) == 0
    sound()


def test_of_several_purchases_the_one_that_is_named(at):
    waiting()
    member, other = make_member(), make_member()
    for key in ("o1", "o2", "o3"):
        buy(member, at, key)
    buy(other, at, "o4")
    assert delivered(member, at + DAY, key="e1", purchase="o4") == 0  # somebody else's
    assert delivered(member, at + DAY, key="e2", purchase="o2") == 1
    assert Lot.objects.get(available_from__lt=NEVER).transfer.purchase.key == "o2"
    assert delivered(member, at + DAY, key="e3") == 2
    assert (has(member, at + DAY), has(other, at + DAY)) == ((30, 0), (0, 10))


def test_without_the_event_the_last_day_sets_free_or_takes_back(at):
    make_tiers()
    free, back = waiting("activate"), waiting("cancel", budget=100)
    member = make_member()
    buy(member, at)
    assert cancel_untold(at=at + 29 * DAY) == 0
    late = at + 31 * DAY
    assert has(member, late) == (10, 10)  # taken back or not: what needs the event is never spendable without it
    assert [cancel_untold(at=late) for _ in range(2)] == [1, 0]
    assert has(member, late) == (10, 0)
    assert Transfer.objects.get(kind="reverse").reverses.rule.rule == back
    assert EarningRule.objects.get(pk=back.pk).budget_spent == 0
    assert Transfer.objects.filter(kind="earn", rule__rule=free).get().lot.remaining == 10
    told = TimelineEvent.objects.get(kind="points.cancelled")
    with translation.override("en"):
        assert "“order delivered” did not happen by" in describe(told)
        assert "“order delivered” did not happen by" in queries.explain(Transfer.objects.get(kind="reverse"))
    sound()


def test_many_are_taken_back_by_as_few_statements_as_one_and_what_they_repaid_is_owed_again(at):
    RewardSettings.objects.update_or_create(pk=1, defaults={"refund_policy": RefundPolicy.ARREARS})
    rule = waiting("cancel", budget=100)
    owing, *others = (make_member() for _ in range(4))
    plain = make_rule_of("Plain", {"effect": {"kind": "fixed", "points": 6}})
    refunded = buy(owing, at - DAY, "o0").purchase_id
    EarningRule.objects.filter(pk=plain.pk).update(state="archived")
    cancel_lot(lot_id=Lot.objects.get(transfer__rule__rule=rule).pk, key="c", at=at, reason="Not that one")
    adjust(owing, -6, at)
    refund_purchase(purchase_id=refunded, source="shop", key="r", at=at)
    buy(owing, at, "o1")
    for n, member in enumerate(others):
        buy(member, at + 5 * DAY, f"late{n}")
    assert (queries.arrears(owing.pk), has(owing, at + DAY)) == (0, (0, 4))
    counts = []
    for days, lots in ((31, 1), (36, 3)):
        with CaptureQueriesContext(connection) as asked:
            assert cancel_untold(at=at + days * DAY) == lots
        counts.append(len(asked))
    assert counts[1] <= counts[0]
    assert (queries.arrears(owing.pk), has(owing, at + 31 * DAY)) == (6, (0, 0))
    assert EarningRule.objects.get(pk=rule.pk).budget_spent == 0
    sound()


def test_staff_act_on_single_ones_as_ever(at):
    waiting()
    member = make_member()
    for key in ("o1", "o2"):
        buy(member, at, key)
    first, second = Lot.objects.order_by("pk")
    activate_lot(lot_id=first.pk, key="a", at=at, reason="Promised")
    cancel_lot(lot_id=second.pk, key="c", at=at, reason="Never sent")
    assert (has(member, at), delivered(member, at + DAY)) == ((10, 0), 0)
    sound()


def test_a_merge_takes_along_what_waits(at):
    waiting()
    old, new = make_member(), make_member()
    for key in ("o1", "o2"):
        buy(old, at, key)
    merge_members(survivor_id=new.pk, merged_id=old.pk, at=at)
    assert delivered(new, at + DAY, key="e1", purchase="o1") == 1
    assert (has(new, at + DAY), cancel_untold(at=at + 31 * DAY)) == ((10, 10), 1)
    sound()


def test_the_reaction_to_the_event_does_it():
    now = timezone.now()
    waiting()
    member = make_member()
    buy(member, now - DAY)
    post_events(told=[NewEvent(member.pk, "shop", "e1", "order.delivered", now)], at=now)
    while run_due(at=timezone.now()):
        pass
    assert not PendingReaction.objects.exists()
    assert queries.balance(member.pk, timezone.now()) == 10


def test_what_waits_is_said_in_words(at):
    pending = {"event": "order.delivered", "days": 30}
    assert "once “order.delivered” is told, at the latest 30 days later" in summary({**TEN, "pending": pending})
    waiting()
    buy(make_member(), at)
    with translation.override("en"):
        text = waits_text(Transfer.objects.get(kind="earn").why["waits"])
    assert text.startswith("Waits until “order delivered”; taken back if that does not happen by")


def test_a_budget_in_money_ends_at_what_points_cost_and_comes_back_with_refunds(at):
    rule = make_rule_of("Ten", TEN, budget_money=Decimal("0.25"))
    member = make_member()
    receipts = [buy(member, at, f"o{n}") for n in range(4)]
    assert [sum(e.amount for e in one.earned) for one in receipts] == [10, 10, 5, 0]
    refund_purchase(purchase_id=receipts[0].purchase_id, source="shop", key="r", amount_minor=500, at=at)
    assert EarningRule.objects.get().budget_spent == 15
    assert buy(member, at, "o5").earned[0].amount == 10
    RewardSettings.objects.update_or_create(pk=1, defaults={"point_cost": Decimal("0.02")})
    assert buy(member, at, "o6").earned == ()  # dearer than what it has given
    RewardSettings.objects.update(point_cost=0)
    assert buy(member, at, "o7").earned[0].amount == 10
    sound()
    RewardSettings.objects.update(point_cost=Decimal("0.01"))
    with pytest.raises(BudgetSpent):
        save_draft(rule_id=rule.pk, names={"en": "Ten"}, definition=TEN, budget_money=Decimal("0.34"), at=at)
    save_draft(rule_id=rule.pk, names={"en": "Ten"}, definition=TEN, budget_money=Decimal("0.35"), budget=36, at=at)
    assert buy(member, at, "o8").earned == ()
