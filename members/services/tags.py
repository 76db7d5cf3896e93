"""Words that staff pin to members."""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.sql import fetch_all
from members import events
from members.models import PRESENT, Member, MemberTag, Tag

LENGTH = 40
# Ordered, so that two people who tag the same members at once do not lock each other up.
_ADD = """
INSERT INTO members_membertag (member_id, tag_id, actor_id, at)
SELECT member.id, %(tag)s, %(actor)s, %(at)s FROM unnest(%(members)s::bigint[]) AS member (id) ORDER BY member.id
ON CONFLICT (member_id, tag_id) DO NOTHING RETURNING member_id
"""


def _clean(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LENGTH or "\0" in name:
        raise ValidationError(_("Please give a word of at most %(n)d characters.") % {"n": LENGTH})
    return name


@transaction.atomic
def add_tag(*, member_ids: Sequence[int], name: str, at: datetime, actor_id: int | None = None) -> tuple[Tag, int]:
    """Pins a tag to members, in one statement; the tag, and to how many it was new. Upper and lower case are one.

    Who is merged or erased is left out. ValidationError where the word cannot be.
    """
    name = _clean(name)
    tag = Tag.objects.filter(name__iexact=name).first()
    if tag is None:
        Tag.objects.bulk_create([Tag(name=name)], ignore_conflicts=True)  # somebody may do the same just now
        tag = Tag.objects.get(name__iexact=name)
    present = list(Member.objects.filter(PRESENT, pk__in=member_ids).values_list("pk", flat=True))
    new = [row[0] for row in fetch_all(_ADD, {"tag": tag.pk, "actor": actor_id, "at": at, "members": present})]
    data = {"tag": tag.pk, "name": tag.name}
    events.record_many(kind=events.TAG_ADDED, events=[(pk, at, data) for pk in new], actor_id=actor_id)
    return tag, len(new)


@transaction.atomic
def remove_tag(*, member_ids: Sequence[int], tag_id: int, at: datetime, actor_id: int | None = None) -> int:
    """Takes a tag off members; off how many it was taken."""
    tag = Tag.objects.get(pk=tag_id)
    pinned = MemberTag.objects.select_for_update().filter(member__in=member_ids, tag=tag).order_by("member_id")
    had = list(pinned.values_list("member_id", flat=True))
    MemberTag.objects.filter(member__in=had, tag=tag).delete()
    data = {"tag": tag.pk, "name": tag.name}
    events.record_many(kind=events.TAG_REMOVED, events=[(pk, at, data) for pk in had], actor_id=actor_id)
    return len(had)


def save_tag(*, tag_id: int | None = None, name: str) -> Tag:
    """A new tag, or another name for one. ValidationError by field."""
    tag = Tag.objects.get(pk=tag_id) if tag_id else Tag()
    try:
        tag.name = _clean(name)
    except ValidationError as error:
        raise ValidationError({"name": error.messages}) from error
    try:
        with transaction.atomic():
            tag.save()
    except IntegrityError as error:
        raise ValidationError({"name": _("There is such a tag already.")}) from error
    return tag
