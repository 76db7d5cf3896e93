"""What the ledger should say, in plain Python: lists, whole numbers and fractions, no SQL. See test_property."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from dateutil.relativedelta import relativedelta

FOR_EVER = datetime.max.replace(tzinfo=UTC)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
YEAR = relativedelta(months=12)
MULTIPLIERS = {0: 10, 500: 15, 1000: 20}  # tenths, by threshold


@dataclass(eq=False)
class ModelLot:
    key: str
    amount: int
    expires: datetime
    available: datetime = LONG_AGO
    months: int | None = None  # it lives so long from the last activity
    repaid: int = 0
    expired: int = 0
    remaining: int = -1

    def __post_init__(self):
        self.remaining = self.amount - self.repaid


@dataclass(eq=False)
class ModelLine:
    id: int
    quantity: int
    minor: int
    back: int = 0
    by_quantity: int = 0
    by_amount: int = 0

    @property
    def left(self):
        return self.minor - self.by_quantity - self.by_amount

    @property
    def share(self):
        if self.minor and not self.left:
            return Fraction(1)
        money = Fraction(self.by_amount, self.minor) if self.minor else 0
        return min(Fraction(self.back, self.quantity) + money, Fraction(1))

    def pieces(self, quantity):
        """What so many pieces are worth now; None where there are not so many, or nothing is left."""
        if self.back + quantity > self.quantity or (self.minor and not self.left):
            return None
        if self.back + quantity == self.quantity:
            return self.left
        return min(self.minor * (self.back + quantity) // self.quantity - self.by_quantity, self.left)


@dataclass(eq=False)
class ModelAward:
    gave: int
    chain: list[ModelLot]  # the lot it opened, and those in which it was brought back
    taken: int = 0


@dataclass(eq=False)
class ModelPurchase:
    id: int
    member: int
    at: datetime
    minor: int
    lines: list[ModelLine] = field(default_factory=list)
    awards: list[ModelAward] = field(default_factory=list)
    refunded: int = 0
    paid: list[list] = field(default_factory=list)  # [lot, taken, returned]

    def give_back(self, line, pieces, minor):
        """Money given back, for pieces of a line or, without one, spread over the lines by what is left of each."""
        left = self.minor - self.refunded
        self.refunded += minor
        if line:
            line.back, line.by_quantity = line.back + pieces, line.by_quantity + minor
            return
        reached = given = 0
        for each in self.lines:
            reached += each.left
            part = reached * minor // left - given
            each.by_amount, given = each.by_amount + part, given + part

    def due(self, award):
        if self.refunded == self.minor:
            return award.gave
        if not any(line.minor for line in self.lines):
            return award.gave * self.refunded // self.minor
        back = sum(line.minor * line.share for line in self.lines) / Fraction(sum(line.minor for line in self.lines))
        return int(award.gave * back)


@dataclass(eq=False)
class ModelHold:
    member: int
    amount: int
    lapses: datetime
    uses: list[tuple[ModelLot, int]]
    state: str = "reserved"


@dataclass
class Model:
    """Lots in the order they came, per member; what each owes; `owing` and `grace` are the shop's policies."""

    owing: bool = False
    grace: int | None = None
    lots: dict[int, list[ModelLot]] = field(default_factory=dict)
    owes: dict[int, int] = field(default_factory=dict)
    tier: dict[int, int] = field(default_factory=dict)
    purchases: list[ModelPurchase] = field(default_factory=list)
    holds: dict[str, ModelHold] = field(default_factory=dict)
    expiries: list[tuple[int, ModelLot, int, int]] = field(default_factory=list)  # member, lot, which time, amount

    def join(self, member):
        self.lots[member], self.owes[member], self.tier[member] = [], 0, 0

    def spendable(self, member, now):
        return sum(lot.remaining for lot in self.lots[member] if lot.available <= now < lot.expires)

    def open(self, member, lot):
        self.lots[member].append(lot)
        return lot

    def earn(self, member, key, amount, expires, **more):
        """What is earned repays what is owed first."""
        repaid = min(amount, self.owes[member])
        self.owes[member] -= repaid
        return self.open(member, ModelLot(key, amount, expires, repaid=repaid, **more))

    def take(self, member, amount, now, first=()):
        lots = [
            lot
            for lot in self.lots[member]
            if lot.remaining and lot.expires > now and (lot.available <= now or lot in first)
        ]
        root = first[0] if first else None
        lots.sort(key=lambda lot: (lot is not root, lot not in first, lot.expires))  # as they came among equals
        uses = []
        for lot in lots:
            part = min(lot.remaining, amount - sum(n for _, n in uses))
            if part:
                lot.remaining -= part
                uses.append((lot, part))
        return uses

    def touch(self, member, moment, now):
        for lot in self.lots[member]:
            if lot.months and lot.remaining and lot.expires > now:
                lot.expires = max(lot.expires, moment + relativedelta(months=lot.months))

    def held(self, lot):
        uses = [use for hold in self.holds.values() if hold.state == "reserved" for use in hold.uses]
        return sum(part for used, part in uses if used is lot)

    def take_back(self, purchase, now, freed=None):
        """What was taken, was due, and is owed now; of awards in `freed` no more than holds that ended kept of them."""
        taken = asked_in_all = owed_in_all = 0
        for award in purchase.awards:
            past = [lot for lot in award.chain if lot.expires <= now]
            alive = [lot for lot in award.chain if lot.expires > now]
            gone = sum(lot.expired for lot in award.chain) - sum(lot.amount for lot in award.chain[1:])
            gone += sum(lot.remaining + self.held(lot) for lot in past)
            due = min(purchase.due(award), award.gave - gone) - award.taken
            if due <= 0 or (freed is not None and award not in freed):
                continue
            waits = min(sum(map(self.held, alive)), max(0, due - sum(lot.remaining for lot in alive)))
            asked = due - waits if freed is None else min(due - waits, freed[award])
            took = sum(n for _, n in self.take(purchase.member, asked, now, first=award.chain))
            owed = asked - took if self.owing else 0
            self.owes[purchase.member] += owed
            award.taken += took + owed
            taken, asked_in_all, owed_in_all = taken + took, asked_in_all + due, owed_in_all + owed
        return taken, asked_in_all, owed_in_all

    def give_back(self, purchase, now, key):
        """What was paid with comes back, those lots first that would have lasted longest; how much."""
        paid = sum(amount for _, amount, _ in purchase.paid)
        part = paid * purchase.refunded // purchase.minor - sum(back for *_, back in purchase.paid)
        came, anew = part, 0
        parts = []
        own = self.lots[purchase.member]
        for use in sorted(purchase.paid, key=lambda use: (use[0].expires, own.index(use[0])), reverse=True):
            now_back = min(use[1] - use[2], part)
            part -= now_back
            use[2] += now_back
            parts.append((use[0], now_back))
            if use[0].expires <= now and self.grace is not None:
                anew += now_back
            else:
                use[0].remaining += now_back
        if anew:
            parts.append((self.open(purchase.member, ModelLot(key, anew, now + timedelta(days=self.grace))), anew))
        self.settle(parts, now, but=purchase)
        return came, parts

    def repay(self, member, parts, now):
        """Of what came back, by lot, what can still be spent repays what is owed."""
        for lot, part in parts:
            if lot.available <= now < lot.expires:
                paid = min(part, lot.remaining, self.owes[member])
                self.owes[member], lot.remaining = self.owes[member] - paid, lot.remaining - paid

    def end(self, holds, state, now):
        """Holds that end together: all give back, then each purchase is settled."""
        for hold in holds:
            hold.state = state
            for lot, part in hold.uses if state != "confirmed" else ():
                lot.remaining += part
        self.settle([use for hold in holds for use in hold.uses], now)

    def settle(self, parts, now, but=None):
        """These parts of lots can be had again, or never: refunds that asked for them in vain ask again."""
        for purchase in self.purchases:
            freed = {award: sum(part for lot, part in parts if lot in award.chain) for award in purchase.awards}
            freed = {award: n for award, n in freed.items() if n}
            if freed and purchase.refunded and purchase is not but:
                took, _, owed = self.take_back(purchase, now, freed)
                if took or owed:
                    self.assess(purchase.member, now)

    def expire(self, now, members=None):
        """Empties what has expired; how many lots, and what was in them."""
        lots = emptied = 0
        for member in self.lots if members is None else members:
            for lot in self.lots[member]:
                if lot.remaining and lot.expires <= now:
                    times = sum(1 for _, other, *_ in self.expiries if other is lot)
                    self.expiries.append((member, lot, times, lot.remaining))
                    lots, emptied = lots + 1, emptied + lot.remaining
                    lot.expired, lot.remaining = lot.expired + lot.remaining, 0
        return lots, emptied

    def award_of(self, lot):
        return next((a for p in self.purchases for a in p.awards if lot in a.chain), None)

    def assess(self, member, now):
        own = [p for p in self.purchases if p.member == member and p.at + YEAR > now]
        earned = sum(award.gave - award.taken for p in own for award in p.awards)
        self.tier[member] = max(step for step in MULTIPLIERS if step <= max(earned, 0))
