"""Reserve, then confirm, cancel or lapse."""

from datetime import timedelta

import pytest

from members.services.purchases import KeyReused
from members.tests.factories import make_member
from rewards import queries
from rewards.enums import HoldState
from rewards.models import Hold, Lot, LotUse, Transfer
from rewards.services.expiry import expire_due
from rewards.services.holds import HoldSettled, cancel, confirm, lapse_due, reserve
from rewards.services.ledger import InsufficientPoints
from rewards.tests.factories import adjust, event_data

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def member(at):
    """A member with 10 points until tomorrow and 10 for ever."""
    member = make_member()
    adjust(member, 10, at, key="for ever")
    adjust(member, 10, at, key="until tomorrow", expires_at=at + timedelta(days=1))
    return member


def hold(member, at, amount=15, key="h1", **values):
    return reserve(member_id=member.pk, amount=amount, key=key, at=at, lapses_at=at + HOUR, reason="Coffee", **values)


def remaining():
    return dict(Lot.objects.values_list("transfer__key", "remaining"))


def test_what_is_reserved_cannot_be_spent_again(at, member):
    reserved = hold(member, at)
    assert (reserved.state, reserved.amount, reserved.lapses_at) == (HoldState.RESERVED, 15, at + HOUR)
    assert queries.balance(member.pk, at) == 5
    with pytest.raises(InsufficientPoints) as refused:
        hold(member, at, amount=6, key="h2")
    assert (refused.value.available, refused.value.asked) == (5, 6)
    assert Hold.objects.get() == reserved


def test_a_confirmed_hold_is_spent_once(at, member):
    hold(member, at)
    first = confirm(key="h1", at=at + HOUR / 2)
    again = confirm(key="h1", at=at + 2 * HOUR)
    assert (first.state, again.settled_at) == (HoldState.CONFIRMED, at + HOUR / 2)
    spent = Transfer.objects.get(kind="redeem")
    assert (spent.debit.kind, spent.credit.kind, spent.amount) == ("held", "redeemed", 15)
    assert queries.balance(member.pk, at) == 5
    assert event_data(member, "points.redeemed") == [{"points": 15, "reason": "Coffee"}]
    with pytest.raises(HoldSettled) as refused:
        cancel(key="h1", at=at)
    assert refused.value.state == HoldState.CONFIRMED
    assert lapse_due(at=at + 2 * HOUR) == 0


def test_a_cancelled_hold_goes_back_to_its_lots(at, member):
    before = remaining()
    hold(member, at)
    assert remaining() == {"adjust:for ever": 5, "adjust:until tomorrow": 0}
    assert cancel(key="h1", at=at + HOUR / 2).state == HoldState.CANCELLED
    assert cancel(key="h1", at=at + HOUR / 2).state == HoldState.CANCELLED
    assert remaining() == before
    assert queries.balance(member.pk, at) == 20
    assert sorted(LotUse.objects.values_list("amount", flat=True)) == [-10, -5, 5, 10]
    with pytest.raises(HoldSettled) as refused:
        confirm(key="h1", at=at + HOUR / 2)
    assert refused.value.state == HoldState.CANCELLED


def test_a_hold_lapses_at_its_time_and_not_before(at, member):
    hold(member, at, key="h1", amount=3)
    hold(member, at, key="h2", amount=4)  # out of the same lot
    assert lapse_due(at=at + HOUR - timedelta(microseconds=1)) == 0
    with pytest.raises(HoldSettled) as refused:
        confirm(key="h1", at=at + HOUR)  # the tick has not come by yet
    assert refused.value.state == HoldState.LAPSED
    assert lapse_due(at=at + HOUR) == 2
    assert lapse_due(at=at + HOUR) == 0
    assert queries.balance(member.pk, at) == 20
    assert set(Hold.objects.values_list("state", "settled_at")) == {(HoldState.LAPSED, at + HOUR)}


def test_points_that_expired_while_they_were_held_come_back_expired(at, member):
    reserve(member_id=member.pk, amount=4, key="h1", at=at, lapses_at=at + timedelta(days=2))
    later = at + timedelta(days=1)
    assert expire_due(at=later) == (1, 6)
    cancel(key="h1", at=later)
    assert queries.balance(member.pk, later) == 10
    assert expire_due(at=later + HOUR) == (1, 4)
    assert queries.balance(member.pk, later + HOUR) == 10
    assert remaining() == {"adjust:for ever": 10, "adjust:until tomorrow": 0}


def test_a_hold_is_named_by_its_key_for_ever(at, member):
    reserved = hold(member, at)
    assert hold(member, at + HOUR) == reserved
    cancel(key="h1", at=at)
    assert hold(member, at).state == HoldState.CANCELLED
    with pytest.raises(KeyReused):
        hold(member, at, amount=14)
    with pytest.raises(KeyReused):
        hold(make_member(), at)
    with pytest.raises(Hold.DoesNotExist):
        confirm(key="other", at=at)


@pytest.mark.parametrize(("amount", "minutes"), [(0, 5), (-1, 5), (1, 0)])
def test_a_hold_of_nothing_or_for_no_time_is_refused(at, member, amount, minutes):
    with pytest.raises(ValueError, match="for a while"):
        reserve(member_id=member.pk, amount=amount, key="k", at=at, lapses_at=at + timedelta(minutes=minutes))
