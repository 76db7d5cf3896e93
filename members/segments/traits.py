"""What can be asked of a member. Every app registers its own traits from `AppConfig.ready()`.

A trait compiles to a *datum*, an SQL expression over `m` (members_member) and what it asks the query to join, and its
kind compares the datum with a value. Names, tables and columns come from the code alone, values only as parameters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from psycopg.sql import Composable

from members.segments.kinds import Kind, Operator

if TYPE_CHECKING:
    from members.segments.compile import Query
    from members.segments.tree import Leaf

Choices = Callable[[], Mapping[Any, Any]]  # the values there are, each with its label in the active language
Words = Promise | str


class Group(models.TextChoices):
    """Under which heading a trait stands in the builder."""

    PROFILE = "profile", _("Profile")
    ATTRIBUTES = "attributes", _("Own attributes")
    CONSENT = "consent", _("Consent")
    LOYALTY = "loyalty", _("Tier and points")
    PURCHASES = "purchases", _("Purchases")
    MESSAGES = "messages", _("Messages and events")
    SCORES = "scores", _("Scores")
    GROUPS = "groups", _("Segments and lists")


@dataclass(frozen=True, slots=True)
class Filter:
    """What a trait can be narrowed to by `where`: any of some values. Without `choices`, any text."""

    name: str
    label: Words
    words: Words  # "in the category %(values)s"
    choices: Choices | None = None
    suggest: tuple[str, str] | None = None  # table and column in which values are found
    single: bool = False  # takes one value, not several


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that can be asked of a member.

    `datum` gives its SQL for a leaf; `missing` is what no datum stands for (0 purchases). `clause` says a leaf in
    words as a relative clause ("who bought %(test)s times%(where)s%(window)s"), `clauses` the same for operators that
    need other words. The why says a datum by `found` ("bought %(value)s times"), or `nothing` where there is none;
    `shown` is the SQL of what it says where that is not the datum, `also` that of a moment said besides ("last on
    %(value)s"). `timed`: time alone changes it. `profiling`: it is behaviour, which must not be used for who wants no
    personalised treatment.
    """

    name: str
    label: Words
    group: Group
    kind: Kind
    datum: "Callable[[Query, Leaf], Composable]"
    clause: Words
    clauses: Mapping[str, Words] = field(default_factory=dict)
    found: Words = ""
    nothing: Words = ""
    shown: "Callable[[Query, Leaf], Composable] | None" = None
    shown_kind: Kind | None = None
    also: "Callable[[Query, Leaf], Composable] | None" = None
    also_words: Words = ""
    missing: Any = None
    filters: Sequence[Filter] = ()
    window: str = ""  # "", "past" or "next"
    needs_window: bool = False
    choices: Choices | None = None
    timed: bool = False
    profiling: bool = False
    gone: Words = ""  # why it cannot be asked any more

    @property
    def operators(self) -> Mapping[str, Operator]:
        """How it can be compared, by name."""
        return self.kind.operators

    @property
    def known(self) -> dict[Any, str]:
        """The values there are, each with its label in the active language; asks the database."""
        return {value: str(label) for value, label in self.choices().items()} if self.choices else {}


_traits: dict[str, Trait] = {}
_families: dict[str, Callable[[], Iterable[Trait]]] = {}


def register(*traits: Trait) -> None:
    """Makes traits known. Their names are stable for ever: definitions are kept by them."""
    for trait in traits:
        if trait.name in _traits:
            raise ValueError(f"trait {trait.name} is registered twice")
        _traits[trait.name] = trait


def register_family(prefix: str, provide: Callable[[], Iterable[Trait]]) -> None:
    """Traits that the database decides on: `provide()` gives all of them, their names beginning with `prefix`."""
    _families[prefix] = provide


def fixed() -> dict[str, Trait]:
    """The traits that stand in the code, by name."""
    return dict(_traits)


def traits() -> dict[str, Trait]:
    """All traits by name, those of families with them; asks the database. Some are `gone`."""
    return {**_traits, **{trait.name: trait for provide in _families.values() for trait in provide()}}


def find(names: Iterable[str]) -> dict[str, Trait]:
    """The traits of these names; what is missing there is not. Asks the database only where it must."""
    wanted = set(names)
    found = {name: _traits[name] for name in wanted & _traits.keys()}
    for prefix, provide in _families.items():
        if any(name.startswith(prefix) for name in wanted):
            found |= {trait.name: trait for trait in provide() if trait.name in wanted}
    return found


def _options(choices: Choices | None) -> list[dict[str, Any]]:
    return [{"value": value, "label": str(label)} for value, label in (choices() if choices else {}).items()]


def catalogue() -> list[dict[str, Any]]:
    """What the builder offers, in the active language, as JSON can hold it: groups in their order, traits by label.

    Each: name, label, group, group_label, type, operators [{name, label, value}], choices, filters [{name, label,
    choices, single}], window ("", "past", "next"), needs_window, profiling. `value` is the input an operator takes:
    none, number, numbers (two), text, texts, choices, day, days (two) or number_of_days. A filter without choices takes
    any texts; members.segments.suggestions finds some.
    """
    order = list(Group)
    offered = [trait for trait in traits().values() if not trait.gone]
    return [
        {
            "name": trait.name,
            "label": str(trait.label),
            "group": trait.group.value,
            "group_label": str(trait.group.label),
            "type": trait.kind.name,
            "operators": [
                {"name": operator.name, "label": str(operator.label), "value": operator.takes}
                for operator in trait.operators.values()
            ],
            "choices": _options(trait.choices),
            "filters": [
                {
                    "name": each.name,
                    "label": str(each.label),
                    "choices": _options(each.choices),
                    "single": each.single,
                }
                for each in trait.filters
            ],
            "window": trait.window,
            "needs_window": trait.needs_window,
            "profiling": trait.profiling,
        }
        for trait in sorted(offered, key=lambda trait: (order.index(trait.group), str(trait.label)))
    ]


def gone_sentence(name: str) -> str:
    """What to say of a trait that there is not."""
    return gettext("There is no trait “%(name)s” (any more).") % {"name": name[:60]}
