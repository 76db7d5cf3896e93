"""Dates of experiences: places, who waits for one, and calling off."""

from datetime import timedelta

import pytest

from members.models import Member
from members.services.merging import gather_latecomers, merge_members
from members.tests.factories import make_member
from rewards import queries
from rewards.models import Redemption, Reward, RewardSession, WaitingEntry
from rewards.queries_catalogue import catalogue
from rewards.services.catalogue import PlacesTaken, set_capacity
from rewards.services.fulfilment import CodeRefused, redeem_code
from rewards.services.places import CannotWait, join_waiting, keep_places, leave_waiting
from rewards.services.redemptions import (
    RedemptionRefused,
    cancel_redemption,
    confirm_redemption,
    refund_redemption,
    reserve_reward,
)
from rewards.services.sessions import call_off, settle_called_off
from rewards.services.verify import verify
from rewards.tests.factories import adjust, event_data, make_reward

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def members(at) -> list[Member]:
    made = [make_member() for _ in range(4)]
    for member in made:
        adjust(member, 500, at, key=f"m{member.pk}")
    return made


@pytest.fixture
def tasting(at) -> Reward:
    return make_reward(kind="experience", name="Tasting")


@pytest.fixture
def session(at, tasting) -> RewardSession:
    return RewardSession.objects.create(reward=tasting, starts_at=at + 9 * DAY, capacity=1, place="Harbour")


def book(member, session, at, key="k") -> Redemption:
    return reserve_reward(
        member_id=member.pk,
        reward_id=session.reward_id,
        session_id=session.pk,
        source="t",
        key=f"{key}{member.pk}",
        at=at,
    )


def refused(member, session, at) -> list[str]:
    with pytest.raises(RedemptionRefused) as error:
        book(member, session, at, key="no")
    return [reason.code for reason in error.value.reasons]


def booked(session) -> int:
    session.refresh_from_db()
    return session.booked


def states(session) -> list[str]:
    return list(WaitingEntry.objects.filter(session=session).order_by("pk").values_list("state", flat=True))


def test_a_freed_place_is_kept_a_day_for_who_waited_longest_and_goes_on_to_the_next(at, members, session):
    first, second, third, late = members
    taken = book(first, session, at)
    assert refused(second, session, at) == ["session_full"]
    for n, member in enumerate((second, third)):
        join_waiting(member_id=member.pk, session_id=session.pk, at=at + timedelta(minutes=n))
        join_waiting(member_id=member.pk, session_id=session.pk, at=at)  # twice is once
    cancel_redemption(redemption_id=taken.pk, at=at)
    assert (states(session), booked(session)) == (["offered", "waiting"], 1)
    (told,) = event_data(second, "reward.place_offered")
    assert (told["session"], told["name"]["en"]) == (session.pk, "Tasting")
    assert refused(late, session, at) == ["session_full"]
    assert refused(third, session, at) == ["session_full"]
    keep_places(at=at + DAY - timedelta(seconds=1))
    assert states(session) == ["offered", "waiting"]
    keep_places(at=at + DAY)
    assert (states(session), booked(session)) == (["gone", "offered"], 1)
    done = book(third, session, at + DAY)
    assert (states(session), booked(session), done.state) == (["gone", "taken"], 1, "reserved")
    assert [str(r.check) for r in verify() if r.difference] == []


def test_who_waits_comes_before_who_only_looks_now(at, members, session):
    first, second, third, _late = members
    book(first, session, at)
    join_waiting(member_id=second.pk, session_id=session.pk, at=at)
    RewardSession.objects.filter(pk=session.pk).update(capacity=2)  # before the tick
    assert refused(third, session, at) == ["session_full"]
    set_capacity(session_id=session.pk, capacity=3, at=at)
    assert states(session) == ["offered"]
    assert book(third, session, at).state == "reserved"
    assert book(second, session, at).state == "reserved"
    assert booked(session) == 3
    with pytest.raises(PlacesTaken):
        set_capacity(session_id=session.pk, capacity=2, at=at)


