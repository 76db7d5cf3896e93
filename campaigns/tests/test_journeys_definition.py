"""What a journey may say, how it looks, and what time makes of it: nothing of this asks the database."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.journeys import dates
from campaigns.journeys.definition import WAITABLE, BadJourney, Known, Pattern
from campaigns.journeys.drawing import draw, wrap
from campaigns.journeys.parser import parse
from campaigns.journeys.walk import Assumed, walk
from campaigns.journeys.words import exit_words, rules_words, step_words, trigger_words

KNOWN = Known(
    templates={7: "Welcome", 8: "Second"},
    segments={3: "Regulars"},
    offers={5: "20 % off"},
    occasions={"qixi": "Qixi"},
    events={**dict.fromkeys(WAITABLE, "happens"), "member.joined": "Joined"},
    channels={"email": "E-mail"},
)
BERLIN = ZoneInfo("Europe/Berlin")


def send(name: str, template: int = 7) -> dict:
    return {"id": name, "kind": "send", "template": template}


def wait(name: str, **length) -> dict:
    return {"id": name, "kind": "wait", **(length or {"days": 1})}


def journey(*steps, **more) -> dict:
    return {"trigger": {"kind": "joined"}, "steps": list(steps), **more}


def problems(definition) -> dict[str, str]:
    with pytest.raises(BadJourney) as bad:
        parse(definition, KNOWN)
    return {problem.path: problem.sentence for problem in bad.value.problems}


LADDER = journey(
    send("a"),
    {
        "id": "b",
        "kind": "wait_for",
        "for": {"event": "purchase.paid"},
        "days": 7,
        "then": [{"id": "thanks", "kind": "end"}],
        "else": [{"id": "c", "kind": "coupon", "offer": 5}],
    },
    {"id": "d", "kind": "split", "ways": [{"share": 30, "steps": [send("e", 8)]}, {"share": 70, "steps": []}]},
    {"id": "f", "kind": "points", "points": 50},
    goal={"event": "purchase.paid"},
)


def test_steps_follow_one_another_and_branches_come_together_again():
    read = parse(LADDER, KNOWN)
    assert read.first == "a"
    assert {name: dict(step.exits) for name, step in read.steps.items()} == {
        "a": {"next": "b"},
        "b": {"then": "thanks", "else": "c"},
        "thanks": {"next": ""},
        "c": {"next": "d"},
        "d": {"0": "e", "1": "f"},
        "e": {"next": "f"},
        "f": {"next": ""},
    }


@pytest.mark.parametrize(
    ("definition", "path", "word"),
    [
        (None, "", "journey"),
        (journey(), "/steps", "needs a step"),
        (journey(send("a", 99)), "/steps/0/template", "template"),
        (journey({"id": "a", "kind": "coupon", "offer": 99}), "/steps/0/offer", "offer"),
        (journey(send("a"), send("a")), "/steps/1/id", "Two steps"),
        (journey({"id": "a", "kind": "end"}, send("b")), "/steps/1", "ever comes"),
        (journey(send("a"), {"id": "b", "kind": "go_to", "step": "zz"}), "/steps/1/step", "nowhere"),
        (journey(send("a"), {"id": "b", "kind": "go_to", "step": "a"}), "/steps/1", "circle"),
        (journey(wait("a"), {"id": "b", "kind": "go_to", "step": "a"}), "/steps/1", "gets out"),
        (journey({"id": "a", "kind": "go_to", "step": "c"}, send("b"), send("c")), "/steps/1", "ever comes"),
        (journey(wait("a", days=0)), "/steps/0", "how long"),
        (journey(wait("a", days=True)), "/steps/0/days", "whole number"),
        (journey({"id": "a", "kind": "dance"}), "/steps/0", "choose what"),
        (
            journey({"id": "a", "kind": "split", "ways": [{"share": 50, "steps": []}, {"share": 40, "steps": []}]}),
            "/steps/0/ways",
            "90",
        ),
        (journey(send("a"), goal={"event": "segment.entered", "segment": 9}), "/goal/segment", "segment"),
        (journey(send("a")) | {"trigger": {"kind": "referral"}} | {"colour": 1}, "", "colour"),
        (journey(send("a"), again={"rule": "after"}), "/again/days", "whole number"),
        ({**journey(send("a")), "trigger": {"kind": "occasion", "occasion": "x"}}, "/trigger/occasion", "occasion"),
        (journey({"id": "a", "kind": "until_date", "date": "2026-02-30"}), "/steps/0/date", "day"),
    ],
)  # fmt: skip
def test_each_problem_is_named_at_its_place(definition, path, word):
    assert word in problems(definition)[path]


def test_what_nothing_tells_of_is_not_offered():
    known = Known(templates={7: ""}, events={"member.joined": ""})
    with pytest.raises(BadJourney) as bad:
        parse(journey(send("a")) | {"trigger": {"kind": "referral"}}, known)
    assert [problem.path for problem in bad.value.problems] == ["/trigger/kind"]


def test_a_circle_that_waits_and_has_a_way_out_is_fine():
    steps = [wait("a"), {"id": "b", "kind": "go_to", "step": "a"}]
    assert parse(journey(*steps, goal={"event": "purchase.paid"}), KNOWN).steps["b"].next == "a"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["kind", "id", "steps", "ways", "yes", "no", "trigger", "for", "goal", "again", "step"]
                ),
                inner | st.sampled_from(["if", "split", "go_to", "wait_for", "send", "joined", "a"]),
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_is_told_is_read_or_refused(raw):
    with suppress(BadJourney):
        parse(raw, KNOWN)


def test_a_pattern_asks_what_the_event_says():
    big = Pattern("purchase.paid", {"at_least_minor": 5000})
    assert big.fits("purchase.paid", {"amount_minor": 5000})
    assert not big.fits("purchase.paid", {"amount_minor": 4999})
    assert not Pattern("event.told", {"kind": "workshop"}).fits("event.told", {"kind": "other"})


def test_days_keep_the_hour_when_the_clocks_change():
    start = datetime(2026, 3, 28, 9, 30, tzinfo=BERLIN)  # the clocks leap on the 29th
    over = dates.after(start, {"days": 1}, BERLIN)
    assert over.astimezone(BERLIN).isoformat() == "2026-03-29T09:30:00+02:00"
    assert over - start == timedelta(hours=23)
    assert dates.after(start, {"hours": 24}, BERLIN) - start == timedelta(hours=24)


def test_an_hour_that_the_clocks_leap_over_comes_after_the_leap():
    assert dates.moment(date(2026, 3, 29), 2, BERLIN).astimezone(BERLIN).hour == 3


@pytest.mark.parametrize(("day", "days"), [(date.max, 0), (date.max, 3), (date.min, -3)])
@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Shanghai"])
def test_a_day_at_the_end_of_all_calendars_is_none_or_a_moment(day, days, zone):
    for told in ({"date": day.isoformat(), "hour": 23}, {"of": "birthday", "days": days, "hour": 1}):
        until = dates.until_date(told, day, ZoneInfo(zone))
        assert until is None or until.date().year in (1, 9999)


@pytest.mark.parametrize(("start", "until"), [(8, "12T10:00"), (10, "12T10:20"), (11, "13T10:00")])
def test_until_an_hour_is_the_next_time(start, until):
    at = datetime(2026, 5, 12, start, 20, tzinfo=BERLIN)
    assert dates.until_hour(at, 10, BERLIN).astimezone(BERLIN).isoformat() == f"2026-05-{until}:00+02:00"


@given(st.integers(1, 10**9), st.sampled_from([[50, 50], [10, 90], [33, 33, 34]]))
def test_a_split_always_decides_alike(member_id, shares):
    ways = {dates.way("journey", member_id, shares) for _ in range(3)}
    assert len(ways) == 1
    assert ways <= {str(n) for n in range(len(shares))}


def test_a_split_keeps_its_shares():
    ways = [dates.way("7:s", member_id, [30, 70]) for member_id in range(20_000)]
    assert 0.28 < ways.count("0") / len(ways) < 0.32


def way_of(definition, *assumed, at=datetime(2026, 5, 12, 7, tzinfo=UTC)) -> list[tuple]:
    stops = walk(
        parse(definition, KNOWN),
        member_id=1,
        salt="1",
        start=at,
        zone=BERLIN,
        answer=lambda condition: False,
        day_of=lambda name, moment: None,
        assumed=assumed,
    )
    return [((stop.at - at).days, stop.step.id if stop.step else stop.why) for stop in stops]


def test_a_dry_run_walks_through_time():
    assert way_of(LADDER)[:4] == [(0, "a"), (0, "b"), (7, "c"), (7, "d")]
    assert way_of(LADDER)[-1] == (7, "end")


def test_who_buys_on_the_way_reaches_the_goal():
    assert way_of(LADDER, Assumed("purchase.paid", timedelta(days=3))) == [(0, "a"), (0, "b"), (3, "goal")]


def test_without_the_goal_the_purchase_takes_its_own_exit():
    ladder = {**LADDER, "goal": None}
    assert way_of(ladder, Assumed("purchase.paid", timedelta(days=3))) == [
        (0, "a"),
        (0, "b"),
        (3, "thanks"),
        (3, "end"),
    ]


def test_a_journey_is_drawn_with_every_step_and_told_as_text():
    read = parse(LADDER, KNOWN)
    drawn = draw(
        read,
        entry=trigger_words(read, KNOWN),
        leave="Out",
        say=lambda step: step_words(step, KNOWN),
        name=exit_words,
    )
    assert drawn.svg.count("<rect") == len(read.steps) + 2  # and the way in and out
    assert drawn.svg.count("journey-line") == 10
    assert "time is up → 3" in drawn.text
    assert "Goal: happens. Who reaches it leaves." in rules_words(read, KNOWN)


def test_names_in_a_picture_are_no_markup():
    read = parse(journey(send("a")), KNOWN)
    drawn = draw(read, entry="<script>", leave='"', say=lambda step: "<b>&", name=exit_words)
    assert "<script>" not in drawn.svg
    assert "<b>" not in drawn.svg


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("当一位会员在生日前三天的上午十点钟", ["当一位会员在生日前三天的", "上午十点钟"]),
        ("a" * 200, ["a" * 25, "a" * 25, "a" * 24 + "…"]),
    ],
)
def test_text_is_wrapped_as_wide_as_it_is(text, lines):
    assert wrap(text) == lines
