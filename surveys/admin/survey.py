"""Surveys: the list, what to begin from, and the pages that hang on each (surveys.admin.tabs)."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import DeskAdmin, Labelled, Tones, found_or_404, guarded
from common.moments import format_moment
from surveys.admin import acts, build, settings, tabs  # noqa: F401  settings adds its pages
from surveys.enums import SurveyState
from surveys.models import Survey
from surveys.queries_list import standing

COLOURS = Tones({SurveyState.OPEN: "success", SurveyState.PAUSED: "warning", SurveyState.DRAFT: "info"})


@admin.register(Survey)
class SurveyAdmin(DeskAdmin):
    list_display = ("shown_name", "shown_state", "shown_version", "shown_answers", "shown_rate", "shown_dates")
    list_filter = ("state", "anonymous")
    search_fields = ("name", "code")
    search_help_text = _("Name or address")
    ordering = ("-changed_at", "-pk")
    sortable_by = ()

    class Media:
        css = {"all": ["desk/segments.css", "desk/surveys.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str) -> Any:
            guard = guarded(self, lambda request, **rest: view(self, request, **rest), permission)
            return path(route, self.admin_site.admin_view(guard), name=f"surveys_survey_{name}")

        return [
            own("ready/<str:key>/", build.take, "ready", "add"),
            own("check/", build.check, "check", "view"),
            *tabs.urls(self),
            *super().get_urls(),
        ]

    # --- The list -----------------------------------------------------------------------------------------------
    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows: list[Any] = list(found.result_list)
        stands = standing(row.pk for row in rows)
        for row in rows:
            row.standing = stands[row.pk]
        found.result_list = rows
        return found

    @display(description=_("survey"))
    def shown_name(self, survey: Any) -> str:
        words = gettext("anonymous") if survey.anonymous else ""
        return format_html(
            '<span class="seg-cell">{}<span class="desk-muted">{}</span></span>',
            survey.name,
            words or f"/s/{survey.code}/",
        )

    @display(description=_("state"), label=COLOURS)
    def shown_state(self, survey: Survey) -> Labelled:
        state = SurveyState(survey.state)
        return Labelled((state, state.label))

    @display(description=_("version"))
    def shown_version(self, survey: Survey) -> str:
        return str(survey.number) if survey.number else "–"

    @display(description=_("answers"))
    def shown_answers(self, survey: Any) -> str:
        if survey.response_limit is None:
            return str(survey.standing.complete)
        return gettext("%(n)d of %(most)d") % {"n": survey.taken, "most": survey.response_limit}

    @display(description=_("response rate"))
    def shown_rate(self, survey: Any) -> str:
        rate = survey.standing.rate
        if rate is None:
            return "–"
        words = {"percent": f"{rate:.0f}", "n": survey.standing.asked}
        return gettext("%(percent)s %% of %(n)d asked") % words

    @display(description=_("when open"))
    def shown_dates(self, survey: Survey) -> str:
        begins = format_moment(survey.opens_at) if survey.opens_at else ""
        ends = format_moment(survey.closes_at) if survey.closes_at else ""
        if begins and ends:
            return f"{begins} – {ends}"
        if ends:
            return gettext("until %(when)s") % {"when": ends}
        return gettext("from %(when)s") % {"when": begins} if begins else "–"

    # --- One survey ---------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return build.start(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return build.build(self, request, found_or_404(Survey, object_id))
