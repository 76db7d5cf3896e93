"""What else the shop can do for a member whose case is at hand: apps above register what they have (journeys), and tell
what came of it. Offers are remedies of the case itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    from surveys.models import Case

# What the part shows; None leaves it out.
Context = Callable[["Case", datetime, HttpRequest], dict[str, Any] | None]
# Something done in it: reads request.POST, calls one service, answers what was done. ValidationError is said there.
Act = Callable[["Case", datetime, HttpRequest], str]


@dataclass(frozen=True, slots=True)
class Part:
    """Drawn by `template` with `case`, `may_act`, `part` and what `context` gives; its forms post `act` to the case's
    acts. `permission` ("app.codename") is asked of who looks and acts."""

    key: str
    template: str
    context: Context
    permission: str
    acts: Mapping[str, Act] = field(default_factory=dict)


_parts: dict[str, Part] = {}


def register(part: Part) -> None:
    """Adds a part. ValueError where its key is taken."""
    if part.key in _parts:
        raise ValueError(f"{part.key} is registered twice")
    _parts[part.key] = part


def shown(case: "Case", *, at: datetime, request: HttpRequest) -> list[dict[str, Any]]:
    """The parts that this reader sees, each as the context of its template."""
    found = []
    for part in _parts.values():
        if not request.user.has_perm(part.permission):
            continue
        context = part.context(case, at, request)
        if context is not None:
            found.append({"part": part, "template": part.template, **context})
    return found


def act(name: str) -> tuple[Part, Act] | None:
    """The act of a name that stood in a form."""
    return next(((part, part.acts[name]) for part in _parts.values() if name in part.acts), None)
