"""Making, changing and retiring segments. A changed definition is a new version, built by a refresh soon after."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from common.doorbell import ring
from common.sql import lock
from members.enums import Language
from members.models import Persona, Segment, SegmentMember, SegmentVersion
from members.segments.tree import is_timed, parse, segments_used
from members.services.segments.membership import beneath
from members.services.segments.refreshing import REFRESH_TASK
from members.services.summaries import DERIVED

OFTENEST, SELDOMEST = 5, 7 * 24 * 60  # minutes between refreshes


class NameTaken(Exception):
    """Another segment has this name."""


class SegmentCycle(Exception):
    """The segment would, by way of others, use itself. `names` are those that use it, or itself."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


class SegmentInUse(Exception):
    """Others stand on this segment: the names of `segments`, whether a persona does, and the names of `others`."""

    def __init__(self, *, segments: list[str], persona: bool, others: Sequence[str] = ()) -> None:
        super().__init__(segments, persona, others)
        self.segments, self.persona, self.others = segments, persona, list(others)


_HOLDERS: list[Callable[[int], list[str]]] = []


def register_holder(names: Callable[[int], list[str]]) -> None:
    """`names(segment_id)`: what of a higher room stands on a segment, so that it cannot be archived."""
    _HOLDERS.append(names)


def held_by(segment_id: int) -> list[str]:
    """The names of what higher rooms build on a segment."""
    return [name for names in _HOLDERS for name in names(segment_id)]


@transaction.atomic
def save_segment(
    *,
    segment_id: int | None = None,
    names: Mapping[str, str],
    descriptions: Mapping[str, str] | None = None,
    definition: dict[str, Any],
    refresh_minutes: int = 60,
    at: datetime,
    actor_id: int | None = None,
) -> Segment:
    """Makes a segment, or changes one. `names` and `descriptions` by language; English is the one that must be.

    Another definition is another version: the membership stays that of the version before, and must not be sent to,
    until a refresh has built the new one. BadDefinition, SegmentCycle, NameTaken; Segment.DoesNotExist where it is
    archived; ValueError without an English name or with a `refresh_minutes` out of range.
    """
    if not names.get(Language.ENGLISH, "").strip() or not OFTENEST <= refresh_minutes <= SELDOMEST:
        raise ValueError("a segment needs an English name and a sensible number of minutes")
    tree = parse(definition)
    lock("members.segments")  # two who save at once must not make a cycle of two halves
    if segment_id is None:
        segment = Segment(created_by_id=actor_id, version=0)
    else:
        segment = Segment.objects.select_for_update().get(pk=segment_id, archived_at=None)
    used = segments_used(tree)
    _check_cycle(segment.pk, used)
    new_version = segment.version == 0 or segment.definition != definition
    if new_version:
        segment.next_refresh_at = None  # at once, and until then nothing is sent to it
    elif segment.refresh_minutes != refresh_minutes:
        segment.next_refresh_at = at
    segment.definition = definition
    segment.version += new_version
    segment.timed, segment.refresh_minutes = is_timed(tree), refresh_minutes
    for language, suffix in ((Language.ENGLISH, "en"), (Language.CHINESE, "zh_hans")):
        setattr(segment, f"name_{suffix}", names.get(language, "").strip())
        setattr(segment, f"description_{suffix}", (descriptions or {}).get(language, "").strip())
    _save(segment)
    segment.uses.set(used)
    if new_version:
        SegmentVersion.objects.create(
            segment=segment, version=segment.version, definition=definition, actor_id=actor_id, at=at
        )
    ring(REFRESH_TASK)
    return segment


def _save(segment: Segment) -> None:
    # Only what this page decides: a refresh at the same time has its own columns.
    mine = ["definition", "version", "timed", "refresh_minutes", "next_refresh_at"]
    mine += [f"{field}_{suffix}" for field in ("name", "description") for suffix in ("en", "zh_hans")]
    mine += ["name", "description"]
    try:
        with transaction.atomic():
            segment.save(update_fields=mine if segment.pk else None)
    except IntegrityError as error:
        if "members_segment_name" in str(error):
            raise NameTaken(str(segment)) from error
        raise


def _check_cycle(segment_id: int | None, used: set[int]) -> None:
    if segment_id is None:
        return
    guilty = [pk for pk in used if pk == segment_id or segment_id in beneath(pk)]
    if guilty:
        raise SegmentCycle([str(segment) for segment in Segment.objects.filter(pk__in=guilty).order_by("id")])


@transaction.atomic
def archive_segment(*, segment_id: int, at: datetime) -> Segment:
    """Retires a segment: it has no members any more, and its history is kept. SegmentInUse."""
    lock(DERIVED)
    lock("members.segments")
    segment = Segment.objects.select_for_update().get(pk=segment_id)
    if segment.archived_at:
        return segment
    users = [str(user) for user in segment.used_by.filter(archived_at=None).order_by("id")]
    persona = Persona.objects.filter(segment=segment).exists()
    others = held_by(segment_id)
    if users or persona or others:
        raise SegmentInUse(segments=users, persona=persona, others=others)
    SegmentMember.objects.filter(segment=segment).delete()
    segment.archived_at, segment.size = at, 0
    segment.save(update_fields=["archived_at", "size"])
    return segment
