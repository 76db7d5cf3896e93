"""Broadcasts in the admin: the list, the steps of a draft, the page of what is sent."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.admin.broadcasts import acts, page, steps
from campaigns.admin.broadcasts.words import number
from campaigns.enums import CampaignState
from campaigns.models import Broadcast, CampaignSettings
from common.admin import DeskAdmin, Labelled, QuickChangeList, Tones, guarded
from common.moments import format_moment
from common.sql import fetch_all

COLOURS = Tones(
    {
        CampaignState.RUNNING: "info",
        CampaignState.SCHEDULED: "info",
        CampaignState.WAITING: "warning",
        CampaignState.PAUSED: "warning",
        CampaignState.DONE: "success",
    }
)
_COUNTS = """
SELECT campaign_id, state, count(*) FROM campaigns_message WHERE campaign_id = ANY(%s::bigint[]) GROUP BY 1, 2
"""


class BroadcastChangeList(QuickChangeList):
    """Counts the messages of all broadcasts of a page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        counts: dict[int, dict[str, int]] = {}
        for campaign_id, state, count in fetch_all(_COUNTS, [[row.pk for row in self.result_list]]):
            counts.setdefault(campaign_id, {})[state] = count
        for row in self.result_list:
            row.counts = counts.get(row.pk, {})


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return CampaignState.choices

    def queryset(self, request, queryset):
        return queryset.filter(campaign__state=self.value()) if self.value() else queryset


@admin.register(Broadcast)
class BroadcastAdmin(DeskAdmin):
    list_display = ("shown_name", "shown_state", "begins", "meant", "sent", "trouble")
    list_filter = (StateFilter,)
    list_select_related = ("campaign",)
    search_fields = ("campaign__name",)
    search_help_text = _("Name")
    ordering = ("-campaign__created_at", "-pk")
    sortable_by = ()

    class Media:
        css = {"all": ["desk/broadcasts.css"]}
        js = ["desk/broadcasts.js"]

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str = "change") -> Any:
            safe = guarded(self, view, permission)
            return path(route, self.admin_site.admin_view(safe), name=f"campaigns_broadcast_{name}")

        def confirm(name: str, view: Any, permission: str = "change") -> Any:
            route = f"<int:object_id>/{name.replace('_', '-')}/"
            return own(route, lambda request, **kwargs: view.answer(self, request, **kwargs), name, permission)

        return [
            own("count/", self.count, "count", "add"),
            own("<int:object_id>/audience/", self.audience, "audience"),
            own("<int:object_id>/content/", self.content, "content"),
            own("<int:object_id>/when/", self.when, "when"),
            own("<int:object_id>/check/", self.check_page, "check", "view"),
            own("<int:object_id>/estimate/", self.estimate, "estimate", "view"),
            own("<int:object_id>/live/", self.live, "live", "view"),
            confirm("ask", acts.AskView),
            confirm("approve", acts.ApproveView, "view"),
            confirm("refuse", acts.RefuseView, "view"),
            confirm("take_back", acts.TakeBackView),
            confirm("pause", acts.PauseView),
            confirm("resume", acts.ResumeView),
            confirm("cancel", acts.CancelView),
            confirm("follow", acts.FollowView),
            confirm("test", acts.TestView),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BroadcastChangeList]:
        return BroadcastChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Broadcast]:
        return super().get_queryset(request).annotate(versions=Count("variants", filter=Q(variants__number__gt=0)))

    # --- Pages ------------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return guarded(self, lambda asked: steps.add(self, asked), "add")(request)

    def change_view(self, request, object_id, form_url="", extra_context=None) -> HttpResponse:
        return guarded(self, lambda asked: page.show(self, asked, object_id), "view")(request)

    def count(self, request: HttpRequest) -> HttpResponse:
        return steps.estimate(self, request)

    def audience(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return steps.step(self, request, object_id, "audience")

    def content(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return steps.step(self, request, object_id, "content")

    def when(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return steps.step(self, request, object_id, "when")

    def check_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return steps.check(self, request, object_id)

    def estimate(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return steps.estimate(self, request, object_id)

    def live(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return page.live(self, request, object_id)

    # --- Columns ----------------------------------------------------------------------------------------------------
    @display(description=_("broadcast"))
    def shown_name(self, broadcast: Broadcast) -> str:
        said = broadcast.campaign.paused_why
        if not said and broadcast.versions > 1:  # type: ignore[attr-defined]
            said = gettext("%(n)d versions") % {"n": broadcast.versions}  # type: ignore[attr-defined]
        cell = "<strong>{}</strong><br><span class='desk-muted'>{}</span>"
        return format_html(cell, broadcast, gettext(said) if said else "")

    @display(description=_("state"), label=COLOURS)
    def shown_state(self, broadcast: Broadcast) -> tuple:
        return Labelled((broadcast.campaign.state, broadcast.campaign.get_state_display()))

    @display(description=_("begins"))
    def begins(self, broadcast: Broadcast) -> str:
        return format_moment(broadcast.starts_at) or "–"

    @display(description=_("audience"))
    def meant(self, broadcast: Broadcast) -> str:
        counts = broadcast.counts  # type: ignore[attr-defined]
        return number(sum(counts.values())) if counts else "–"

    @display(description=_("sent"))
    def sent(self, broadcast: Broadcast) -> str:
        return number(broadcast.counts.get("sent", 0)) if broadcast.counts else "–"  # type: ignore[attr-defined]

    @display(description=_("did not arrive"))
    def trouble(self, broadcast: Broadcast) -> str:
        counts = broadcast.counts  # type: ignore[attr-defined]
        bad = sum(counts.get(state, 0) for state in ("failed", "unknown", "missed"))
        return number(bad) if bad else "–"


@admin.register(CampaignSettings)
class CampaignSettingsAdmin(DeskAdmin):
    list_display = ("__str__", "approval_above", "holdout_percent")
    fields = ("approval_above", "holdout_percent")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request) and not CampaignSettings.objects.exists()
