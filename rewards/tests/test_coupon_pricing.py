"""What offers take off a basket: by hand for the cases people ask about, by Hypothesis for all others."""

from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.coupons.definition import BadOffer, parse
from rewards.coupons.pricing import Line, discount, discount_all, minimum_of, spread


def line(amount, quantity="1", sku="", category="", brand=""):
    return Line(Decimal(quantity), amount, sku, category, brand)


def off(kind, definition, *lines):
    return list(discount(parse({"currency": "EUR", **definition}, kind), lines).per_line)


def test_percent_is_rounded_once_and_shared_out():
    # 15 % of 9.99 is 1.4985: 1.50 in all, not 3 × 0.50 by luck.
    assert off("percent", {"percent": "15"}, line(333), line(333), line(333)) == [50, 50, 50]
    assert off("percent", {"percent": "10"}, line(333), line(333), line(334)) == [33, 33, 34]
    assert off("percent", {"percent": "50", "most": "1.00"}, line(300), line(100)) == [75, 25]


def test_percent_only_on_its_items():
    basket = (line(400, category="Drinks"), line(600, category="Cakes"), line(200, sku="E1", category="Drinks"))
    items = {"items": {"categories": ["drinks"]}, "exclude": {"products": ["e1"]}}
    assert off("percent", {"percent": "25", **items}, *basket) == [100, 0, 0]


def test_an_amount_never_goes_below_zero():
    assert off("amount", {"amount": "5.00"}, line(200), line(100)) == [200, 100]
    assert off("amount", {"amount": "1.00"}, line(200), line(100)) == [67, 33]


def test_the_cheapest_item_is_free():
    basket = (line(900, "3", sku="A"), line(250, sku="B"), line(100, sku="C"))
    assert off("free_item", {"items": {"products": ["A", "B"]}}, *basket) == [0, 250, 0]
    assert off("free_item", {"free": 2, "items": {"products": ["A", "B"]}}, *basket) == [300, 250, 0]


def test_half_a_kilo_is_no_free_item():
    assert discount(parse({"items": {"products": ["A"]}}, "free_item"), [line(500, "0.5", sku="A")]).missing


def test_buy_two_get_one_gives_the_cheapest():
    offer = {"buy": 2, "get": 1}
    assert off("buy_x_get_y", offer, line(300), line(200), line(100)) == [0, 0, 100]
    assert off("buy_x_get_y", offer, line(900, "3"), line(400, "2"), line(100)) == [0, 200, 100]
    assert off("buy_x_get_y", {**offer, "times": 1}, line(900, "3"), line(400, "2"), line(100)) == [0, 0, 100]
    assert off("buy_x_get_y", {**offer, "get_percent": "50"}, line(300), line(200), line(101)) == [0, 0, 51]


def test_buy_one_kind_get_another():
    offer = {"buy": 2, "get": 1, "items": {"categories": ["drinks"]}, "get_items": {"products": ["COOKIE"]}}
    drinks, cookie = line(800, "2", category="drinks"), line(300, "2", sku="COOKIE")
    assert off("buy_x_get_y", offer, drinks, cookie) == [0, 150]
    found = discount(parse(offer, "buy_x_get_y"), [line(400, category="drinks"), cookie])
    assert (found.missing, found.facts) == ("too_few_items", {"missing": 1})
    found = discount(parse(offer, "buy_x_get_y"), [drinks])
    assert (found.missing, found.facts) == ("too_few_items", {"missing": 1, "get": True})


def test_shipping_is_taken_off_where_it_is_a_line():
    assert off("shipping", {}, line(2000), line(490, category="Shipping")) == [0, 490]
    assert off("shipping", {}, line(2000)) == [0]


def test_a_free_item_does_not_pay_for_itself():
    offer = parse({"currency": "EUR", "items": {"products": ["CAKE"]}, "conditions": {"minimum": "10.00"}}, "free_item")
    assert minimum_of(offer, [line(400, sku="CAKE"), line(700)]) == 700


def test_percentages_come_before_amounts():
    offers = [parse({"currency": "EUR", "amount": "5.00"}, "amount"), parse({"percent": "10"}, "percent")]
    assert [one.total for one in discount_all(offers, [line(10_000)])] == [500, 1000]


