"""The engine: each condition, each cap, exact arithmetic; and all of it beside a model that was written apart."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.earning.definition import BadRule, parse
from rewards.earning.evaluate import evaluate, note
from rewards.earning.exact import allocate, as_text, expires
from rewards.earning.facts import Given, Happening, Item, Rule, Standing
from rewards.earning.words import summary

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 5, 8, 13, 0, tzinfo=UTC)  # a Friday, 15:00 in Berlin
PER_EURO = {"effect": {"kind": "per_amount", "points": "1", "per": "1.00"}, "conditions": {"currency": "EUR"}}


def rule(id_=1, unit="points", trigger="purchase", **parts) -> Rule:
    told = {**PER_EURO, **parts}
    if trigger != "purchase" or "conditions" in parts:
        told["conditions"] = {**({"currency": "EUR"} if trigger == "purchase" else {}), **parts.get("conditions", {})}
    return Rule(id_, id_ * 10, 1, f"Rule {id_}", parse(told, trigger, unit))


def bought(minor=1000, items=(), **values) -> Happening:
    return Happening("purchase", values.pop("at", AT), "EUR", minor, items=items, **values)


def run(rules, happening, standing=None, budgets=None):
    rules = rules if isinstance(rules, list) else [rules]
    return evaluate(rules, happening, standing or Standing(), zone=BERLIN, home="EUR", budgets=budgets)


def points(rules, happening, standing=None, budgets=None) -> list[int]:
    return [award.points for award in run(rules, happening, standing, budgets).awards]


def reason(rules, happening, standing=None, budgets=None) -> str:
    (unfired,) = run(rules, happening, standing, budgets).unfired
    return unfired.reason


DRINK, SMOKE = (
    Item(1, 700, Decimal(2), "LATTE", "Drinks", "Illy"),
    Item(2, 300, Decimal(1), "CIG", "Tobacco"),
)


@pytest.mark.parametrize(
    ("conditions", "meets", "fails", "code"),
    [
        ({"stores": ["Main St"]}, bought(store="main st "), bought(store="Harbour"), "store"),
        ({"channels": ["online"]}, bought(channel="online"), bought(channel="store"), "channel"),
        ({"minimum": "10.00"}, bought(1000), bought(999), "minimum"),
        ({"weekdays": [4]}, bought(), bought(at=AT + timedelta(days=1)), "weekday"),
        ({"hours": [["14:00", "15:01"]]}, bought(), bought(at=AT + timedelta(minutes=1)), "hours"),
        ({"hours": [["22:00", "02:00"]]}, bought(at=AT + timedelta(hours=10)), bought(), "hours"),
        ({"from": "2026-05-08"}, bought(), bought(at=AT - timedelta(hours=16)), "period"),
        ({"until": "2026-05-09"}, bought(), bought(at=AT + timedelta(hours=9)), "period"),
        ({"products": ["latte"]}, bought(items=(DRINK,)), bought(items=(SMOKE,)), "lines"),
        ({"categories": ["drinks"]}, bought(items=(DRINK,)), bought(), "lines"),
        ({"brands": ["ILLY"]}, bought(items=(DRINK,)), bought(items=(SMOKE,)), "lines"),
        ({"currency": "EUR"}, bought(), Happening("purchase", AT, "USD", 1000), "currency"),
    ],
)
def test_a_condition_is_met_or_named(conditions, meets, fails, code):
    assert points(rule(conditions=conditions), meets)
    assert reason(rule(conditions=conditions), fails) == code


@pytest.mark.parametrize(
    ("conditions", "meets", "code"),
    [
        ({"tiers": [3]}, Standing(tier=3), "tier"),
        ({"segments": [7, 8]}, Standing(segments=frozenset({8})), "segment"),
        ({"first_purchase": True}, Standing(first=True), "first_purchase"),
    ],
)
def test_who_the_member_is_counts(conditions, meets, code):
    assert points(rule(conditions=conditions), bought(), meets) == [10]
    assert reason(rule(conditions=conditions), bought(), Standing(tier=1, segments=frozenset({1}))) == code


def test_who_is_in_a_segment_that_is_left_out_gets_nothing():
    left_out = rule(conditions={"not_segments": [7]})
    assert points(left_out, bought()) == [10]
    assert reason(left_out, bought(), Standing(segments=frozenset({7}))) == "not_segment"


def test_excluded_lines_never_earn_and_the_minimum_looks_at_the_rest():
    assert points(rule(exclude={"categories": ["tobacco"]}), bought(items=(DRINK, SMOKE))) == [7]
    strict = rule(exclude={"categories": ["tobacco"]}, conditions={"minimum": "7.01"})
    assert reason(strict, bought(items=(DRINK, SMOKE))) == "minimum"


def test_what_was_paid_with_points_earns_nothing_line_by_line():
    award = run(rule(), bought(items=(DRINK, SMOKE), money_minor=500)).awards[0]
    assert award.points == 5
    assert award.why["lines"] == [[1, 350, "3.5"], [2, 150, "1.5"]]
    assert reason(rule(), bought(items=(DRINK, SMOKE), money_minor=0)) == "nothing"
    per_item = rule(effect={"kind": "per_item", "points": 5})
    assert points(per_item, bought(items=(DRINK, SMOKE), money_minor=500)) == [7]


def test_lines_that_do_not_add_up_share_what_was_paid():
    award = run(rule(conditions={"products": ["LATTE"]}), bought(2000, items=(DRINK, SMOKE))).awards[0]
    assert (award.points, award.why["lines"]) == (14, [[1, 1400, "14"]])


def test_the_tier_multiplies_inside_and_an_award_keeps_its_arithmetic():
    (award,) = run(rule(), bought(850), Standing(multiplier=Fraction("1.5"))).awards
    assert award.points == 12
    assert award.why == {
        "rule": 1, "version": 1, "effect": PER_EURO["effect"], "factor": "1.5", "currency": "EUR",
        "lines": [[None, 850, "12.75"]], "exact": "12.75", "asked": 12, "granted": 12, "cut": None,
    }  # fmt: skip


@pytest.mark.parametrize(("rounding", "given"), [("down", [12]), ("nearest", [13]), ("up", [13])])
def test_rounding_is_as_the_rule_says(rounding, given):
    assert points(rule(rounding=rounding), bought(1250)) == given


def test_base_rules_add_up_and_of_multipliers_the_best_or_all():
    base, welcome = rule(1), rule(2, effect={"kind": "fixed", "points": 100})
    double = rule(3, effect={"kind": "multiplier", "factor": "2"})
    triple = rule(4, effect={"kind": "multiplier", "factor": "3"})
    drinks = rule(5, effect={"kind": "multiplier", "factor": "2"}, conditions={"products": ["latte"]}, stacking="all")
    outcome = run([base, welcome, double, triple, drinks], bought(1000, items=(DRINK, SMOKE)))
    assert {award.rule.id: award.points for award in outcome.awards} == {1: 10, 2: 100, 4: 220, 5: 77}
    assert [(one.rule.id, one.reason, one.facts) for one in outcome.unfired] == [(3, "outdone", {"by": 4})]
    assert reason(double, bought()) == "no_base"


@pytest.mark.parametrize("cap", [{"limits": {"day": 10}}, {}])
def test_the_best_multiplier_is_the_one_that_gives_most_with_its_caps(cap):
    double = rule(3, effect={"kind": "multiplier", "factor": "2"})
    triple = rule(4, effect={"kind": "multiplier", "factor": "3"}, over="clip", **cap)
    outcome = run([rule(1), double, triple], bought(2000), budgets={} if cap else {4: 10})
    assert {award.rule.id: award.points for award in outcome.awards} == {1: 20, 3: 20}
    assert [(one.rule.id, one.reason, one.facts) for one in outcome.unfired] == [(4, "outdone", {"by": 3})]


def test_the_second_best_multiplier_counts_where_the_best_can_give_nothing():
    double = rule(3, effect={"kind": "multiplier", "factor": "2"})
    triple = rule(4, effect={"kind": "multiplier", "factor": "3"}, limits={"times_lifetime": 1})
    spent = Standing(given={4: Given([(AT, 20)], 20, 1)})
    assert points([rule(1), double, triple], bought(), spent) == [10, 10]


def test_cashback_is_exact_and_only_in_the_programmes_own_currency():
    back = rule(unit="credit", effect={"kind": "cashback", "percent": "2.5"}, conditions={})
    assert points(back, bought(999)) == [24]
    assert reason(back, Happening("purchase", AT, "USD", 999)) == "currency"


LIMITS = [
    ("transaction", [], 4),
    ("day", [(AT - timedelta(hours=1), 6)], 4),
    ("day", [(AT - timedelta(hours=16), 6)], 10),  # 23:00 of the day before, in Berlin
    ("week", [(datetime(2026, 5, 3, 22, 0, tzinfo=UTC), 6)], 4),  # Monday, 0:00
    ("week", [(datetime(2026, 5, 3, 21, 59, tzinfo=UTC), 6)], 10),
    ("month", [(datetime(2026, 4, 30, 22, 0, tzinfo=UTC), 6)], 4),
    ("month", [(datetime(2026, 4, 30, 21, 59, tzinfo=UTC), 6)], 10),
    ("lifetime", [(datetime(2020, 1, 1, tzinfo=UTC), 6)], 4),
]


@pytest.mark.parametrize(("period", "before", "given"), LIMITS)
def test_a_limit_clips_or_rejects(period, before, given):
    limit = 4 if period == "transaction" else 10
    standing = Standing(given={1: Given(before, sum(n for _at, n in before), len(before))})
    (award,) = run(rule(limits={period: limit}), bought(1000), standing).awards
    assert (award.points, award.why["cut"]) == (given, period if given < 10 else None)
    strict = rule(limits={period: limit}, over="reject")
    assert points(strict, bought(1000), standing) == ([10] if given == 10 else [])


def test_times_and_cooldown():
    hour_ago = Standing(given={1: Given([(AT - timedelta(hours=1), 1)], 1, 1)})
    assert reason(rule(limits={"times_day": 1}), bought(), hour_ago) == "times"
    assert reason(rule(limits={"times_lifetime": 1}), bought(), hour_ago) == "times"
    assert reason(rule(limits={"cooldown_hours": 2}), bought(), hour_ago) == "cooldown"
    assert points(rule(limits={"cooldown_hours": 1, "times_day": 2, "times_lifetime": 2}), bought(), hour_ago) == [10]


def test_a_budget_is_never_overdrawn():
    assert points(rule(), bought(), budgets={1: 4}) == [4]
    assert reason(rule(over="reject"), bought(), budgets={1: 4}) == "budget"
    assert reason(rule(), bought(), budgets={1: 0}) == "budget"


def test_what_was_noted_counts_for_the_next():
    capped, standing, budgets = rule(limits={"day": 15}, conditions={"currency": "EUR"}), Standing(first=True), {1: 100}
    for expected in ([10], [5], []):
        outcome = run(capped, bought(), standing, budgets)
        assert [award.points for award in outcome.awards] == expected
        note(outcome, bought(), standing, budgets)
    assert (budgets, standing.first) == ({1: 85}, False)


def test_events_earn_without_the_tiers_multiplier():
    workshop = rule(
        trigger="custom:workshop", effect={"kind": "fixed", "points": 50}, conditions={"data": {"level": 2}}
    )
    gold = Standing(multiplier=Fraction(2))
    assert points(workshop, Happening("custom:workshop", AT, data={"level": 2}), gold) == [50]
    assert reason(workshop, Happening("custom:workshop", AT, data={"level": 3}), gold) == "data"
    assert run(workshop, bought()) == ([], [])


def test_pending_and_expiry():
    pending = rule(pending={"days": 14}, expiry={"kind": "rolling", "months": 1})
    (award,) = run(pending, bought()).awards
    assert award.available_from == AT + timedelta(days=14)
    assert award.expires_at == datetime(2026, 6, 22, 13, 0, tzinfo=UTC)
    (award,) = run(rule(pending={"until": "2026-12-24"}, expiry={"kind": "inactivity", "months": 6}), bought()).awards
    assert (award.available_from, award.inactivity_months) == (datetime(2026, 12, 23, 23, 0, tzinfo=UTC), 6)
    assert run(rule(pending={"until": "2026-01-01"}), bought()).awards[0].available_from is None


@pytest.mark.parametrize(
    ("expiry", "end"),
    [
        ({"kind": "date", "month": 12, "day": 31, "years": 0}, datetime(2026, 12, 31, 23, 0, tzinfo=UTC)),
        ({"kind": "date", "month": 3, "day": 31, "years": 0}, datetime(2027, 3, 31, 22, 0, tzinfo=UTC)),
        ({"kind": "date", "month": 2, "day": 29, "years": 2}, datetime(2028, 2, 29, 23, 0, tzinfo=UTC)),
        ({"kind": "rolling", "months": 9}, datetime(2027, 2, 8, 14, 0, tzinfo=UTC)),  # the same hour, in winter
        ({"kind": "never"}, None),
    ],
)
def test_expiry_in_the_programmes_time_zone(expiry, end):
    assert expires(rule(expiry=expiry).definition.expiry, AT, BERLIN) == end


# --- beside a model ---------------------------------------------------------------------------------------------------
CAPS = st.none() | st.integers(1, 500)
FACTORS = st.sampled_from(["1.1", "1.5", "2", "3"])
BASKET = st.lists(st.tuples(st.integers(1, 10**6), st.sampled_from("abc"), st.integers(1, 5)), min_size=1, max_size=6)


@given(
    lines=BASKET,
    unpaid=st.fractions(0, 1),
    rate=st.sampled_from(["1", "0.37", "2.5"]),
    per=st.sampled_from(["1.00", "3.00", "0.50"]),
    tier=st.sampled_from(["1", "1.25", "1.33"]),
    excluded=st.sampled_from([None, "a", "b"]),
    multipliers=st.lists(st.tuples(FACTORS, st.sampled_from([None, "b", "c"]), st.booleans(), CAPS), max_size=4),
    cap=st.none() | st.integers(1, 5000),
    rounding=st.sampled_from(["down", "nearest", "up"]),
)
def test_the_engine_agrees_with_a_plain_model(lines, unpaid, rate, per, tier, excluded, multipliers, cap, rounding):
    total = sum(amount for amount, _category, _n in lines)
    money = total - int(total * unpaid)
    rules = [
        rule(
            1,
            effect={"kind": "per_amount", "points": rate, "per": per},
            exclude={"categories": [excluded]} if excluded else {},
            limits={"transaction": cap} if cap else {},
            rounding=rounding,
        )
    ]
    for n, (factor, category, stacks, most) in enumerate(multipliers, 2):
        asks = {"categories": [category]} if category else {}
        effect, stacking = {"kind": "multiplier", "factor": factor}, "all" if stacks else "best"
        rules.append(rule(n, effect=effect, conditions=asks, stacking=stacking, rounding=rounding,
                          limits={"transaction": most} if most else {}))  # fmt: skip
    items = tuple(Item(n, amount, Decimal(q), category=c) for n, (amount, c, q) in enumerate(lines))
    found = {
        award.rule.id: award.points
        for award in run(
            rules, bought(total, items=items, money_minor=money), Standing(multiplier=Fraction(tier))
        ).awards
    }

    def whole(value: Fraction) -> int:  # by decimals, not by the engine's own integers
        down = int(value)
        if rounding == "down" or value == down:
            return down
        return down + 1 if rounding == "up" or value - down >= Fraction(1, 2) else down

    basis = allocate(money, [amount for amount, _c, _q in lines]) if money != total else [line[0] for line in lines]
    assert sum(basis) == money
    worth = [Fraction(b, 100) / Fraction(per) * Fraction(rate) * Fraction(tier) * (c != excluded)
             for b, (_a, c, _q) in zip(basis, lines, strict=True)]  # fmt: skip
    base = whole(sum(worth))
    expected = {1: min(base, cap) if cap else base} if base else {}
    extras, gives = {}, {}
    for n, (factor, category, _stacks, most) in enumerate(multipliers, 2):
        mine = sum(w for w, (_a, c, _q) in zip(worth, lines, strict=True) if category in (None, c))
        extras[n] = (mine * (Fraction(factor) - 1)) if base else Fraction(0)
        gives[n] = min(whole(extras[n]), most or whole(extras[n]))
    best = [n for n, (_f, _c, stacks, _m) in enumerate(multipliers, 2) if not stacks]
    if best:
        n = max(best, key=lambda n: (gives[n], extras[n], -n))
        expected |= {n: gives[n]} if gives[n] else {}
    expected |= {n: gives[n] for n in extras if n not in best and gives[n]}
    assert found == expected


@given(st.fractions())
def test_an_exact_number_can_be_read_again(value):
    assert Fraction(as_text(value.numerator, value.denominator)) == value


@given(st.integers(0, 10**12), st.lists(st.integers(-50, 10**6), min_size=1).filter(lambda w: sum(w) > 0))
def test_parts_add_up(total, weights):
    assert sum(allocate(total, weights)) == total


# --- definitions ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"effect": {"kind": "gift"}}, "effect.kind"),
        ({"effect": {"kind": "per_amount", "points": 1.5}}, "effect.points"),
        ({"effect": {"kind": "per_amount", "points": "-1"}}, "effect.points"),
        ({"effect": {"kind": "per_amount", "points": "NaN"}}, "effect.points"),
        ({"effect": {"kind": "fixed"}}, "effect.points"),
        ({"effect": {"kind": "multiplier", "factor": "0.5"}}, "effect.factor"),
        ({"effect": {"kind": "cashback", "percent": "5"}}, "effect.kind"),
        ({"effect": {"kind": "coupon"}}, "effect.offer"),
        ({"effect": {"kind": "fixed", "points": 1, "per": "2"}}, "effect.per"),
        ({"conditions": {"minimum": "1.005"}}, "conditions.minimum"),
        ({"conditions": {"currency": "EURO"}}, "conditions.currency"),
        ({"conditions": {"currency": ""}}, "conditions.currency"),
        ({"conditions": {"weekdays": [7]}}, "conditions.weekdays"),
        ({"conditions": {"hours": [["14:00", "14:00"]]}}, "conditions.hours"),
        ({"conditions": {"hours": ["14:00"]}}, "conditions.hours"),
        ({"conditions": {"from": "2026-02-30"}}, "conditions.from"),
        ({"conditions": {"from": "2026-02-03", "until": "2026-02-03"}}, "conditions.until"),
        ({"conditions": {"data": {"a": 1}}}, "conditions.data"),
        ({"conditions": {"moon": "full"}}, "conditions.moon"),
        ({"limits": {"day": 0}}, "limits.day"),
        ({"limits": {"day": True}}, "limits.day"),
        ({"pending": {"days": 1, "until": "2026-01-01"}}, "pending"),
        ({"pending": {"event": "Order delivered", "days": 3}}, "pending.event"),
        ({"pending": {"event": "order.delivered"}}, "pending.days"),
        ({"pending": {"event": "order.delivered", "days": 3, "otherwise": "keep"}}, "pending.otherwise"),
        ({"pending": {"days": 3, "otherwise": "cancel"}}, "pending.otherwise"),
        ({"expiry": {"kind": "rolling"}}, "expiry.months"),
        ({"expiry": {"kind": "date", "month": 4, "day": 31}}, "expiry.day"),
        ({"counts_for_tier": "yes"}, "counts_for_tier"),
        ({"exclude": "tobacco"}, "exclude"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_no_rule_can_say_is_named_by_its_path(parts, path):
    with pytest.raises(BadRule) as bad:
        rule(**parts)
    assert path in [problem.path for problem in bad.value.problems]
    assert all(problem.sentence for problem in bad.value.problems)


@pytest.mark.parametrize("effect", ["per_amount", "per_item", "multiplier", "cashback"])
def test_events_cannot_give_what_needs_an_amount(effect):
    with pytest.raises(BadRule):
        parse({"effect": {"kind": effect, "points": 1, "factor": "2", "percent": "1"}}, "birthday", "points")


def test_a_rule_reads_as_a_sentence():
    happy = rule(
        effect={"kind": "multiplier", "factor": "2"},
        conditions={"weekdays": [4], "hours": [["14:00", "17:00"]], "tiers": [3], "categories": ["Drinks"]},
        limits={"day": 200},
        expiry={"kind": "rolling", "months": 12},
    )
    assert summary(happy.definition, names={("tier", 3): "Gold"}) == (
        "Every Friday, from 14:00 to 17:00, members on Gold, double points on Drinks, at most 200 points a day, "
        "good for 12 months."
    )
    assert summary(PER_EURO) == "1 point for every €1.00."
    assert date(2026, 5, 8).weekday() == 4
