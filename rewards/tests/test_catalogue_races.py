"""Hundreds want the last piece, the last place, the same code: real connections, and a control without the lock."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction

from common.sql import execute, fetch_all
from members.services.erasure import erase_member
from members.services.purchases import KeyReused
from members.tests.factories import make_member
from rewards import queries
from rewards.models import Redemption, Reward, RewardSession, WaitingEntry
from rewards.services import redemptions
from rewards.services.fulfilment import CodeRefused, redeem_code
from rewards.services.places import join_waiting, keep_places, leave_waiting, take_place
from rewards.services.redemptions import (
    RedemptionRefused,
    RedemptionSettled,
    cancel_redemption,
    confirm_redemption,
    lapse_due,
    redeem_reward,
    refund_redemption,
    reserve_reward,
)
from rewards.services.sessions import call_off
from rewards.tests.factories import adjust, make_reward
from rewards.tests.test_concurrency import at_once, overtaken

pytestmark = pytest.mark.django_db(transaction=True)
BUYERS = 40  # connections at once; each tries several times


def rich(at, n: int) -> list[int]:
    members = [make_member() for _ in range(n)]
    for member in members:
        adjust(member, 1_000, at, key=f"rich{member.pk}")
    return [member.pk for member in members]


def tried(member_id: int, reward: Reward, at, n: int = 0, **values) -> str:
    try:
        reserve_reward(member_id=member_id, reward_id=reward.pk, source="race", key=f"{member_id}.{n}", at=at, **values)
    except RedemptionRefused as refused:
        return refused.reasons[0].code
    return "had"


def test_two_hundred_want_the_last_piece_and_one_has_it(at):
    reward = make_reward(stock=1)
    members = rich(at, BUYERS)

    def buyer(member_id):
        return tuple(tried(member_id, reward, at, n) for n in range(5))

    results = at_once([lambda m=m: buyer(m) for m in members])
    told = [answer for answers, times in results.items() for answer in answers * times]
    assert (told.count("had"), told.count("sold_out"), len(told)) == (1, 199, 200)
    reward.refresh_from_db()
    assert (reward.stock, reward.redeemed, Redemption.objects.count()) == (0, 1, 1)
    assert sum(queries.balances(members, at).values()) == BUYERS * 1_000 - 100


def test_without_the_lock_the_last_piece_is_sold_over_and_over(at, monkeypatch):
    """The test above can fail: a shelf that is read and then written, without a lock between, is oversold."""

    def careless(reward):
        stock = Reward.objects.values_list("stock", flat=True).get(pk=reward.pk)
        execute("SELECT pg_sleep(0.05)")  # somebody else looks meanwhile
        if not stock:
            raise RedemptionRefused(redemptions.Reason("sold_out"))
        Reward.objects.filter(pk=reward.pk).update(stock=stock - 1)

    monkeypatch.setattr("rewards.services.redemptions._take_piece", careless)
    monkeypatch.setattr("rewards.tests.test_concurrency.verify", lambda: [])  # it would say so, too
    reward = make_reward(stock=1)
    results = at_once([lambda m=m: tried(m, reward, at) for m in rich(at, 8)])
    assert results["had"] > 1
    reward.refresh_from_db()
    assert reward.stock == 0


def test_one_key_twenty_times_at_once_is_one_redemption(at):
    reward = make_reward(stock=20)
    (member,) = rich(at, 1)

    def act():
        return redeem_reward(member_id=member, reward_id=reward.pk, source="race", key="k", at=at).pk

    assert list(at_once([act] * 20).values()) == [20]
    reward.refresh_from_db()
    assert (reward.stock, queries.balance(member, at)) == (19, 900)


def test_one_key_of_two_members_at_once_is_one_of_them(at):
    reward = make_reward()
    members = rich(at, 8)
    acts = [
        lambda m=m: bool(reserve_reward(member_id=m, reward_id=reward.pk, source="race", key="k", at=at))
        for m in members
    ]
    assert at_once(acts) == {True: 1, KeyReused: 7}
    assert sorted(queries.balances(members, at).values()) == [900] + [1_000] * 7


def test_a_limit_for_each_member_holds_against_their_own_haste(at):
    reward = make_reward(limit_member=2, points=10)
    (member,) = rich(at, 1)
    results = at_once([lambda n=n: tried(member, reward, at, n) for n in range(12)])
    assert results == {"had": 2, "limit_reached": 10}


def test_a_redemption_ends_once_however_many_end_it(at):
    reward = make_reward(stock=9)
    (member,) = rich(at, 1)
    for n in range(6):
        tried(member, reward, at, n)
        one = Redemption.objects.latest("pk")
        results = at_once(
            [
                lambda o=one: confirm_redemption(redemption_id=o.pk, at=at).state,
                lambda o=one: cancel_redemption(redemption_id=o.pk, at=at).state,
                lambda o=one: lapse_due(at=o.expires_at),
                lambda o=one: refund_redemption(redemption_id=o.pk, at=at).state,
            ]
        )
        one.refresh_from_db()
        reward.refresh_from_db()
        stands = one.state == "confirmed"
        assert reward.stock + Redemption.objects.filter(state="confirmed").count() == 9, results
        assert (one.hold.state == "confirmed") == (one.state in ("confirmed", "refunded"))
        assert stands or one.state in ("cancelled", "lapsed", "refunded")
    kept = Redemption.objects.filter(state="confirmed").count()
    assert queries.balance(member, at) == 1_000 - 100 * kept


def test_twenty_tills_scan_one_code_and_one_hands_it_out(at):
    (member,) = rich(at, 1)
    done = redeem_reward(member_id=member, reward_id=make_reward().pk, source="race", key="k", at=at)

    def till(n):
        try:
            return redeem_code(code=done.code.lower(), at=at, store=f"Till {n}").fulfilment
        except CodeRefused as refused:
            return refused.reason.code

    assert at_once([lambda n=n: till(n) for n in range(20)]) == {"collected": 1, "code_used": 19}


def dated(at, capacity: int, **values) -> tuple[Reward, RewardSession]:
    reward = make_reward(kind="experience", name="Tasting", **values)
    return reward, RewardSession.objects.create(reward=reward, starts_at=at + timedelta(days=9), capacity=capacity)


def test_places_are_neither_sold_twice_nor_lost_while_people_come_and_go(at):
    reward, session = dated(at, 3)
    members = rich(at, 24)

    def come_and_go(member_id):
        said = tried(member_id, reward, at, session_id=session.pk)
        if said == "had":
            if member_id % 2:
                cancel_redemption(redemption_id=Redemption.objects.get(member=member_id).pk, at=at)
        else:
            join_waiting(member_id=member_id, session_id=session.pk, at=at)
            if member_id % 3 == 0:
                leave_waiting(member_id=member_id, session_id=session.pk, at=at)

    at_once([lambda m=m: come_and_go(m) for m in members], settle=lambda: keep_places(at=at))
    session.refresh_from_db()
    standing = Redemption.objects.filter(state="reserved").count()
    kept = WaitingEntry.objects.filter(state="offered").count()
    assert session.booked == standing + kept <= 3
    if WaitingEntry.objects.filter(state="waiting").exists():
        assert session.booked == 3  # nobody waits beside a free place


def test_who_books_while_a_place_is_being_kept_for_them_has_one(at):
    reward, session = dated(at, 1)
    had, waits, then = rich(at, 3)
    tried(had, reward, at, session_id=session.pk)
    for member_id in (waits, then):
        join_waiting(member_id=member_id, session_id=session.pk, at=at)
    type(session).objects.update(capacity=4)  # before the tick that keeps two places for those who wait
    book = lambda: tried(waits, reward, at, session_id=session.pk)  # noqa: E731
    assert overtaken(lambda: keep_places(at=at), book) == "had"
    session.refresh_from_db()
    assert list(WaitingEntry.objects.order_by("pk").values_list("state", flat=True)) == ["taken", "offered"]
    assert session.booked == 3


def test_nobody_books_a_date_that_is_being_called_off(at):
    for _ in range(4):
        reward, session = dated(at, 50)
        members = rich(at, 10)
        acts = [lambda m=m: tried(m, reward, at, session_id=session.pk) for m in members]  # noqa: B023
        at_once([*acts, lambda: call_off(session_id=session.pk, at=at).waiting])  # noqa: B023
        session.refresh_from_db()
        assert (session.booked, session.redemptions.filter(state__in=["reserved", "confirmed"]).count()) == (0, 0)
        assert set(queries.balances(members, at).values()) == {1_000}


def test_settled_is_said_of_what_is_settled(at):
    (member,) = rich(at, 1)
    tried(member, make_reward(), at)
    one = Redemption.objects.get()
    cancel_redemption(redemption_id=one.pk, at=at)
    with pytest.raises(RedemptionSettled):
        confirm_redemption(redemption_id=one.pk, at=at)


def test_an_erasure_locks_dates_before_rewards_as_who_books_does(at):
    """Or the two lock each other up: one has the reward and wants the date, the other has the date and wants the
    reward."""
    reward = make_reward(kind="experience", name="Tour", limit_member=None)
    first, second = (
        RewardSession.objects.create(reward=reward, starts_at=at + timedelta(days=n), capacity=2) for n in (5, 6)
    )
    (leaving,) = rich(at, 1)
    reserve_reward(member_id=leaving, reward_id=reward.pk, session_id=first.pk, source="t", key="k", at=at)
    WaitingEntry.objects.create(session=second, member_id=leaving, at=at)
    booked, go_on = threading.Event(), threading.Event()
    answers = []

    def book():
        try:
            with transaction.atomic():
                assert take_place(second.pk)
                booked.set()
                go_on.wait(10)
                redemptions._take_piece(reward)
            answers.append("booked")
        except Exception as error:
            answers.append(error)
        finally:
            connection.close()

    def leave():
        try:
            erase_member(member_id=leaving, at=at)
            answers.append("erased")
        except Exception as error:
            answers.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=book), threading.Thread(target=leave)]
    threads[0].start()
    assert booked.wait(10)
    threads[1].start()
    for _ in range(100):  # until the erasure waits for the date
        if fetch_all("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"):
            break
        time.sleep(0.05)
    go_on.set()
    for thread in threads:
        thread.join()
    assert answers == ["booked", "erased"]
