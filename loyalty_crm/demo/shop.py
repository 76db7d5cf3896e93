"""What happens in the demo café: purchases week by week, and what comes of them."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from common.sql import execute
from loyalty_crm.demo import data
from loyalty_crm.demo.people import Guest
from loyalty_crm.demo.post import greet
from loyalty_crm.demo.rewards import redeem_some
from members.models import User
from members.services.purchases import NewLine, NewPurchase
from rewards import queries
from rewards.models import Reward
from rewards.services.adjustments import adjust_points
from rewards.services.expiry import expire_due
from rewards.services.ledger import InsufficientPoints
from rewards.services.purchases import post_purchases, refund_purchase
from rewards.services.tier_nights import reassess_all

STEP = timedelta(days=7)
WEEKEND = 5
LATELY = timedelta(days=25)
GREETED = timedelta(weeks=24)  # so long the café has written on birthdays
CHEAPEST = 60  # points of the reward that costs the fewest
ANALYSE = (1, 4, 12, 36)


def visits(random: Random, guests: list[Guest], at: datetime) -> list[NewPurchase]:
    """Everything bought until `at`, by each guest in their own rhythm, in order."""
    bought = [purchase for guest in guests for purchase in _visits(random, guest, at)]
    return sorted(bought, key=lambda purchase: purchase.purchased_at)


def _visits(random: Random, guest: Guest, at: datetime) -> Iterator[NewPurchase]:
    zone = ZoneInfo(data.TIME_ZONE)
    moment, n = guest.first + timedelta(minutes=random.randint(1, 60)), 0
    while moment < min(guest.last, at):
        local = moment.astimezone(zone)
        opened = datetime.combine(local.date(), time(7), tzinfo=zone)
        # Mornings are busiest, weekends start late.
        late = random.triangular(0, 720, 75 if local.weekday() < WEEKEND else 200)
        bought_at = (opened + timedelta(minutes=late)).astimezone(at.tzinfo) if n else moment
        if bought_at < at:
            yield _purchase(random, guest, bought_at, f"{guest.member.pk}-{n}")
        n += 1
        # The morning paper needs news: of late one store does better.
        news = guest.store == data.STORES[0] and moment > at - LATELY
        moment += timedelta(days=max(0.8, random.expovariate((1.8 if news else 1) / guest.rhythm)))


def _purchase(random: Random, guest: Guest, at: datetime, key: str) -> NewPurchase:
    online = random.random() < 0.06
    menu = data.ONLINE if online else data.MENU
    items = random.choices(menu, [item[4] for item in menu], k=random.choices((1, 2, 3, 4), (45, 35, 14, 6))[0])
    lines = tuple(
        NewLine(
            amount_minor=cents * times,
            sku=sku,
            name=name,
            category=category,
            brand=data.BRANDS.get(sku, ""),
            quantity=Decimal(times),
        )
        for (sku, name, category, cents, _often), times in _counted(items)
    )
    return NewPurchase(
        member_id=guest.member.pk,
        source="web shop" if online else "till",
        key=f"demo-{key}",
        purchased_at=at,
        currency=data.CURRENCY,
        amount_minor=sum(line.amount_minor for line in lines),
        store="" if online else random.choices((guest.store, random.choice(data.STORES)), (8, 2))[0],
        channel="online" if online else "store",
        lines=lines,
    )


def _counted(items: list[tuple]) -> list[tuple[tuple, int]]:
    counts: dict[tuple, int] = defaultdict(int)
    for item in items:
        counts[item] += 1
    return list(counts.items())


def live(
    random: Random,
    guests: list[Guest],
    purchases: list[NewPurchase],
    *,
    until: datetime,
    staff: dict[str, User],
    made: dict[str, Reward],
    progress: Callable[[int], None],
    weekly: Callable[[datetime], None],
) -> None:
    """Posts the purchases week by week, so that tiers grow as they would have; refunds, greetings, adjustments,
    redemptions and expiry fall in between. `progress` hears how many purchases are posted, `weekly` how far it is."""
    posted, week, weeks = 0, purchases[0].purchased_at, 0
    while week < until:
        if weeks in ANALYSE:
            execute("ANALYZE")  # one transaction fills empty tables: the planner learns of it only so
        end = min(week + STEP, until)
        batch = []
        while posted < len(purchases) and purchases[posted].purchased_at < end:
            batch.append(purchases[posted])
            posted += 1
        if batch:
            _week(random, guests, batch, week, end, staff, made, until)
        expire_due(at=end)
        progress(posted)
        weekly(end)
        week, weeks = end, weeks + 1
    reassess_all(at=until)


def _week(
    random: Random,
    guests: list[Guest],
    batch: list,
    start: datetime,
    end: datetime,
    staff: dict,
    made: dict[str, Reward],
    until: datetime,
) -> None:
    def some_time() -> datetime:
        return start + (end - start) * random.random()

    for purchase, answer in zip(batch, post_purchases(purchases=batch, at=end), strict=True):
        if random.random() < 0.007 or purchase.key.endswith("-50"):  # one at least
            refund_purchase(
                purchase_id=answer.id,
                source="till",
                key=f"demo-{purchase.key}",
                amount_minor=random.choice((purchase.amount_minor, purchase.lines[0].amount_minor)),
                reason=random.choice(data.REFUND_REASONS),
                at=min(end, purchase.purchased_at + timedelta(minutes=10)),
            )
    here = [guest for guest in guests if guest.first < start]
    if end > until - GREETED:
        greet(start, end)
    for guest in random.sample(here, min(len(here), 1)):
        _adjust(random, guest, some_time(), staff["Marketer"])
    balances = queries.balances([guest.member.pk for guest in here], start)
    for guest in here:
        if balances[guest.member.pk] >= CHEAPEST and random.random() < 0.07:
            redeem_some(random, guest, made, some_time(), balances[guest.member.pk])


def _adjust(random: Random, guest: Guest, at: datetime, by: User) -> None:
    amount, reason = random.choice(data.ADJUSTMENTS)
    key = f"demo:{guest.member.pk}:{at.isoformat()}"
    try:
        adjust_points(member_id=guest.member.pk, amount=amount, reason=reason, key=key, at=at, actor_id=by.pk)
    except InsufficientPoints:
        return
