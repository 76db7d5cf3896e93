"""Figures to take along, as CSV. Money in whole units of the programme's currency, rates as parts of one."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext

from campaigns.models import Campaign
from campaigns.queries_measure import Lift, came, lifts
from common.cells import plain_cell
from common.money import to_major

MOST, AT_ONCE = 1000, 25


def answer(name: str, rows: Iterable[Sequence[Any]]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{name}"'
    })  # fmt: skip
    response.write("\ufeff")  # Excel knows Chinese by it
    csv.writer(response).writerows([plain_cell(str(cell)) for cell in row] for row in rows)
    return response


def money_cells(lift: Lift) -> list[Any]:
    """Members and spending of both sides, the difference a member with its bounds, what it brought; "" where there is
    not enough data."""
    gap, code = lift.difference, lift.currency
    told: list[Any] = [lift.got.members, lift.held.members, to_major(lift.got.spent, code)]
    told.append(to_major(lift.held.spent, code))
    if gap is None or lift.brought is None:
        return [*told, "", "", "", ""]
    return [*told, *(to_major(round(n), code) for n in (gap.estimate, gap.low, gap.high, lift.brought))]


def of_all(campaigns: QuerySet[Campaign]) -> Iterator[Sequence[Any]]:
    """The newest thousand campaigns, a row each."""
    yield [
        gettext("Campaign"), gettext("Kind"), gettext("State"), gettext("Sent"), gettext("Delivered"),
        gettext("Bounced"), gettext("Opened"), gettext("Clicked"), gettext("Reported as spam"),
        gettext("Unsubscribed"), gettext("Meant to get it"), gettext("Held out"), gettext("Spent, of the first"),
        gettext("Spent, of those held out"), gettext("More a member"), gettext("at least (95 %)"),
        gettext("at most (95 %)"), gettext("Brought"),
    ]  # fmt: skip
    at = now()
    newest = list(campaigns.order_by("-created_at", "-id")[:MOST])
    for start in range(0, len(newest), AT_ONCE):
        some = newest[start : start + AT_ONCE]
        ids = [one.pk for one in some]
        figures, brought = came(ids), lifts(ids, at=at)
        for one in some:
            row = [str(one), one.get_kind_display(), one.get_state_display(), *figures[one.pk]]
            yield [*row, *money_cells(brought[one.pk])]
