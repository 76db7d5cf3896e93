"""Anonymous answers are mixed, so that nothing tells which invitation each came with.

What a finished answer and its invitation share is the transaction that wrote both, and the order of things. So finished
answers wait until enough of them are there, and are then written anew, in a drawn order, all in one transaction and
with one moment; the rows that came are deleted. Until then no report counts them. docs/surveys.md.
"""

import secrets
from datetime import datetime
from pathlib import PurePath
from uuid import uuid4

import pgtrigger
import structlog
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Count, Max

from surveys.enums import ResponseState, SurveyState
from surveys.models import Answer, Response, Survey, Upload

log = structlog.get_logger(__name__)
_SHUFFLE = secrets.SystemRandom().shuffle


def mix_due(*, at: datetime) -> int:
    """Mixes wherever enough wait; how many answers were."""
    waiting = (
        Response.objects.filter(survey__anonymous=True, mixed_at=None)
        .exclude(state=ResponseState.STARTED)
        .values("survey")
        .annotate(n=Count("pk"))
        .values_list("survey", "n")
    )
    return sum(_try(pk, at) for pk, _ in sorted(waiting))


def _try(survey_id: int, at: datetime) -> int:
    """One survey that cannot be mixed keeps no other from it."""
    try:
        return mix(survey_id=survey_id, at=at)
    except Exception:
        log.exception("answers cannot be mixed", survey=survey_id)
        return 0


@transaction.atomic
def mix(*, survey_id: int, at: datetime) -> int:
    """Mixes what waits, if it is as many as the smallest group that is shown. When the survey is over, fewer go with
    those mixed last. How many."""
    survey = Survey.objects.select_for_update().get(pk=survey_id)
    mixed = Response.objects.filter(survey=survey, mixed_at__isnull=False)
    waiting = list(
        Response.objects.select_for_update()
        .filter(survey=survey, mixed_at=None)
        .exclude(state=ResponseState.STARTED)
        .order_by("pk")
    )
    over = survey.state in (SurveyState.CLOSED, SurveyState.ARCHIVED)
    over |= survey.closes_at is not None and survey.closes_at <= at
    over |= survey.response_limit is not None and survey.taken >= survey.response_limit
    if not waiting or (len(waiting) < survey.smallest_group and not over):
        return 0
    if len(waiting) < survey.smallest_group:
        moment = mixed.aggregate(last=Max("mixed_at"))["last"] or at
        waiting += list(Response.objects.select_for_update().filter(survey=survey, mixed_at=moment).order_by("pk"))
    else:
        moment = at
    _SHUFFLE(waiting)
    old = [response.pk for response in waiting]
    answers: dict[int, list[Answer]] = {pk: [] for pk in old}
    for answer in Answer.objects.filter(response__in=old):
        answers[answer.response_id].append(answer)
    uploads = {upload.pk: upload for upload in Upload.objects.filter(response__in=old)}
    fresh = [
        Response(
            survey=survey,
            version_id=response.version_id,
            way=response.way,
            language=response.language,
            state=response.state,
            started_at=moment,
            changed_at=moment,
            completed_at=moment,
            mixed_at=moment,
        )
        for response in waiting
    ]
    Response.objects.bulk_create(fresh)
    again = []
    for was, now in zip(waiting, fresh, strict=True):
        for answer in answers[was.pk]:
            if answer.upload_id:
                upload = uploads[answer.upload_id]
                _rename(upload)
                upload.pk, upload.uid, upload.response, upload.created_at = None, uuid4(), now, moment
                upload.save(force_insert=True)
                answer.upload = upload
            answer.pk, answer.response = None, now
            again.append(answer)
    Answer.objects.bulk_create(again)
    with pgtrigger.ignore("surveys.Answer:stays", "surveys.Response:stays"):
        Response.objects.filter(pk__in=old).delete()
    return len(waiting)


def _rename(upload: Upload) -> None:
    """Writes its file anew: the name and the moment of the one that came tell which answer it came with."""
    name, storage = str(upload.picture.name), upload.picture.storage
    if storage.exists(name):
        with storage.open(name) as file:
            data = ContentFile(file.read())
        upload.picture.save(f"{uuid4().hex}{PurePath(name).suffix}", data, save=False)
        transaction.on_commit(lambda: storage.delete(name))
