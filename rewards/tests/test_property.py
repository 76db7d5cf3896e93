"""The ledger against a model of it in plain Python: after every step, whatever the order, both say the same.

HYPOTHESIS_EXAMPLES=2000 looks further than the examples that every run repeats.
"""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from members.tests.factories import make_member, new_purchase
from rewards import queries
from rewards.models import Account, Lot, MemberTier
from rewards.services.adjustments import adjust_points
from rewards.services.expiry import expire_due
from rewards.services.gifts import Gift, give_points
from rewards.services.holds import HoldSettled, cancel, confirm, lapse_due, reserve
from rewards.services.ledger import InsufficientPoints
from rewards.services.purchases import RefundTooLarge, post_purchases, refund_purchase
from rewards.services.tiers import reassess
from rewards.services.verify import verify
from rewards.tests.factories import make_rule, make_tiers

FOR_EVER = datetime.max.replace(tzinfo=UTC)
MULTIPLIERS = {0: 10, 500: 15, 1000: 20}  # tenths, by threshold
VALID = relativedelta(months=2)
MEMBER = st.integers(0, 1)
DAYS_AGO = st.sampled_from([0, 1, 20, 50, 61, 80, 340, 364, 366])
SALE = st.tuples(MEMBER, st.integers(0, 60_000), DAYS_AGO)  # the second in cents


@dataclass
class ModelLot:
    key: str
    amount: int
    expires: datetime
    remaining: int = -1
    expired: int = 0

    def __post_init__(self):
        self.remaining = self.amount


@dataclass
class ModelPurchase:
    id: int
    member: int
    at: datetime
    minor: int
    lot: ModelLot | None
    refunded: int = 0
    taken: int = 0


@dataclass
class ModelHold:
    member: int
    amount: int
    lapses: datetime
    uses: list[tuple[ModelLot, int]]
    state: str = "reserved"


