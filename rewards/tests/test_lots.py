"""Staff and single lots: each act once, with its reason, and told on the timeline."""

from datetime import timedelta

import pytest

from members.events import describe
from members.models import TimelineEvent
from members.services.merging import merge_members
from members.services.purchases import KeyReused, record_purchases
from members.tests.factories import make_member, new_purchase
from rewards import queries
from rewards.enums import RefundPolicy, Unit
from rewards.models import EarningRule, Lot, LotChange, RewardSettings, Transfer
from rewards.services.expiry import expire_due
from rewards.services.ledger import lock_wallets, touch
from rewards.services.lots import (
    LotGone,
    NotLater,
    NotPending,
    Reinstated,
    activate_lot,
    cancel_lot,
    extend_lot,
    reinstate,
)
from rewards.services.refunds import refund_purchase
from rewards.services.verify import verify
from rewards.tests.factories import adjust, award, event_data, make_rule, make_tiers

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def member(at):
    make_tiers()
    return make_member()


def earn(member, at, amount=100, **columns):
    """Points for a purchase of 10.00 without any other rule; the award."""
    (bought,) = record_purchases(purchases=[new_purchase(member, purchased_at=at)])
    return award(bought.id, amount, at, **columns)


def sound():
    assert [(str(r.check), r.difference) for r in verify() if r.difference] == []


def acted(**more):
    return {"key": "k", "reason": "Promised by phone", **more}


def test_a_pending_lot_is_activated_once(at, member):
    lot = earn(member, at, pending_until=at + 14 * DAY).lot
    assert (queries.pending(member.pk, at), queries.balance(member.pk, at)) == (100, 0)
    change = activate_lot(lot_id=lot.pk, at=at, note="For you", **acted())
    assert activate_lot(lot_id=lot.pk, at=at + DAY, **acted()) == change
    assert (queries.pending(member.pk, at), queries.balance(member.pk, at)) == (0, 100)
    assert (change.was, change.now) == (at + 14 * DAY, at)
    assert event_data(member, "points.activated") == [
        {"points": 100, "lot": lot.pk, "reason": "Promised by phone", "note": "For you"}
    ]
    with pytest.raises(NotPending):
        activate_lot(lot_id=lot.pk, at=at, **acted(key="other"))
    with pytest.raises(KeyReused):
        activate_lot(lot_id=lot.pk, at=at, **acted(reason="Another"))
    with pytest.raises(ValueError, match="say why"):
        activate_lot(lot_id=lot.pk, at=at, **acted(key="z", reason=" "))
    sound()


def test_a_pending_lot_is_cancelled_and_its_rule_may_give_it_again(at, member):
    rule = make_rule()
    EarningRule.objects.filter(pk=rule.pk).update(budget=500, budget_spent=100)
    given = earn(member, at, pending_until=at + 14 * DAY, rule=rule.versions.get())
    adjust(member, 7, at)
    back = cancel_lot(lot_id=given.lot.pk, at=at, note="Sent back", **acted())
    assert cancel_lot(lot_id=given.lot.pk, at=at, **acted()) == back
    assert (back.amount, back.reverses, queries.explain(back)) == (100, given, "Sent back")
    assert (queries.pending(member.pk, at), queries.balance(member.pk, at)) == (0, 7)
    assert EarningRule.objects.get(pk=rule.pk).budget_spent == 0
    with pytest.raises(LotGone):
        cancel_lot(lot_id=given.lot.pk, at=at, **acted(key="other"))
    with pytest.raises(NotPending):
        cancel_lot(lot_id=Lot.objects.latest("pk").pk, at=at, **acted(key="other"))
    # What was cancelled is not asked for once more by a refund.
    result = refund_purchase(purchase_id=given.purchase_id, source="till", key="r", at=at)
    assert (result.points_taken, result.points_short) == (0, 0)
    sound()


def test_what_a_cancelled_award_had_repaid_is_owed_again(at, member):
    RewardSettings.objects.update_or_create(pk=1, defaults={"refund_policy": RefundPolicy.ARREARS})
    first = earn(member, at)
    adjust(member, -60, at)
    refund_purchase(purchase_id=first.purchase_id, source="till", key="r", at=at)
    assert queries.arrears(member.pk) == 60
    second = earn(member, at, pending_until=at + DAY)
    assert (queries.arrears(member.pk), queries.pending(member.pk, at)) == (0, 40)
    cancel_lot(lot_id=second.lot.pk, at=at, **acted())
    assert (queries.arrears(member.pk), queries.pending(member.pk, at)) == (60, 0)
    sound()


