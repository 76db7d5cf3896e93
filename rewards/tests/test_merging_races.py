"""Merges on real connections: beside tills, beside each other, and killed in the middle."""

import os
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from members.models import Member, MemberMerge, Purchase, TimelineEvent
from members.queries import find_member
from members.services import merging
from members.services.merging import CannotMerge, CannotUndo, gather_latecomers, merge_members, undo_merge
from members.tests.factories import make_member
from members.tests.killed import kill_at_call, killed_in
from rewards import queries
from rewards.services.expiry import expire_due
from rewards.services.holds import cancel, confirm, lapse_due, reserve
from rewards.services.ledger import InsufficientPoints
from rewards.services.purchases import RefundTooLarge, refund_purchase
from rewards.services.verify import verify
from rewards.tests.factories import adjust, make_rule, make_tiers, post
from rewards.tests.test_concurrency import at_once

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def sound():
    assert [(str(r.check), r.difference) for r in verify() if r.difference] == []


@pytest.mark.django_db(transaction=True)
def test_a_merge_beside_tills_that_sell_refund_reserve_and_adjust_loses_nothing(at):
    make_rule()
    make_tiers()
    rounds = 6
    for n in range(rounds):
        one, two = make_member(), make_member()
        survivor, merged = (one, two) if n % 2 else (two, one)
        back = post(merged, at, purchased_at=at)
        reserve(member_id=merged.pk, amount=4, key=f"h{n}", at=at, lapses_at=at + HOUR)
        sales = [lambda m=m: post(m, at, purchased_at=at).points for m in (one, two) * 3]
        others = [
            lambda n=n, b=back: (
                refund_purchase(purchase_id=b.id, source="till", key=f"r{n}", amount_minor=500, at=at).refund_id and 0
            ),
            lambda n=n: cancel(key=f"h{n}", at=at).amount,
            lambda n=n, m=merged: adjust(m, 3, at, key=f"a{n}").amount,
        ]
        acts = [lambda s=survivor, m=merged: bool(merge_members(survivor_id=s.pk, merged_id=m.pk, at=at)), *sales]
        results = at_once([*acts, *others], settle=lambda: gather_latecomers(at=at))
        assert set(results) <= {True, 10, 0, 4, 3}, results  # nobody was told to come again
        assert queries.balance(survivor.pk, at) == 7 * 10 - 5 + 3
        assert set(Purchase.objects.filter(member__in=[one, two]).values_list("member", flat=True)) == {survivor.pk}
        assert not TimelineEvent.objects.filter(member=merged).exists()
    sound()


@pytest.mark.django_db(transaction=True)
def test_three_that_are_merged_with_each_other_at_once_end_in_one_order(at):
    for n in range(4):
        members = [make_member() for _ in range(3)]
        for k, member in enumerate(members):
            adjust(member, 10, at, key=f"{n}.{k}")
        a, b, c = (member.pk for member in members)
        pairs = [(a, b), (b, c), (c, a), (b, a), (c, b), (a, c)]
        results = at_once([lambda s=s, m=m: bool(merge_members(survivor_id=s, merged_id=m, at=at)) for s, m in pairs])
        assert results[True] + results[CannotMerge] == len(pairs), results
        now = Member.objects.filter(pk__in=[a, b, c], merged_into=None)
        assert sum(queries.balances([m.pk for m in members], at).values()) == 30
        assert all(find_member(card=m.card_number) in now for m in members)
        assert now.count() == 3 - MemberMerge.objects.filter(merged__in=[a, b, c]).count()
    sound()


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_one_merge_and_one_undoing(at):
    one, two = make_member(), make_member()
    adjust(two, 10, at)
    results = at_once([lambda: merge_members(survivor_id=one.pk, merged_id=two.pk, at=at).merge_id] * 5)
    assert len(results) == 1
    (merge_id,) = results
    undone = at_once([lambda: undo_merge(merge_id=merge_id, at=at).merge_id] * 5)
    assert undone == {merge_id: 1, CannotUndo: 4}
    assert queries.balance(two.pk, at) == 10


def merge_and_die(survivor_id, merged_id, merge_id, at):
    kill_at_call(merging.events, "record", 1)  # the very end: everything is written but not committed
    if merge_id:
        undo_merge(merge_id=merge_id, at=at)
    else:
        merge_members(survivor_id=survivor_id, merged_id=merged_id, at=at)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("undoing", [False, True])
def test_a_merge_that_is_killed_has_not_happened(at, undoing):
    make_rule()
    make_tiers()
    one, two = make_member(), make_member()
    post(two, at, purchased_at=at)
    merge_id = merge_members(survivor_id=one.pk, merged_id=two.pk, at=at).merge_id if undoing else 0
    before = queries.balances([one.pk, two.pk], at)
    killed_in(merge_and_die, one.pk, two.pk, merge_id, at)
    assert queries.balances([one.pk, two.pk], at) == before
    assert MemberMerge.objects.filter(undone_at=None).count() == int(undoing)
    sound()
    if undoing:
        undo_merge(merge_id=merge_id, at=at)
    else:
        merge_members(survivor_id=one.pk, merged_id=two.pk, at=at)
    sound()


