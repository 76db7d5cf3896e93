"""Limits and budgets under many hands at once, and what happens where the lock is left out."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from unittest.mock import patch

import pytest
from django.db import connection, transaction

from common.sql import fetch_all
from members.tests.factories import make_member
from rewards import queries
from rewards.models import EarningRule, Offer, RewardSettings, Transfer
from rewards.services.checkout import Basket, BasketLine, Receipt, check_out
from rewards.services.earning import posting
from rewards.tests.coupons import make_offer
from rewards.tests.factories import adjust, make_rule_of

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 5, 8, 13, tzinfo=UTC)
TEN = {"effect": {"kind": "fixed", "points": 10}}


def at_once(baskets: list[Basket], hands: int = 6) -> list:
    """Checks baskets out by many hands; what each answered, or the error it met."""
    answers: list = []
    ready = threading.Barrier(hands)

    def work(mine: list[Basket]) -> None:
        try:
            ready.wait(timeout=30)
            for basket in mine:
                try:
                    answers.extend(check_out(baskets=[basket], at=AT))
                except Exception as error:  # what the database refused is told by the test
                    answers.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(baskets[n::hands],)) for n in range(hands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def basket(member, key) -> Basket:
    return Basket(member.pk, "till", str(key), "EUR", (BasketLine(Decimal("5.00")),))


@pytest.mark.parametrize("limit", [{"budget": 155}, {"budget_money": Decimal("1.559")}])
def test_a_budget_is_spent_to_the_last_point_and_never_overdrawn(limit):
    rule = make_rule_of("Budget", TEN, **limit)
    members = [make_member() for _ in range(30)]
    answers = at_once([basket(member, n) for n, member in enumerate(members)])
    assert all(isinstance(answer, Receipt) for answer in answers)
    given = sorted(sum(e.amount for e in answer.earned) for answer in answers)
    assert given == [0] * 14 + [5] + [10] * 15
    rule.refresh_from_db()
    assert rule.budget_spent == 155 == sum(Transfer.objects.filter(kind="earn").values_list("amount", flat=True))


def test_without_the_lock_a_budget_would_be_overdrawn():
    """The control: what was read of the budget is out of date. Only the table's own check then holds it."""
    make_rule_of("Budget", TEN, budget=155)
    members = [make_member() for _ in range(30)]

    def read_only(rule_ids):
        rows = fetch_all(
            "SELECT id, budget - budget_spent FROM rewards_earningrule WHERE id = ANY(%s)", [list(rule_ids)]
        )
        threading.Event().wait(0.05)
        return dict(rows)

    with patch.object(posting, "_lock_budgets", read_only):
        answers = at_once([basket(member, n) for n, member in enumerate(members)])
    assert any(isinstance(answer, Exception) for answer in answers)
    assert EarningRule.objects.get().budget_spent <= 155


def test_a_members_limit_holds_among_many_tills():
    make_rule_of("Daily", {**TEN, "limits": {"day": 35}})
    member = make_member()
    answers = at_once([basket(member, n) for n in range(18)])
    assert sorted(sum(e.amount for e in answer.earned) for answer in answers) == [0] * 14 + [5] + [10] * 3
    assert queries.balance(member.pk, AT) == 35


def test_one_key_told_by_many_at_once_has_one_effect():
    make_rule_of("Ten", TEN)
    member = make_member()
    answers = at_once([basket(member, "same") for _ in range(50)])
    assert len({answer.purchase_id for answer in answers}) == 1
    assert sum(answer.is_new for answer in answers) == 1
    assert {tuple(e.amount for e in answer.earned) for answer in answers} == {(10,)}
    assert queries.balance(member.pk, AT) == 10


def test_one_key_told_alone_and_in_batches_at_once_has_one_effect():
    make_rule_of("Ten", TEN)
    member = make_member()
    alone, batch = [basket(member, "same")], [basket(member, key) for key in ("before", "same", "behind")]
    answers: list = []
    ready = threading.Barrier(6)

    def tell(baskets: list[Basket]) -> None:
        try:
            ready.wait(timeout=30)
            answers.append(check_out(baskets=baskets, at=AT)[baskets.index(alone[0])])
        finally:
            connection.close()

    threads = [threading.Thread(target=tell, args=(baskets,)) for baskets in (alone, batch) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len({answer.purchase_id for answer in answers}) == 1
    assert sum(answer.is_new for answer in answers) == 1
    assert queries.balance(member.pk, AT) == 30


def test_batches_and_tills_with_one_budget_never_lock_each_other_up():
    """A batch takes what is paid with money first, and locks the budget by it: the wallets of those who pay with points
    must be its own by then."""
    RewardSettings.objects.update_or_create(pk=1, defaults={"points_per_unit": 100})
    make_rule_of("Budget", {"effect": {"kind": "fixed", "points": 1}}, budget=100_000)
    members = [make_member() for _ in range(6)]
    for member in members:
        adjust(member, 10_000, AT, key=f"rich{member.pk}")
    errors: list[Exception] = []

    def work(told: list[list[Basket]]) -> None:
        try:
            for baskets in told:
                assert all(isinstance(answer, Receipt) for answer in check_out(baskets=baskets, at=AT))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    def batch(name: str, order: str) -> list[list[Basket]]:
        plain = [(members[int(n)], f"{name}.{n}") for n in order]
        paying = [replace(basket(member, f"{key}.paid"), pay_points=100) for member, key in plain[3:]]
        return [[basket(member, key) for member, key in plain[:3]] + paying]

    hands = [[b for k in range(4) for b in batch(f"{order}.{k}", order)] for order in ("012345", "543210", "250314")]
    hands += [[[replace(basket(m, f"{m.pk}.{k}"), pay_points=100)] for k in range(8)] for m in members]
    threads = [threading.Thread(target=work, args=(told,)) for told in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_two_batches_that_use_limited_offers_crosswise_both_go_through():
    """Each takes one offer, and then wants that of the other: the database ends one of them, and it is done again."""
    make_rule_of("Budget", {"effect": {"kind": "fixed", "points": 1}}, budget=100)
    offers = [make_offer(shared_code=code, uses_limit=10, uses_member=None) for code in ("SPRING", "AUTUMN")]
    answers: list = []

    def work(codes: tuple[str, ...]) -> None:
        told = [replace(basket(make_member(), f"{codes}.{n}"), coupons=(code,)) for n, code in enumerate(codes)]
        try:
            answers.extend(check_out(baskets=told, at=AT))
        except Exception as error:
            answers.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(codes,)) for codes in (("SPRING", "AUTUMN"), ("AUTUMN", "SPRING"))]
    with transaction.atomic():  # until both wait for their first
        list(Offer.objects.select_for_update().order_by("pk"))
        for thread in threads:
            thread.start()
        stuck = """
            SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN (
                SELECT pid FROM pg_locks JOIN pg_database AS here ON here.oid = database
                WHERE datname = current_database()  -- others test on the same server
            )
        """
        while fetch_all(stuck)[0][0] < 2 and not answers:
            threading.Event().wait(0.02)
    for thread in threads:
        thread.join()
    assert [type(answer) for answer in answers] == [Receipt] * 4, answers
    assert [Offer.objects.get(pk=offer.pk).uses for offer in offers] == [2, 2]
    assert EarningRule.objects.get().budget_spent == 4
