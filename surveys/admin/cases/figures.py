"""The page "Figures of care", and the same as a file."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.cells import plain_cell
from surveys.behind import ANSWERS, url
from surveys.queries_care import FOLLOWED, Care, care
from surveys.queries_given import SMALLEST
from surveys.rates import Times
from surveys.scores import Score
from surveys.words_cases import minutes_words

PERIODS = (30, 90, 365)


def asked(request: HttpRequest) -> tuple[int, Care]:
    """The period that the address asks for, whole days up to now, and its figures."""
    told = request.GET.get("days", "")
    days = int(told) if told in {str(each) for each in PERIODS} else 90
    at = now()
    begin = localtime(at - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    return days, care(since=begin, until=at, at=at)


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else number_format(round(value, digits), decimal_pos=digits, use_l10n=True)


def _share(score: Score) -> tuple[str, str]:
    if score.value is None or score.low is None or score.high is None:
        return "–", gettext("not enough data")
    words = {"n": score.n, "low": _number(score.low, 0), "high": _number(score.high, 0)}
    return f"{_number(score.value, 0)} %", gettext("of %(n)d; %(low)s to %(high)s %%") % words


def _how_many(times: Times) -> str:
    words = {"p90": minutes_words(times.p90), "events": times.events, "n": times.n}
    if times.p90 is None:
        return gettext("half by then; of nine of ten it is not known yet; %(events)d of %(n)d are over") % words
    return gettext("half by then, nine of ten by %(p90)s; %(events)d of %(n)d are over") % words


def _score(kind: str, score: Score) -> tuple[str, str]:
    """NPS is signed, CSAT a share, CES a mean."""
    if score.n < SMALLEST or score.value is None:
        return "–", gettext("too few answers: %(n)d, and at least %(least)d are needed") % {
            "n": score.n, "least": SMALLEST,
        }  # fmt: skip
    digits = 0 if kind == "csat" else 1
    sign = "+" if kind == "nps" and score.value > 0 else ""
    unit = " %" if kind == "csat" else ""
    words = {"n": score.n, "low": _number(score.low, digits), "high": _number(score.high, digits), "unit": unit}
    sure = gettext("of %(n)d people; %(low)s to %(high)s%(unit)s") % words
    return f"{sign}{_number(score.value, digits)}{unit}", sure


_HOW = {
    "nps": _("9 and 10 less 0 to 6, in percent of all who answered."),
    "csat": _("Who gave 4 or 5 of 5, in percent of all who answered."),
    "ces": _("Mean of 1 (hard) to 7 (easy)."),
}


def rows(found: Care) -> list[dict[str, Any]]:
    """Each figure: what, how much, how sure and of what, how it is reckoned, and where its rows are."""

    def behind(name: str, words: str) -> tuple[str, str]:
        return words, url(name, found.since, found.until)

    told: list[tuple[str, str, str, str, str, list[tuple[str, str]]]] = []
    for kind, score in found.scores.items():
        value, sure = _score(kind, score)
        once = gettext(
            "Each person once, with their newest answer of the period, in whichever survey; anonymous answers by"
            " whole mixings."
        )
        links = [behind(kind, gettext("The answers behind it"))] if score.n else []
        told.append((str(ANSWERS[kind]), value, sure, f"{_HOW[kind]} {once}", score.formula, links))
    rate = found.rate
    told.append(
        (
            gettext("Complaints per 1,000 purchases"),
            _number(rate.value, 2),
            gettext("%(n)d on %(base)d purchases; %(low)s to %(high)s")
            % {"n": rate.count, "base": rate.base, "low": _number(rate.low, 2), "high": _number(rate.high, 2)},
            gettext(
                "Complaints opened in the period, divided by purchases in it. What was merged counts once, what was"
                " opened again is not new."
            ),
            rate.formula,
            [behind("complaints", gettext("The cases behind it"))],
        )
    )
    for title, times, name in (
        (gettext("Time to the first answer"), found.answer, "opened"),
        (gettext("Time until put right"), found.resolve, "to_put_right"),
    ):
        told.append(
            (
                title,
                minutes_words(times.median),
                _how_many(times),
                gettext(
                    "Median and 90th percentile in business hours by Kaplan and Meier: those that are open count as"
                    " long as they are open already."
                ),
                times.formula,
                [behind(name, gettext("The cases behind it"))],
            )
        )
    for title, score, why, some, of in (
        (
            gettext("Opened again"),
            found.reopened,
            gettext("Of the cases that were put right, those that had to be opened again."),
            behind("reopened", gettext("Those opened again")),
            behind("put_right", gettext("All that were put right")),
        ),
        (
            gettext("Detractors answered within a day"),
            found.detractors,
            gettext("Of everybody who was unhappy in a survey at least a day ago, those who got an answer within 24"
                    " hours by the clock, in their case or the one it was merged into. Without a case is without an"
                    " answer."),
            behind("unheard", gettext("Those without an answer")),
            behind("unhappy", gettext("All who were unhappy")),
        ),
        (
            gettext("Customers who recovered"),
            found.recovered,
            gettext("Of the members with a complaint that was put right, at least %(days)d days ago, those who bought"
                    " again within these days.") % {"days": FOLLOWED},
            behind("recovered", gettext("Those who recovered")),
            behind("followed", gettext("All that were followed")),
        ),
    ):  # fmt: skip
        value, sure = _share(score)
        told.append((title, value, sure, why, score.formula, [some, of]))
    keys = ("title", "value", "sure", "why", "formula", "links")
    return [dict(zip(keys, row, strict=True)) for row in told]


def context(request: HttpRequest) -> dict[str, Any]:
    days, found = asked(request)
    complaints = url("complaints", found.since, found.until)
    return {
        "days": days,
        "days_text": str(days),
        "periods": PERIODS,
        "care": found,
        "figures": rows(found),
        "opened_url": url("opened", found.since, found.until),
        "undone_url": url("undone", found.since, found.until),
        "charts": [
            (title, [(bar, f"{complaints}&{_only(name, bar.pk)}") for bar in bars])
            for title, name, bars in (
                (gettext("What complaints are about"), "category", found.categories),
                (gettext("Why it came to them"), "cause", found.causes),
            )
        ],
        "since": localtime(found.since),
        "until": localtime(found.until),
    }


def _only(name: str, pk: int | None) -> str:
    return f"{name}__isnull=True" if pk is None else f"{name}__id__exact={pk}"


def file(request: HttpRequest) -> HttpResponse:
    """The figures as CSV."""
    days, found = asked(request)
    out = StringIO()
    writer = csv.writer(out)
    head = (gettext("figure"), gettext("value"), gettext("how sure"), gettext("how it is reckoned"), gettext("formula"))
    writer.writerow([gettext("period"), f"{found.since:%Y-%m-%d}", f"{found.until:%Y-%m-%d}"])
    writer.writerow(head)
    for row in rows(found):
        writer.writerow([plain_cell(row[key]) for key in ("title", "value", "sure", "why", "formula")])
    for name, bars in ((gettext("category"), found.categories), (gettext("cause"), found.causes)):
        writer.writerow([])
        writer.writerow([name, gettext("complaints"), "%", gettext("% up to here")])
        for bar in bars:
            writer.writerow([plain_cell(bar.name or "–"), bar.count, f"{bar.percent:.1f}", f"{bar.sum_percent:.1f}"])
    reply = HttpResponse("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")
    reply["Content-Disposition"] = f'attachment; filename="care-{days}-days.csv"'
    return reply
