"""Panels of the member page: every app answers for its own, in its panels.py, registered when the app is ready.

A panel is drawn by its `template` with what `context(member, at, request)` gives, besides `member`, `panel`, `at`,
`may_act`, `perms` and `request`; None leaves the panel out. It costs a constant number of queries, whatever the
member's history.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.functional import Promise

if TYPE_CHECKING:
    from members.models import Member

Context = Callable[["Member", datetime, HttpRequest], dict[str, Any] | None]
# Something done inside a panel: reads request.POST, calls one service. ValidationError is said in the panel.
Act = Callable[["Member", datetime, HttpRequest], None]
TOP, MAIN, SIDE = "top", "main", "side"


@dataclass(frozen=True, slots=True)
class Panel:
    """`order` is the place in its column, smallest first; `permission` is asked of who looks, `act_permission` of who
    does one of its `acts` ("app.codename"). A `lasting` one is shown of who is merged or erased, too. Forms of its
    template post to `admin:members_member_act`."""

    key: str
    title: Promise | str
    order: int
    template: str
    context: Context
    permission: str | None = None
    column: str = MAIN
    acts: Mapping[str, Act] = field(default_factory=dict)
    act_permission: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel with what it says about one member."""

    panel: Panel
    context: dict[str, Any]


_panels: dict[str, Panel] = {}


def register(
    key: str,
    title: Promise | str,
    order: int,
    template: str,
    context: Context,
    permission: str | None = None,
    column: str = MAIN,
    acts: Mapping[str, Act] | None = None,
    act_permission: str = "",
    lasting: bool = False,
) -> None:
    """Adds a panel to the member page. ValueError where the key is taken."""
    if key in _panels:
        raise ValueError(f"panel {key} is registered twice")
    _panels[key] = Panel(key, title, order, template, context, permission, column, acts or {}, act_permission, lasting)


def panels() -> list[Panel]:
    """All panels in order."""
    return sorted(_panels.values(), key=lambda panel: (panel.order, panel.key))


def show(panel: Panel, member: "Member", *, at: datetime, request: HttpRequest) -> Shown | None:
    """A panel as it is to be drawn for this reader; None where it has nothing to say or is not for them."""
    if panel.permission and not request.user.has_perm(panel.permission):
        return None
    gone = member.merged_into_id is not None or member.erased_at is not None
    if gone and not panel.lasting:
        return None
    context = panel.context(member, at, request)
    if context is None:
        return None
    may_act = bool(panel.acts) and not gone and request.user.has_perm(panel.act_permission)
    return Shown(panel, {"member": member, "panel": panel, "may_act": may_act, "gone": gone, "at": at, **context})


def show_all(member: "Member", *, at: datetime, request: HttpRequest) -> list[Shown]:
    """The panels that this reader sees of a member, in order."""
    shown = (show(panel, member, at=at, request=request) for panel in panels())
    return [one for one in shown if one is not None]


def find(key: str) -> Panel | None:
    """The panel of a key that stood in an address."""
    return _panels.get(key)
