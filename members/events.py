"""The timeline, and the reactions that other apps hang on it.

`record` writes what happened to the member's timeline and, in the same transaction, one pending reaction for every
function subscribed to that kind with `reacts_to`. members.services.reactions runs them, each exactly once.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from common.doorbell import ring
from common.money import format_money
from common.sql import execute, fetch_prepared
from members.enums import Channel, Purpose

if TYPE_CHECKING:
    from members.models import TimelineEvent

Reaction = Callable[["list[TimelineEvent]", datetime], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: its name, how people call it, and how its data reads in the active language.

    `changes` says whether segments and scores may depend on it, so that they look at the member again.
    `about` names the record behind it: the model's label, and the key of its data that holds the primary key.
    """

    name: str
    label: Promise | str
    sentence: Callable[[dict[str, Any]], str]
    changes: bool = True
    about: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The kinds whose names begin alike ("purchase."), as a timeline filters them. `icon` is a Material Symbol."""

    name: str
    label: Promise | str
    icon: str


_kinds: dict[str, Kind] = {}
_groups: dict[str, Group] = {}
_reactions: dict[str, Reaction] = {}
_subscribed: dict[str, list[tuple[str, str]]] = {}
_conditions: dict[str, str] = {}


def kind(
    name: str,
    label: Promise | str,
    sentence: Callable[[dict[str, Any]], str] | None = None,
    *,
    changes: bool = True,
    about: tuple[str, str] | None = None,
) -> str:
    """Declares a kind of event and returns its name. Without `sentence` the label says it all."""
    if name in _kinds:
        raise ValueError(f"event kind {name} is declared twice")
    _kinds[name] = Kind(name, label, sentence or (lambda data: str(label)), changes, about)
    return name


def group(name: str, label: Promise | str, icon: str) -> None:
    """Says how people call the kinds `name.*`, and what stands for them."""
    _groups[name] = Group(name, label, icon)


def groups() -> dict[str, Group]:
    """The groups of all declared kinds, those without a word of their own among them, by name."""
    names = dict.fromkeys(name.partition(".")[0] for name in _kinds)
    return {name: _groups.get(name) or Group(name, name, "circle") for name in names}


def kinds() -> dict[str, Kind]:
    """All declared kinds by name."""
    return _kinds


def attribute_labels(events: Iterable["TimelineEvent"]) -> dict[str, str]:
    """What the attributes that events name ("attributes.milk") are called in the active language: one query for all."""
    from members.models import Attribute

    names = {str(name) for event in events if event.kind == PROFILE_CHANGED for name in event.data.get("fields", [])}
    keys = [name.removeprefix("attributes.") for name in names if name.startswith("attributes.")]
    return {f"attributes.{a.key}": a.label for a in Attribute.objects.filter(key__in=keys)} if keys else {}


def describe(event: "TimelineEvent", labels: dict[str, str] | None = None) -> str:
    """The event as a sentence in the active language. For many, give the `attribute_labels` of all."""
    known = _kinds.get(event.kind)
    if known is None:
        return event.kind
    labels = attribute_labels([event]) if labels is None else labels
    try:
        return known.sentence(event.data | {"labels": labels} if labels else event.data)
    except (KeyError, ValueError, TypeError):  # written by an older or newer version
        return str(known.label)


def reacts_to(*names: str, unless: str = "", where: str = "") -> Callable[[Reaction], Reaction]:
    """Subscribes `f(events, at)` to kinds of event; `unless` their data have this key ("import": a file told it), and
    only `where` there is somebody to listen: SQL without parameters that is asked as an event is written. It must hold
    from before the first event that counts ("there is a journey", not "one runs").

    The reaction gets a list of one or more events, and the moment, by the database's clock. It runs in a transaction
    with the removal of their rows: all it writes happens exactly once. It must not do anything that a rollback does not
    undo.
    """

    def subscribe(function: Reaction) -> Reaction:
        key = f"{function.__module__}.{function.__name__}"
        _reactions[key] = function
        if where:
            _conditions[key] = where
        for name in names:
            _subscribed.setdefault(name, []).append((key, unless))
        return function

    return subscribe


def reaction(key: str) -> Reaction | None:
    """The function registered under a pending reaction's name; None where the code no longer has it."""
    return _reactions.get(key)


