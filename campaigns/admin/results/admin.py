"""What my campaigns brought: the list of all that marketing sends, and the page of each."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.timezone import now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from campaigns.admin.broadcasts.words import amount, number, percent
from campaigns.admin.results import page, table, trace
from campaigns.admin.results.acts import MeasuresView, ResendView
from campaigns.enums import CampaignKind, CampaignState
from campaigns.models import Campaign
from campaigns.queries_measure import came, lifts
from common.admin import Labelled, QuickChangeList, ReadOnlyAdmin, Tones, guarded

COLOURS = Tones({CampaignState.RUNNING: "info", CampaignState.PAUSED: "warning", CampaignState.DONE: "success"})
NOT_SERVICE = ~Q(kind=CampaignKind.SERVICE) & ~Q(state__in=[CampaignState.DRAFT, CampaignState.WAITING])


class ResultList(QuickChangeList):
    """The figures of all campaigns of a page, in two statements."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = gettext("What campaigns brought")

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        ids = [row.pk for row in self.result_list]
        figures, brought = came(ids), lifts(ids, at=now())
        for row in self.result_list:
            row.came, row.lift = figures[row.pk], brought[row.pk]


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ("shown_name", "shown_state", "sent", "opened", "clicked", "unsubscribed", "brought")
    list_filter = ("kind", "state")
    search_fields = ("name",)
    search_help_text = _("Name")
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions_list = ("as_csv",)

    class Media:
        css = {"all": ["desk/broadcasts.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str = "view") -> Any:
            safe = guarded(self, view, permission)
            return path(route, self.admin_site.admin_view(safe), name=f"campaigns_campaign_{name}")

        def confirm(view: Any) -> Any:
            return lambda request, **kwargs: view.answer(self, request, **kwargs)

        return [
            own("<int:object_id>/trace/", lambda request, **kwargs: trace.show(self, request, **kwargs), "trace"),
            own("<int:object_id>/csv/", lambda request, **kwargs: page.as_csv(request, **kwargs), "csv"),
            path(
                "<int:object_id>/measures/",
                self.admin_site.admin_view(confirm(MeasuresView)),
                name="campaigns_campaign_measures",
            ),
            path(
                "<int:object_id>/resend/",
                self.admin_site.admin_view(confirm(ResendView)),
                name="campaigns_campaign_resend",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return super().get_queryset(request).filter(NOT_SERVICE)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ResultList]:
        return ResultList

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return guarded(self, lambda asked: page.show(self, asked, object_id), "view")(request)

    @action(description=_("As CSV"), url_path="as-csv", permissions=["view"], icon="download")
    def as_csv(self, request: HttpRequest) -> HttpResponse:
        return table.answer("campaigns.csv", table.of_all(self.get_queryset(request)))

    # --- Columns ------------------------------------------------------------------------------------------------
    @display(description=_("campaign"))
    def shown_name(self, campaign: Campaign) -> str:
        cell = '<span class="seg-cell">{}<span class="desk-muted">{}</span></span>'
        return format_html(cell, campaign, campaign.get_kind_display())

    @display(description=_("state"), label=COLOURS)
    def shown_state(self, campaign: Campaign) -> tuple:
        return Labelled((campaign.state, campaign.get_state_display()))

    @display(description=pgettext_lazy("broadcast", "sent"))
    def sent(self, campaign: Any) -> str:
        return number(campaign.came.sent)

    @display(description=_("opened"))
    def opened(self, campaign: Any) -> str:
        return self._share(campaign, campaign.came.opened) if campaign.measure_opens or campaign.came.opened else "–"

    @display(description=_("clicked"))
    def clicked(self, campaign: Any) -> str:
        return self._share(campaign, campaign.came.clicked)

    @display(description=_("unsubscribed"))
    def unsubscribed(self, campaign: Any) -> str:
        return self._share(campaign, campaign.came.unsubscribed)

    @display(description=_("brought"))
    def brought(self, campaign: Any) -> str:
        lift = campaign.lift
        if lift.brought is None:
            return gettext("not enough data") if lift.held.members else gettext("nobody held out")
        said = amount(lift.brought, lift.currency)
        return said if lift.difference.clear else gettext("%(money)s (may be chance)") % {"money": said}

    def _share(self, campaign: Any, n: int) -> str:
        sent = campaign.came.sent
        return f"{number(n)} ({percent(n / sent)})" if sent else "–"
