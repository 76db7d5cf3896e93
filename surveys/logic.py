"""Which questions are asked of whom, by what was answered before. Pure functions on surveys/definition.py."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import TypeVar

from surveys.answers import NOTHING, OTHER, Given
from surveys.definition import END, Answered, Choice, Condition, Every, MemberIs, Not, Question, Section, Survey, said
from surveys.enums import Comparison

Answers = Mapping[str, Given]
Item = TypeVar("Item", Question, Choice)
_CALLED = re.compile(r"^\s*\{\{\s*name\s*\}\}[\s,，、:：]*|[\s,，、]*\{\{\s*name\s*\}\}")
_PIPE = re.compile(r"\{\{\s*([a-z0-9_.-]+)\s*\}\}")  # with a dot: of the profile (surveys.piping)


def holds(condition: Condition | None, given: Answers, fits: Sequence[bool] = ()) -> bool:
    """Whether a condition holds. `fits` says of each tree of the survey whether the member fits it; where nobody is
    known, none. A comparison with what was not answered does not hold (so neither "is not": ask for "not": …)."""
    match condition:
        case None:
            return True
        case Every(every, conditions):
            return (all if every else any)(holds(each, given, fits) for each in conditions)
        case Not(inner):
            return not holds(inner, given, fits)
        case MemberIs(number, _):
            return number < len(fits) and fits[number]
        case Answered():
            return _compare(condition, given.get(condition.question, NOTHING))
    raise TypeError(condition)


def _compare(condition: Answered, answer: Given) -> bool:
    if condition.op == Comparison.ANSWERED:
        return bool(answer)
    if condition.op == Comparison.NOT_ANSWERED:
        return not answer
    if not answer:
        return False
    value = condition.value
    if answer.number is not None:
        number = Decimal(str(value))
        match condition.op:
            case Comparison.IS:
                return answer.number == number
            case Comparison.IS_NOT:
                return answer.number != number
            case Comparison.AT_LEAST:
                return answer.number >= number
            case Comparison.AT_MOST:
                return answer.number <= number
    match condition.op:
        case Comparison.IS:
            return answer.choices == (value,)
        case Comparison.IS_NOT:
            return answer.choices != (value,)
        case Comparison.INCLUDES:
            return value in answer.choices
        case Comparison.LEAVES_OUT:
            return value not in answer.choices
    return False


def asked_of(condition: Condition | None) -> set[str]:
    """The questions whose answers a condition looks at."""
    match condition:
        case Every(_, conditions):
            return set().union(*map(asked_of, conditions))
        case Not(inner):
            return asked_of(inner)
        case Answered(question=question):
            return {question}
    return set()


def trees_of(condition: Condition | None) -> set[int]:
    """The numbers of the trees that a condition looks at."""
    match condition:
        case Every(_, conditions):
            return set().union(*map(trees_of, conditions))
        case Not(inner):
            return trees_of(inner)
        case MemberIs(number=number):
            return {number}
    return set()


def shuffled(items: Sequence[Item], seed: str) -> list[Item]:
    """In an order that is the same whenever this person looks, and another one for the next."""
    return sorted(items, key=lambda item: sha256(f"{seed}:{item.id}".encode()).digest())


def choices_for(question: Question, seed: str) -> list[Choice]:
    """The choices in the order in which this person sees them."""
    return shuffled(question.choices, f"{seed}:{question.id}") if question.random else list(question.choices)


def _walk(survey: Survey, given: Answers, fits: Sequence[bool], seed: str) -> Iterator[tuple[Section, Question]]:
    """The questions asked, one after the other, as far as `given` leads (what is not in it, does not jump)."""
    over: str | None = None  # the target of a jump under way
    for section in survey.sections:
        if over == section.id:
            over = None
        if not holds(section.show_if, given, fits):
            if any(question.id == over for question in section.questions):
                over = None  # led into what is not shown: it goes on behind it
            continue
        for question in shuffled(section.questions, seed) if section.random else section.questions:
            if over == question.id:
                over = None
            if over is not None or not holds(question.show_if, given, fits):
                continue
            yield section, question
            if question.id in given:
                over = next((jump.to for jump in question.jumps if holds(jump.condition, given, fits)), None)
            if over == END:
                return


def path(survey: Survey, given: Answers, fits: Sequence[bool] = (), seed: str = "") -> list[Question]:
    """All questions that are asked, given these answers. What was answered before and is not among them, because an
    earlier answer was changed, does not count."""
    return [question for _, question in _walk(survey, given, fits, seed)]


def next_screen(survey: Survey, given: Answers, fits: Sequence[bool] = (), seed: str = "") -> list[Question]:
    """The questions to show next: of one section, up to where it depends on them how it goes on. None: the end.

    `given` has every question that was seen, also those passed over (NOTHING)."""
    screen: list[Question] = []
    shown: set[str] = set()
    here: Section | None = None
    for section, question in _walk(survey, given, fits, seed):
        if question.id in given:
            if screen:
                break  # seen before, further behind: shown again on the way only if its turn comes
            continue
        if here is not None and (section is not here or (asked_of(question.show_if) | _told_in(question)) & shown):
            break
        here = section
        screen.append(question)
        shown.add(question.id)
        if question.jumps or _hides(section, shown, given, fits):
            break
    return screen


def screens(survey: Survey, given: Answers, fits: Sequence[bool] = (), seed: str = "") -> list[list[Question]]:
    """The screens seen so far, as `given` leads through them, and the next one, if there is one."""
    seen: dict[str, Given] = {}
    found = []
    while screen := next_screen(survey, seen, fits, seed):
        found.append(screen)
        if any(question.id not in given for question in screen):
            break
        seen |= {question.id: given[question.id] for question in screen}
    return found


def _told_in(question: Question) -> set[str]:
    """The answers that its words tell: not before they have been given."""
    return pipes(" ".join((*question.title.values(), *question.help.values())))


def _hides(section: Section, shown: set[str], given: Answers, fits: Sequence[bool]) -> bool:
    """Whether a question of the section, not shown, depends on what is shown: its place is here, so the screen ends."""
    return any(
        question.id not in shown and question.id not in given and asked_of(question.show_if) & shown
        for question in section.questions
    )


def unanswered(survey: Survey, given: Answers, fits: Sequence[bool] = (), seed: str = "") -> list[Question]:
    """Those that are asked, must be answered and are not."""
    asked = path(survey, given, fits, seed)
    return [question for question in asked if question.required and not given.get(question.id)]


def piped(
    text: str,
    survey: Survey,
    given: Answers,
    *,
    language: str,
    name: str = "",
    profile: Callable[[], Mapping[str, str]] = dict,
) -> str:
    """A text with {{ q1 }}, {{ name }} and {{ member.city }} filled in, for which `profile` is asked where need be;
    plain text, to be escaped by who shows it. Where the name is not known, the comma beside it goes too."""
    if not name and "name" in pipes(text):
        text = _CALLED.sub("", text)
        text = text[:1].upper() + text[1:]

    def fill(found: re.Match[str]) -> str:
        if found[1] == "name":
            return name
        if "." in found[1]:
            return profile().get(found[1], "")
        question, answer = survey.question(found[1]), given.get(found[1], NOTHING)
        return in_words(question, answer, language) if question else ""

    return _PIPE.sub(fill, text)


def pipes(text: str) -> set[str]:
    """The names that a text has filled in."""
    return set(_PIPE.findall(text))


def in_words(question: Question, answer: Given, language: str) -> str:
    """What was answered, as text: "8", "Friendly, Quick", "2026-05-12"."""
    if answer.number is not None:
        return f"{answer.number.normalize():f}"
    if answer.day is not None:
        return answer.day.isoformat()
    if answer.rows:
        titles = {row.id: said(row.title, language) for row in question.rows}
        return "; ".join(
            f"{titles.get(row, row)}: {_title(question, key, language)}" for row, key in answer.rows.items()
        )
    if answer.choices:
        words = [answer.text if key == OTHER else _title(question, key, language) for key in answer.choices]
        return ", ".join(words)
    return answer.text


def _title(question: Question, key: str, language: str) -> str:
    choice = question.choice(key)
    return said(choice.title, language) if choice else key


def satisfiable(condition: Condition, survey_questions: Collection[Question]) -> bool:
    """Whether any answers make a condition hold. Tries all that differ; given up (true) past 20,000 of them."""
    by_id = {question.id: question for question in survey_questions}
    domains: list[tuple[str, list[Given]]] = []
    tried = 1
    for key in sorted(asked_of(condition)):
        domains.append((key, _domain(by_id[key], condition)))
        tried *= len(domains[-1][1])
    trees = sorted(trees_of(condition))
    tried *= 2 ** len(trees)
    if tried > 20_000:
        return True
    return any(holds(condition, given, fits) for given in _all(domains) for fits in _fits(trees))


MOST_TRIED = 5_000


def comes_to(survey: Survey, question: Question, jump: int | None = None) -> bool:
    """Whether any answers lead to a question, or on by a jump of it. Tries all that the conditions and jumps before it
    can tell apart; given up (true) past MOST_TRIED of them."""
    before = {}
    for section in survey.sections:
        for each in section.questions:
            before[each.id] = (section, each)
    order = list(before)
    conditions: list[Condition] = []
    keys: list[str] = []

    def look(key: str) -> None:
        """Notes what decides whether a question is asked, and all that decides that."""
        section, each = before[key]
        own = [one for one in (section.show_if, each.show_if) if one is not None]
        leading = [other for other in order[: order.index(key)] if before[other][1].jumps]
        for other in leading:
            own += [one.condition for one in before[other][1].jumps if one.condition is not None]
        conditions.extend(own)
        for other in dict.fromkeys([*leading, *(name for one in own for name in sorted(asked_of(one)))]):
            if other not in keys:
                keys.append(other)
                if other != key:
                    look(other)

    look(question.id)
    if jump is not None:
        conditions += [one.condition for one in question.jumps if one.condition is not None]
        for name in dict.fromkeys([question.id, *(name for one in conditions for name in sorted(asked_of(one)))]):
            if name not in keys:
                keys.append(name)
                look(name)
    whole = Every(False, tuple(conditions))
    trees = sorted(trees_of(whole))
    domains = [(key, _domain(before[key][1], whole)) for key in keys]
    tried = 2 ** len(trees)
    for _key, values in domains:
        tried *= len(values)
    if tried > MOST_TRIED:
        return True
    for told in _all(domains):
        for fits in _fits(trees):
            given = told
            while (asked := {one.id for one in path(survey, given, fits)}) and not given.keys() <= asked:
                given = {key: value for key, value in given.items() if key in asked}  # off the way: not answered
            if question.id not in asked:
                continue
            first = next((n for n, one in enumerate(question.jumps) if holds(one.condition, given, fits)), None)
            if jump is None or first == jump:
                return True
    return False


def _all(domains: Sequence[tuple[str, list[Given]]]) -> Iterator[dict[str, Given]]:
    if not domains:
        yield {}
        return
    (key, values), *rest = domains
    for given in _all(rest):
        for value in values:
            yield given | {key: value}


def _fits(trees: Sequence[int]) -> Iterator[list[bool]]:
    size = max(trees, default=-1) + 1
    for bits in range(2 ** len(trees)):
        fits = [False] * size
        for n, tree in enumerate(trees):
            fits[tree] = bool(bits >> n & 1)
        yield fits


def _domain(question: Question, condition: Condition) -> list[Given]:
    """Answers to a question that a condition can tell apart."""
    values = [leaf.value for leaf in _leaves(condition) if leaf.question == question.id]
    domain: list[Given] = [] if question.required else [NOTHING]
    if any(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values):
        numbers = sorted({Decimal(str(value)) for value in values})
        near = {number + shift for number in numbers for shift in (-1, 0, 1)}
        low, high = question.low, question.high
        domain += [
            Given(number=number)
            for number in sorted(near)
            if (low is None or number >= low) and (high is None or number <= high)
        ]
        return domain
    keys = [key for key in dict.fromkeys(values) if isinstance(key, str)]
    options = [choice.id for choice in question.choices] + ([OTHER] if question.other else [])
    if question.kind == "consent":
        options = ["yes", "no"]
    spare = [option for option in options if option not in keys][:1]
    if question.kind == "multiple":
        sets: list[list[str]] = [[]]
        for key in [*keys, *spare]:
            sets += [[*chosen, key] for chosen in sets]
        fitting = [
            chosen for chosen in sets
            if chosen and (question.high is None or len(chosen) <= question.high)
        ]  # fmt: skip
        return domain + [Given(choices=tuple(chosen)) for chosen in fitting]
    if options or keys:
        return domain + [Given(choices=(key,)) for key in [*keys, *spare]]
    return [*domain, Given(text="…")]


def _leaves(condition: Condition) -> Iterator[Answered]:
    match condition:
        case Every(_, conditions):
            for each in conditions:
                yield from _leaves(each)
        case Not(inner):
            yield from _leaves(inner)
        case Answered():
            yield condition
