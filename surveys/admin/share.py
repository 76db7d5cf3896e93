"""Links to a survey's report for people without an account: made, listed, withdrawn."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.timezone import now
from django.utils.translation import gettext

from common.moments import format_last_day
from surveys.admin.tabs import draw, register_page
from surveys.forms_share import ShareForm, by_words, part_words
from surveys.links import shared_url
from surveys.models import SharedReport, Survey
from surveys.services.sharing import share_report, withdraw_report

SHOWN = 50


def share(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """A form for another link, filled in with the part that the report was opened with, and those there are."""
    may = request.user.has_perm("surveys.add_sharedreport")
    form = ShareForm(initial={key: value for key, value in request.GET.items() if value}, survey=survey)
    if request.method == "POST":
        if not may:
            raise PermissionDenied
        if "withdraw" in request.POST:
            return _withdraw(model_admin, request, survey)
        form = ShareForm(request.POST, survey=survey)
        if form.is_valid():
            return _make(model_admin, request, survey, form)
    at = now()
    found = SharedReport.objects.filter(survey=survey).select_related("created_by", "withdrawn_by")
    links = [
        {
            "shared": one,
            "part": part_words(one.chosen),
            "by": by_words(one.chosen),
            "url": shared_url(one.uid),
            "until": format_last_day(one.expires_at),
            "works": one.withdrawn_at is None and one.expires_at > at,
        }
        for one in found.order_by("-created_at", "-pk")[:SHOWN]
    ]
    context = {"form": form, "links": links, "may": may}
    return draw(model_admin, request, survey, "surveys/admin/share.html", tab="report", **context)


def _make(model_admin: Any, request: HttpRequest, survey: Survey, form: ShareForm) -> HttpResponse:
    made = share_report(
        survey_id=survey.pk,
        title=form.cleaned_data["title"],
        chosen=form.chosen,
        verbatims=form.cleaned_data["verbatims"],
        expires_at=form.expires_at,
        at=now(),
        actor_id=request.user.pk,
    )
    words = {"title": made.title, "when": format_last_day(made.expires_at)}
    model_admin.log_change(request, survey, gettext("Report shared by a link: “%(title)s”, until %(when)s.") % words)
    messages.success(request, gettext("“%(title)s” can be opened with the link below.") % words)
    return redirect(f"{request.path}#links")


def _withdraw(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    told = request.POST["withdraw"]
    pk = int(told) if told.isdecimal() and len(told) < 19 else 0
    gone = withdraw_report(shared_id=pk, survey_id=survey.pk, at=now(), actor_id=request.user.pk)
    if gone is not None:
        words = {"title": gone.title}
        model_admin.log_change(request, survey, gettext("Link to the report withdrawn: “%(title)s”.") % words)
        messages.success(request, gettext("The link to “%(title)s” shows nothing any more.") % words)
    return redirect(f"{request.path}#links")


register_page("share/", share, "share", codename="surveys.view_sharedreport")