def test_after_a_merge_the_moved_lot_is_the_one_to_act_on(at, member):
    given = earn(member, at, pending_until=at + 14 * DAY)
    survivor = make_member()
    merge_members(survivor_id=survivor.pk, merged_id=member.pk, at=at)
    with pytest.raises(LotGone):
        cancel_lot(lot_id=given.lot.pk, at=at, **acted())
    moved = Lot.objects.get(account__member=survivor)
    assert cancel_lot(lot_id=moved.pk, at=at, **acted()).reverses == given
    sound()


def test_a_lot_lives_longer_or_for_ever_but_never_shorter(at, member):
    lot = earn(member, at, expires_at=at + DAY).lot
    extend_lot(lot_id=lot.pk, expires_at=at + 5 * DAY, at=at, **acted())
    extend_lot(lot_id=lot.pk, expires_at=at + 5 * DAY, at=at, **acted())
    assert LotChange.objects.count() == 1
    assert expire_due(at=at + 2 * DAY).points == 0
    for until in (at + 5 * DAY, at + 3 * DAY):
        with pytest.raises(NotLater):
            extend_lot(lot_id=lot.pk, expires_at=until, at=at, **acted(key=str(until)))
    with pytest.raises(KeyReused):
        extend_lot(lot_id=lot.pk, expires_at=None, at=at, **acted())
    extend_lot(lot_id=lot.pk, expires_at=None, at=at, **acted(key="ever"))
    assert expire_due(at=at + 5000 * DAY).points == 0
    sound()
    with pytest.raises(NotLater):
        extend_lot(lot_id=lot.pk, expires_at=None, at=at, **acted(key="again"))


def test_what_has_expired_is_not_extended_but_brought_back_once(at, member):
    lot = earn(member, at, expires_at=at + DAY).lot
    adjust(member, -30, at)
    expire_due(at=at + 2 * DAY)
    with pytest.raises(LotGone):
        extend_lot(lot_id=lot.pk, expires_at=None, at=at + 2 * DAY, **acted())
    expiry = Transfer.objects.get(kind="expire")
    back = reinstate(transfer_id=expiry.pk, expires_at=at + 9 * DAY, at=at + 2 * DAY, **acted())
    assert reinstate(transfer_id=expiry.pk, expires_at=at + 9 * DAY, at=at + 3 * DAY, **acted()) == back
    assert (back.amount, back.lot.expires_at) == (70, at + 9 * DAY)
    assert queries.balance(member.pk, at + 2 * DAY) == 70
    with pytest.raises(Reinstated):
        reinstate(transfer_id=expiry.pk, expires_at=None, at=at + 2 * DAY, **acted(key="other"))
    with pytest.raises(Transfer.DoesNotExist):
        reinstate(transfer_id=back.pk, expires_at=None, at=at, **acted(key="x"))
    # A refund finds it there.
    result = refund_purchase(purchase_id=lot.transfer.purchase_id, source="till", key="r", at=at + 2 * DAY)
    assert (result.points_taken, result.points_short) == (70, 30)
    sound()


def test_the_timeline_says_what_was_done_and_why(at, member):
    lot = earn(member, at, unit=Unit.CREDIT, pending_until=at + DAY, expires_at=at + 3 * DAY).lot
    activate_lot(lot_id=lot.pk, at=at, **acted())
    extend_lot(lot_id=lot.pk, expires_at=at + 5 * DAY, at=at, **acted(key="2"))
    told = TimelineEvent.objects.filter(kind__startswith="points.").order_by("pk")
    assert [describe(event) for event in told] == [
        "€1.00 activated early: Promised by phone",
        "€1.00 live longer: Promised by phone",
    ]


def test_what_lives_by_activity_lives_on_with_each_but_not_once_it_has_expired(at, member):
    earn(member, at, inactivity_months=1, expires_at=None)
    lot = Lot.objects.get()
    assert lot.expires_at == at.replace(month=at.month + 1)
    later = at + 20 * DAY
    lock_wallets([member.pk])
    touch({member.pk: later}, now=later)
    lot.refresh_from_db()
    assert lot.expires_at == later.replace(month=later.month + 1)
    touch({member.pk: at}, now=later)  # what is told late takes nothing back
    touch({member.pk: later + 60 * DAY}, now=later + 60 * DAY)
    lot.refresh_from_db()
    assert lot.expires_at == later.replace(month=later.month + 1)
    assert expire_due(at=later + 60 * DAY).points == 100
    sound()
