"""What staff write to each other about a member."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members import events
from members.models import Note

LENGTH = 4000


class NotYours(Exception):
    """Only who wrote a note changes its words or takes it away."""


def _clean(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValidationError(_("Please write something."))
    if len(text) > LENGTH or "\0" in text:
        raise ValidationError(_("Please use at most %(n)d characters.") % {"n": LENGTH})
    return text


@transaction.atomic
def add_note(*, member_id: int, text: str, pinned: bool = False, at: datetime, actor_id: int | None) -> Note:
    """A note on the member's page. ValidationError where it says nothing or too much."""
    note = Note.objects.create(member_id=member_id, text=_clean(text), pinned=pinned, author_id=actor_id, at=at)
    events.record(member_id=member_id, kind=events.NOTE_ADDED, at=at, data={"note": note.pk}, actor_id=actor_id)
    return note


@transaction.atomic
def edit_note(*, note_id: int, text: str, at: datetime, actor_id: int) -> Note:
    """Other words. NotYours, ValidationError."""
    note = _own(note_id, actor_id)
    text = _clean(text)
    if note.text != text:
        note.text, note.edited_at = text, at
        note.save(update_fields=["text", "edited_at"])
    return note


@transaction.atomic
def pin_note(*, note_id: int, pinned: bool) -> Note:
    """Anybody may put a note on top, or back."""
    note = Note.objects.select_for_update().get(pk=note_id, removed_at=None)
    note.pinned = pinned
    note.save(update_fields=["pinned"])
    return note


@transaction.atomic
def remove_note(*, note_id: int, at: datetime, actor_id: int) -> None:
    """Takes a note off the page; it is kept. NotYours."""
    note = _own(note_id, actor_id)
    note.removed_at = at
    note.save(update_fields=["removed_at"])
    data = {"note": note.pk}
    events.record(member_id=note.member_id, kind=events.NOTE_REMOVED, at=at, data=data, actor_id=actor_id)


def _own(note_id: int, actor_id: int) -> Note:
    note = Note.objects.select_for_update().get(pk=note_id, removed_at=None)
    if note.author_id != actor_id:
        raise NotYours
    return note
