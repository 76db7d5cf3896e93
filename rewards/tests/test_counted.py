"""What counts towards tiers is carried on from purchase to purchase, and counted anew where that would not be right."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from dateutil.relativedelta import relativedelta
from django.db.models import F, Sum

from members.tests.factories import make_member
from rewards.models import MemberTier, Transfer
from rewards.services.checkout import Basket, BasketLine, Receipt, check_out
from rewards.services.refunds import refund_purchase
from rewards.tests.factories import adjust, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    make_rule()
    make_tiers()
    return make_member()


def buy(member, at: datetime, key: str, bought_at: datetime | None = None) -> Receipt:
    told = Basket(member.pk, "till", key, "EUR", (BasketLine(Decimal("10.00")),), at=bought_at)
    (answer,) = check_out(baskets=[told], at=at)
    assert isinstance(answer, Receipt), answer
    return answer


def counts(member, at: datetime) -> tuple[int, int]:
    """As it is kept, and as it is."""
    earned = Transfer.objects.filter(kind="earn", credit__member=member, at__gt=at - relativedelta(months=12))
    back = Transfer.objects.filter(kind="reverse", reverses__in=earned).aggregate(n=Sum("amount"))["n"] or 0
    return member.tier_status.qualifying_points, (earned.aggregate(n=Sum("amount"))["n"] or 0) - back


def kept(member, at: datetime) -> int:
    member.refresh_from_db()
    was, should_be = counts(member, at)
    assert was == should_be
    return was


def test_a_purchase_carries_on_from_what_counted_before(at, anna):
    for n in range(3):
        buy(anna, at, f"{n}")
    assert kept(anna, at) == 30
    MemberTier.objects.update(qualifying_points=F("qualifying_points") + 5)
    buy(anna, at, "4")
    assert MemberTier.objects.get().qualifying_points == 45  # it did not read the others again


@pytest.mark.parametrize("between", ["refund", "adjust", "import", "old"])
def test_whatever_else_came_to_the_wallet_is_counted(at, anna, between):
    first = buy(anna, at, "1")
    buy(anna, at, "2")
    match between:
        case "refund":
            refund_purchase(purchase_id=first.purchase_id, source="till", key="r", at=at, amount_minor=400)
        case "adjust":
            adjust(anna, -15, at)
        case "import":
            post(anna, at, amount_minor=700)
        case "old":
            buy(anna, at, "0", at - timedelta(days=360))
    buy(anna, at, "3")
    assert kept(anna, at) == {"refund": 26, "adjust": 30, "import": 37, "old": 40}[between]


def test_what_the_year_leaves_behind_counts_no_more(at, anna):
    buy(anna, at, "1")
    buy(anna, at + timedelta(days=200), "2")
    later = at + relativedelta(months=12)
    buy(anna, later - timedelta(microseconds=1), "3")
    assert kept(anna, later - timedelta(microseconds=1)) == 30
    buy(anna, later, "4")
    assert kept(anna, later) == 30
    buy(anna, later + timedelta(days=201), "5")
    assert kept(anna, later + timedelta(days=201)) == 30
