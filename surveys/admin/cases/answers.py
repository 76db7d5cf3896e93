"""The answers behind a figure of care: a page, and the same as a file that names nobody."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import localtime, now
from django.utils.translation import gettext

from common.cells import plain_cell
from surveys.behind import ANSWERS, PARAMETER, Behind, read
from surveys.queries_care import unhappy_answered, unhappy_ones
from surveys.queries_given import Given, answers_given, counted_given

PAGE = 50
IN_FILE = 100_000  # lines


def _asked(request: HttpRequest) -> Behind:
    if not request.user.has_perm("surveys.view_survey"):
        raise PermissionDenied
    asked = read(request.GET.get(PARAMETER, ""))
    return asked if asked is not None and asked.name in ANSWERS else Behind("nps", now() - timedelta(days=90), now())


def _count(asked: Behind) -> tuple[int, list[tuple[int, str, int]]]:
    """How many answers are listed, and how many of which anonymous survey are only counted."""
    if asked.name in ("unhappy", "unheard"):
        score = unhappy_answered(since=asked.since, until=asked.until, at=asked.until)
        answered = round((score.value or 0) * score.n / 100)
        return score.n - answered * (asked.name == "unheard"), []
    return counted_given(asked.name, since=asked.since, until=asked.until)


def _rows(asked: Behind, first: int, most: int) -> list[Given]:
    when: dict[str, Any] = {"since": asked.since, "until": asked.until, "first": first, "most": most}
    if asked.name in ("unhappy", "unheard"):
        return unhappy_ones(at=asked.until, missed=asked.name == "unheard", **when)
    return answers_given(asked.name, **when)


def context(request: HttpRequest) -> dict[str, Any]:
    asked = _asked(request)
    n, unnamed = _count(asked)
    page = Paginator(range(n), PAGE).get_page(request.GET.get("page"))
    return {
        "title": ANSWERS[asked.name],
        "asked": str(asked),
        "since": asked.since,
        "until": asked.until,
        "page": page,
        "rows": _rows(asked, page.start_index() - 1, PAGE) if n else [],
        "unnamed": unnamed,
        "total": n + sum(each for _pk, _name, each in unnamed),
        "unhappy": asked.name in ("unhappy", "unheard"),
    }


def file(request: HttpRequest) -> HttpResponse:
    """The newest IN_FILE of them as CSV."""
    asked = _asked(request)
    out = StringIO()
    writer = csv.writer(out)
    unhappy = asked.name in ("unhappy", "unheard")
    heads = [gettext("survey"), gettext("score"), gettext("answered"), gettext("case")]
    writer.writerow(heads + [gettext("heard within a day")] * unhappy)
    for row in _rows(asked, 0, IN_FILE):
        line = [row.survey or "", row.number, localtime(row.at).isoformat(timespec="minutes")]
        line += [f"C-{row.case_id}" if row.case_id else ""]
        writer.writerow([plain_cell(cell) for cell in [*line, *([int(bool(row.in_time))] if unhappy else [])]])
    _n, unnamed = _count(asked)
    for _pk, name, n in unnamed:
        writer.writerow([plain_cell(gettext("%(survey)s (anonymous): %(n)d answers") % {"survey": name, "n": n})])
    reply = HttpResponse("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")
    reply["Content-Disposition"] = f'attachment; filename="{asked.name}-{localtime(asked.until):%Y-%m-%d}.csv"'
    return reply
