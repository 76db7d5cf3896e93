"""Many at once, on real connections: one key has one effect, and the last points are spent once."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from common.sql import fetch_all
from members.models import Purchase
from members.services.purchases import record_purchases
from members.tests.factories import make_member, new_purchase
from members.tests.killed import kill_at_call, killed_in
from rewards import queries
from rewards.models import Lot, Transfer
from rewards.services import expiry
from rewards.services.expiry import expire_due
from rewards.services.gifts import Gift, give_points
from rewards.services.holds import HoldSettled, cancel, confirm, lapse_due, reserve
from rewards.services.ledger import InsufficientPoints
from rewards.services.purchases import RefundTooLarge, award_purchases, post_purchases, refund_purchase
from rewards.services.tier_nights import reassess_all
from rewards.services.verify import verify
from rewards.tests.factories import adjust, event_data, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(acts: list[Callable], *, settle: Callable[[], object] = lambda: None) -> Counter:
    """Runs every act in a thread and connection of its own, started together; what they gave or raised, counted.

    `settle` does what the next tick of the clock would, before all is verified.
    """
    results, start = [], threading.Barrier(len(acts))

    def run(act):
        try:
            connection.ensure_connection()
            start.wait()
            results.append(act())
        except Exception as error:  # it is the result
            results.append(type(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle()
    assert [r.check for r in verify() if r.difference] == []
    return Counter(results)


def overtaken(first: Callable, act: Callable) -> object:
    """What `act` gave or raised, begun when `first` was done, and gone on with once that was committed."""
    outcome: list[object] = []

    def run():
        try:
            outcome.append(act())
        except Exception as error:  # it is the result
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        first()
        thread.start()
        for _ in range(200):  # until it waits for what is locked here
            stuck = fetch_all(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))", [_pid()]
            )
            if outcome or stuck[0][0]:
                break
            thread.join(0.02)
    thread.join()
    return outcome[0]


def _pid() -> int:
    return fetch_all("SELECT pg_backend_pid()")[0][0]


def test_the_same_key_twenty_times_at_once_is_one_effect(at):
    member = make_member()
    results = at_once([lambda: adjust(member, 50, at).pk] * 20)
    assert list(results.values()) == [20]  # all twenty were told the same transfer
    assert queries.balance(member.pk, at) == 50
    assert Lot.objects.count() == 1


def test_the_last_points_are_spent_once(at):
    member = make_member()
    adjust(member, 10, at, key="all")
    acts = [lambda n=n: adjust(member, -10, at, key=f"take{n}").amount for n in range(20)]
    assert at_once(acts) == {10: 1, InsufficientPoints: 19}
    assert queries.balance(member.pk, at) == 0


def test_without_the_lock_the_last_points_would_be_asked_for_twice(at, monkeypatch):
    """The test above can fail: the lock is what makes it pass, and the database's own check is behind it."""
    monkeypatch.setattr("rewards.services.adjustments.lock_wallets", lambda *_members, **_units: None)
    member = make_member()
    give_points(gifts=[Gift(member.pk, 10, "all")], at=at)
    results = Counter()
    while IntegrityError not in results and results[10] < 20:
        round_ = results[10]
        acts = [lambda n=n, r=round_: adjust(member, -10, at, key=f"take{r}.{n}").amount for n in range(8)]
        results += at_once(acts)
        give_points(gifts=[Gift(member.pk, 10, f"more{round_}")], at=at)
    assert results[IntegrityError]
    assert results[10] == results.total() // 8  # one of each round


def test_the_same_purchases_posted_by_many_in_any_order_are_awarded_once(at):
    make_rule()
    make_tiers()
    members = [make_member() for _ in range(5)]
    told = [new_purchase(member, purchased_at=at) for member in members for _ in range(40)]
    acts = [lambda t=t: sum(a.points for a in post_purchases(purchases=t, at=at)) for t in (told, told[::-1]) * 4]
    assert at_once(acts) == {2000: 8}
    assert Purchase.objects.count() == Transfer.objects.count() == 200


def test_batches_in_opposite_order_do_not_lock_each_other_up(at):
    make_rule()
    members = [make_member() for _ in range(40)]
    ids = [p.id for p in record_purchases(purchases=[new_purchase(m) for m in members for _ in range(2)])]
    acts = [lambda part=part: award_purchases(purchase_ids=part, at=at) for part in (ids, ids[::-1]) * 4]
    assert sum(points * n for points, n in at_once(acts).items()) == 800
    gifts = [Gift(m.pk, 1, f"g{m.pk}") for m in members]
    assert (
        len(at_once([lambda part=part: len(give_points(gifts=part, at=at)) for part in (gifts, gifts[::-1]) * 4])) == 1
    )


