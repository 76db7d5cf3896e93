"""A survey, read: sections of questions, and what is asked of whom.

    {"sections": [{"id": "s1", "title": {…}, "show_if": <condition>, "random": false, "questions": [
        {"id": "q1", "kind": "nps", "title": {"en": "…", "zh-hans": "…"}, "help": {…}, "required": true},
        {"id": "q2", "kind": "long", "title": {…}, "show_if": {"answer": "q1", "op": "at_most", "value": 6}},
        {"id": "q3", "kind": "single", "title": {…}, "choices": [{"id": "a", "title": {…}}, …], "other": true,
         "random": true, "jumps": [{"if": {"answer": "q3", "op": "is", "value": "a"}, "to": "s3"}]}]}],
     "thanks": {"title": {…}, "text": {…}}}

Texts are given by language. A title may hold {{ q1 }} (what was answered) and {{ name }} (the member's, where
known), or more of who they are, as {{ member.city }} (surveys.piping).

condition := {"all": [condition…]} | {"any": [condition…]} | {"not": condition}
           | {"answer": "q1", "op": "at_most", "value": 6}       answers that are asked for come before
           | {"member": <tree of a segment>}                     of a member who is known; else it does not hold

`jumps` are looked at when their question has been answered or passed over: the first that holds leads on, to a question
or a section further behind, or to the "end". Nothing leads back, so no survey goes round in circles.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_QUESTIONS, MOST_SECTIONS, MOST_CHOICES, MOST_ROWS, MOST_JUMPS, MOST_DEPTH = 100, 30, 100, 30, 20, 8
LONGEST_TEXT = {"short": 500, "long": 10_000}
END = "end"

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in the active language, and where: a JSON pointer (RFC 6901)."""

    path: str
    sentence: str
    leads_nowhere: bool = False  # a circle or a dead end: not even a draft is saved with it


class BadSurvey(Exception):
    """The definition cannot be used; `problems` say why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to refer to, and the check of a segment's tree (which raises with `problems`)."""

    languages: tuple[str, ...] = ("en", "zh-hans")
    pictures: frozenset[int] = frozenset()
    anonymous: bool = False
    profile: frozenset[str] = frozenset()  # what texts can say of a member, as “member.city”
    published: bool = False  # judged when it was published, and asked ever since: its ways are not judged again
    tree: Callable[[Any], Any] = lambda raw: raw


@dataclass(frozen=True, slots=True)
class Every:
    """All, or any, of some conditions."""

    every: bool
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Answered:
    """What is asked of the answer to a question."""

    question: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class MemberIs:
    """A tree of a segment that the member must fit. `number` is its place among those of the survey."""

    number: int
    tree: Any


Condition = Every | Not | Answered | MemberIs


@dataclass(frozen=True, slots=True)
class Choice:
    id: str
    title: Texts
    picture: int | None = None


@dataclass(frozen=True, slots=True)
class Jump:
    condition: Condition | None
    to: str


@dataclass(frozen=True, slots=True)
class Question:
    """`low` and `high` bound scales, sliders and numbers; how many choices at least and at most for several; the length
    of texts."""

    id: str
    kind: str
    title: Texts
    help: Texts = field(default_factory=dict)
    required: bool = False
    choices: tuple[Choice, ...] = ()
    rows: tuple[Choice, ...] = ()
    other: bool = False
    random: bool = False
    low: int | None = None
    high: int | None = None
    step: int = 1
    ends: tuple[Texts, Texts] = field(default_factory=lambda: ({}, {}))
    show_if: Condition | None = None
    jumps: tuple[Jump, ...] = ()

    def choice(self, key: str) -> Choice | None:
        return next((choice for choice in self.choices if choice.id == key), None)


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: Texts
    questions: tuple[Question, ...]
    show_if: Condition | None = None
    random: bool = False


@dataclass(frozen=True, slots=True)
class Survey:
    sections: tuple[Section, ...]
    thanks_title: Texts = field(default_factory=dict)
    thanks_text: Texts = field(default_factory=dict)
    trees: tuple[Any, ...] = ()

    def questions(self) -> Iterator[Question]:
        for section in self.sections:
            yield from section.questions

    def question(self, key: str) -> Question | None:
        return next((question for question in self.questions() if question.id == key), None)


def said(texts: Texts, language: str) -> str:
    """The text in a language, else in any that there is."""
    return texts.get(language) or next((text for text in texts.values() if text), "")
