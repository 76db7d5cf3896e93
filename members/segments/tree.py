"""A definition of a segment, read and checked.

node := {"all": [node…]} | {"any": [node…]} | {"not": node} | leaf        ({"all": []} is everybody)
leaf := {"trait": "purchase.count", "op": "at_least", "value": 3, "where": {"category": ["Coffee"]},
         "within": {"days": 90}}                                          (where, within: as the trait allows)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.utils.translation import gettext

from members.segments.kinds import Operator
from members.segments.traits import Choices, Filter, Trait, find, gone_sentence
from members.segments.values import Refused, clean_choices, clean_list, clean_text
from members.segments.windows import Window, clean_window

MOST_DEPTH = 50
MOST_LEAVES = 500
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a definition, in the active language, and where: a JSON pointer (RFC 6901)."""

    path: str
    sentence: str


class BadDefinition(Exception):
    """The definition cannot be used; `problems` say why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition, with values that are clean. `known` has the labels of values, where the trait has choices."""

    trait: Trait
    operator: Operator
    value: Any
    where: dict[str, tuple]
    within: Window | None
    path: str
    known: dict[Any, str] = field(default_factory=dict)
    where_known: dict[str, dict[Any, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """All, or any, of some nodes."""

    every: bool
    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever the node is not."""

    child: "Node"


Node = Leaf | Group | Not


def leaves(node: Node) -> Iterator[Leaf]:
    """The leaves of a tree, from left to right."""
    match node:
        case Leaf():
            yield node
        case Not(child):
            yield from leaves(child)
        case Group(_, children):
            for child in children:
                yield from leaves(child)


def is_timed(node: Node) -> bool:
    """Whether time alone changes who is in."""
    return any(
        leaf.trait.timed or leaf.operator.timed or (leaf.within is not None and leaf.within.days is not None)
        for leaf in leaves(node)
    )


def is_profiling(node: Node) -> bool:
    """Whether the tree asks for behaviour, so that who wants no personalised treatment is not in."""
    return any(leaf.trait.profiling for leaf in leaves(node))


def segments_used(node: Node) -> set[int]:
    """The ids of the segments that the tree asks for."""
    return {pk for leaf in leaves(node) if leaf.trait.name == "segment" for pk in leaf.value}


def parse(definition: Any) -> Node:
    """Reads and checks a definition (what JSON can hold); BadDefinition."""
    return _Reader().read(definition)


class _Reader:
    """One reading: every problem is gathered, and each trait's choices are asked for once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.choices: dict[Choices, dict[Any, str]] = {}
        self.leaves = 0
        self.traits: dict[str, Trait] = {}

    def read(self, definition: Any) -> Node:
        names: set[str] = set()
        if self.survey(definition, names):
            self.traits = find(names)
            node = self.node(definition, "")
        if self.problems:
            raise BadDefinition(self.problems[:MOST_PROBLEMS])
        assert node is not None
        return node

    def problem(self, path: str, sentence: str) -> None:
        self.problems.append(Problem(path, sentence))

    def survey(self, definition: Any, names: set[str]) -> bool:
        """Whether the tree is of a size that can be read, without recursion; gathers the names of traits."""
        rest = [(definition, 1)]
        leaves_seen = nodes = 0
        while rest:
            raw, depth = rest.pop()
            nodes += 1
            if depth > MOST_DEPTH + 1:  # a leaf in the deepest group is one deeper
                self.problem("", gettext("Groups may be nested at most %(most)d deep.") % {"most": MOST_DEPTH})
                return False
            if not isinstance(raw, dict):
                continue
            if isinstance(name := raw.get("trait"), str):
                names.add(name)
                leaves_seen += 1
            for key in ("all", "any"):
                if isinstance(children := raw.get(key), list):
                    rest.extend((child, depth + 1) for child in children)
            if "not" in raw:
                rest.append((raw["not"], depth + 1))
            if leaves_seen > MOST_LEAVES or nodes + len(rest) > 4 * MOST_LEAVES:
                self.problem("", gettext("A segment may have at most %(most)d conditions.") % {"most": MOST_LEAVES})
                return False
        return True

    def node(self, raw: Any, path: str) -> Node | None:
        if not isinstance(raw, dict):
            self.problem(path, gettext("Here must be a condition or a group of conditions."))
            return None
        if "trait" in raw:
            return self.leaf(raw, path)
        if len(raw) == 1 and (key := next(iter(raw))) in ("all", "any", "not"):
            inside = raw[key]
            if key == "not":
                child = self.node(inside, f"{path}/not")
                return Not(child) if child is not None else None
            if isinstance(inside, list):
                if key == "any" and not inside:
                    self.problem(path, gettext("This group of alternatives is empty: it would match nobody."))
                children = [self.node(child, f"{path}/{key}/{n}") for n, child in enumerate(inside)]
                return Group(key == "all", tuple(child for child in children if child is not None))
        self.problem(path, gettext("Here must be a condition or a group of conditions."))
        return None

    def leaf(self, raw: dict, path: str) -> Leaf | None:
        name = raw["trait"]
        if not isinstance(name, str) or (trait := self.traits.get(name)) is None:
            self.problem(f"{path}/trait", gone_sentence(str(name)))
            return None
        if trait.gone:
            self.problem(f"{path}/trait", str(trait.gone))
            return None
        if extra := set(raw) - {"trait", "op", "value", "where", "within"}:
            self.problem(path, gettext("“%(key)s” is not known here.") % {"key": str(min(extra, key=str))[:60]})
        operator = trait.operators.get(raw["op"]) if isinstance(raw.get("op"), str) else None
        if operator is None:
            self.problem(f"{path}/op", gettext("Please choose how to compare %(trait)s.") % {"trait": trait.label})
            return None
        known = self.known(trait.choices) if operator.takes == "choices" else {}
        before = len(self.problems)
        value = None
        if operator.takes != "none":
            value = self.checked(f"{path}/value", lambda: trait.kind.clean(operator, raw.get("value"), known))
        where, where_known = self.where(trait, raw.get("where"), f"{path}/where")
        within = None
        if (told := raw.get("within")) is not None and told != {}:
            if trait.window:
                window = self.checked(f"{path}/within", lambda: clean_window(told, ahead=trait.window == "next"))
                within = window
            else:
                self.problem(f"{path}/within", gettext("%(trait)s has no time.") % {"trait": trait.label})
        elif trait.needs_window:
            self.problem(f"{path}/within", gettext("Please say in how many days."))
        if len(self.problems) > before:
            return None
        return Leaf(trait, operator, value, where, within, path, known, where_known)

    def where(self, trait: Trait, raw: Any, path: str) -> tuple[dict[str, tuple], dict[str, dict[Any, str]]]:
        where: dict[str, tuple] = {}
        labels: dict[str, dict[Any, str]] = {}
        if raw is None:
            return where, labels
        if not isinstance(raw, dict):
            self.problem(path, gettext("Here must be a filter."))
            return where, labels
        filters = {each.name: each for each in trait.filters}
        for name, told in raw.items():
            if (each := filters.get(name)) is None:
                words = {"trait": trait.label, "name": str(name)[:60]}
                self.problem(f"{path}/{str(name)[:60]}", gettext("%(trait)s has no filter “%(name)s”.") % words)
            elif told in (None, [], ""):
                continue
            else:
                labels[name] = self.known(each.choices)
                where[name] = self.checked(f"{path}/{name}", partial(self.values, each, told, labels[name]))
        return where, labels

    def values(self, each: Filter, told: Any, labels: dict[Any, str]) -> tuple:
        if each.choices:
            values = clean_choices(told, labels)
        else:
            values = tuple(sorted({clean_text(value) for value in clean_list(told)}))  # equal filters share a join
        if each.single and len(values) > 1:
            raise Refused(gettext("Please give one value."))
        return values

    def known(self, choices: Choices | None) -> dict[Any, str]:
        """The labels of choices, asked for once however many leaves have them."""
        if choices is None:
            return {}
        if choices not in self.choices:
            self.choices[choices] = {value: str(label) for value, label in choices().items()}
        return self.choices[choices]

    def checked(self, path: str, clean: Any) -> Any:
        try:
            return clean()
        except Refused as refused:
            self.problem(path, refused.args[0])
            return None
