"""How long answers that nobody finished, and cases of people who are no members, are kept, if a manager says so."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from members.privacy import Retention, register_retention
from surveys.enums import ResponseState
from surveys.enums_cases import CaseState
from surveys.models import Case, CaseMessage, Response, Upload
from surveys.services.cases.erasing import empty_cases


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


def _strangers(before: datetime) -> QuerySet[Case]:
    """Closed cases of people who are no members, and what was merged into such, that still have words."""
    ended = Q(state=CaseState.CLOSED, closed_at__lt=before)
    into = Q(state=CaseState.MERGED, merged_into__state=CaseState.CLOSED, merged_into__closed_at__lt=before)
    words = Exists(CaseMessage.objects.filter(case=OuterRef("pk")).exclude(text="", picture=""))
    return Case.objects.filter(ended | into, ~Q(subject="") | ~Q(contact="") | words, member=None)


@transaction.atomic
def _empty(before: datetime, limit: int) -> int:
    old = _strangers(before).order_by("pk")
    ids = list(old.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:limit])
    empty_cases(Case.objects.filter(pk__in=ids))
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
    register_retention(
        Retention(
            "case_strangers",
            _("Closed cases of people who are no members"),
            _("Address, words and pictures. That there was a case, and how it went, stays in the figures."),
            365,
            lambda before: _strangers(before).count(),
            lambda before: [case.number for case in _strangers(before).order_by("pk")[:5]],
            _empty,
        )
    )
