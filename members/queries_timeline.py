"""A part of a member's timeline: filtered, newest first, by keyset, so that the ten-thousandth event is as near as the
first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import BigIntegerField, F, Func, Q, QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils.dateparse import parse_datetime

from members.events import groups, kinds
from members.models import Note, PurchaseLine, Task, TimelineEvent
from members.queries import timeline


@dataclass(frozen=True, slots=True)
class Sought:
    """What of a timeline is wanted: groups of kinds (none: all), from `since` up to but not at `until`, some words."""

    groups: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.groups or self.since or self.until or self.text)


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first, and the cursor of what is older; None where nothing is."""

    events: list[TimelineEvent]
    older: str | None


class Values(Func):
    """The values of a JSON object, without their keys, as one text."""

    template = "(SELECT string_agg(value, ' ') FROM jsonb_each_text(%(expressions)s))"
    output_field = TextField()


def timeline_page(member_id: int, *, sought: Sought | None = None, older: str = "", size: int = 30) -> Page:
    """One page of a member's timeline. `older` is a cursor; one that somebody typed wrong begins anew."""
    events = timeline(member_id)
    if sought:
        events = _filtered(events, member_id, sought)
    moment, last_id = _read(older)
    if moment is not None:
        events = events.filter(at__lte=moment).exclude(at=moment, pk__gte=last_id)
    found = list(events[: size + 1])
    last = found[size - 1] if len(found) > size else None
    return Page(found[:size], f"{last.at.isoformat()}|{last.pk}" if last else None)


def _read(cursor: str) -> tuple[datetime | None, int]:
    moment, _bar, last_id = cursor.partition("|")
    try:
        at = parse_datetime(moment) if last_id.isdecimal() and len(last_id) < 19 else None
    except ValueError:
        at = None
    return (at, int(last_id)) if at is not None and at.tzinfo is not None else (None, 0)


def _filtered(events: QuerySet[TimelineEvent], member_id: int, sought: Sought) -> QuerySet[TimelineEvent]:
    if sought.groups:
        events = events.filter(kind__in=[name for name in kinds() if name.partition(".")[0] in sought.groups])
    if sought.since:
        events = events.filter(at__gte=sought.since)
    if sought.until:
        events = events.filter(at__lt=sought.until)
    if sought.text:
        keys = {f"{name}_id": Cast(KT(f"data__{name}"), BigIntegerField()) for name in ("purchase", "note", "task")}
        events = events.alias(values=Values(F("data")), **keys).filter(_says(member_id, sought.text))
    return events


def _says(member_id: int, text: str) -> Q:
    """Events whose kind is called so, or whose data, purchase, note or task say it."""
    word = text.casefold()
    called = {name: group.label for name, group in groups().items()}
    named = [k.name for k in kinds().values() if word in f"{k.label} {called[k.name.partition('.')[0]]}".casefold()]
    lines = PurchaseLine.objects.filter(purchase__member=member_id, name__icontains=text).order_by()
    bought = Q(kind__startswith="purchase.", purchase_id__in=lines.values("purchase"))
    noted = Note.objects.filter(member=member_id, removed_at=None, text__icontains=text)
    tasks = Task.objects.filter(member=member_id, title__icontains=text)
    written = Q(kind__startswith="note.", note_id__in=noted.values("pk"))
    written |= Q(kind__startswith="task.", task_id__in=tasks.values("pk"))
    return Q(kind__in=named) | Q(values__icontains=text) | bought | written