LINES = st.lists(
    st.builds(
        line,
        st.integers(-500, 10**7),
        st.one_of(st.integers(1, 40).map(str), st.sampled_from(["0.5", "1.25", "2.999"])),
        sku=st.sampled_from("ABC"),
        category=st.sampled_from(["x", "y"]),
    ),
    max_size=7,
)
ITEMS = st.fixed_dictionaries(
    {}, optional={"products": st.lists(st.sampled_from("ABC"), max_size=2), "categories": st.just(["x"])}
)
COUNT = st.integers(1, 4)
OFFERS = st.one_of(
    st.tuples(st.just("percent"), st.fixed_dictionaries({"percent": st.sampled_from(["1", "33.33", "100"])})),
    st.tuples(st.just("amount"), st.fixed_dictionaries({"amount": st.sampled_from(["0.01", "7.77", "100000.00"])})),
    st.tuples(
        st.just("free_item"),
        st.fixed_dictionaries({"free": COUNT, "items": st.just({"products": ["A", "B"]})}),
    ),
    st.tuples(
        st.just("buy_x_get_y"),
        st.fixed_dictionaries(
            {"buy": COUNT, "get": COUNT, "items": ITEMS, "get_items": ITEMS},
            optional={"times": COUNT, "get_percent": st.sampled_from(["50", "33.3"])},
        ),
    ),
    st.tuples(st.just("shipping"), st.just({})),
)


def _parsed(told):
    kind, definition = told
    return parse({"currency": "EUR", **definition}, kind)


@given(st.lists(OFFERS, min_size=1, max_size=4), LINES)
@settings(max_examples=500, deadline=None)
def test_no_line_goes_below_zero_and_it_is_the_same_every_time(offers, lines):
    read = [_parsed(offer) for offer in offers]
    found = discount_all(read, lines)
    for n, one in enumerate(lines):
        taken = [each.per_line[n] for each in found]
        assert all(part >= 0 for part in taken)
        assert sum(taken) <= max(0, one.amount_minor)
    assert found == discount_all(read, lines)


@given(OFFERS, LINES)
@settings(max_examples=300, deadline=None)
def test_what_is_not_meant_is_not_touched(told, lines):
    offer = _parsed(told)
    for one, part in zip(lines, discount(offer, lines).per_line, strict=True):
        assert part == 0 or offer.takes(one) or (offer.kind == "buy_x_get_y" and offer.gives(one))


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**7), max_size=9))
def test_shares_sum_up(total, weights):
    total = min(total, sum(weights))
    shares = spread(total, weights)
    assert sum(shares) == total
    whole = sum(weights) or 1
    assert all(abs(share - total * weight / whole) < 1 for share, weight in zip(shares, weights, strict=True))
    assert all(share <= weight for share, weight in zip(shares, weights, strict=True))


@given(COUNT, COUNT, st.lists(st.tuples(st.integers(1, 9), st.sampled_from("ABC")), max_size=6))
@settings(max_examples=200, deadline=None)
def test_buy_some_get_some_gives_as_many_as_can_be(buy, get, units):
    """Against trying out which units are bought and which are had."""
    definition = {"buy": buy, "get": get, "items": {"products": ["A", "B"]}, "get_items": {"products": ["B", "C"]}}
    lines = [line(price * 100, sku=sku) for price, sku in units]
    found = discount(parse(definition, "buy_x_get_y"), lines)
    count = sum(1 for part in found.per_line if part)
    best = 0
    for n in range(len(units) + 1):
        for had in combinations(range(len(units)), n):
            if all(units[one][1] in "BC" for one in had):
                bought = sum(1 for one in range(len(units)) if one not in had and units[one][1] in "AB")
                best = max(best, n if n <= bought // buy * get else 0)
    assert count == best


@pytest.mark.parametrize(
    ("kind", "definition", "path"),
    [
        ("percent", {"percent": "101"}, "percent"),
        ("percent", {"percent": 10}, "percent"),
        ("percent", {"percent": "NaN"}, "percent"),
        ("amount", {"amount": "5.00"}, "currency"),
        ("amount", {"amount": "5.005", "currency": "EUR"}, "amount"),
        ("amount", {"amount": "-1", "currency": "EUR"}, "amount"),
        ("free_item", {}, "items"),
        ("buy_x_get_y", {"buy": 2}, "get"),
        ("shipping", {"percent": "5"}, "percent"),
        ("shipping", {"conditions": {"weekdays": [7]}}, "conditions.weekdays"),
        ("shipping", {"conditions": {"hours": [["25:00", "3"]]}}, "conditions.hours"),
        ("shipping", {"conditions": {"channels": ["tv"]}}, "conditions.channels"),
        ("shipping", {"items": {"shops": []}}, "items.shops"),
        ("shipping", [], ""),
    ],
)
def test_a_definition_that_cannot_be_says_where(kind, definition, path):
    with pytest.raises(BadOffer) as refused:
        parse(definition, kind)
    assert path in [problem.path for problem in refused.value.problems]
