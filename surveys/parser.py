"""Reading a survey's definition, with every problem found, each at its place."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext

from surveys.answers import OTHER
from surveys.definition import (
    END,
    MOST_CHOICES,
    MOST_DEPTH,
    MOST_JUMPS,
    MOST_QUESTIONS,
    MOST_ROWS,
    MOST_SECTIONS,
    Answered,
    BadSurvey,
    Choice,
    Condition,
    Every,
    Jump,
    Known,
    MemberIs,
    Not,
    Problem,
    Question,
    Section,
    Survey,
    Texts,
)
from surveys.enums import NUMERIC, SCALES, WITH_CHOICES, Comparison, QuestionKind
from surveys.logic import comes_to, pipes, satisfiable

_ID = re.compile(r"[a-z0-9_-]{1,20}")
_LONGEST = 2000
_MOST_LEAVES = 50
_SLIDER = (0, 100)
_QUESTION_KEYS = frozenset(
    ("id", "kind", "title", "help", "required", "choices", "rows", "other", "random", "low", "high", "step", "ends",
     "show_if", "jumps")
)  # fmt: skip
_SECTION_KEYS = frozenset(("id", "title", "questions", "show_if", "random"))
_OF_NUMBERS = frozenset((Comparison.IS, Comparison.IS_NOT, Comparison.AT_LEAST, Comparison.AT_MOST))
_OF_ONE = frozenset((Comparison.IS, Comparison.IS_NOT))
_OF_SEVERAL = frozenset((Comparison.INCLUDES, Comparison.LEAVES_OUT))
_OF_ALL = frozenset((Comparison.ANSWERED, Comparison.NOT_ANSWERED))


def parse(definition: Any, known: Known) -> Survey:
    """Reads and checks a definition (what JSON can hold); BadSurvey with all its problems."""
    reader = _Reader(known)
    survey = reader.read(definition)
    if reader.problems:
        raise BadSurvey(sorted(set(reader.problems), key=lambda problem: problem.path))
    return survey


def condition_of(raw: Any, survey: Survey) -> Condition:
    """Reads a condition on the answers to a survey's questions, as quotas have it; BadSurvey."""
    reader = _Reader(Known())
    reader.before = {question.id: question for question in survey.questions()}
    condition = reader.condition_at(raw, "")
    if reader.problems or condition is None:
        raise BadSurvey(reader.problems or [Problem("", gettext("Here must be a condition."))])
    return condition


