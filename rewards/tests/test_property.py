"""The ledger against a model of it in plain Python: after every step, whatever the order, both say the same.

HYPOTHESIS_EXAMPLES=2000 looks further than the examples that every run repeats.
"""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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

from members.models import PurchaseLine
from members.services.merging import merge_members
from members.services.purchases import NewLine, record_purchases
from members.tests.factories import make_member, new_purchase
from rewards import queries
from rewards.enums import ExpiredReturn, RefundPolicy
from rewards.models import Account, Lot, MemberTier, RewardSettings, Transfer
from rewards.services.adjustments import adjust_points
from rewards.services.expiry import expire_due
from rewards.services.gifts import Gift, give_points
from rewards.services.holds import HoldSettled, cancel, confirm, lapse_due, reserve
from rewards.services.ledger import InsufficientPoints
from rewards.services.lots import LotGone, NotPending, activate_lot, cancel_lot, extend_lot, reinstate
from rewards.services.paying import Payment, pay
from rewards.services.purchases import post_purchases
from rewards.services.refunds import RefundTooLarge, refund_purchase
from rewards.services.tier_nights import reassess_all
from rewards.services.verify import verify
from rewards.tests.factories import award, make_rule, make_tiers
from rewards.tests.ledger_model import (
    FOR_EVER,
    MULTIPLIERS,
    Model,
    ModelAward,
    ModelHold,
    ModelLine,
    ModelLot,
    ModelPurchase,
)

