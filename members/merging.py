"""What becomes of everything that hangs on a member who is merged into another. docs/duplicates.md.

Every foreign key to Member is registered here with what a merge does with its rows; a test walks all models and fails
where one is not. Each app registers its own, in a module `merging` that its AppConfig.ready() imports; an app whose
data is more than rows registers a Step as well. members.services.merging does the work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from django.apps import apps
from django.utils.functional import Promise


class Strategy(Enum):
    MOVE = "move"  # the rows follow, and go back when the merge is undone
    DROP = "drop"  # derived of what moves: thrown away, and worked out anew
    LEAVE = "leave"  # stays where it is: history, or what the app's Step answers for


@dataclass(frozen=True, slots=True)
class Relation:
    """One foreign key to Member ("app.Model.field") and what a merge does with its rows.

    `once_per`: a column that is unique together with the member; a row whose value the survivor has already is dropped
    and comes back when the merge is undone. `stays`: SQL, true for a `row` that cannot follow to the member {survivor}.
    `ignoring`: the append-only triggers that a move has to pass by.
    """

    label: str
    strategy: Strategy
    once_per: str = ""
    stays: str = ""
    ignoring: tuple[str, ...] = ()

    @property
    def model(self) -> type:
        return apps.get_model(self.label.rpartition(".")[0])

    @property
    def table(self) -> str:
        return self.model._meta.db_table  # type: ignore[attr-defined]

    @property
    def column(self) -> str:
        return self.model._meta.get_field(self.label.rpartition(".")[2]).column  # type: ignore[attr-defined]

    @property
    def name(self) -> Promise | str:
        """What its rows are called, in the plural."""
        return self.model._meta.verbose_name_plural  # type: ignore[attr-defined]


@dataclass(slots=True)
class Merging:
    """A merge being done or undone. What a Step puts into `journal` it finds there again when the merge is undone.

    `remarks` are sentences for the person who asked, on what could not be done as it should.
    """

    id: int
    survivor_id: int
    merged_id: int
    at: datetime
    actor_id: int | None
    journal: dict[str, Any]
    remarks: list[str] = field(default_factory=list)
    unlinked_id: int | None = None  # the account that is left without a member


Work = Callable[[Merging], None]


def _nothing(merging: Merging) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Step:
    """What an app does beyond moving rows. All of it happens in the merge's transaction.

    `lock(member_ids)` comes first. `prepare` runs before the rows move and `merge` after; `undo` before they go back,
    so that it may take rows out of journal["moved"], and `undone` after. `gather` runs after rows that came late have
    followed.
    """

    lock: Callable[[list[int]], None]
    merge: Work
    prepare: Work = _nothing
    undo: Work = _nothing
    undone: Work = _nothing
    gather: Work = _nothing


# What is told of a member beside a merge: (label, value in the active language, number to be shown on the right).
Facts = Callable[[int, datetime], list[tuple[Promise | str, str]]]

_relations: dict[str, Relation] = {}
_steps: list[Step] = []
_facts: list[Facts] = []


def register(
    label: str,
    strategy: Strategy,
    *,
    once_per: str = "",
    stays: str = "",
    ignoring: tuple[str, ...] = (),
) -> None:
    """Says what a merge does with the rows of a foreign key to Member, "app.Model.field"."""
    _relations[label] = Relation(label, strategy, once_per, stays, ignoring)


def register_step(step: Step) -> None:
    _steps.append(step)


def register_facts(facts: Facts) -> None:
    """Figures of a member that a merge may change: shown side by side, and as before and after."""
    _facts.append(facts)


def relations() -> list[Relation]:
    return list(_relations.values())


def steps() -> list[Step]:
    return list(_steps)


def facts(member_id: int, at: datetime) -> list[tuple[Promise | str, str]]:
    """What the apps say of a member, in the order in which they registered."""
    return [fact for told in _facts for fact in told(member_id, at)]


_APPEND_ONLY = "append_only"
for _label in ("Note", "Task", "Identity", "CardClaim", "SegmentChange"):
    register(f"members.{_label}.member", Strategy.MOVE)
register("members.Member.merged_into", Strategy.MOVE)  # so that it names who is there now, however long the chain
register("members.Purchase.member", Strategy.MOVE, ignoring=("members.Purchase:read_only",))
# The latest word by time counts, whoever of the two said it.
register("members.Consent.member", Strategy.MOVE, ignoring=(f"members.Consent:{_APPEND_ONLY}",))
register("members.TimelineEvent.member", Strategy.MOVE, ignoring=(f"members.TimelineEvent:{_APPEND_ONLY}",))
register("members.CustomEvent.member", Strategy.MOVE, ignoring=("members.CustomEvent:read_only",))
register("members.MemberTag.member", Strategy.MOVE, once_per="tag_id")
register("members.SegmentPick.member", Strategy.MOVE, once_per="segment_id")
register("members.MemberListEntry.member", Strategy.MOVE, once_per="list_id")
register("members.SegmentMember.member", Strategy.DROP)
register("members.PurchaseSummary.member", Strategy.DROP)
register("members.ConsentState.member", Strategy.DROP)
register("members.ChangedMember.member", Strategy.LEAVE)  # a queue
register("members.ImportedMember.member", Strategy.LEAVE)  # what an import did to whom, to be undone by the import
register("members.AccessLog.member", Strategy.LEAVE)  # who was looked at is not rewritten
register("members.Duplicate.first", Strategy.LEAVE)  # pairs with somebody who is gone are not shown
register("members.Duplicate.second", Strategy.LEAVE)
register("members.MemberMerge.survivor", Strategy.LEAVE)  # the journal itself
register("members.MemberMerge.merged", Strategy.LEAVE)
register("members.DataExport.member", Strategy.LEAVE)  # a file about the card as it was; it goes after some days
register("members.Guardian.member", Strategy.LEAVE)  # goes with the profile (members.services.merged_fields)
register("members.MemberPin.member", Strategy.LEAVE)  # each has a PIN of their own; it is there again after an undo
register("members.TillCode.member", Strategy.LEAVE)  # dead in minutes
# Who asked to be forgotten is, under whichever card.
register(
    "members.ErasureRequest.member",
    Strategy.MOVE,
    stays=(
        "row.cancelled_at IS NULL AND row.done_at IS NULL AND EXISTS (SELECT FROM members_erasurerequest AS other"
        " WHERE other.member_id = {survivor} AND other.cancelled_at IS NULL AND other.done_at IS NULL)"
    ),
)