class _Reader:
    def __init__(self, known: Known) -> None:
        self.known = known
        self.problems: list[Problem] = []
        self.before: dict[str, Question] = {}  # those whose answers are known here
        self.places: dict[str, tuple[int, int]] = {}  # of questions and sections as written: which comes first
        self.mixed: set[str] = set()  # questions whose section is in random order
        self.trees: list[Any] = []
        self.leaves = 0

    def problem(self, path: str, sentence: str, *, leads_nowhere: bool = False) -> None:
        self.problems.append(Problem(path, sentence, leads_nowhere))

    def read(self, raw: Any) -> Survey:
        if not isinstance(raw, dict):
            raise BadSurvey([Problem("", gettext("Here must be a survey."))])
        self.unknown(raw, "", {"sections", "thanks"})
        sections = self.list_of(raw.get("sections"), "/sections", MOST_SECTIONS, gettext("A survey needs a question."))
        self.note_places(sections)
        read = tuple(self.section(section, f"/sections/{n}") for n, section in enumerate(sections))
        thanks = raw.get("thanks") or {}
        if not isinstance(thanks, dict):
            self.problem("/thanks", gettext("Here must be a text."))
            thanks = {}
        survey = Survey(
            read,
            self.texts(thanks.get("title"), "/thanks/title", needed=False),
            self.texts(thanks.get("text"), "/thanks/text", needed=False),
            tuple(self.trees),
        )
        count = sum(1 for _ in survey.questions())
        if count > MOST_QUESTIONS:
            self.problem("/sections", gettext("A survey has at most %(n)d questions.") % {"n": MOST_QUESTIONS})
        if sections and not any(question.kind != QuestionKind.STATEMENT for question in survey.questions()):
            self.problem("/sections", gettext("A survey needs a question."))
        if not self.problems and not self.known.published:
            self.check_ways(survey)
        return survey

    def note_places(self, sections: Sequence[Any]) -> None:
        for n, section in enumerate(sections):
            if not isinstance(section, dict):
                continue
            self.place(section.get("id"), (n, -1), f"/sections/{n}/id")
            questions = section.get("questions")
            for m, question in enumerate(questions if isinstance(questions, list) else ()):
                if isinstance(question, dict):
                    self.place(question.get("id"), (n, m), f"/sections/{n}/questions/{m}/id")
                    if section.get("random") is True:
                        self.mixed.add(str(question.get("id")))

    def place(self, key: Any, at: tuple[int, int], path: str) -> None:
        if not isinstance(key, str) or not _ID.fullmatch(key) or key in (END, "name", OTHER):
            self.problem(path, gettext("Every question and section needs a short name of its own."))
        elif key in self.places:
            self.problem(path, gettext("Two are called “%(name)s”.") % {"name": key})
        else:
            self.places[key] = at

    def section(self, raw: Any, path: str) -> Section:
        if not isinstance(raw, dict):
            self.problem(path, gettext("Here must be a section."))
            return Section("", {}, ())
        self.unknown(raw, path, _SECTION_KEYS)
        show_if = self.condition_at(raw.get("show_if"), f"{path}/show_if")
        random = raw.get("random") is True
        listed = self.list_of(
            raw.get("questions"), f"{path}/questions", MOST_QUESTIONS, gettext("A section needs a question.")
        )
        questions = []
        for n, each in enumerate(listed):
            question = self.question(each, f"{path}/questions/{n}", random)
            questions.append(question)
            if not random:
                self.before[question.id] = question
        if random:  # in any order, so none may look at another
            self.before |= {question.id: question for question in questions}
        title = self.texts(raw.get("title"), f"{path}/title", needed=False)
        return Section(str(raw.get("id")), title, tuple(questions), show_if, random)

    def question(self, raw: Any, path: str, random: bool) -> Question:
        kind = raw.get("kind") if isinstance(raw, dict) else None
        if kind not in QuestionKind.values:
            self.problem(path, gettext("Please choose what kind of question this is."))
            return Question("", QuestionKind.STATEMENT, {})
        self.unknown(raw, path, _QUESTION_KEYS)
        low, high = self.limits(raw, path, kind)
        choices: tuple[Choice, ...] = ()
        rows: tuple[Choice, ...] = ()
        if kind in WITH_CHOICES:
            choices = self.choices(raw.get("choices"), f"{path}/choices", MOST_CHOICES, kind == QuestionKind.PICTURE)
        if kind == QuestionKind.MATRIX:
            rows = self.choices(raw.get("rows"), f"{path}/rows", MOST_ROWS, False)
        other = raw.get("other") is True and kind in (QuestionKind.SINGLE, QuestionKind.MULTIPLE)
        question = Question(
            id=str(raw.get("id")),
            kind=kind,
            title=self.texts(raw.get("title"), f"{path}/title"),
            help=self.texts(raw.get("help"), f"{path}/help", needed=False),
            required=raw.get("required") is True and kind != QuestionKind.STATEMENT,
            choices=choices,
            rows=rows,
            other=other,
            random=raw.get("random") is True and kind in WITH_CHOICES,
            low=low,
            high=high,
            step=self.whole(raw, path, "step", 1, 1000) or 1,
            ends=self.ends(raw.get("ends"), f"{path}/ends"),
            show_if=self.condition_at(raw.get("show_if"), f"{path}/show_if"),
        )
        jumps = raw.get("jumps") or []
        if jumps and random:
            self.problem(f"{path}/jumps", gettext("Questions in random order cannot lead elsewhere."))
        elif jumps:
            self.before[question.id] = question  # its own answer may lead on
            listed = self.list_of(jumps, f"{path}/jumps", MOST_JUMPS)
            read = tuple(self.jump(each, f"{path}/jumps/{n}", question) for n, each in enumerate(listed))
            return Question(**{name: getattr(question, name) for name in Question.__slots__} | {"jumps": read})
        return question

    def limits(self, raw: Mapping[str, Any], path: str, kind: str) -> tuple[int | None, int | None]:
        if kind == QuestionKind.STARS:
            return 1, self.whole(raw, path, "high", 3, 10) or SCALES[kind][1]
        if kind in SCALES:
            return SCALES[kind]
        low, high = (self.whole(raw, path, name, -(10**9), 10**9) for name in ("low", "high"))
        if kind == QuestionKind.SLIDER:
            low, high = _SLIDER[0] if low is None else low, _SLIDER[1] if high is None else high
        if low is not None and high is not None and (low > high or (low == high and kind == QuestionKind.SLIDER)):
            self.problem(f"{path}/high", gettext("The highest value must be above the lowest."))
        if kind == QuestionKind.MULTIPLE:
            count = len(raw["choices"]) if isinstance(raw.get("choices"), list) else 0
            if (low or 0) > count + (raw.get("other") is True):
                self.problem(f"{path}/low", gettext("There are not so many choices."))
        return low, high

    def choices(self, raw: Any, path: str, most: int, pictures: bool) -> tuple[Choice, ...]:
        listed = self.list_of(raw, path, most, gettext("Please give at least two choices."))
        if len(listed) == 1 and not path.endswith("rows"):
            self.problem(path, gettext("Please give at least two choices."))
        read, seen = [], set()
        for n, each in enumerate(listed):
            at = f"{path}/{n}"
            key = each.get("id") if isinstance(each, dict) else None
            if not isinstance(key, str) or not _ID.fullmatch(key) or key == OTHER:
                self.problem(at, gettext("Every choice needs a short name of its own."))
                continue
            if key in seen:
                self.problem(at, gettext("Two are called “%(name)s”.") % {"name": key})
            seen.add(key)
            picture = each.get("picture")
            if pictures and picture not in self.known.pictures:
                self.problem(f"{at}/picture", gettext("Please choose a picture."))
            read.append(Choice(key, self.texts(each.get("title"), f"{at}/title"), picture if pictures else None))
        return tuple(read)

    def ends(self, raw: Any, path: str) -> tuple[Texts, Texts]:
        """What the lowest and the highest value mean."""
        listed = raw if isinstance(raw, list) and len(raw) == 2 else ({}, {})
        first, last = (self.texts(each, f"{path}/{n}", needed=False) for n, each in enumerate(listed))
        return first, last

    # --- Where it leads ----------------------------------------------------------------------------------------
    def jump(self, raw: Any, path: str, question: Question) -> Jump:
        to = raw.get("to") if isinstance(raw, dict) else None
        if not isinstance(to, str) or (to != END and to not in self.places):
            self.problem(f"{path}/to", gettext("There is no such question or section."))
            return Jump(None, END)
        here = self.places.get(question.id, (0, 0))
        if to in self.mixed:
            self.problem(f"{path}/to", gettext("Questions in random order cannot be led to; lead to their section."))
        if to != END and self.places[to] <= here:
            self.problem(
                f"{path}/to",
                gettext("This leads back, and people would go round in circles. Lead further on."),
                leads_nowhere=True,
            )
        return Jump(self.condition_at(raw.get("if"), f"{path}/if"), to)

    def condition_at(self, raw: Any, path: str) -> Condition | None:
        if raw is None:
            return None
        before = len(self.problems)
        condition = self.condition(raw, path, 1)
        if condition is not None and len(self.problems) == before and not satisfiable(condition, self.before.values()):
            self.problem(path, gettext("This can never be so, whatever is answered."), leads_nowhere=True)
        return condition

    def condition(self, raw: Any, path: str, depth: int) -> Condition | None:
        self.leaves += 1
        if depth > MOST_DEPTH or self.leaves > _MOST_LEAVES * MOST_QUESTIONS:
            self.problem(path, gettext("These conditions are nested too deeply."))
            return None
        if isinstance(raw, dict):
            for name in ("all", "any"):
                if set(raw) == {name} and isinstance(raw[name], list) and 0 < len(raw[name]) <= _MOST_LEAVES:
                    read = [self.condition(each, f"{path}/{name}/{n}", depth + 1) for n, each in enumerate(raw[name])]
                    return Every(name == "all", tuple(each for each in read if each is not None))
            if set(raw) == {"not"}:
                inner = self.condition(raw["not"], f"{path}/not", depth + 1)
                return None if inner is None else Not(inner)
            if set(raw) == {"member"}:
                return self.member(raw["member"], f"{path}/member")
            if "answer" in raw:
                return self.answered(raw, path)
        self.problem(path, gettext("Here must be a condition."))
        return None

    def member(self, raw: Any, path: str) -> Condition | None:
        if self.known.anonymous:
            self.problem(path, gettext("An anonymous survey cannot ask who somebody is."))
            return None
        try:
            self.known.tree(raw)
        except Exception as error:
            if not hasattr(error, "problems"):
                raise
            for each in error.problems:
                self.problem(f"{path}{each.path}", each.sentence)
            return None
        self.trees.append(raw)
        return MemberIs(len(self.trees) - 1, raw)

    def answered(self, raw: Mapping[str, Any], path: str) -> Condition | None:
        self.unknown(raw, path, {"answer", "op", "value"})
        question = self.before.get(raw["answer"]) if isinstance(raw["answer"], str) else None
        if question is None:
            behind = isinstance(raw["answer"], str) and raw["answer"] in self.places
            self.problem(
                f"{path}/answer",
                gettext("This is asked later, so its answer is not known here.")
                if behind
                else gettext("There is no such question or section."),
            )
            return None
        op, value = raw.get("op"), raw.get("value")
        if question.kind in NUMERIC:
            fitting = _OF_NUMBERS | _OF_ALL
        elif question.kind in (QuestionKind.SINGLE, QuestionKind.PICTURE, QuestionKind.CONSENT):
            fitting = _OF_ONE | _OF_ALL
        elif question.kind == QuestionKind.MULTIPLE:
            fitting = _OF_SEVERAL | _OF_ALL
        else:
            fitting = _OF_ALL
        if op not in fitting:
            self.problem(f"{path}/op", gettext("This question cannot be compared so."))
            return None
        if op in _OF_ALL:
            return Answered(question.id, op, None)
        if question.kind in NUMERIC:
            if isinstance(value, bool) or not isinstance(value, int | float):
                self.problem(f"{path}/value", gettext("Please give a number."))
                return None
            return Answered(question.id, op, Decimal(str(value)))
        keys = {choice.id for choice in question.choices} | ({OTHER} if question.other else set())
        if question.kind == QuestionKind.CONSENT:
            keys = {"yes", "no"}
        if value not in keys:
            self.problem(f"{path}/value", gettext("Please choose one of those shown."))
            return None
        return Answered(question.id, op, value)

    def check_ways(self, survey: Survey) -> None:
        """Questions that nobody comes to and jumps that nobody takes, whatever is answered, by all conditions and jumps
        on the way together; texts that show what is asked later, or may be."""
        for n, section in enumerate(survey.sections):
            for m, question in enumerate(section.questions):
                path = f"/sections/{n}/questions/{m}"
                self.check_pipes(question, path, survey)
                if not comes_to(survey, question):
                    alone = replace(section, questions=(replace(question, jumps=()),))
                    known = tuple(replace(each, jumps=()) for each in survey.questions() if each is not question)
                    bare = replace(survey, sections=(Section("", {}, known), alone))
                    never = question.show_if is not None and not comes_to(bare, alone.questions[0])
                    sentence = (
                        gettext("This can never be so, whatever is answered.")
                        if never
                        else gettext("Nobody comes here: everybody is led past it.")
                    )
                    self.problem(f"{path}/show_if" if never else path, sentence, leads_nowhere=True)
                    continue
                for k, jump in enumerate(question.jumps):
                    if not comes_to(survey, question, k):
                        self.problem(
                            f"{path}/jumps/{k}" + ("/if" if jump.condition else ""),
                            gettext("This can never be so, whatever is answered."),
                            leads_nowhere=True,
                        )

    def check_pipes(self, question: Question, path: str, survey: Survey) -> None:
        here = self.places[question.id]
        mixed = {n for n, section in enumerate(survey.sections) if section.random}
        for part, texts in (("title", question.title), ("help", question.help)):
            for language, text in texts.items():
                of_them = {name for name in pipes(text) if name == "name" or "." in name}
                for name in sorted(of_them - {"name"} - self.known.profile):
                    words = gettext("“%(name)s” is nothing that is known of a member.") % {"name": name}
                    self.problem(f"{path}/{part}/{language}", words)
                for name in pipes(text) - of_them:
                    there = self.places.get(name)
                    if there is None or survey.question(name) is None or there >= here or there[0] == here[0] in mixed:
                        self.problem(
                            f"{path}/{part}/{language}",
                            gettext("“%(name)s” is no question that was asked before.") % {"name": name},
                        )
                if of_them and self.known.anonymous:
                    self.problem(
                        f"{path}/{part}/{language}", gettext("An anonymous survey cannot ask who somebody is.")
                    )

    # --- Small things ------------------------------------------------------------------------------------------
    def list_of(self, raw: Any, path: str, most: int, empty: str = "") -> list[Any]:
        if not isinstance(raw, list) or (empty and not raw):
            self.problem(path, empty or gettext("Here must be a list."))
            return []
        if len(raw) > most:
            self.problem(path, gettext("Here are at most %(n)d.") % {"n": most})
            return []
        return raw

    def unknown(self, raw: Mapping[str, Any], path: str, keys: frozenset[str] | set[str]) -> None:
        for key in sorted(set(raw) - keys, key=str):
            self.problem(path, gettext("“%(key)s” is not known here.") % {"key": str(key)[:60]})

    def texts(self, raw: Any, path: str, needed: bool = True) -> Texts:
        told = raw if isinstance(raw, dict) else {}
        read = {}
        for language in self.known.languages:
            text = told.get(language) or ""
            if not isinstance(text, str) or len(text) > _LONGEST:
                self.problem(f"{path}/{language}", gettext("Here must be a text."))
            elif text.strip():
                read[language] = text.strip()
            elif needed or any(told.values()):
                self.problem(f"{path}/{language}", gettext("Please write this in every language of the survey."))
        return read

    def whole(self, raw: Mapping[str, Any], path: str, name: str, low: int, high: int) -> int | None:
        value = raw.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            sentence = gettext("Please give a number from %(low)s to %(high)s.")
            self.problem(f"{path}/{name}", sentence % {"low": low, "high": high})
            return None
        return value
