"""A definition is read whole or refused with every problem at its place; what is asked follows from the answers."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from surveys.answers import NOTHING, Given, Refused, clean
from surveys.definition import BadSurvey, Known
from surveys.enums import QuestionKind
from surveys.logic import next_screen, path, piped, unanswered
from surveys.parser import parse

ENGLISH = Known(languages=("en",))
AB = [{"id": "a", "title": {"en": "Fine"}}, {"id": "b", "title": {"en": "Poor"}}]


def question(key: str, kind: str = "short", **more) -> dict:
    return {"id": key, "kind": kind, "title": {"en": key.upper()}, **more}


def survey(*questions, **more) -> dict:
    return {"sections": [{"id": "s1", "questions": list(questions)}, *more.pop("behind", [])], **more}


def problems(definition, known=ENGLISH) -> dict[str, str]:
    with pytest.raises(BadSurvey) as caught:
        parse(definition, known)
    return {problem.path: problem.sentence for problem in caught.value.problems}


def when(key: str, op: str, value=None) -> dict:
    return {"answer": key, "op": op, **({} if value is None else {"value": value})}


FOLLOW_UP = survey(
    question("q1", "nps", required=True),
    question("q2", "long", show_if=when("q1", "at_most", 6)),
    question("q3", "single", choices=AB, jumps=[{"if": when("q3", "is", "b"), "to": "end"}]),
    behind=[{"id": "s2", "questions": [question("q4", required=True), question("q5")]}],
)


def ids(questions) -> list[str]:
    return [question.id for question in questions]


def test_a_follow_up_is_asked_of_those_it_is_meant_for():
    read = parse(FOLLOW_UP, ENGLISH)
    assert ids(next_screen(read, {})) == ["q1"]  # what comes next depends on it
    unhappy = {"q1": Given(number=Decimal(3))}
    assert ids(next_screen(read, unhappy)) == ["q2", "q3"]
    happy = {"q1": Given(number=Decimal(9))}
    assert ids(next_screen(read, happy)) == ["q3"]
    assert ids(next_screen(read, happy | {"q3": NOTHING})) == ["q4", "q5"]
    assert next_screen(read, happy | {"q3": Given(choices=("b",))}) == []
    assert ids(unanswered(read, happy)) == ["q4"]


def test_an_answer_off_the_way_does_not_count_any_more():
    read = parse(FOLLOW_UP, ENGLISH)
    changed = {"q1": Given(number=Decimal(9)), "q2": Given(text="Slow"), "q3": Given(choices=("b",))}
    assert ids(path(read, changed)) == ["q1", "q3"]


@pytest.mark.parametrize(
    ("definition", "at", "words"),
    [
        ([], "", "must be a survey"),
        ({"sections": []}, "/sections", "needs a question"),
        (survey(question("q1", "statement")), "/sections", "needs a question"),
        (survey(question("q1"), question("q1")), "/sections/0/questions/1/id", "Two are called"),
        (survey(question("q1", "opinion")), "/sections/0/questions/0", "what kind"),
        (survey(question("q1", "single", choices=AB[:1])), "/sections/0/questions/0/choices", "two choices"),
        (survey({**question("q1"), "title": {}}), "/sections/0/questions/0/title/en", "every language"),
        (survey(question("q1", "slider", low=5, high=5)), "/sections/0/questions/0/high", "above"),
        (survey(question("q1", "picture", choices=AB)), "/sections/0/questions/0/choices/0/picture", "picture"),
        (
            survey(question("q1"), question("q2", jumps=[{"to": "q1"}])),
            "/sections/0/questions/1/jumps/0/to",
            "in circles",
        ),
        (survey(question("q1", jumps=[{"to": "q9"}])), "/sections/0/questions/0/jumps/0/to", "no such"),
        (survey(question("q1", jumps=[{"to": "q3"}]), question("q2"), question("q3")), "/sections/0/questions/1",
         "past"),
        (survey(question("q1", show_if=when("q2", "answered")), question("q2")),
         "/sections/0/questions/0/show_if/answer", "asked later"),
        (
            survey(question("q1", "nps"), question("q2", show_if=when("q1", "at_least", 11))),
            "/sections/0/questions/1/show_if",
            "never be so",
        ),
        (
            survey(
                question("q1", "nps"),
                question("q2", show_if={"all": [when("q1", "at_least", 8), when("q1", "at_most", 3)]}),
            ),
            "/sections/0/questions/1/show_if",
            "never be so",
        ),
        (survey({**question("q1"), "title": {"en": "{{ q2 }}?"}}, question("q2")), "/sections/0/questions/0/title/en",
         "asked before"),
        (survey(question("q1", colour="red")), "/sections/0/questions/0", "colour"),
        (  # either way it ends
            survey(
                question("q1", "consent", required=True, jumps=[
                    {"if": when("q1", "is", "yes"), "to": "end"}, {"if": when("q1", "is_not", "yes"), "to": "end"},
                ]),
                question("q2", required=True),
            ),
            "/sections/0/questions/1",
            "past",
        ),
        (  # the section is for the unhappy, its question for the happy
            survey(question("q1", "nps"), behind=[
                {"id": "s2", "show_if": when("q1", "at_most", 6), "questions": [
                    question("q2", show_if=when("q1", "at_least", 9)), question("q3")]},
            ]),
            "/sections/1/questions/0/show_if",
            "never be so",
        ),
        (  # of who was asked q2, which the happy are not
            survey(
                question("q1", "nps"),
                question("q2", "single", choices=AB, show_if=when("q1", "at_most", 6)),
                question("q3", show_if={"all": [when("q2", "is", "a"), when("q1", "at_least", 9)]}),
            ),
            "/sections/0/questions/2/show_if",
            "never be so",
        ),
        (
            survey(question("q1", "nps", jumps=[{"if": when("q1", "at_least", 9), "to": "end"},
                                                {"if": when("q1", "is", 10), "to": "q3"}]),
                   question("q2"), question("q3")),
            "/sections/0/questions/0/jumps/1/if",
            "never be so",
        ),
        (  # asked before or after it, as it falls
            {"sections": [{"id": "s1", "random": True, "questions": [
                question("q1"), {**question("q2"), "title": {"en": "Why {{ q1 }}?"}}]}]},
            "/sections/0/questions/1/title/en",
            "asked before",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_where_it_stands(definition, at, words):
    assert words in problems(definition)[at]


def test_an_anonymous_survey_asks_of_nobody_who_they_are():
    asks = survey(question("q1"), question("q2", show_if={"member": {"trait": "tier"}}))
    assert "/sections/0/questions/1/show_if/member" in problems(asks, Known(languages=("en",), anonymous=True))
    assert parse(asks, ENGLISH).trees == ({"trait": "tier"},)


def test_who_a_member_is_may_decide():
    read = parse(survey(question("q1"), question("q2", show_if={"member": {"trait": "tier"}})), ENGLISH)
    assert ids(path(read, {}, fits=[True])) == ["q1", "q2"]
    assert ids(path(read, {}, fits=[])) == ["q1"]


@pytest.mark.parametrize(
    ("kind", "more", "raw", "taken"),
    [
        ("nps", {}, "10", Given(number=Decimal(10))),
        ("nps", {}, 11, None),
        ("nps", {}, "8.5", None),
        ("nps", {}, True, None),
        ("stars", {"high": 7}, 7, Given(number=Decimal(7))),
        ("slider", {"low": 0, "high": 10, "step": 5}, 5, Given(number=Decimal(5))),
        ("slider", {"low": 0, "high": 10, "step": 5}, 6, None),
        ("number", {"low": 1}, "1,5", Given(number=Decimal("1.5"))),
        ("number", {}, "1e400", None),
        ("number", {}, "NaN", None),
        ("single", {"choices": AB}, "a", Given(choices=("a",))),
        ("single", {"choices": AB}, "c", None),
        ("single", {"choices": AB, "other": True}, {"choice": "other", "text": " Tea "},
         Given(choices=("other",), text="Tea")),
        ("single", {"choices": AB, "other": True}, "other", None),
        ("multiple", {"choices": AB}, ["b", "a"], Given(choices=("a", "b"))),
        ("multiple", {"choices": AB}, ["a", "a"], None),
        ("multiple", {"choices": AB, "high": 1}, ["a", "b"], None),
        ("ranking", {"choices": AB}, ["b", "a"], Given(choices=("b", "a"))),
        ("ranking", {"choices": AB}, ["b"], None),
        ("matrix", {"choices": AB, "rows": AB}, {"a": "b"}, Given(rows={"a": "b"})),
        ("matrix", {"choices": AB, "rows": AB}, {"z": "b"}, None),
        ("short", {}, " A\x00\n b ", Given(text="A b")),
        ("long", {}, "x" * 10_001, None),
        ("date", {}, "2026-02-30", None),
        ("consent", {}, "on", Given(choices=("yes",))),
        ("consent", {"required": True}, "off", None),
        ("statement", {}, "anything", NOTHING),
        ("short", {"required": True}, "", None),
    ],
)  # fmt: skip
def test_answers_are_taken_or_refused(kind, more, raw, taken):
    asked = parse(survey(question("q0"), question("q1", kind, **more)), ENGLISH).question("q1")
    if taken is None:
        with pytest.raises(Refused):
            clean(asked, raw)
    else:
        assert clean(asked, raw) == taken


def test_earlier_answers_are_put_into_later_questions():
    told = survey(
        question("q1", "multiple", choices=AB), {**question("q2"), "title": {"en": "Why {{ q1 }}, {{name}}?"}}
    )
    read = parse(told, ENGLISH)
    answers = {"q1": Given(choices=("a", "b"))}
    assert piped(read.question("q2").title["en"], read, answers, language="en", name="Anna") == "Why Fine, Poor, Anna?"
    assert ids(next_screen(read, {})) == ["q1"]  # what is told is answered first
    assert piped("{{ name }}, how was it?", read, {}, language="en") == "How was it?"
    assert piped("谢谢您，{{ name }}。", read, {}, language="zh-hans") == "谢谢您。"


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(QuestionKind.values),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["sections", "questions", "id", "kind", "title", "en", "show_if", "jumps", "answer", "op", "not"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@over(JUNK)
def test_rubbish_is_refused_and_never_breaks_the_reader(junk):
    with contextlib.suppress(BadSurvey):
        parse(junk, ENGLISH)
    for kind in QuestionKind.values:
        asked = parse(survey(question("q0"), question("q1", "short")), ENGLISH).question("q1")
        object.__setattr__(asked, "kind", kind)
        with contextlib.suppress(Refused):
            assert isinstance(clean(asked, junk), Given)


@over(
    st.lists(st.none() | st.integers(0, 10), min_size=3, max_size=3),
    st.sampled_from(["", "a", "b"]),
    st.text(max_size=4),
)
def test_screen_by_screen_every_question_of_the_way_comes_once(scores, choice, seed):
    asked = survey(
        question("q1", "nps"),
        question("q2", "nps", show_if=when("q1", "at_most", 6)),
        question("q3", "nps", jumps=[{"if": when("q3", "at_least", 9), "to": "s3"}]),
        behind=[
            {"id": "s2", "random": True, "questions": [question(f"r{n}", "single", choices=AB) for n in range(4)]},
            {"id": "s3", "show_if": {"not": when("q1", "is", 0)}, "questions": [question("q9", "single", choices=AB)]},
        ],
    )
    read = parse(asked, ENGLISH)
    values = dict(zip(("q1", "q2", "q3"), scores, strict=True))
    seen: dict[str, Given] = {}
    while screen := next_screen(read, seen, seed=seed):
        for each in screen:
            assert each.id not in seen
            seen[each.id] = clean(each, values.get(each.id, choice) if each.kind == "nps" else choice)
    assert list(seen) == ids(path(read, seen, seed=seed))
