"""Referral programmes made, published, run and ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from referrals.definition import Definition, parse
from referrals.enums import ProgrammeState
from referrals.models import Programme, ProgrammeVersion
from referrals.queries import known
from rewards.models import Tier

_STEPS = {
    ProgrammeState.DRAFT: {ProgrammeState.LIVE},
    ProgrammeState.LIVE: {ProgrammeState.PAUSED, ProgrammeState.ENDED},
    ProgrammeState.PAUSED: {ProgrammeState.LIVE, ProgrammeState.ENDED},
    ProgrammeState.ENDED: set(),
}


class WrongState(Exception):
    """Not from the state that the programme is in."""


def read_draft(programme: Programme) -> Definition:
    """The draft, read. BadProgramme."""
    return parse(programme.draft, known())


@transaction.atomic
def make_programme(*, name: str, definition: Any, at: datetime, **settings: Any) -> Programme:
    """A new draft; it may be wrong still."""
    tiers = settings.pop("tiers", ())
    programme = Programme.objects.create(name=name, draft=definition, created_at=at, changed_at=at, **settings)
    programme.tiers.set(tiers)
    return programme


@transaction.atomic
def save_programme(
    *, programme_id: int | None, name: str, definition: Any, tiers: Sequence[Tier], at: datetime, **settings: Any
) -> Programme:
    """Saves the draft and the settings of a programme, or makes one. Who came stays with the version they came by; the
    settings (dates, gates, budget) hold from now on. The budget may be set below what is spent: then nobody new
    qualifies."""
    if programme_id is None:
        return make_programme(name=name, definition=definition, tiers=tiers, at=at, **settings)
    programme = Programme.objects.select_for_update(no_key=True).get(pk=programme_id)
    programme.name, programme.draft, programme.changed_at = name, definition, at
    for key, value in settings.items():
        setattr(programme, key, value)
    programme.save(update_fields=["name", "draft", "changed_at", *settings])
    programme.tiers.set(tiers)
    return programme


@transaction.atomic
def publish(*, programme_id: int, at: datetime, actor_id: int | None = None) -> ProgrammeVersion:
    """Makes a version of the draft. Who came by an earlier one stays with it. BadProgramme; WrongState once ended."""
    programme = Programme.objects.select_for_update(no_key=True).get(pk=programme_id)
    if programme.state == ProgrammeState.ENDED:
        raise WrongState
    read_draft(programme)
    programme.number += 1
    programme.changed_at = at
    programme.save(update_fields=["number", "changed_at"])
    return ProgrammeVersion.objects.create(
        programme=programme, number=programme.number, definition=programme.draft, at=at, actor_id=actor_id
    )


@transaction.atomic
def move(*, programme_id: int, to: ProgrammeState, at: datetime, actor_id: int | None = None) -> Programme:
    """Into another state; a draft that goes live is published first. What is under way goes on in any. WrongState;
    BadProgramme."""
    programme = Programme.objects.select_for_update(no_key=True).get(pk=programme_id)
    if to not in _STEPS[ProgrammeState(programme.state)]:
        raise WrongState
    if not programme.number:
        publish(programme_id=programme_id, at=at, actor_id=actor_id)
        programme.refresh_from_db()
    programme.state, programme.changed_at = to, at
    programme.save(update_fields=["state", "changed_at"])
    return programme