def test_booking_uses_up_every_place_that_was_kept(at, members, session):
    """In time or late, of this card or of one that was merged into it; what was kept beside goes to the next."""
    first, second, third, fourth = members
    taken = [book(first, session, at)]
    set_capacity(session_id=session.pk, capacity=2, at=at)
    taken.append(book(fourth, session, at))
    for n, member in enumerate((second, third, first)):
        join_waiting(member_id=member.pk, session_id=session.pk, at=at + timedelta(minutes=n))
    for one in taken:
        cancel_redemption(redemption_id=one.pk, at=at)
    assert (states(session), booked(session)) == (["offered", "offered", "waiting"], 2)
    merge_members(survivor_id=second.pk, merged_id=third.pk, at=at)
    book(second, session, at)
    assert (states(session), booked(session)) == (["taken", "gone", "offered"], 2)
    assert len(event_data(first, "reward.place_offered")) == 1
    RewardSession.objects.update(capacity=3)
    book(first, session, at + 2 * DAY, key="late")  # its tick has not come by yet
    assert (states(session), booked(session)) == (["taken", "gone", "taken"], 2)
    gather_latecomers(at=at)  # as the tick does
    assert [str(r.check) for r in verify() if r.difference] == []


def test_nobody_waits_where_there_is_room_or_for_what_they_cannot_have(at, members, session):
    first, second, *_ = members
    with pytest.raises(CannotWait) as error:
        join_waiting(member_id=first.pk, session_id=session.pk, at=at)
    assert [r.code for r in error.value.reasons] == ["session_free"]
    book(first, session, at)
    Reward.objects.update(limit_member=0, points=9_999)
    with pytest.raises(CannotWait) as error:  # that the points do not suffice yet is no reason
        join_waiting(member_id=second.pk, session_id=session.pk, at=at)
    assert [r.code for r in error.value.reasons] == ["limit_reached"]


def test_who_leaves_gives_a_kept_place_to_the_next(at, members, session):
    first, second, third, _ = members
    taken = book(first, session, at)
    join_waiting(member_id=second.pk, session_id=session.pk, at=at)
    join_waiting(member_id=third.pk, session_id=session.pk, at=at)
    cancel_redemption(redemption_id=taken.pk, at=at)
    leave_waiting(member_id=second.pk, session_id=session.pk, at=at)
    assert (states(session), booked(session)) == (["gone", "offered"], 1)
    leave_waiting(member_id=third.pk, session_id=session.pk, at=at)
    assert (states(session), booked(session)) == (["gone", "gone"], 0)


def test_a_date_is_booked_before_it_begins_or_closes(at, members, session):
    member = members[0]
    session.closes_at = at + DAY
    session.save()
    assert refused(member, session, at + DAY) == ["session_closed"]
    session.closes_at = None
    session.save()
    assert refused(member, session, session.starts_at) == ["session_unknown"]
    (shelf,) = catalogue(member_id=member.pk, at=session.starts_at)
    assert [reason.code for reason in shelf.reasons] == ["no_session"]
    assert [reason.code for reason in catalogue(member_id=member.pk, at=at)[0].reasons] == []
    with pytest.raises(RedemptionRefused) as error:
        reserve_reward(member_id=member.pk, reward_id=session.reward_id, source="t", key="x", at=at)
    assert [r.code for r in error.value.reasons] == ["session_needed"]


def test_calling_off_gives_everybody_everything_back(at, members, session):
    set_capacity(session_id=session.pk, capacity=2, at=at)
    first, second, third, _ = members
    book(first, session, at)
    confirmed = confirm_redemption(redemption_id=book(second, session, at).pk, at=at)
    join_waiting(member_id=third.pk, session_id=session.pk, at=at)
    assert call_off(session_id=session.pk, at=at, reason="storm") == (2, 1)
    assert call_off(session_id=session.pk, at=at) == (0, 0)
    assert [r.state for r in Redemption.objects.order_by("pk")] == ["cancelled", "refunded"]
    assert [queries.balance(m.pk, at) for m in members] == [500] * 4
    assert (booked(session), states(session)) == (0, ["gone"])
    assert refused(first, session, at) == ["session_called_off"]
    with pytest.raises(CodeRefused) as error:
        redeem_code(code=confirmed.code, at=at)
    assert error.value.reason.code == "code_ended"
    assert [str(r.check) for r in verify() if r.difference] == []


def test_what_a_crash_left_of_calling_off_is_done_by_the_tick(at, members, session):
    book(members[0], session, at)
    RewardSession.objects.update(cancelled=True)  # and then the lights went out
    assert (settle_called_off(at=at), settle_called_off(at=at)) == (1, 0)
    assert (booked(session), queries.balance(members[0].pk, at)) == (0, 500)


def test_a_ticket_is_for_its_date(at, members, session):
    done = confirm_redemption(redemption_id=book(members[0], session, at).pk, at=at)
    assert done.collect_until == session.starts_at + DAY
    with pytest.raises(CodeRefused) as error:
        redeem_code(code=done.code, at=done.collect_until)
    assert error.value.reason.code == "code_expired"
    refund_redemption(redemption_id=done.pk, at=at)
    assert booked(session) == 0
