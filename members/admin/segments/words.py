"""A segment's page in words and figures: its state, what differs between two definitions, what saving would do."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from members.segments import words
from members.segments.tree import BadDefinition

MOST_LEAVES_COMPARED = 200


def number(value: int) -> str:
    return number_format(value, use_l10n=True, force_grouping=True)


def members_text(value: int, *, exact: bool = True) -> str:
    """ "1,234 members", "≈ 1,200 members"."""
    text = ngettext("%(n)s member", "%(n)s members", value) % {"n": number(value)}
    return text if exact else gettext("≈ %(members)s") % {"members": text}


def sentence(definition: Any) -> str:
    """What a definition says; where it names what is gone, that."""
    try:
        return words.summary(definition)
    except BadDefinition as bad:
        return " ".join(problem.sentence for problem in bad.problems)


def conditions(definition: Any, negated: bool = False) -> list[Any]:
    """The leaves of a definition, each with the "not" that stands right before it."""
    match definition:
        case {"not": inner}:
            return conditions(inner, not negated)
        case {"all": list(inner)} | {"any": list(inner)}:
            return [leaf for node in inner for leaf in conditions(node)]
        case _:
            return [{"not": definition} if negated else definition]


def differences(before: Any, after: Any) -> tuple[list[str], list[str]]:
    """The conditions that `after` has and `before` had not, and those that fell away, as sentences."""
    old, new = conditions(before), conditions(after)
    if max(len(old), len(new)) > MOST_LEAVES_COMPARED:
        return [], []
    said_old, said_new = (Counter(sentence({"all": [leaf]}) for leaf in leaves) for leaves in (old, new))
    return list((said_new - said_old).elements()), list((said_old - said_new).elements())


def spark(sizes: Sequence[int], width: int = 100, height: int = 30) -> str:
    """Points of a polyline through the sizes; "" with fewer than two."""
    if len(sizes) < 2:
        return ""
    low, high = min(sizes), max(sizes)
    step, scale = width / (len(sizes) - 1), (height - 2) / ((high - low) or 1)
    return " ".join(f"{n * step:.1f},{height - 1 - (size - low) * scale:.1f}" for n, size in enumerate(sizes))


def chart(days: Sequence[tuple[date, int]], width: int = 600, height: int = 160) -> dict[str, Any] | None:
    """The size over time: a line and an area from zero, by the day; None with fewer than two days."""
    if len(days) < 2:
        return None
    first, last = days[0][0].toordinal(), days[-1][0].toordinal()
    top = max(size for _day, size in days) or 1
    points = " ".join(
        f"{(day.toordinal() - first) / ((last - first) or 1) * width:.1f},{height - size / top * height:.1f}"
        for day, size in days
    )
    return {
        "points": points,
        "area": f"0,{height} {points} {width},{height}",
        "width": width,
        "height": height,
        "top": top,
        "first": days[0],
        "last": days[-1],
        "days": days,
    }