class MergeMachine(RuleBasedStateMachine):
    """Four members who are merged and parted, while they buy, give back, reserve and spend. However it comes: no point
    is lost or made but by what says so, whoever is merged has none, and verify finds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 5, 12, 10, tzinfo=UTC)
        self.n = 0
        make_rule()
        make_tiers()
        self.members = [make_member().pk for _ in range(4)]
        self.bought: list[int] = []
        self.held: list[str] = []

    def teardown(self) -> None:
        gather_latecomers(at=self.now)
        sound()

    def key(self) -> str:
        self.n += 1
        return f"k{self.n}"

    def who(self, n: int) -> Member:
        """Who comes to the till with card number n."""
        return find_member(card=Member.objects.get(pk=self.members[n]).card_number)

    @rule(n=st.integers(0, 3), euros=st.integers(1, 400), days=st.integers(0, 400))
    def buys(self, n, euros, days):
        told = {"amount_minor": euros * 100, "purchased_at": self.now - timedelta(days=days)}
        self.bought.append(post(self.who(n), self.now, **told).id)

    @precondition(lambda self: self.bought)
    @rule(pick=st.integers(0, 99), share=st.sampled_from([1, 2, 3]))
    def gives_back(self, pick, share):
        purchase = Purchase.objects.get(pk=self.bought[pick % len(self.bought)])
        amount = max(1, purchase.amount_minor // share)
        try:
            refund_purchase(purchase_id=purchase.pk, source="till", key=self.key(), amount_minor=amount, at=self.now)
        except RefundTooLarge:
            return

    @rule(n=st.integers(0, 3), points=st.integers(1, 300), days=st.sampled_from([None, 1, 30]))
    def is_given(self, n, points, days):
        expires_at = None if days is None else self.now + timedelta(days=days)
        adjust(self.who(n), points, self.now, key=self.key(), expires_at=expires_at)

    @rule(n=st.integers(0, 3), points=st.integers(1, 300))
    def spends(self, n, points):
        try:
            adjust(self.who(n), -points, self.now, key=self.key())
        except InsufficientPoints:
            return

    @rule(n=st.integers(0, 3), points=st.integers(1, 200))
    def reserves(self, n, points):
        key = self.key()
        try:
            reserve(member_id=self.who(n).pk, amount=points, key=key, at=self.now, lapses_at=self.now + DAY)
        except InsufficientPoints:
            return
        self.held.append(key)

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 99), end=st.sampled_from([confirm, cancel]))
    def settles(self, pick, end):
        end(key=self.held.pop(pick % len(self.held)), at=self.now)

    @rule(hours=st.sampled_from([1, 26, 24 * 40]))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)
        if lapse_due(at=self.now):
            self.held.clear()
        if hours > 24:
            self.held.clear()
            expire_due(at=self.now)

    @rule(one=st.integers(0, 3), two=st.integers(0, 3))
    def is_merged(self, one, two):
        survivor, merged = self.who(one), self.who(two)
        before = sum(queries.balances(self.members, self.now).values())
        if survivor != merged:
            merge_members(survivor_id=survivor.pk, merged_id=merged.pk, at=self.now)
        assert sum(queries.balances(self.members, self.now).values()) == before

    @precondition(lambda self: MemberMerge.objects.filter(undone_at=None).exists())
    @rule(pick=st.integers(0, 99))
    def is_parted(self, pick):
        merges = list(MemberMerge.objects.filter(undone_at=None).order_by("pk"))
        before = sum(queries.balances(self.members, self.now).values())
        merge = merges[pick % len(merges)]
        is_last = not any(other.merged_id == merge.survivor_id for other in merges)
        with nullcontext() if is_last else pytest.raises(CannotUndo):
            undo_merge(merge_id=merge.pk, at=self.now)
        assert sum(queries.balances(self.members, self.now).values()) == before

    @invariant()
    def it_adds_up(self):
        assert [(str(r.check), r.difference) for r in verify() if r.difference] == []
        for wallet in queries.wallets(self.members).filter(member__merged_into=None):
            assert sum(moved.change for moved in queries.history(wallet.member_id)) == wallet.balance


@pytest.mark.django_db
def test_merges_and_their_undoing_in_any_order_leave_a_sound_ledger():
    class Machine(MergeMachine):
        def __init__(self) -> None:
            self.scope = transaction.atomic()
            self.scope.__enter__()
            super().__init__()

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                transaction.set_rollback(True)
                self.scope.__exit__(None, None, None)

    examples = os.environ.get("HYPOTHESIS_EXAMPLES")
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=int(examples or 8),
            stateful_step_count=25,
            phases=[Phase.generate] if examples is None else list(Phase),
            deadline=None,
            derandomize=examples is None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