def test_two_full_refunds_at_once_give_back_once(at):
    make_rule()
    member = make_member()
    bought = post(member, at)

    def refund(key):
        return refund_purchase(purchase_id=bought.id, source="till", key=key, amount_minor=1000, at=at).points_taken

    assert at_once([lambda n=n: refund(f"r{n}") for n in range(8)]) == {10: 1, RefundTooLarge: 7}
    assert Purchase.objects.get().refunded_minor == 1000
    assert queries.balance(member.pk, at) == 0


def test_one_refund_told_twice_at_once_is_one(at):
    make_rule()
    bought = post(make_member(), at)

    def refund():
        result = refund_purchase(purchase_id=bought.id, source="till", key="r", amount_minor=500, at=at)
        return result.refund_id, result.points_taken, result.points_short

    results = at_once([refund] * 8)
    assert list(results.values()) == [8]
    assert Purchase.objects.get().refunded_minor == 500


def test_a_refund_and_the_award_it_races_leave_nothing_behind(at):
    make_rule()
    member = make_member()
    for n in range(10):
        bought = record_purchases(purchases=[new_purchase(member, key=str(n))])[0].id
        at_once(
            [
                lambda b=bought: award_purchases(purchase_ids=[b], at=at),
                lambda b=bought, n=n: (
                    refund_purchase(purchase_id=b, source="till", key=str(n), amount_minor=1000, at=at).points_short
                ),
            ]
        )
        assert queries.balance(member.pk, at) == 0


def test_a_hold_ends_once_however_many_end_it(at):
    member = make_member()
    adjust(member, 100, at)
    for n in range(6):
        reserve(member_id=member.pk, amount=10, key=f"h{n}", at=at, lapses_at=at + timedelta(hours=1))
        before = queries.balance(member.pk, at)
        results = at_once(
            [
                lambda n=n: confirm(key=f"h{n}", at=at).state,
                lambda n=n: cancel(key=f"h{n}", at=at).state,
                lambda: lapse_due(at=at + timedelta(hours=1)),
                lambda n=n: cancel(key=f"h{n}", at=at).state,
            ]
        )
        if results["confirmed"]:
            assert results[HoldSettled] == 2
            assert queries.balance(member.pk, at) == before
        else:
            assert queries.balance(member.pk, at) == before + 10


def test_the_nightly_jobs_may_run_twice_at_once_beside_the_tills(at):
    make_rule()
    make_tiers()
    members = [make_member() for _ in range(20)]
    for member in members:
        for n in range(5):
            adjust(member, 2, at, key=f"{member.pk}.{n}", expires_at=at + timedelta(days=1))
        adjust(member, 3, at, key=f"{member.pk}.stay")
    later = at + timedelta(days=1)

    def sell():
        bought = [new_purchase(member, purchased_at=later) for member in members]
        return sum(answer.points for answer in post_purchases(purchases=bought, at=later))

    results = at_once(
        [
            lambda: expire_due(at=later, chunk=7),
            lambda: expire_due(at=later, chunk=7),
            lambda: reassess_all(at=later),
            sell,
        ]
    )
    expired = [result for result in results.elements() if isinstance(result, tuple)]
    assert (sum(e.lots for e in expired), sum(e.points for e in expired)) == (100, 200)
    assert set(queries.balances([m.pk for m in members], later).values()) == {13}
    assert Transfer.objects.filter(kind="expire").count() == 100


def expire_and_die(later):
    kill_at_call(expiry, "record_selected", 3)  # everything of the third transaction is written but not committed
    expire_due(at=later, chunk=4)


def test_a_sweep_that_is_killed_is_finished_by_the_next(at):
    members = [make_member() for _ in range(10)]
    for place, member in enumerate(members):
        for n in range(3):
            adjust(member, 2, at, key=f"{member.pk}.{n}", expires_at=at + timedelta(minutes=1 + place + n))
    later = at + timedelta(days=1)
    killed_in(expire_and_die, later)
    done = Transfer.objects.filter(kind="expire").count()
    assert 0 < done < 30
    assert expire_due(at=later, chunk=4).lots == 30 - done
    assert set(queries.balances([m.pk for m in members], at).values()) == {0}
    assert [event_data(m, "points.expired") for m in members] == [[{"points": 6, "lots": 3}]] * 10
    assert [r.check for r in verify() if r.difference] == []
