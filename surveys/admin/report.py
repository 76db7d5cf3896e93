"""The report of a survey: what was answered, how sure that is, by whom, and how it moves; as a page and as a file."""

from dataclasses import replace
from typing import Any

import tablib
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext, pgettext_lazy

from common.cells import plain_cell
from surveys.admin.tabs import draw, register_page
from surveys.forms_report import ReportForm, asked_by
from surveys.models import Survey
from surveys.queries_figures import questions_of
from surveys.queries_words import texts_in, themes_now
from surveys.report import by_group, card, figures, group_name, said_in, share_of

FORMATS = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


def results(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """All questions of everybody asked for, and by group where one is chosen."""
    form = ReportForm(request.GET or None, survey=survey)
    context = {
        **figures(survey, asked_by(survey, form), form.chosen_by),
        "form": form,
        "query": request.GET.urlencode(),
        "formats": list(FORMATS),
        "may_share": request.user.has_perm("surveys.view_sharedreport"),
    }
    return draw(model_admin, request, survey, "surveys/admin/report.html", tab="report", **context)


# --- as a file ------------------------------------------------------------------------------------------------------
def as_file(model_admin: Any, request: HttpRequest, survey: Survey, kind: str) -> HttpResponse:
    """The figures of the page, a line for each group, question and answer to choose; what is missing is empty."""
    if kind not in FORMATS:
        raise Http404
    form = ReportForm(request.GET or None, survey=survey)
    asked = asked_by(survey, form)
    by = form.chosen_by
    heads = ["group", "question", "kind", "asked", "answered", "what", "n", "value", "low", "high", "formula"]
    lines = []
    texts, themes = texts_in(replace(asked, by=by)), themes_now()
    for who, tallies in by_group(asked, by)[0].items():
        for question in questions_of(survey):
            one = card(question, tallies.get(question.id))
            start = [group_name(survey, by, who) if by else "", one["title"], question.kind]
            start += [one["asked"], one["answered"]]
            told = [("score", one["score"].n, one["score"])] if one["score"] else []
            told += [(str(bar["label"]), bar["n"], bar["score"]) for bar in one["bars"]]
            for table in one["matrix"]:
                for row in table["rows"]:
                    pairs = zip(table["heads"], row["shares"], strict=True)
                    told += [(f"{row['label']}: {head}", row["n"], share) for head, share in pairs]
            if wrote := said_in(texts.get(who, {}).get(question.id), themes):
                told += [
                    (gettext("theme: %(name)s") % {"name": about["theme"]}, about["n"], about["share"])
                    for about in wrote["themes"]
                ]
                told += [
                    (gettext("word: %(word)s") % {"word": word}, n, share_of(n, wrote["n"]))
                    for word, n in wrote["words"].items()
                ]
            for what, n, score in told:
                lines.append([*start, what, n, score.value, score.low, score.high, score.formula])
    book = tablib.Dataset(*[[plain_cell(cell) for cell in line] for line in lines], headers=heads, title="report")
    content = book.export(kind)
    body = content.encode("utf-8-sig" if kind == "csv" else "utf-8") if isinstance(content, str) else content
    answer = HttpResponse(body, content_type=FORMATS[kind])
    answer["Content-Disposition"] = f'attachment; filename="{survey.code}-{now():%Y-%m-%d}.{kind}"'
    return answer


register_page("report/", results, "report", tab=pgettext_lazy("survey", "Report"), order=30)
register_page("report/<str:kind>/", as_file, "report_file")
