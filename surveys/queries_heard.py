"""What members told us, by member: their open cases, the last that was closed, their last answers to a survey."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Max, Q

from surveys.enums import ResponseState
from surveys.enums_cases import UNDONE
from surveys.models import Case, Response


class Heard(NamedTuple):
    open_cases: int = 0
    closed_at: datetime | None = None
    answered_at: datetime | None = None


NOTHING_HEARD = Heard()


def heard_of(member_ids: Sequence[int]) -> dict[int, Heard]:
    """Of each who told anything; two queries. Anonymous answers are nobody's."""
    cases = Case.objects.filter(member__in=member_ids).values("member_id").order_by()
    told = {
        row["member_id"]: Heard(row["n"], row["closed"])
        for row in cases.annotate(n=Count("pk", filter=Q(state__in=UNDONE)), closed=Max("closed_at"))
    }
    done = Response.objects.filter(member__in=member_ids, state=ResponseState.COMPLETE).values("member_id").order_by()
    for row in done.annotate(last=Max("completed_at")):
        pk = row["member_id"]
        told[pk] = told.get(pk, NOTHING_HEARD)._replace(answered_at=row["last"])
    return told
