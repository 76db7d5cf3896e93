"""What becomes of the cases of members who are erased: that there was one, and how it went, stays in the figures; every
word and picture of it goes."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from surveys.models import Case, CaseFile, CaseMessage, Remedy, Suggestion, SuggestionLike


def erase_cases(member_ids: Sequence[int], at: datetime) -> None:
    """Empties words, deletes pictures and likes; a suggestion that is shown stays, in the shop's own words."""
    SuggestionLike.objects.filter(member__in=member_ids).delete()
    empty_cases(Case.objects.filter(member__in=member_ids))


def empty_cases(cases: QuerySet[Case]) -> None:
    """Takes every word, address and picture out of cases. Dates, states, causes and remedies stay."""
    files = CaseFile.objects.filter(message__case__in=cases)
    pictures = CaseMessage.objects.filter(case__in=cases).exclude(picture="")
    for file in [*(message.picture for message in pictures), *(one.file for one in files)]:
        name, storage = file.name, file.storage
        transaction.on_commit(lambda name=name, storage=storage: storage.delete(name))  # type: ignore[misc]
    files.delete()
    CaseMessage.objects.filter(case__in=cases).update(text="", picture="", key=None, send_at=None, not_kept=[])
    Remedy.objects.filter(case__in=cases).update(reason="")
    Suggestion.objects.filter(case__in=cases, published_at=None).delete()
    cases.update(subject="", contact="", key=None, themes=[])
