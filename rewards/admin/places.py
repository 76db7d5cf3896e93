"""Places where members check in, with a sheet to hang up; and what other systems told of members."""

from typing import Any

import segno
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import BigIntegerField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter, RangeDateFilter
from unfold.decorators import action, display

from common.admin import DeskAdmin, ExportAdmin, PlainResource, ReadOnlyAdmin, found_or_404
from common.moments import format_moment
from members.models import CustomEvent
from members.queries import search
from rewards.admin.found import FOUND_AT_MOST
from rewards.admin.ledger import member_link, transfer_link
from rewards.earning.triggers import PURCHASE
from rewards.enums import Unit
from rewards.models import CheckInPoint, EarningRule, Transfer
from rewards.queries import amount_text, points_text
from rewards.services.earning.events import make_check_in_point

# What an event earned by now, gross, in one unit: its awards are found by their keys.
_EARNED = """
(SELECT sum(earn.amount)::bigint
 FROM rewards_earningrule AS rule
 JOIN rewards_transfer AS earn ON earn.key = 'earn:event:' || members_customevent.id || ':' || rule.id
 JOIN rewards_account AS wallet ON wallet.id = earn.credit_id AND wallet.unit = %s
 WHERE rule.trigger <> 'purchase')
"""


@admin.register(CheckInPoint)
class CheckInPointAdmin(DeskAdmin):
    list_display = ("name", "store", "pause", "active", "sheet_link")
    list_filter = ("active",)
    search_fields = ("name", "store")
    ordering = ("name", "pk")
    fields = ("name", "store", "cooldown_hours", "active")
    actions_detail = ("open_sheet",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.base_fields["name"].help_text = _("Members read it when they check in.")
        form.base_fields["cooldown_hours"].help_text = _(
            "So long a member waits before they can check in here again. 0 lets them do it at once."
        )
        form.base_fields["active"].help_text = _("The code of a place that is not active is refused.")
        return form

    def save_model(self, request: HttpRequest, obj: CheckInPoint, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made = make_check_in_point(name=obj.name, store=obj.store, cooldown_hours=obj.cooldown_hours, active=obj.active)
        obj.pk, obj.token = made.pk, made.token

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(self.sheet)
        return [
            path("<path:object_id>/sheet/", view, name="rewards_checkinpoint_sheet"),
            *super().get_urls(),
        ]

    @action(description=_("Print the sheet"), icon="print", url_path="open-sheet")
    def open_sheet(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.sheet(request, object_id)

    def sheet(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A page to print and hang up: the code, and what to do with it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        point = found_or_404(CheckInPoint, object_id)
        address = settings.SITE_URL + reverse("portal:checkin", args=[point.token])
        code = segno.make(address, error="m", micro=False)
        svg = code.svg_inline(border=2, scale=10, omitsize=True, lineclass=None)
        shown = {"point": point, "address": address, "code": mark_safe(svg)}  # noqa: S308 (drawn here)
        return render(request, "admin/check_in_sheet.html", shown)

    @display(description=_("hours between check-ins"), ordering="cooldown_hours")
    def pause(self, point: CheckInPoint) -> int:
        return point.cooldown_hours

    @display(description=_("sheet"))
    def sheet_link(self, point: CheckInPoint) -> str:
        url = reverse("admin:rewards_checkinpoint_sheet", args=[point.pk])
        return format_html('<a class="desk-link" href="{}" target="_blank">{}</a>', url, _("Print"))


class CustomEventResource(PlainResource):
    class Meta:
        model = CustomEvent
        fields = ("id", "at", "kind", "source", "key", "member__card_number", "data", "created_at")
        export_order = fields


@admin.register(CustomEvent)
class CustomEventAdmin(ReadOnlyAdmin, ExportAdmin):
    """What came from which system, and what it earned."""

    resource_classes = (CustomEventResource,)
    export_permission = "members.download_exportjob"
    list_display = ("when", "kind", "who", "source", "key", "earned")
    list_filter = (("at", RangeDateFilter), ("kind", FieldTextFilter), ("source", FieldTextFilter))
    list_filter_submit = True
    list_select_related = ("member",)
    search_fields = ("key",)
    search_help_text = _("Key, or the name, address or card number of a member")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("when", "kind", "who", "source", "key", "data", "earned", "movements", "recorded")
    readonly_fields = ("when", "who", "earned", "movements", "recorded")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        sums = {unit: RawSQL(_EARNED, [unit], output_field=BigIntegerField()) for unit in Unit.values}  # noqa: S611
        return super().get_queryset(request).annotate(points=sums[Unit.POINTS], credit=sums[Unit.CREDIT])

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        by_key = queryset.filter(key=search_term.strip())
        if by_key.exists():
            return by_key, False
        members = search(search_term).order_by().values_list("pk", flat=True)[:FOUND_AT_MOST]
        return queryset.filter(member__in=list(members)), False

    @display(description=_("when"))
    def when(self, event: CustomEvent) -> str:
        return format_moment(event.at)

    @display(description=_("recorded"))
    def recorded(self, event: CustomEvent) -> str:
        return format_moment(event.created_at)

    @display(description=_("member"))
    def who(self, event: CustomEvent) -> str:
        return member_link(event.member)

    @display(description=_("earned"))
    def earned(self, event: Any) -> str:
        told = [points_text(event.points)] if event.points else []
        if event.credit:
            told.append(amount_text(event.credit, Unit.CREDIT))
        return " · ".join(told) or "–"

    @display(description=_("movements"))
    def movements(self, event: CustomEvent) -> str:
        rules = EarningRule.objects.exclude(trigger=PURCHASE).values_list("pk", flat=True)
        keys = [f"earn:event:{event.pk}:{rule}" for rule in rules]
        found = Transfer.objects.filter(key__in=keys).select_related("rule__rule", "debit", "credit").order_by("pk")
        return format_html_join(mark_safe("<br>"), "{}", ((transfer_link(one),) for one in found)) or "–"
