"""The pages of figures: the RFM map, where customers stand, what points are worth, and what is missing in the data."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from analytics.models import MemberScore
from common.admin import ReadOnlyAdmin
from loyalty_crm.admin import customers_page, quality_page, rewards_page, rfm_page


@admin.register(MemberScore)
class MemberScoreAdmin(ReadOnlyAdmin):
    list_display = ("member", "recency", "frequency", "monetary", "group")
    list_select_related = ("member",)
    fields = ("member", ("recency", "frequency", "monetary"), "group", "since")
    readonly_fields = ("group",)

    def get_urls(self):
        pages = [
            path(
                f"{name}/", self.admin_site.admin_view(self._page(name, context)), name=f"analytics_memberscore_{name}"
            )
            for name, context in (
                ("customers", customers_page.context),
                ("rewards", rewards_page.context),
                ("quality", quality_page.context),
            )
        ]
        pages.append(
            path(
                "rewards/<slug:key>/<slug:kind>/",
                self.admin_site.admin_view(self.rewards_file),
                name="analytics_memberscore_rewards_file",
            )
        )
        return pages + super().get_urls()

    def rewards_file(self, request: HttpRequest, key: str, kind: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return rewards_page.file(request, key, kind)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The map. Who is in a cell is a segment."""
        return self._page("rfm", rfm_page.context)(request)

    def _page(
        self, name: str, context: Callable[[HttpRequest], dict[str, Any]]
    ) -> Callable[[HttpRequest], HttpResponse]:
        def view(request: HttpRequest) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            request.current_app = self.admin_site.name
            shown = {**self.admin_site.each_context(request), **context(request)}
            return TemplateResponse(request, f"admin/figures/{name}.html", shown)

        return view
