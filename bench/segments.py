"""Counting segments of 1,000,000 members with 10,000,000 purchases, beside SQL that a careful hand wrote for each.

The estimate is held against a tenth of a second of the server's, not against SQL: it is what a marketer waits for at
each keystroke.
"""

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import Any

from bench.base import Row, most_memory, product_on, seconds, side_by_side
from bench.world import AT, MEMBERS, world

PATIENCE = 0.1  # seconds
NESTED = {
    "all": [
        {"trait": "tier", "op": "any_of", "value": [3, 4]},
        {"trait": "consent.offers_email", "op": "yes"},
        {
            "any": [
                {
                    "all": [
                        {"trait": "purchase.count", "op": "at_least", "value": 5},
                        {"trait": "purchase.last", "op": "days_ago", "value": 60},
                    ]
                },
                {"trait": "purchase.spent", "op": "at_least", "value": 300},
            ]
        },
        {"not": {"trait": "draw", "op": "between", "value": [0, 10], "where": {"draw": ["hold-out"]}}},
    ]
}
_NESTED = """
SELECT count(*) FROM members_member AS m
JOIN rewards_membertier AS t ON t.member_id = m.id AND t.tier_id IN (3, 4)
JOIN members_consentstate AS c
  ON c.member_id = m.id AND c.channel = 'email' AND c.purpose = 'offers' AND c.granted
JOIN members_purchasesummary AS s ON s.member_id = m.id
WHERE m.merged_into_id IS NULL AND m.erased_at IS NULL AND m.personalised
  AND (s.purchases >= 5 AND s.last_at < '2026-03-13 00:00+00' OR s.spent_minor >= 30000)
  AND ('x' || left(md5('hold-out:' || m.id), 8))::bit(32)::bigint %% 10000 >= 1000
"""
# Six leaves of which none can narrow the search: every member is looked at.
WIDE = {
    "any": [
        {"trait": "tier", "op": "any_of", "value": [4]},
        {"all": [{"trait": "city", "op": "any_of", "value": ["City 3"]}, {"trait": "has_email", "op": "yes"}]},
        {"not": {"trait": "purchase.count", "op": "at_least", "value": 2}},
        {"all": [{"trait": "points", "op": "at_least", "value": 1000}, {"trait": "consent.offers_email", "op": "yes"}]},
    ]
}
_WIDE = """
SELECT count(*) FROM members_member AS m
LEFT JOIN rewards_membertier AS t ON t.member_id = m.id
LEFT JOIN members_purchasesummary AS s ON s.member_id = m.id
LEFT JOIN rewards_account AS w ON w.member_id = m.id AND w.unit = 'points'
LEFT JOIN members_consentstate AS c ON c.member_id = m.id AND c.channel = 'email' AND c.purpose = 'offers'
WHERE m.merged_into_id IS NULL AND m.erased_at IS NULL AND m.personalised
  AND (t.tier_id = 4 OR lower(m.city) = 'city 3' AND m.email <> '' OR coalesce(s.purchases, 0) < 2
       OR w.balance >= 1000 AND c.granted)
"""
BOUGHT = {
    "all": [
        {
            "trait": "purchase.count",
            "op": "at_least",
            "value": 2,
            "where": {"category": ["Category 3", "Category 4"]},
            "within": {"days": 365},
        },
        {"trait": "purchase.spent", "op": "at_most", "value": 50, "within": {"days": 90}},
        {"trait": "language", "op": "any_of", "value": ["en"]},
    ]
}
_BOUGHT = """
WITH lately AS (
    SELECT member_id, count(DISTINCT p.id) AS times FROM members_purchase AS p
    JOIN members_purchaseline AS line ON line.purchase_id = p.id
    WHERE p.purchased_at >= '2025-05-12 00:00+00' AND line.category IN ('Category 3', 'Category 4') GROUP BY 1
),
spent AS (
    SELECT member_id, sum(amount_minor - refunded_minor) AS spent FROM members_purchase
    WHERE purchased_at >= '2026-02-11 00:00+00' AND currency = 'EUR' GROUP BY 1
)
SELECT count(*) FROM members_member AS m JOIN lately ON lately.member_id = m.id
LEFT JOIN spent ON spent.member_id = m.id
WHERE m.merged_into_id IS NULL AND m.erased_at IS NULL AND m.personalised AND lately.times >= 2
  AND coalesce(spent.spent, 0) <= 5000 AND m.language = 'en'
"""


def run(server: str) -> Iterator[Row]:
    from common.sql import fetch_all
    from members.segments import asking

    with product_on(world(server)):
        for name, definition, by_hand in (
            ("count, nested, 6 leaves", NESTED, _NESTED),
            ("count, everybody looked at, 6 leaves", WIDE, _WIDE),
            ("count, purchases by category and window", BOUGHT, _BOUGHT),
        ):
            yield _compared(name, lambda d=definition: asking.count(d, at=AT), lambda q=by_hand: fetch_all(q, {})[0][0])
        for name, definition in (("nested", NESTED), ("everybody", WIDE), ("by window", BOUGHT)):
            yield _estimated(name, definition)


def _estimated(name: str, definition: dict[str, Any]) -> Row:
    from django.db import connection

    from members.segments import asking

    exact, about, whole = asking.count(definition, at=AT), [], []

    def guess() -> float:
        """The seconds in which the server was asked, planning and sending included."""
        asked = 0.0

        def clocked(execute: Callable, *args: Any) -> Any:
            nonlocal asked
            started = perf_counter()
            answer = execute(*args)
            asked += perf_counter() - started
            return answer

        with connection.execute_wrapper(clocked):
            whole.append(seconds(lambda: about.append(asking.estimate(definition, at=AT).members)))
        return asked

    guess()  # warms
    took, _ = side_by_side(guess, lambda: 0.0, 11)
    note = f"limit, not SQL; {1000 * median(whole):.0f} ms in all; {min(about):,} to {max(about):,}, exactly {exact:,}"
    return Row(f"segments: estimate, {name}", MEMBERS, took, PATIENCE, at_least=1, note=note)


def _compared(name: str, ours: Callable[[], int], by_hand: Callable[[], int]) -> Row:
    found = ours()
    if by_hand() != found:
        raise AssertionError(f"{name}: by hand {by_hand()}, ours {found}")
    mine, theirs = side_by_side(lambda: seconds(ours), lambda: seconds(by_hand), 5)
    return Row(f"segments: {name}", MEMBERS, mine, theirs, 1 / 1.3, most_memory(), note=f"{found:,} members")
