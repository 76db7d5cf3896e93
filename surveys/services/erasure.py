"""What becomes of the answers of members who are erased: choices stay in the figures, what was written goes."""

from collections.abc import Sequence
from datetime import datetime

import pgtrigger
from django.db import transaction

from surveys.models import Answer, DueInvitation, Invitation, Response, ResponseChange, Upload


def erase_answers(member_ids: Sequence[int], at: datetime) -> None:
    """Empties words and days, deletes pictures; scores and choices stay, joined to nobody who could be known."""
    responses = Response.objects.filter(member__in=member_ids)
    answers = Answer.objects.filter(response__in=responses)
    with pgtrigger.ignore("surveys.Answer:kept"):
        answers.update(text="", words=None, themes=None, day=None, upload=None)
    with pgtrigger.ignore("surveys.ResponseChange:read_only"):
        ResponseChange.objects.filter(response__in=responses).update(reason="")
    for upload in Upload.objects.filter(response__in=responses):
        name, storage = upload.picture.name, upload.picture.storage
        upload.delete()
        transaction.on_commit(lambda name=name, storage=storage: storage.delete(name))  # type: ignore[misc]
    DueInvitation.objects.filter(member__in=member_ids).delete()
    responses.update(traits={}, key="")
    Invitation.objects.filter(member__in=member_ids, state__in=["open", "started"]).update(expires_at=at)
