"""Points that staff give: at once within the limit, else with another pair of eyes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from members.models import Programme, User
from members.queries_segments import SegmentNotReady
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.services.profile import MemberGone
from members.services.purchases import KeyReused
from members.services.segments import refresh, save_segment
from members.tests.factories import make_member
from rewards.models import GrantRequest, Lot, Transfer
from rewards.queries import balance, explain
from rewards.services.grant_runs import give_chunk, give_due, stop_grant
from rewards.services.grants import (
    AlreadyDecided,
    NobodyThere,
    OwnRequest,
    TooLate,
    approve_grant,
    grant_points,
    grant_segment,
    refuse_grant,
    withdraw_grant,
)
from rewards.services.settings import save_reward_settings
from rewards.services.verify import verify
from rewards.tests.factories import event_data

pytestmark = pytest.mark.django_db


@pytest.fixture
def limits(db, at) -> None:
    """100 points at once, 250 in a day, reckoned by the days of Berlin."""
    Programme.objects.create(pk=1, time_zone="Europe/Berlin")
    save_reward_settings(values={"grant_limit": 100, "grant_limit_day": 250}, at=at)


def staff(name: str) -> User:
    return User.objects.create_user(f"{name}@example.com", is_staff=True)


@pytest.fixture
def anna(db) -> User:
    return staff("anna")


@pytest.fixture
def ben(db) -> User:
    return staff("ben")


def give(member, amount: int, who: User, at: datetime, key: str = "", **values):
    return grant_points(
        member_id=member.pk,
        amount=amount,
        reason="The queue was long",
        key=key or f"{who.pk}-{member.pk}-{amount}-{at}-{GrantRequest.objects.count()}",
        at=at,
        actor_id=who.pk,
        **values,
    )


def test_within_the_limit_it_is_given_at_once_and_the_member_reads_the_note(limits, at, anna):
    member = make_member()
    given = give(member, 100, anna, at, key="k", note="Sorry for the wait")
    assert (given.amount, given.reason, given.note, given.actor) == (
        100, "The queue was long", "Sorry for the wait", anna,
    )  # fmt: skip
    assert explain(given) == "Sorry for the wait"
    assert explain(give(member, 1, anna, at)) == "A gift from us"  # never what staff wrote for each other
    assert balance(member.pk, at) == 101
    assert give(member, 100, anna, at, key="k", note="Sorry for the wait") == given
    with pytest.raises(KeyReused):
        give(member, 99, anna, at, key="k")
    with pytest.raises(KeyReused):
        give(make_member(), 100, anna, at, key="k")


def test_what_would_have_expired_is_not_given(limits, at, anna):
    member = make_member()
    give(member, 1, anna, at, key="k", expires_at=at + timedelta(seconds=1))
    for when in (at, at - timedelta(days=1)):
        with pytest.raises(TooLate):
            give(member, 1, anna, at, expires_at=when)
    give(member, 1, anna, at + timedelta(days=9), key="k", expires_at=at + timedelta(seconds=1))  # told again
    assert (balance(member.pk, at), GrantRequest.objects.count()) == (1, 1)


def test_above_the_limit_it_waits_and_another_person_gives_it(limits, at, anna, ben):
    member = make_member()
    asked = give(member, 101, anna, at, key="k")
    assert isinstance(asked, GrantRequest)
    assert asked.why == {"code": "once", "limit": 100, "points": 101}
    assert (balance(member.pk, at), give(member, 101, anna, at, key="k")) == (0, asked)
    with pytest.raises(OwnRequest):
        approve_grant(request_id=asked.pk, at=at, actor_id=anna.pk)
    with pytest.raises(OwnRequest):
        refuse_grant(request_id=asked.pk, at=at, actor_id=anna.pk, remark="No")
    done = approve_grant(request_id=asked.pk, at=at + timedelta(hours=1), actor_id=ben.pk, remark="Fine")
    assert (balance(member.pk, at + timedelta(hours=1)), done.transfer.actor, done.decided_by) == (101, anna, ben)
    for act in (approve_grant, withdraw_grant):
        with pytest.raises(AlreadyDecided):
            act(request_id=asked.pk, at=at, actor_id=ben.pk)
    assert event_data(member, "points.grant_asked") == [{"points": 101}]
    assert event_data(member, "points.adjusted") == [
        {"points": 101, "reason": "The queue was long", "note": "A gift from us"}
    ]


def test_many_small_ones_add_up_over_the_programmes_day_whatever_waits_among_them(limits, at, anna, ben):
    evening = at.replace(hour=21, minute=59)  # a minute to midnight in Berlin
    member = make_member()
    for _ in range(2):
        assert isinstance(give(member, 100, anna, evening), Transfer)
    waiting = give(make_member(), 51, anna, evening)
    assert waiting.why == {"code": "day", "limit": 250, "given": 200, "points": 51}
    assert isinstance(give(member, 50, ben, evening), Transfer)  # each has a day of their own
    assert isinstance(give(member, 1, anna, evening), GrantRequest)  # 251 are asked for already
    withdraw_grant(request_id=waiting.pk, at=evening, actor_id=anna.pk)
    assert isinstance(give(member, 49, anna, evening), Transfer)
    assert isinstance(give(member, 100, anna, evening + timedelta(minutes=1)), Transfer)  # a new day


def test_without_limits_nothing_waits(at, anna):
    assert isinstance(give(make_member(), 10**9, anna, at), Transfer)


def test_store_credit_counts_as_the_points_that_cost_as_much(limits, at, anna):
    save_reward_settings(values={"point_cost": "0.005"}, at=at)
    assert isinstance(give(make_member(), 50, anna, at, unit="credit"), Transfer)  # €0.50 are 100 points
    assert give(make_member(), 51, anna, at, unit="credit").why["points"] == 102


def test_refused_with_a_remark_withdrawn_by_who_asked(limits, at, anna, ben):
    member = make_member()
    refused, withdrawn = give(member, 200, anna, at), give(member, 201, anna, at)
    with pytest.raises(ValueError, match="reads why"):
        refuse_grant(request_id=refused.pk, at=at, actor_id=ben.pk, remark=" ")
    assert refuse_grant(request_id=refused.pk, at=at, actor_id=ben.pk, remark="Too much").decision == "Too much"
    with pytest.raises(OwnRequest):
        withdraw_grant(request_id=withdrawn.pk, at=at, actor_id=ben.pk)
    withdraw_grant(request_id=withdrawn.pk, at=at, actor_id=anna.pk)
    assert (balance(member.pk, at), GrantRequest.objects.filter(state="waiting").count()) == (0, 0)
    assert len(event_data(member, "points.grant_refused") + event_data(member, "points.grant_withdrawn")) == 2


def test_the_database_refuses_an_approval_by_who_asked_or_by_nobody(limits, at, anna):
    asked = give(make_member(), 200, anna, at)
    transfer = give(make_member(), 5, anna, at)
    GrantRequest.objects.filter(transfer=transfer).update(transfer=None)
    for by in (anna.pk, None):
        with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
            GrantRequest.objects.filter(pk=asked.pk).update(state="approved", decided_by=by, transfer=transfer)


@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_one_person_do_not_slip_past_the_day(limits, at, anna):
    members = [make_member() for _ in range(8)]

    def act(n: int) -> type:
        try:
            return type(give(members[n], 50, anna, at, key=f"tab{n}"))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(act, range(8)))
    assert (got.count(Transfer), got.count(GrantRequest)) == (5, 3)
    assert sum(balance(member.pk, at) for member in members) == 250


@pytest.mark.django_db(transaction=True)
def test_approved_and_refused_at_once_is_one_of_them(limits, at, anna, ben):
    asked = give(make_member(), 200, anna, at)

    def act(refuse: bool) -> str:
        try:
            if refuse:
                return refuse_grant(request_id=asked.pk, at=at, actor_id=ben.pk, remark="No").state
            return approve_grant(request_id=asked.pk, at=at, actor_id=ben.pk).state
        except AlreadyDecided:
            return "too late"
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(act, [True, False] * 3))
    asked.refresh_from_db()
    assert got.count("too late") == 5
    assert Transfer.objects.count() == (1 if asked.state == "approved" else 0)


def test_who_was_merged_gets_it_as_who_they_are_now_and_who_is_gone_gets_nothing(limits, at, anna, ben):
    survivor, merged, gone = make_member(), make_member(), make_member()
    asked, late = give(merged, 200, anna, at), give(gone, 200, anna, at, note="For you")
    merge_members(survivor_id=survivor.pk, merged_id=merged.pk, at=at)
    approve_grant(request_id=asked.pk, at=at, actor_id=ben.pk)
    assert balance(survivor.pk, at) == 200
    erase_member(member_id=gone.pk, at=at)
    late.refresh_from_db()
    assert (late.state, late.reason, late.note) == ("withdrawn", "", "")
    with pytest.raises(MemberGone):
        give(gone, 5, anna, at)
    with pytest.raises(MemberGone):
        give(merged, 5, anna, at)


def test_what_would_have_expired_by_now_is_not_given(limits, at, anna, ben):
    asked = give(make_member(), 200, anna, at, expires_at=at + timedelta(days=1))
    with pytest.raises(TooLate):
        approve_grant(request_id=asked.pk, at=at + timedelta(days=1), actor_id=ben.pk)
    approve_grant(request_id=asked.pk, at=at, actor_id=ben.pk)
    assert Lot.objects.get().expires_at == at + timedelta(days=1)


def everybody(at, members: int):
    made = [make_member() for _ in range(members)]
    segment = save_segment(names={"en": "Everybody"}, definition={"all": []}, at=at)
    refresh(segment_id=segment.pk, at=at)
    return segment, made


def to_segment(segment, amount: int, who: User, at, key: str = "s"):
    return grant_segment(
        segment_id=segment.pk, amount=amount, reason="Ten years", note="Ten years of us", key=key, at=at,
        actor_id=who.pk,
    )  # fmt: skip


def test_a_segment_gets_points_chunk_by_chunk_and_nobody_twice(limits, at, anna, ben, monkeypatch):
    monkeypatch.setattr("rewards.services.grant_runs.CHUNK", 2)
    segment, members = everybody(at, 5)
    asked = to_segment(segment, 60, anna, at)
    assert (asked.state, asked.members, asked.why) == ("waiting", 5, {"code": "once", "limit": 100, "points": 300})
    assert to_segment(segment, 60, anna, at) == asked
    assert give_due(at=at) == 0
    approve_grant(request_id=asked.pk, at=at, actor_id=ben.pk)
    assert give_chunk(request_id=asked.pk, at=at) == 2
    with transaction.atomic():  # a worker dies after its chunk
        give_chunk(request_id=asked.pk, at=at)
        transaction.set_rollback(True)
    newcomer = make_member()
    refresh(segment_id=segment.pk, at=at)
    assert give_due(at=at) == 3
    asked.refresh_from_db()
    assert (asked.done, asked.finished_at) == (5, at)
    assert [balance(member.pk, at) for member in [*members, newcomer]] == [60] * 5 + [0]  # never more than agreed
    transfer = Transfer.objects.first()
    assert (transfer.actor, explain(transfer), transfer.reason) == (anna, "Ten years of us", "Ten years")
    assert give_due(at=at) == 0
    assert event_data(members[0], "points.adjusted") == [{"points": 60, "reason": "Ten years"}]
    assert [check.check for check in verify() if check.difference] == []


def test_a_small_one_to_a_segment_needs_nobody_but_counts_for_the_day(limits, at, anna):
    segment, members = everybody(at, 5)
    assert to_segment(segment, 20, anna, at).state == "free"
    assert give_due(at=at) == 5
    assert give(members[0], 100, anna, at, key="a").amount == 100
    assert isinstance(give(members[0], 51, anna, at, key="b"), GrantRequest)


def test_a_segment_gift_can_be_stopped_and_waits_for_a_fresh_segment(at, anna, monkeypatch):
    monkeypatch.setattr("rewards.services.grant_runs.CHUNK", 2)
    segment, members = everybody(at, 4)
    asked = to_segment(segment, 20, anna, at)
    give_chunk(request_id=asked.pk, at=at)
    later = at + timedelta(days=2)  # nobody has refreshed it
    assert give_due(at=later) == 0
    with pytest.raises(SegmentNotReady):
        to_segment(segment, 20, anna, later, key="t")
    stop_grant(request_id=asked.pk, at=later)
    refresh(segment_id=segment.pk, at=later)
    assert give_due(at=later) == 0
    assert [balance(member.pk, at) for member in members] == [20, 20, 0, 0]


def test_nobody_is_nobody_to_give_to(at, anna):
    segment = save_segment(names={"en": "Nobody"}, definition={"trait": "city", "op": "any_of", "value": ["X"]}, at=at)
    refresh(segment_id=segment.pk, at=at)
    with pytest.raises(NobodyThere):
        to_segment(segment, 20, anna, at)
