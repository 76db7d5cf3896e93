"""The main job on real purchases: 18 months of a shop for music, brought in through the command.

What must come out is computed here once more, in plain Python, from the file itself.
"""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import NamedTuple

import pytest
from django.core.management import call_command
from django.db.models import Sum

from members.models import Identity, Member, Purchase, PurchaseLine, TimelineEvent
from rewards.models import Account, Lot, MemberTier, Transfer
from rewards.tests.factories import make_rule, make_tiers
from tests.cdnow import cdnow
from tests.import_files import differences

pytestmark = pytest.mark.django_db
AS_OF = datetime(1998, 7, 1, tzinfo=UTC)
YEAR_BEFORE = datetime(1997, 7, 1, tzinfo=UTC)
COLUMNS = ["customer=2", "purchased_at=3", "quantity=4", "amount=5"]


class Sale(NamedTuple):
    customer: str
    at: datetime
    cds: int
    amount: Decimal

    @property
    def points(self) -> int:
        return int(self.amount)  # one point for each whole dollar


def sales(text: bytes) -> list[Sale]:
    rows = [line.split() for line in text.decode().splitlines()]
    return [
        Sale(customer, datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC), int(cds), Decimal(amount))
        for _master, customer, day, cds, amount in rows
    ]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("cdnow") / "CDNOW_sample.txt"
    path.write_bytes(cdnow("sample"))
    return path


def run(path, **options) -> list[str]:
    """The command's words."""
    out = StringIO()
    given = {"source": "cdnow", "map": COLUMNS, "currency": "USD", "at": AS_OF}
    call_command("import_purchases", str(path), stdout=out, **{**given, **options})
    return out.getvalue().splitlines()


def tables() -> list[int]:
    models = (Member, Identity, Purchase, PurchaseLine, TimelineEvent, Account, Transfer, Lot, MemberTier)
    return [model.objects.count() for model in models]


def test_the_sample_comes_in_whole_and_its_points_and_tiers_are_right(sample):
    told = sales(sample.read_bytes())
    assert (len(told), len({sale.customer for sale in told})) == (6919, 2357)
    assert sum(sale.amount for sale in told) == Decimal("244091.94")
    make_rule("USD")
    tiers = make_tiers(silver="1.25", gold="1.5")

    dry = run(sample, dry_run=True)
    assert (Member.objects.count(), Purchase.objects.count()) == (0, 0)
    words = run(sample)
    points = sum(sale.points for sale in told)
    assert (
        words[-6:]
        == dry[-6:]
        == [
            "       6,919  rows",
            "       6,919  new purchases",
            "       2,357  new members",
            f"     {points:,}  points given",
            "           0  already there",
            "           0  bad rows",
        ]
    )

    assert (Member.objects.count(), Identity.objects.filter(system="cdnow").count()) == (2357, 2357)
    assert Purchase.objects.aggregate(all=Sum("amount_minor"))["all"] == 24_409_194
    assert PurchaseLine.objects.aggregate(all=Sum("quantity"))["all"] == sum(sale.cds for sale in told) == 16_479
    stored = Purchase.objects.values_list("member__identities__value", "purchased_at", "amount_minor")
    assert Counter(stored) == Counter((sale.customer, sale.at, int(sale.amount * 100)) for sale in told)
    first = {sale.customer: sale.at for sale in reversed(told)}
    assert dict(Member.objects.values_list("identities__value", "joined_at")) == first

    earned: defaultdict[str, int] = defaultdict(int)
    lately: defaultdict[str, int] = defaultdict(int)
    for sale in told:
        earned[sale.customer] += sale.points
        lately[sale.customer] += sale.points if sale.at > YEAR_BEFORE else 0
    wallets = Account.objects.filter(member__isnull=False).values_list("member__identities__value", "balance")
    assert dict(wallets) == dict(earned)
    free = [sale for sale in told if sale.amount == 0]
    worthless = [sale for sale in told if sale.points == 0]
    assert len(free) == 8
    assert Transfer.objects.count() == len(told) - len(worthless)
    assert not Transfer.objects.filter(purchase__amount_minor=0).exists()

    stands = MemberTier.objects.values_list("member__identities__value", "qualifying_points", "tier__threshold")
    reached = {
        customer: max(step for tier in tiers.values() if (step := tier.threshold or 0) <= n)
        for customer, n in lately.items()
    }
    assert {(c, n, t or 0) for c, n, t in stands} == {(c, n, reached[c]) for c, n in lately.items()}
    assert Counter(reached.values())[1000] > 0
    assert Counter(reached.values())[500] > 0
    assert differences() == []
    call_command("verify", stdout=StringIO())


def test_the_same_file_again_changes_nothing(sample):
    make_rule("USD")
    make_tiers()
    run(sample)
    before = tables()
    words = run(sample)
    assert "       6,919  already there" in words
    assert "           0  new purchases" in words
    assert tables() == before
