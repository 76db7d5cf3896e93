"""What expires, when, and how often: once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from members.tests.factories import make_member
from rewards import queries
from rewards.enums import TransferKind
from rewards.models import Account, Hold, Lot, MemberTier, Transfer
from rewards.services.expiry import expire_due
from rewards.services.holds import cancel, reserve
from rewards.services.verify import verify
from rewards.tasks import expire_points, lapse_holds, reassess_tiers
from rewards.tests.factories import adjust, event_data, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db
MOMENT = timedelta(microseconds=1)


def test_points_expire_at_their_moment_and_not_before(at):
    make_rule(valid_months=12)
    member = make_member()
    post(member, at, purchased_at=datetime(2024, 2, 29, 12, tzinfo=UTC))
    end = datetime(2025, 2, 28, 12, tzinfo=UTC)
    assert queries.balance(member.pk, end - MOMENT) == 10
    assert expire_due(at=end - MOMENT) == (0, 0)
    assert queries.balance(member.pk, end) == 0  # before the sweep has been by
    assert expire_due(at=end) == (1, 10)
    assert expire_due(at=end) == (0, 0)
    transfer = Transfer.objects.get(kind=TransferKind.EXPIRE)
    assert (transfer.at, transfer.amount, transfer.credit.kind) == (end, 10, "expired")
    assert queries.explain(transfer) == "Expired on Feb 28, 2025"
    assert (Lot.objects.get().remaining, Account.objects.get(member=member).balance) == (0, 0)


def test_only_what_is_left_expires(at):
    member = make_member()
    adjust(member, 10, at, key="a", expires_at=at + timedelta(days=1))
    adjust(member, 5, at, key="never")
    adjust(member, -4, at, key="spent")
    reserve(member_id=member.pk, amount=1, key="h", at=at, lapses_at=at + timedelta(days=9))
    assert expire_due(at=at + timedelta(days=400)) == (1, 5)
    assert queries.balance(member.pk, at + timedelta(days=400)) == 5


def test_a_lot_that_is_given_back_to_expires_again_in_the_same_breath(at):
    member = make_member()
    adjust(member, 10, at, expires_at=at + timedelta(days=1))
    for key, amount in (("h1", 3), ("h2", 4)):
        reserve(member_id=member.pk, amount=amount, key=key, at=at, lapses_at=at + timedelta(days=9))
    run = at + timedelta(days=2)
    assert expire_due(at=run) == (1, 3)
    for key, points in (("h1", 3), ("h2", 4)):
        cancel(key=key, at=run)
        assert expire_due(at=run) == (1, points)
    assert (Lot.objects.get().remaining, queries.balance(member.pk, run)) == (0, 0)
    assert [r for r in verify() if r.difference] == []


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_many_expire_in_chunks_with_one_event_for_each_member(at, chunk):
    members = [make_member() for _ in range(4)]
    for member in members:
        for n in range(5):
            adjust(member, n + 1, at, key=f"{member.pk}.{n}", expires_at=at + timedelta(days=n % 3 + 1))
        adjust(member, 100, at, key=f"{member.pk}.late", expires_at=at + timedelta(days=3) + MOMENT)
    run = at + timedelta(days=3)
    assert expire_due(at=run, chunk=chunk) == (20, 60)
    assert set(queries.balances([m.pk for m in members], run).values()) == {100}
    assert [event_data(m, "points.expired") for m in members] == [[{"points": 15, "lots": 5}]] * 4
    assert expire_due(at=run, chunk=chunk) == (0, 0)
    assert expire_due(at=run + MOMENT, chunk=chunk) == (4, 400)


def test_the_ticks_do_it_by_the_clock():
    make_rule()
    make_tiers()
    member, now = make_member(), timezone.now()
    post(member, now - timedelta(days=364), amount_minor=50_000, purchased_at=now - timedelta(days=364))
    adjust(member, 10, now, expires_at=now)
    reserve(member_id=member.pk, amount=5, key="h", at=now - timedelta(hours=2), lapses_at=now - timedelta(hours=1))
    MemberTier.objects.update(qualifying_points=0)
    expire_points()
    lapse_holds()
    reassess_tiers()
    assert Transfer.objects.get(kind=TransferKind.EXPIRE).amount == 10
    assert Hold.objects.get().state == "lapsed"
    assert MemberTier.objects.get().qualifying_points == 500