@dataclass
class Model:
    """What should be: lots in the order they came, per member."""

    lots: dict[int, list[ModelLot]] = field(default_factory=dict)
    tier: dict[int, int] = field(default_factory=dict)
    purchases: list[ModelPurchase] = field(default_factory=list)
    holds: dict[str, ModelHold] = field(default_factory=dict)

    def spendable(self, member, now):
        return sum(lot.remaining for lot in self.lots[member] if lot.expires > now)

    def take(self, member, amount, now, first=None):
        lots = [lot for lot in self.lots[member] if lot.expires > now and lot.remaining]
        lots.sort(key=lambda lot: (lot is not first, lot.expires))  # sorted() keeps the order of coming among equals
        uses = []
        for lot in lots:
            part = min(lot.remaining, amount - sum(n for _, n in uses))
            if part:
                lot.remaining -= part
                uses.append((lot, part))
        return uses

    def held(self, lot):
        uses = [use for hold in self.holds.values() if hold.state == "reserved" for use in hold.uses]
        return sum(part for used, part in uses if used is lot)

    def take_back(self, purchase, now, freed=None):
        """What was taken, and what was due; not more than the points that ended holds `freed`, if given."""
        if (lot := purchase.lot) is None:
            return 0, 0
        left = lot.remaining + self.held(lot)
        gone = lot.expired + (left if lot.expires <= now else 0)
        due = max(0, min(lot.amount * purchase.refunded // purchase.minor, lot.amount - gone) - purchase.taken)
        waits = 0 if lot.expires <= now else max(0, min(due - lot.remaining, self.held(lot)))
        asked = due - waits if freed is None else min(due - waits, freed)
        took = sum(n for _, n in self.take(purchase.member, asked, now, first=lot))
        purchase.taken += took
        return took, due

    def end(self, holds, state, now):
        """Holds that end together: all give back, then each purchase is settled."""
        for hold in holds:
            hold.state = state
            for lot, part in hold.uses if state != "confirmed" else ():
                lot.remaining += part
        for purchase in self.purchases:
            freed = sum(part for hold in holds for lot, part in hold.uses if lot is purchase.lot)
            if freed and purchase.refunded and self.take_back(purchase, now, freed)[0]:
                self.assess(purchase.member, now)

    def assess(self, member, now):
        earned = sum(
            p.lot.amount - p.taken
            for p in self.purchases
            if p.member == member and p.lot and p.at + relativedelta(months=12) > now
        )
        self.tier[member] = max(step for step in MULTIPLIERS if step <= earned)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.model, self.now, self.n = Model(), datetime(2024, 1, 30, 12, tzinfo=UTC), 0

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize()
    def open_shop(self):
        self.rule = make_rule(valid_months=2)
        make_tiers(silver="1.5", gold="2")
        self.members = [make_member() for _ in range(2)]
        for member in self.members:
            self.model.lots[member.pk], self.model.tier[member.pk] = [], 0
        for days in (None, 5, 30):  # so that there is something to spend from the start
            for index in (0, 1):
                self.give_points(index, 100, days)

    def key(self):
        self.n += 1
        return str(self.n)

    def some(self, index):
        return self.members[index % len(self.members)].pk

    # --- what may happen ------------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 30, 24 * 6, 24 * 25]))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)

    @rule(
        sold=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60_000), st.integers(0, 90)), min_size=1, max_size=4)
    )
    def sell(self, sold):
        bought = []
        for index, minor, days in sold:
            self.now += timedelta(seconds=1)  # no two lots expire at the same moment
            member = self.members[index]
            bought.append(
                new_purchase(member, amount_minor=minor, purchased_at=self.now - timedelta(days=days), key=self.key())
            )
        posted = post_purchases(purchases=bought, at=self.now)
        for answer, told in zip(posted, bought, strict=True):
            points = told.amount_minor * MULTIPLIERS[self.model.tier[told.member_id]] // 1000
            assert answer.points == points
            lot = None
            if points:
                lot = ModelLot(f"earn:purchase:{answer.id}:{self.rule.pk}", points, told.purchased_at + VALID)
                self.model.lots[told.member_id].append(lot)
            self.model.purchases.append(
                ModelPurchase(answer.id, told.member_id, told.purchased_at, told.amount_minor, lot)
            )
        for member in {told.member_id for told in bought}:
            self.model.assess(member, self.now)

    @precondition(lambda self: self.model.purchases)
    @rule(index=st.integers(0, 100), share=st.sampled_from([0.001, 0.3, 0.5, 1, 1.01]), held=st.booleans())
    def refund(self, index, share, held):
        bought = self.model.purchases
        if held:  # rather one with points on hold
            bought = [p for p in bought if p.lot and self.model.held(p.lot)] or bought
        purchase = bought[index % len(bought)]
        minor = max(1, int((purchase.minor - purchase.refunded) * share))
        what = {"purchase_id": purchase.id, "source": "till", "key": self.key(), "amount_minor": minor}
        if minor > purchase.minor - purchase.refunded:
            with pytest.raises(RefundTooLarge):
                refund_purchase(**what, at=self.now)
            return
        result = refund_purchase(**what, at=self.now)
        purchase.refunded += minor
        took, due = self.model.take_back(purchase, self.now)
        assert (result.points_taken, result.points_short) == (took, due - took)
        again = refund_purchase(**what, at=self.now + timedelta(days=1))
        assert (again.is_new, again.points_taken, again.points_short) == (False, took, due - took)
        if took:
            self.model.assess(purchase.member, self.now)

    @rule(index=MEMBER, share=st.sampled_from([0.7, 1]), part=st.sampled_from([0.3, 1]))
    def return_what_is_reserved(self, index, share, part):  # rarely comes about by chance
        self.sell([(index, 10_000, 0)])
        self.spend(index, share, hold=True)
        self.refund(len(self.model.purchases) - 1, part, held=False)

    @rule(index=MEMBER, amount=st.integers(1, 500), days=st.sampled_from([None, 1, 7, 26, 90]))
    def give(self, index, amount, days):
        self.give_points(index, amount, days)

    def give_points(self, index, amount, days):
        key, expires = self.key(), days and self.now + timedelta(days=days, microseconds=self.n)
        member = self.some(index)
        if amount % 2:
            adjust_points(member_id=member, amount=amount, reason="x", key=key, at=self.now, expires_at=expires)
            self.model.lots[member].append(ModelLot(f"adjust:{key}", amount, expires or FOR_EVER))
        else:
            gifts = [Gift(member, amount, key, expires_at=expires)]
            assert give_points(gifts=gifts, at=self.now) == give_points(gifts=gifts, at=self.now)
            self.model.lots[member].append(ModelLot(f"gift:{key}", amount, expires or FOR_EVER))

    @rule(index=MEMBER, share=st.sampled_from([0.4, 0.7, 1, 1.1]), hold=st.booleans())
    def spend(self, index, share, hold):
        member, key = self.some(index), self.key()
        available = self.model.spendable(member, self.now)
        amount = max(1, round(available * share))
        lapses = self.now + timedelta(days=3)

        def act():
            if hold:
                reserve(member_id=member, amount=amount, key=key, at=self.now, lapses_at=lapses)
            else:
                adjust_points(member_id=member, amount=-amount, reason="x", key=key, at=self.now)

        if amount > available:
            with pytest.raises(InsufficientPoints) as refused:
                act()
            assert (refused.value.available, refused.value.asked) == (available, amount)
            return
        act()
        act()  # told twice
        uses = self.model.take(member, amount, self.now)
        if hold:
            self.model.holds[key] = ModelHold(member, amount, lapses, uses)

    @precondition(lambda self: self.model.holds)
    @rule(index=st.integers(0, 100), end=st.sampled_from([confirm, cancel]))
    def settle(self, index, end):
        key = list(self.model.holds)[index % len(self.model.holds)]
        hold, wanted = self.model.holds[key], "confirmed" if end is confirm else "cancelled"
        late = end is confirm and hold.lapses <= self.now
        if hold.state not in ("reserved", wanted) or (hold.state == "reserved" and late):
            with pytest.raises(HoldSettled):
                end(key=key, at=self.now)
            return
        assert end(key=key, at=self.now).state == wanted
        if hold.state == "reserved":
            self.model.end([hold], wanted, self.now)

    @rule()
    def night(self):
        lapsing = [h for h in self.model.holds.values() if h.state == "reserved" and h.lapses <= self.now]
        assert lapse_due(at=self.now) == len(lapsing)
        self.model.end(lapsing, "lapsed", self.now)
        self.now += timedelta(microseconds=1)
        due = [lot for lots in self.model.lots.values() for lot in lots if lot.remaining and lot.expires <= self.now]
        assert expire_due(at=self.now, chunk=2) == (len(due), sum(lot.remaining for lot in due))
        for lot in due:
            lot.expired, lot.remaining = lot.expired + lot.remaining, 0
        before = dict(self.model.tier)
        for member in self.model.tier:
            self.model.assess(member, self.now)
        changed = sum(before[member] != step for member, step in self.model.tier.items())
        assert reassess(at=self.now) == changed

    # --- what must be so ------------------------------------------------------------------------------------------

    @invariant()
    def ledger_and_model_agree(self):
        if not self.model.lots:
            return
        stored = {key: {} for key in self.model.lots}
        for member, key, remaining in Lot.objects.values_list("account__member_id", "transfer__key", "remaining"):
            stored[member][key] = remaining
        assert stored == {member: {lot.key: lot.remaining for lot in lots} for member, lots in self.model.lots.items()}
        assert queries.balances(self.model.lots, self.now) == {
            member: self.model.spendable(member, self.now) for member in self.model.lots
        }
        wallets = dict(Account.objects.filter(kind="wallet").values_list("member_id", "balance"))
        assert {member: wallets.get(member, 0) for member in self.model.lots} == {
            member: sum(lot.remaining for lot in lots) for member, lots in self.model.lots.items()
        }
        tiers = dict(MemberTier.objects.values_list("member_id", "tier__threshold"))
        assert {member: tiers.get(member) or 0 for member in self.model.tier} == self.model.tier
        assert [(r.check, r.difference) for r in verify() if r.difference] == []


@pytest.mark.django_db
def test_the_ledger_is_what_its_model_says():
    examples = os.environ.get("HYPOTHESIS_EXAMPLES")
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=int(examples or 30),
            stateful_step_count=30,
            deadline=None,
            derandomize=examples is None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