_LISTENING = "/* listening */"
# Parts of a statement, after `source (member_id, at, data)`; `complete` fills in who listens.
RECORDING = f"""
event AS (
    INSERT INTO members_timelineevent (member_id, kind, at, data, actor_id)
    SELECT member_id, %(kind)s, at, data, %(actor_id)s::bigint FROM source
    RETURNING id, member_id, data
),
changed AS (
    INSERT INTO members_changedmember (member_id) SELECT DISTINCT member_id FROM event WHERE %(changes)s
),
pending AS (
    INSERT INTO members_pendingreaction (event_id, reaction)
    SELECT event.id, subscribed.reaction
    FROM event, unnest(%(reactions)s::text[], %(unless)s::text[]) AS subscribed (reaction, unless)
    WHERE NOT event.data ? subscribed.unless {_LISTENING}
)
"""
_RECORD = f"WITH source (member_id, at, data) AS ({{select}}), {RECORDING} SELECT WHERE false"


@cache
def complete(statement: str) -> str:
    """A statement with RECORDING in it, once all apps have subscribed. Only reactions to which somebody listens get a
    row: that spares the writer little, and a worker all that it would look up for nothing."""
    told = ""
    for condition in sorted(set(_conditions.values())):
        keys = ", ".join(sorted(f"'{key}'" for key, where in _conditions.items() if where == condition))
        told += f"AND (subscribed.reaction NOT IN ({keys}) OR {condition}) "
    return statement.replace(_LISTENING, told)


def record_selected(
    *, kind: str, select: str, params: dict[str, Any], actor_id: int | None = None, often: bool = False
) -> None:
    """Records one event for each row (member_id, at, data) of an SQL query, in one statement; `often`: one whose text
    is always the same, and tells the types of its parameters."""
    given = recording(kind, actor_id)
    (fetch_prepared if often else execute)(complete(_RECORD).format(select=select), {**params, **given})


def recording(kind: str, actor_id: int | None) -> dict[str, Any]:
    """The parameters of RECORDING, for a statement that records events beside what it writes; wakes who reacts to them
    once the transaction is through."""
    if kind not in _kinds:
        raise ValueError(f"event kind {kind} is not declared")
    reactions = _subscribed.get(kind, [])
    if reactions:
        ring("members.tasks.run_reactions", every=0.2)  # who is woken takes all that waits
    if _kinds[kind].changes:
        ring("members.tasks.bring_up_to_date", every=1)
    return {
        "kind": kind,
        "actor_id": actor_id,
        "reactions": [reaction for reaction, _unless in reactions],
        "unless": [unless for _reaction, unless in reactions],
        "changes": _kinds[kind].changes,
    }


def record(*, member_id: int, kind: str, at: datetime, data: dict[str, Any] | None = None, actor_id: int | None = None):
    """Records what happened to one member."""
    record_many(kind=kind, events=[(member_id, at, data or {})], actor_id=actor_id)


def record_many(
    *, kind: str, events: Sequence[tuple[int, datetime, dict[str, Any]]], actor_id: int | None = None
) -> None:
    """Records (member_id, at, data) of one kind for many members, in one statement."""
    if not events:
        return
    member_ids, moments, data = zip(*events, strict=True)
    record_selected(
        kind=kind,
        select="SELECT * FROM unnest(%(members)s::bigint[], %(ats)s::timestamptz[], %(data)s::jsonb[])",
        params={"members": list(member_ids), "ats": list(moments), "data": [json.dumps(d) for d in data]},
        actor_id=actor_id,
        often=True,
    )


def _money(data: dict[str, Any]) -> str:
    return format_money(data["amount_minor"], data["currency"])


# What a file of customers may change beside the fields of a profile.
_BESIDE = {
    "birthday": _("birthday"),
    "identities": _("customer number"),
    "tags": _("tags"),
    "points": _("points"),
}


def _fields(data: dict[str, Any]) -> str:
    """Which fields of a profile changed, never their values. An attribute is called by its label while there is one."""
    from members.models import Member

    words = {field.name: field.verbose_name for field in Member._meta.fields} | _BESIDE | data.get("labels", {})
    names = [str(words.get(name, name)).removeprefix("attributes.") for name in data.get("fields", [])]
    return gettext("Profile changed: %(fields)s") % {"fields": ", ".join(names)}


def _consent(data: dict[str, Any]) -> str:
    purpose = str(Purpose(data["purpose"]).label)
    return f"{purpose} · {Channel(data['channel']).label}" if data.get("channel") else purpose


