"""Replays: the same as a plain reckoning, whoever stops in between, and what they leave out of a budget."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from members.enums import JobState
from members.models import Programme, Purchase
from members.services.purchases import NewLine
from members.tests.factories import make_member
from rewards.models import Evaluation, Replay, Tier, TierChange, Transfer
from rewards.services.earning import replay as replays
from rewards.services.earning.estimate import estimate_week
from rewards.services.earning.publishing import publish, save_draft
from rewards.services.earning.replay import cancel_replay, create_replay, go_on, run_replay
from rewards.tests.factories import make_rule, make_tiers, post

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 12, 10, tzinfo=UTC)  # a Tuesday
SINCE = AT - timedelta(days=70)
EXPIRY = {"expiry": {"kind": "rolling", "months": 12}}


def rule(definition: dict, **more) -> int:
    return save_draft(names={"en": "Tried"}, definition=definition | EXPIRY, at=AT, **more).rule_id


def per_euro(points: str = "1", **more) -> dict:
    effect = {"kind": "per_amount", "points": points, "per": "1"}
    return {"effect": effect, "conditions": {"currency": "EUR"}, **more}


@pytest.fixture
def shop() -> list[Purchase]:
    """Seven members, each with ten purchases of 10.00 to 19.00, a week apart; they earned a point per 1.00."""
    Programme.objects.create(pk=1, currency="EUR")
    make_rule()
    make_tiers(gold="2")
    for member in [make_member() for _n in range(7)]:
        for week in range(10):
            lines = (NewLine(amount_minor=100 * (10 + week), sku="T", category="Tea" if week % 2 else "Cake"),)
            post(
                member, AT, purchased_at=AT - timedelta(days=7 * week + 1), amount_minor=100 * (10 + week), lines=lines
            )
    return list(Purchase.objects.order_by("member_id", "purchased_at"))


def ask(*rules: int, **more) -> Replay:
    period = {"starts_at": SINCE, "ends_at": AT}
    return create_replay(name="", chosen=dict.fromkeys(rules, "draft"), at=AT, **(period | more))


def tried(replay: Replay) -> int:
    return sum(row[2] for row in replay.result["cells"])


def test_what_would_have_been_given_stands_beside_what_was(shop):
    done = run_replay(replay_id=ask(rule(per_euro("3"))).pk)
    assert (done.state, done.done, done.total) == (JobState.DONE, 70, 70)
    bought = sum(purchase.amount_minor for purchase in shop) // 100
    assert tried(done) == 3 * bought
    assert sum(row[4] for row in done.result["cells"]) == bought
    assert {row[0] for row in done.result["cells"]} == {
        (AT - timedelta(days=7 * week + 1)).date().isoformat() for week in range(10)
    }  # Mondays
    assert (done.result["purchases"], done.result["members"], done.result["fired"]) == (70, 7, 70)
    assert Transfer.objects.count() == 70
    assert not Evaluation.objects.exists()


def test_limits_hold_for_each_member_in_the_order_of_time(shop):
    done = run_replay(replay_id=ask(rule(per_euro("1", limits={"month": 30, "times_lifetime": 5}))).pk)
    expected = 0
    for member_id in {purchase.member_id for purchase in shop}:
        months: Counter[tuple[int, int]] = Counter()
        times = 0
        for purchase in (one for one in shop if one.member_id == member_id):
            month = purchase.purchased_at.year, purchase.purchased_at.month
            gives = min(purchase.amount_minor // 100, 30 - months[month])
            if gives > 0 and times < 5:
                months[month] += gives
                times += 1
        expected += months.total()
    assert tried(done) == expected


def test_a_budget_is_given_out_in_the_order_of_days_and_never_overshot(shop):
    done = run_replay(replay_id=ask(rule(per_euro(), budget=300)).pk)
    (found,) = done.result["rules"]
    bought = sum(purchase.amount_minor for purchase in shop) // 100
    assert (tried(done), found["units"], found["cut"]) == (300, 300, bought - 300)
    by_day = Counter()
    for purchase in shop:
        by_day[purchase.purchased_at.date()] += purchase.amount_minor // 100
    left = 300
    for day in sorted(by_day):
        left -= by_day[day]
        if left < 0:
            break
    assert found["gone"] == day.isoformat()
    assert not [row for row in done.result["cells"] if row[0] > day.isoformat() and row[2]]


def test_tiers_are_those_of_the_time_and_multiply(shop):
    gold = Tier.objects.get(name_en="Gold")
    member = shop[0].member
    moved = AT - timedelta(days=30)
    TierChange.objects.create(member=member, from_tier=Tier.objects.get(rank=0), to_tier=gold, cause="staff", at=moved)
    done = run_replay(replay_id=ask(rule(per_euro())).pk)
    after = sum(one.amount_minor // 100 for one in shop if one.member_id == member.pk and one.purchased_at >= moved)
    assert sum(row[2] for row in done.result["cells"] if row[1] == str(gold.pk)) == 2 * after
    assert after > 0


def test_a_multiplier_multiplies_what_is_tried_with_it(shop):
    base = rule(per_euro("2"))
    tea = rule({"effect": {"kind": "multiplier", "factor": "3"}, "conditions": {"categories": ["tea"]}})
    done = run_replay(replay_id=ask(base, tea).pk)
    on_tea = sum(one.amount_minor // 100 for one in shop if one.lines.get().category == "Tea")
    units = {one["rule"]: one["units"] for one in done.result["rules"]}
    assert units[tea] == 2 * 2 * on_tea


def test_a_worker_that_dies_loses_one_chunk_and_counts_none_twice(shop, monkeypatch):
    monkeypatch.setattr(replays, "CHUNK", 2)
    whole = run_replay(replay_id=ask(rule(per_euro("3", limits={"month": 40}))).pk)
    replay = ask(Replay.objects.get().programme[0]["rule"])
    calls = []

    def dies(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise SystemExit  # as a kill would: nothing is tidied up
        return reckon(*args, **kwargs)

    reckon = replays.purchases
    monkeypatch.setattr(replays, "purchases", dies)
    with pytest.raises(SystemExit):
        run_replay(replay_id=replay.pk)
    replay.refresh_from_db()
    assert (replay.state, replay.done) == (JobState.RUNNING, 40)
    assert run_replay(replay_id=replay.pk).state == JobState.RUNNING  # its lease has not lapsed: nobody else begins
    Replay.objects.filter(pk=replay.pk).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    done = run_replay(replay_id=replay.pk)
    assert done.state == JobState.DONE
    assert done.result == whole.result


def test_two_workers_cannot_count_a_chunk_twice(shop, monkeypatch):
    monkeypatch.setattr(replays, "CHUNK", 2)
    replay = ask(rule(per_euro()))
    Replay.objects.update(state=JobState.RUNNING)
    one, two = replays._Run(replay), replays._Run(replay)  # as if the lease had lapsed under the first
    assert one.step()
    assert not two.step()
    replay.refresh_from_db()
    assert replay.done == 20


def test_it_stops_when_asked_and_goes_on_from_there(shop, monkeypatch):
    monkeypatch.setattr(replays, "CHUNK", 2)
    replay = ask(rule(per_euro()))
    reckon = replays.purchases

    def stopped(*args, **kwargs):
        cancel_replay(replay_id=replay.pk)
        return reckon(*args, **kwargs)

    monkeypatch.setattr(replays, "purchases", stopped)
    assert run_replay(replay_id=replay.pk).state == JobState.CANCELLED
    assert not cancel_replay(replay_id=replay.pk)
    monkeypatch.setattr(replays, "purchases", reckon)
    assert go_on(replay_id=replay.pk)
    assert run_replay(replay_id=replay.pk).done == 70


def test_after_its_seconds_it_lets_the_next_worker_go_on(shop, monkeypatch):
    monkeypatch.setattr(replays, "CHUNK", 2)
    replay = ask(rule(per_euro()))
    rounds = 0
    while run_replay(replay_id=replay.pk, seconds=0).state == JobState.RUNNING:
        rounds += 1
    assert rounds == 4
    assert Replay.objects.get().result["purchases"] == 70


def test_what_keeps_failing_is_given_up_and_says_why(shop, monkeypatch):
    replay = ask(rule(per_euro()))
    monkeypatch.setattr(replays, "purchases", lambda *args, **kwargs: 1 / 0)
    for _n in range(replays.MAX_ATTEMPTS):
        with pytest.raises(ZeroDivisionError):
            run_replay(replay_id=replay.pk)
        Replay.objects.filter(state=JobState.RUNNING).update(lease_until=None)
    replay.refresh_from_db()
    assert (replay.state, replay.error) == (JobState.FAILED, "division by zero")


def test_a_draft_that_changes_meanwhile_changes_no_replay(shop):
    draft = rule(per_euro("3"))
    replay = ask(draft)
    rule(per_euro("9"), rule_id=draft)
    bought = sum(purchase.amount_minor for purchase in shop) // 100
    assert tried(run_replay(replay_id=replay.pk)) == 3 * bought


def test_a_replay_needs_a_rule_and_a_period(shop):
    with pytest.raises(replays.NothingToTry):
        ask()
    with pytest.raises(replays.BadPeriod):
        ask(rule(per_euro()), ends_at=SINCE)
    with pytest.raises(replays.BadPeriod):
        ask(rule(per_euro()), starts_at=AT - timedelta(days=800))


def test_an_estimate_of_a_sample_comes_near_the_whole(shop, monkeypatch):
    definition = per_euro("2") | EXPIRY
    told = {"definition": definition, "trigger": "purchase", "unit": "points", "at": AT}
    whole = estimate_week(**told)
    lately = [one for one in shop if one.purchased_at >= AT - timedelta(weeks=4)]
    assert whole.amount == 2 * sum(one.amount_minor for one in lately) // 100 // 4
    assert (whole.purchases, whole.fired, whole.sampled) == (28, 28, False)
    monkeypatch.setattr("rewards.services.earning.estimate.MOST", 10)
    some = estimate_week(**told)
    assert some.sampled
    assert 0 < some.purchases < 28
    assert abs(some.amount - whole.amount) <= whole.amount // 10


def test_published_rules_are_tried_as_they_count_now(shop):
    made = rule(per_euro("4"))
    publish(rule_id=made, at=AT)
    rule(per_euro("7"), rule_id=made)
    replay = create_replay(name="", starts_at=SINCE, ends_at=AT, chosen={made: "published"}, at=AT)
    bought = sum(purchase.amount_minor for purchase in shop) // 100
    assert tried(run_replay(replay_id=replay.pk)) == 4 * bought
