"""A survey's report for whoever has a link to it, without an account: figures, no people."""

from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language, override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from members.enums import Language
from portal.limits import address_of, within
from surveys.enums import TEXTS
from surveys.forms_report import asked_for
from surveys.forms_share import by_words, part_words, read
from surveys.links import BadLink, read_shared
from surveys.models import SharedReport
from surveys.queries_figures import questions_of
from surveys.queries_report import Narrowed
from surveys.queries_verbatims import quoted
from surveys.report import figures, title_of
from surveys.services.sharing import note_opened

MOST, A_WHILE = 60, 600  # opened from one network in so many seconds
KEPT = 300  # seconds that the figures are kept: a link that goes round is counted once


@never_cache
@require_safe
def shared_report(request: HttpRequest, token: str) -> HttpResponse:
    """The page of a link: 404 where it was altered, 410 where it has expired or was withdrawn."""
    asked = request.GET.get("language", "")
    with override(asked if asked in Language.values else get_language()):
        reply = _answer(request, token)
        reply["X-Robots-Tag"] = "noindex, nofollow"
        reply["Referrer-Policy"] = "no-referrer"
        return reply


@never_cache
@require_POST
def seen(request: HttpRequest, token: str) -> HttpResponse:
    """Counts a visit; told by the page's script, which what fetches links does not run."""
    try:
        uid = read_shared(token)
    except BadLink:
        return HttpResponse(status=404)
    if within(f"shared-seen:{address_of(request)}", MOST, A_WHILE):
        note_opened(uid=uid, at=timezone.now())
    return HttpResponse(status=204)


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    if not within(f"shared:{address_of(request)}", MOST, A_WHILE):
        return _over(request, "too_many", 429)
    try:
        uid = read_shared(token)
    except BadLink:
        return _over(request, "unknown", 404)
    shared = SharedReport.objects.select_related("survey").filter(uid=uid).first()
    if shared is None:
        return _over(request, "unknown", 404)
    if shared.withdrawn_at is not None:
        return _over(request, "withdrawn", 410)
    if shared.expires_at <= timezone.now():
        return _over(request, "expired", 410)
    told = cache.get_or_set(f"shared:{shared.pk}:{get_language()}", lambda: _told(shared), KEPT)
    return render(request, "portal/surveys/report.html", {"shared": shared, "token": token, **(told or {})})


def _told(shared: SharedReport) -> dict[str, Any]:
    survey, chosen = shared.survey, read(shared.chosen)
    asked = asked_for(survey.pk, chosen)
    try:
        shown = figures(survey, asked, chosen.get("by", ""), shared=True)
    except Narrowed:  # it has become anonymous since: no parts
        shown = {"hidden": True}
    words = []
    if shared.verbatims and not shown["hidden"]:
        titles = {one.id: title_of(one) for one in questions_of(survey) if one.kind in TEXTS or one.other}
        words = [(titles[key], texts) for key, texts in quoted(survey, asked, titles).items()]
    return {
        **shown,
        "smallest": survey.smallest_group,
        "part": part_words(shared.chosen),
        "by": by_words(shared.chosen),
        "words": words,
        "as_of": timezone.now(),
    }


def _over(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    return render(request, "portal/surveys/report_over.html", {"reason": reason}, status=status)