group("member", _("Profile"), "person")
group("consent", _("Consents"), "verified_user")
group("purchase", _("Purchases"), "shopping_bag")
group("event", _("Events"), "bolt")
group("segment", _("Segments"), "groups")
group("tag", _("Tags"), "sell")
group("note", _("Notes"), "sticky_note_2")
group("task", _("Tasks"), "task_alt")
group("household", _("Household"), "home")

MEMBER_JOINED = kind("member.joined", _("Joined"))
PROFILE_CHANGED = kind("member.profile_changed", _("Profile changed"), _fields)
ACCOUNT_LINKED = kind("member.account_linked", _("Portal account opened"))
SIGNED_IN = kind("member.signed_in", _("Signed in"))
IDENTITY_CHANGED = kind("member.identity_changed", _("Addresses, phones or cards changed"))
MEMBER_MERGED = kind(
    "member.merged",
    _("Merged"),
    lambda data: gettext("Card %(card)s was merged into this one") % {"card": data.get("card", "")},
)
MEMBER_UNMERGED = kind(
    "member.unmerged",
    _("Merge undone"),
    lambda data: gettext("The merge with card %(card)s was undone") % {"card": data.get("card", "")},
)
CONSENT_GRANTED = kind(
    "consent.granted", _("Consent given"), lambda data: gettext("Agreed: %(what)s") % {"what": _consent(data)}
)
CONSENT_WITHDRAWN = kind(
    "consent.withdrawn", _("Consent withdrawn"), lambda data: gettext("Refused: %(what)s") % {"what": _consent(data)}
)
PURCHASE_PAID = kind(
    "purchase.paid",
    _("Purchase"),
    lambda data: gettext("Bought for %(amount)s") % {"amount": _money(data)},
    about=("members.purchase", "purchase"),
)
PURCHASE_REFUNDED = kind(
    "purchase.refunded",
    _("Refund"),
    lambda data: gettext("Got %(amount)s back") % {"amount": _money(data)},
    about=("members.purchase", "purchase"),
)
# data: event (its id), kind (as the other system calls it).
EVENT_TOLD = kind(
    "event.told",
    _("Event"),
    lambda data: gettext("Told by another system: %(kind)s") % {"kind": data["kind"]},
    about=("members.customevent", "event"),
)
# data: name. A tag is a word of the shop, not of the member.
TAG_ADDED = kind("tag.added", _("Tag added"), lambda data: gettext("Tagged “%(name)s”") % {"name": data["name"]})
TAG_REMOVED = kind(
    "tag.removed", _("Tag removed"), lambda data: gettext("No longer tagged “%(name)s”") % {"name": data["name"]}
)
# Notes and tasks are told by their numbers: what people write may be erased one day, the timeline never is.
NOTE_ADDED = kind("note.added", _("Note written"), changes=False)
NOTE_REMOVED = kind("note.removed", _("Note taken away"), changes=False)
TASK_ADDED = kind("task.added", _("Task set"), about=("members.task", "task"), changes=False)
TASK_DONE = kind("task.done", _("Task done"), about=("members.task", "task"), changes=False)
HOUSEHOLD_JOINED = kind("household.joined", _("Joined a household"))
HOUSEHOLD_LEFT = kind("household.left", _("Left the household"))
AGE_STATED = kind(
    "member.age_stated",
    _("Age stated"),
    lambda data: gettext("Said to be %(age)s or older") % {"age": data["age"]},
    changes=False,
)
MEMBER_ERASED = kind("member.erased", _("Erased"), changes=False)
ERASURE_REQUESTED = kind("member.erasure_requested", _("Asked to be forgotten"), changes=False)
ERASURE_CANCELLED = kind("member.erasure_cancelled", _("Wants to stay after all"), changes=False)


def _segment_words(sentence: str, data: dict[str, Any]) -> str:
    names = data["name"]
    return sentence % {"name": names.get(get_language() or "en") or names["en"]}


# data: segment (its id), version (of its definition), name (by language).
SEGMENT_ENTERED = kind(
    "segment.entered",
    _("Came into a segment"),
    lambda data: _segment_words(gettext("Came into the segment “%(name)s”"), data),
    about=("members.segment", "segment"),
    changes=False,  # a membership that made its member be looked at again would never come to rest
)
SEGMENT_LEFT = kind(
    "segment.left",
    _("Went out of a segment"),
    lambda data: _segment_words(gettext("Went out of the segment “%(name)s”"), data),
    about=("members.segment", "segment"),
    changes=False,
)
