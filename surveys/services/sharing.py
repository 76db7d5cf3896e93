"""Links to a report, for people without an account: made, withdrawn, opened."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import F

from surveys.models import SharedReport


def share_report(
    *,
    survey_id: int,
    title: str,
    expires_at: datetime,
    at: datetime,
    chosen: Mapping[str, str] | None = None,
    verbatims: bool = False,
    actor_id: int | None = None,
) -> SharedReport:
    """A link that shows the report, or the part chosen (as surveys.forms_report has it), until it expires."""
    return SharedReport.objects.create(
        survey_id=survey_id,
        title=title,
        chosen=dict(chosen or {}),
        verbatims=verbatims,
        created_at=at,
        created_by_id=actor_id,
        expires_at=expires_at,
    )


def withdraw_report(
    *, shared_id: int, survey_id: int, at: datetime, actor_id: int | None = None
) -> SharedReport | None:
    """From now on the link shows nothing; None where there is none, or it was withdrawn before."""
    found = SharedReport.objects.filter(pk=shared_id, survey=survey_id, withdrawn_at=None)
    if not found.update(withdrawn_at=at, withdrawn_by_id=actor_id):
        return None
    return SharedReport.objects.get(pk=shared_id)


def note_opened(*, uid: UUID, at: datetime) -> int:
    """Somebody has it before them; not of a link that shows nothing any more."""
    found = SharedReport.objects.filter(uid=uid, withdrawn_at=None, expires_at__gt=at)
    return found.update(opened=F("opened") + 1, opened_at=at)
