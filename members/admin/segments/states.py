"""How far a segment can be trusted, as its page and its list say it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from members.models import Segment
from members.queries_segments import Freshness, State, freshness

LABELS: dict[str, Any] = {
    State.FRESH: _("Up to date"),
    State.BUILDING: _("Being built"),
    State.STALE: _("Not up to date"),
    State.FAILING: _("Failing"),
    "archived": _("Archived"),
}
_ICONS = {State.FRESH: "check_circle", State.BUILDING: "hourglass_top", State.STALE: "schedule", State.FAILING: "error"}
_TONES = {State.FRESH: "desk-good", State.FAILING: "desk-bad"}


@dataclass(frozen=True, slots=True)
class Standing:
    """`waiting`: it comes right by itself in a moment, so the page looks again."""

    state: str
    label: Any
    reason: str
    icon: str
    tone: str
    blocked: bool
    waiting: bool


def standing(segment: Segment, at: datetime, known: Freshness | None = None) -> Standing:
    """The state of a segment in words; `known` saves asking for it."""
    if segment.archived_at:
        return Standing("archived", LABELS["archived"], "", "inventory_2", "desk-muted", True, False)
    state, reason = known or freshness(segment, at=at)
    waiting = not segment.error and (segment.built_version != segment.version or segment.next_refresh_at is None)
    return Standing(
        str(state),
        LABELS[state],
        reason,
        _ICONS[state],
        _TONES.get(state, "desk-muted"),
        state is not State.FRESH,
        waiting,
    )
