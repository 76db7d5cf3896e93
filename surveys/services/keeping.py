"""How long answers that nobody finished are kept, if a manager says so."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from members.privacy import Retention, register_retention
from surveys.enums import ResponseState
from surveys.models import Response, Upload


def _begun(before: datetime) -> QuerySet[Response]:
    return Response.objects.filter(state=ResponseState.STARTED, changed_at__lt=before)


@transaction.atomic
def _forget(before: datetime, limit: int) -> int:
    old = _begun(before).order_by("pk")
    ids = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
    for upload in Upload.objects.filter(response__in=ids):
        name, storage = upload.picture.name, upload.picture.storage
        transaction.on_commit(lambda name=name, storage=storage: storage.delete(name))  # type: ignore[misc]
    Response.objects.filter(pk__in=ids).delete()  # answers and pictures with it
    return len(ids)


def register_all() -> None:
    register_retention(
        Retention(
            "survey_partials",
            _("Surveys begun and not finished"),
            _("Answers of those who stopped before the end. That they were asked stays."),
            90,
            lambda before: _begun(before).count(),
            lambda before: [],
            _forget,
        )
    )