VALID = relativedelta(months=2)
MEMBER = st.integers(0, 1)
INDEX = st.integers(0, 100)
LINES = st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 3)), max_size=3)  # price in cents, pieces


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.model, self.now, self.n, self.steps = Model(), datetime(2024, 1, 30, 12, tzinfo=UTC), 0, 0

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize(owing=st.booleans(), grace=st.sampled_from([None, 7]))
    def open_shop(self, owing, grace):
        make_rule(valid_months=2)
        make_tiers(silver="1.5", gold="2")
        RewardSettings.objects.update_or_create(
            pk=1,
            defaults={
                "refund_policy": RefundPolicy.ARREARS if owing else RefundPolicy.ZERO,
                "expired_return": ExpiredReturn.GRACE if grace else ExpiredReturn.STAY,
                "expired_return_days": grace or 30,
            },
        )
        self.model.owing, self.model.grace = owing, grace
        self.members = [make_member() for _ in range(2)]
        for member in self.members:
            self.model.join(member.pk)
        for days in (None, 5, 30):  # so that there is something to spend from the start
            for index in (0, 1):
                self.give_points(index, 100, days)

    def key(self):
        self.n += 1
        return str(self.n)

    def some(self, index):
        return self.members[index % len(self.members)].pk

    def lot_id(self, lot):
        return Lot.objects.get(transfer__key=lot.key).pk

    # --- what may happen ------------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 30, 24 * 6, 24 * 25]))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)

    @rule(sold=st.lists(st.tuples(MEMBER, st.integers(0, 60_000), st.integers(0, 90), LINES), min_size=1, max_size=4))
    def sell(self, sold):
        bought = []
        for index, minor, days, lines in sold:
            self.now += timedelta(seconds=1)  # no two lots expire at the same moment
            new_lines = tuple(NewLine(price, quantity=Decimal(pieces)) for price, pieces in lines)
            bought.append(
                new_purchase(
                    self.members[index],
                    amount_minor=sum(price for price, _ in lines) if lines else minor,
                    purchased_at=self.now - timedelta(days=days),
                    key=self.key(),
                    lines=new_lines,
                )
            )
        posted = post_purchases(purchases=bought, at=self.now)
        for answer, told in zip(posted, bought, strict=True):
            member = told.member_id
            points = told.amount_minor * MULTIPLIERS[self.model.tier[member]] // 1000
            assert answer.points == points
            stored = PurchaseLine.objects.filter(purchase=answer.id).order_by("pk")
            lines = [ModelLine(line.pk, int(line.quantity), line.amount_minor) for line in stored]
            purchase = ModelPurchase(answer.id, member, told.purchased_at, told.amount_minor, lines)
            self.model.purchases.append(purchase)
            if points:
                key = Transfer.objects.get(purchase=answer.id, kind="earn").key
                lot = self.model.earn(member, key, points, told.purchased_at + VALID)
                purchase.awards.append(ModelAward(points, [lot]))
        for member in {told.member_id for told in bought}:
            latest = max(told.purchased_at for told in bought if told.member_id == member)
            self.model.touch(member, latest, self.now)
            self.model.assess(member, self.now)

    @rule(
        index=MEMBER,
        amounts=st.lists(st.integers(1, 300), min_size=1, max_size=2),
        pending=st.sampled_from([0, 3, 40]),
        months=st.sampled_from([None, None, 1]),
        days=st.sampled_from([1, 30, 90]),
    )
    def earn(self, index, amounts, pending, months, days):
        """Awards of other rules: several for a purchase, pending, or living by activity."""
        member, price = self.some(index), 1_000
        told = new_purchase(self.members[index], amount_minor=price, purchased_at=self.now, key=self.key())
        (answer,) = record_purchases(purchases=[told])
        purchase = ModelPurchase(answer.id, member, self.now, price)
        self.model.purchases.append(purchase)
        for n, amount in enumerate(amounts):
            self.now += timedelta(seconds=1)
            start = self.now + timedelta(days=pending)
            until = None if months else start + timedelta(days=days)
            given = award(
                answer.id,
                amount,
                self.now,
                name=str(n),
                pending_until=start,
                expires_at=until,
                inactivity_months=months,
            )
            ends = until or self.now + relativedelta(months=months)
            lot = self.model.earn(member, given.key, amount, ends, available=start, months=months)
            purchase.awards.append(ModelAward(amount, [lot]))
            self.model.assess(member, self.now)

    @precondition(lambda self: self.model.purchases)
    @rule(index=INDEX, share=st.sampled_from([0.3, 1, 1.1]))
    def pay_with_points(self, index, share):
        purchase = self.model.purchases[index % len(self.model.purchases)]
        available = self.model.spendable(purchase.member, self.now)
        amount = max(1, round(available * share))
        told = [Payment(purchase.member, purchase.id, amount)]
        if purchase.paid or purchase.refunded:
            return
        if amount > available:
            with pytest.raises(InsufficientPoints):
                pay(payments=told, at=self.now)
            return
        assert [posted.amount for posted in pay(payments=told, at=self.now)] == [amount]
        assert pay(payments=told, at=self.now) == []
        purchase.paid = [[lot, part, 0] for lot, part in self.model.take(purchase.member, amount, self.now)]
        self.model.touch(purchase.member, self.now, self.now)

    @precondition(lambda self: self.model.purchases)
    @rule(index=INDEX, share=st.sampled_from([0.001, 0.3, 0.5, 1, 1.01]), held=st.booleans(), pieces=st.integers(0, 2))
    def refund(self, index, share, held, pieces):
        """By amount, or by pieces of a line."""
        bought = self.model.purchases
        if held:  # rather one with points on hold
            bought = [p for p in bought if any(map(self.model.held, (x for a in p.awards for x in a.chain)))] or bought
        purchase = bought[index % len(bought)]
        left = purchase.minor - purchase.refunded
        what = {"purchase_id": purchase.id, "source": "till", "key": self.key()}
        line = purchase.lines[index % len(purchase.lines)] if pieces and purchase.lines else None
        if line:
            what["lines"] = [(line.id, Decimal(pieces))]
            minor = line.pieces(pieces)
        else:
            minor = max(1, int(left * share))
            what["amount_minor"] = minor
        if minor == 0:
            with pytest.raises(ValueError, match="gives something back"):
                refund_purchase(**what, at=self.now)
            return
        if minor is None or minor > left:
            with pytest.raises(RefundTooLarge):
                refund_purchase(**what, at=self.now)
            return
        result = refund_purchase(**what, at=self.now)
        assert result.amount_minor == minor
        purchase.give_back(line, pieces, minor)
        paid = purchase.paid and Transfer.objects.get(purchase=purchase.id, kind="pay").pk
        returned, parts = self.model.give_back(purchase, self.now, f"return:{result.refund_id}:{paid}")
        took, due, owed = self.model.take_back(purchase, self.now)
        self.model.repay(purchase.member, parts, self.now)
        told = (took, due - took, owed, returned)
        for answer in (result, refund_purchase(**what, at=self.now + timedelta(days=1))):
            found = (answer.points_taken, answer.points_short, answer.points_owed, answer.points_returned)
            assert found == told
        if took or owed:
            self.model.assess(purchase.member, self.now)

    @rule(index=MEMBER, share=st.sampled_from([0.7, 1]), part=st.sampled_from([0.3, 1]))
    def return_what_is_reserved(self, index, share, part):  # rarely comes about by chance
        self.sell([(index, 10_000, 0, [])])
        self.spend(index, share, hold=True)
        self.refund(len(self.model.purchases) - 1, part, held=False, pieces=0)

    @rule(index=MEMBER, amount=st.integers(1, 500), days=st.sampled_from([None, 1, 7, 26, 90]))
    def give(self, index, amount, days):
        self.give_points(index, amount, days)

    def give_points(self, index, amount, days):
        key, expires = self.key(), days and self.now + timedelta(days=days, microseconds=self.n)
        member = self.some(index)
        if amount % 2:
            adjust_points(member_id=member, amount=amount, reason="x", key=key, at=self.now, expires_at=expires)
            self.model.open(member, ModelLot(f"adjust:{key}", amount, expires or FOR_EVER))
        else:
            gifts = [Gift(member, amount, key, expires_at=expires)]
            assert give_points(gifts=gifts, at=self.now) == give_points(gifts=gifts, at=self.now)
            self.model.open(member, ModelLot(f"gift:{key}", amount, expires or FOR_EVER))

    @rule(index=MEMBER, amount=st.integers(1, 200), days=st.sampled_from([None, 2, 60]))
    def bring_along(self, index, amount, days):
        """Points that go from lot to lot: another card is merged into this one."""
        other, member, key = make_member(), self.some(index), self.key()
        expires = days and self.now + timedelta(days=days, microseconds=self.n)
        give_points(gifts=[Gift(other.pk, amount, key, expires_at=expires)], at=self.now)
        merge_members(survivor_id=member, merged_id=other.pk, at=self.now)
        self.model.expire(self.now, [member])  # what has expired does not move
        moved = Transfer.objects.filter(kind="merge").latest("pk")
        self.model.open(member, ModelLot(moved.key, amount, expires or FOR_EVER))
        self.model.assess(member, self.now)

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
            self.model.touch(member, self.now, self.now)

    @precondition(lambda self: self.model.holds)
    @rule(index=INDEX, end=st.sampled_from([confirm, cancel]))
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

    @precondition(lambda self: any(self.model.lots.values()))
    @rule(index=INDEX, pending=st.booleans(), act=st.sampled_from(["activate", "cancel", "extend", "for ever"]))
    def staff_act(self, index, pending, act):
        lots = [(member, lot) for member, own in self.model.lots.items() for lot in own]
        if pending:
            lots = [pair for pair in lots if pair[1].available > self.now and pair[1].remaining] or lots
        member, lot = lots[index % len(lots)]
        told = {"lot_id": self.lot_id(lot), "key": self.key(), "at": self.now, "reason": "x"}
        gone = not lot.remaining or lot.expires <= self.now
        if act in ("extend", "for ever"):
            if lot.expires == FOR_EVER:
                return
            until = None if act == "for ever" else max(lot.expires, self.now) + timedelta(days=10, microseconds=self.n)
            if gone:
                with pytest.raises(LotGone):
                    extend_lot(expires_at=until, **told)
                return
            assert extend_lot(expires_at=until, **told) == extend_lot(expires_at=until, **told)
            lot.expires = until or FOR_EVER
            return
        service = activate_lot if act == "activate" else cancel_lot
        if gone or lot.available <= self.now:
            with pytest.raises(LotGone if gone else NotPending):
                service(**told)
            return
        assert service(**told) == service(**told)
        if act == "activate":
            lot.available = self.now
            return
        award_ = self.model.award_of(lot)
        award_.taken += lot.remaining + lot.repaid
        self.model.owes[member] += lot.repaid
        lot.remaining = 0
        self.model.assess(member, self.now)

    @precondition(lambda self: self.model.expiries)
    @rule(index=INDEX, days=st.sampled_from([None, 1, 50]))
    def bring_back(self, index, days):
        member, lot, times, amount = self.model.expiries.pop(index % len(self.model.expiries))
        key, until = self.key(), days and self.now + timedelta(days=days, microseconds=self.n)
        expiry = Transfer.objects.get(key=f"expire:{self.lot_id(lot)}:{times}")
        told = {"transfer_id": expiry.pk, "expires_at": until, "key": key, "at": self.now, "reason": "x"}
        assert reinstate(**told) == reinstate(**told)
        opened = self.model.open(member, ModelLot(f"reinstate:{key}", amount, until or FOR_EVER))
        if award_ := self.model.award_of(lot):
            award_.chain.append(opened)

    @rule()
    def night(self):
        lapsing = [h for h in self.model.holds.values() if h.state == "reserved" and h.lapses <= self.now]
        assert lapse_due(at=self.now) == len(lapsing)
        self.model.end(lapsing, "lapsed", self.now)
        self.now += timedelta(microseconds=1)
        assert expire_due(at=self.now, chunk=2) == self.model.expire(self.now)
        before = dict(self.model.tier)
        for member in self.model.tier:
            self.model.assess(member, self.now)
        changed = sum(before[member] != step for member, step in self.model.tier.items())
        assert reassess_all(at=self.now) == changed

    # --- what must be so ------------------------------------------------------------------------------------------

    @invariant()
    def ledger_and_model_agree(self):
        if not self.model.lots:
            return
        stored = {key: {} for key in self.model.lots}
        of_ours = Lot.objects.filter(account__member__in=self.model.lots)
        for member, key, remaining in of_ours.values_list("account__member_id", "transfer__key", "remaining"):
            stored[member][key] = remaining
        assert stored == {member: {lot.key: lot.remaining for lot in lots} for member, lots in self.model.lots.items()}
        assert queries.balances(self.model.lots, self.now) == {
            member: self.model.spendable(member, self.now) for member in self.model.lots
        }
        wallets = dict(Account.objects.filter(kind="wallet").values_list("member_id", "balance"))
        assert {member: wallets.get(member, 0) for member in self.model.lots} == {
            member: sum(lot.remaining for lot in lots) for member, lots in self.model.lots.items()
        }
        assert {member: queries.arrears(member) for member in self.model.lots} == self.model.owes
        tiers = dict(MemberTier.objects.values_list("member_id", "tier__threshold"))
        assert {member: tiers.get(member) or 0 for member in self.model.tier} == self.model.tier
        self.steps += 1
        if self.steps % 6 == 0:  # the longest of all
            assert [(r.check, r.difference) for r in verify() if r.difference] == []


@pytest.mark.django_db
def test_the_ledger_is_what_its_model_says():
    examples = os.environ.get("HYPOTHESIS_EXAMPLES")
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=int(examples or 15),
            stateful_step_count=30,
            deadline=None,
            derandomize=examples is None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
