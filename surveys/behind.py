"""Which rows a figure of care counted, as one word of an address: its name, and the moments it was counted between."""

from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from surveys.models import Case
from surveys.queries_care import cases_behind

PARAMETER = "behind"
CASES = {
    "complaints": _("Complaints opened"),
    "opened": _("Cases opened"),
    "undone": _("Cases opened and not put right yet"),
    "to_put_right": _("Cases opened that need putting right"),
    "put_right": _("Cases that were put right"),
    "reopened": _("Cases opened again"),
    "followed": _("Customers whose complaint was put right"),
    "recovered": _("Customers who recovered"),
}
ANSWERS = {
    "nps": _("Recommendation (NPS)"),
    "csat": _("Satisfaction (CSAT)"),
    "ces": _("Ease (CES, 1 to 7)"),
    "unhappy": _("Who was unhappy in a survey"),
    "unheard": _("Who was unhappy and got no answer within a day"),
}


class Behind(NamedTuple):
    """The rows of a figure in [since, until), as they stood at `until`."""

    name: str
    since: datetime
    until: datetime

    def __str__(self) -> str:
        moments = (moment.astimezone(UTC).isoformat().replace("+00:00", "Z") for moment in self[1:])
        return "~".join((self.name, *moments))

    def cases(self) -> QuerySet[Case]:
        return cases_behind(self.name, since=self.since, until=self.until, at=self.until)


def read(told: str) -> Behind | None:
    """What stood in an address; None where it is nothing that was ever written there."""
    name, *moments = told.split("~")
    try:
        since, until = (datetime.fromisoformat(moment) for moment in moments)
    except ValueError:
        return None
    if name not in (*CASES, *ANSWERS) or since.tzinfo is None or until.tzinfo is None or until < since:
        return None
    return Behind(name, since, min(until, now()))


def name_of_cases(told: str) -> str:
    asked = read(told)
    return str(CASES.get(asked.name, "?")) if asked else "?"


def url(name: str, since: datetime, until: datetime, **more: object) -> str:
    """Where the rows are: the list of cases, or the page of answers."""
    page = "changelist" if name in CASES else "answers"
    query = urlencode({PARAMETER: str(Behind(name, since, until)), **more})
    return f"{reverse(f'admin:surveys_case_{page}')}?{query}"
