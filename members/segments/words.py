"""A definition in the words of the active language."""

import re
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext

from members.queries import get_programme
from members.segments.tree import Group, Leaf, Node, Not, parse
from members.segments.values import or_words, quoted

_BETWEEN_CHINESE = re.compile(
    r"(?<=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]) (?=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef])"
)


def tidy(text: str) -> str:
    """Without double spaces, and without spaces between Chinese characters: parts that are empty leave some."""
    return _BETWEEN_CHINESE.sub("", " ".join(text.split()))


def counted(value: Any) -> int:
    """The number that decides between singular and plural; a pair or a fraction is a plural."""
    return int(value) if isinstance(value, int | Decimal) and value == int(value) else 2


def clause(leaf: Leaf, currency: str) -> str:
    """A leaf as a relative clause: "who bought at least 3 times in the last 90 days"."""
    trait, operator = leaf.trait, leaf.operator
    where = []
    for each in trait.filters:
        if values := leaf.where.get(each.name):
            labels = leaf.where_known.get(each.name, {})
            where.append(str(each.words) % {"values": or_words(quoted(labels.get(value, value)) for value in values)})
    words = {
        "test": "",
        "where": " " + " ".join(where) if where else "",
        "window": " " + leaf.within.words(ahead=trait.window == "next") if leaf.within else "",
        "label": trait.label,
        "count": counted(leaf.value),
    }
    if operator.name in ("known", "unknown") and operator.name not in trait.clauses:
        template = gettext("for whom “%(label)s”%(where)s%(window)s is known")
        if operator.name == "unknown":
            template = gettext("for whom “%(label)s”%(where)s%(window)s is not known")
        return tidy(template % words)
    words["test"] = trait.kind.words(operator, leaf.value, leaf.known, currency) if operator.takes != "none" else ""
    return tidy(trait.clauses.get(operator.name, trait.clause) % words)


def phrase(node: Node, currency: str) -> str:
    """A node as a relative clause, groups in a group in brackets."""
    match node:
        case Leaf():
            return clause(node, currency)
        case Not(child):
            return gettext("for whom it is not so: %(clause)s") % {"clause": _inner(child, currency)}
        case Group(_, []):
            return gettext("whoever they are")
        case Group(every, children):
            return _joined([_inner(child, currency) for child in children], every)


def _inner(node: Node, currency: str) -> str:
    said = phrase(node, currency)
    return gettext("(%(clause)s)") % {"clause": said} if isinstance(node, Group) and len(node.children) > 1 else said


def _joined(parts: list[str], every: bool) -> str:
    if len(parts) == 1:
        return parts[0]
    words = {"first": gettext(", ").join(parts[:-1]), "last": parts[-1]}
    return (gettext("%(first)s and %(last)s") if every else gettext("%(first)s or %(last)s")) % words


def sentence(node: Node, currency: str) -> str:
    """A tree as a sentence: "Members who …, but not those who …"."""
    nots: list[Node] = []
    rest: Node = node
    if isinstance(node, Group) and node.every:  # what is not wanted comes last, as people say it
        nots = [child.child for child in node.children if isinstance(child, Not)]
        rest = Group(True, tuple(child for child in node.children if not isinstance(child, Not)))
    elif isinstance(node, Not):
        nots, rest = [node.child], Group(True, ())
    if isinstance(rest, Group) and not rest.children:
        said = gettext("All members")
    else:
        said = gettext("Members %(clause)s") % {"clause": phrase(rest, currency)}
    if nots:
        without = _joined([_inner(each, currency) for each in nots], every=False)
        said = gettext("%(members)s, but not those %(clause)s") % {"members": said, "clause": without}
    return tidy(gettext("%(sentence)s.") % {"sentence": said})


def summary(definition: Any) -> str:
    """What a definition means, as a sentence in the active language; BadDefinition."""
    return sentence(parse(definition), get_programme().currency)
