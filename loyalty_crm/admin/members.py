"""Members: the list, the page that says who somebody is, and what staff can do for them."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from phonenumber_field.modelfields import PhoneNumberField
from unfold.contrib.filters.admin import FieldTextFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from analytics.filters import GroupFilter, LifecycleFilter, QualityFilter
from analytics.queries import ACTIVE_DAYS, with_overview
from common.admin import ExportAdmin, PlainResource
from common.moments import format_day
from loyalty_crm.admin.member_acts import AdjustPointsView, StateConsentView
from loyalty_crm.admin.member_forms import MemberForm
from loyalty_crm.admin.member_page import days_ago, member_page
from members.enums import MARKETING, Channel
from members.models import Consent, Member, Purchase
from members.queries import search


class ConsentFilter(admin.SimpleListFilter):
    """Members whose last word on a channel and purpose is yes."""

    title = _("consent")
    parameter_name = "consent"

    def lookups(self, request, model_admin):
        return [(f"{c.value}.{p.value}", f"{p.label} · {c.label}") for p in MARKETING for c in Channel]

    def queryset(self, request, queryset):
        if self.value() not in dict(self.lookup_choices):
            return queryset
        channel, _dot, purpose = str(self.value()).partition(".")
        said = Consent.objects.filter(member=OuterRef("pk"), channel=channel, purpose=purpose)
        last_word = Subquery(said.order_by("-at", "-id").values("granted")[:1])
        return queryset.alias(last_word=last_word).filter(last_word=True)


class ActiveFilter(admin.SimpleListFilter):
    """As the dashboard counts active members."""

    title = _("activity")
    parameter_name = "active"

    def lookups(self, request, model_admin):
        days = {"days": ACTIVE_DAYS}
        return [
            ("yes", gettext("Bought in the last %(days)d days") % days),
            ("no", gettext("Did not buy in the last %(days)d days") % days),
        ]

    def queryset(self, request, queryset):
        since = now() - timedelta(days=ACTIVE_DAYS)
        bought = Exists(Purchase.objects.filter(member=OuterRef("pk"), purchased_at__gt=since))
        if self.value() in ("yes", "no"):
            return queryset.filter(bought if self.value() == "yes" else ~bought)
        return queryset


class AccountFilter(admin.SimpleListFilter):
    title = _("portal account")
    parameter_name = "account"

    def lookups(self, request, model_admin):
        return [("yes", _("Has one")), ("no", _("Has none"))]

    def queryset(self, request, queryset):
        if self.value() in ("yes", "no"):
            return queryset.filter(user__isnull=self.value() == "no")
        return queryset


class MemberResource(PlainResource):
    """One row per member, with headings that an import understands."""

    tier = Field("tier_name", "tier")
    points = Field("points", "points")
    purchases = Field("purchase_count", "purchases")
    last_purchase_at = Field("last_purchase_at", "last_purchase_at")

    class Meta:
        model = Member
        fields = (
            "card_number",
            "name",
            "email",
            "phone",
            "language",
            "time_zone",
            "city",
            "birthday_calendar",
            "birthday_month",
            "birthday_day",
            "birthday_year",
            "birthday_leap_month",
            "joined_at",
            "tier",
            "points",
            "purchases",
            "last_purchase_at",
        )


@admin.register(Member)
class MemberAdmin(ExportAdmin):
    form = MemberForm
    resource_classes = (MemberResource,)
    export_permission = "members.change_member"
    list_display = ("who", "tier", "shown_points", "last_visit", "purchases", "city", "joined")
    list_filter = (
        "tier_status__tier",
        ActiveFilter,
        ("city", FieldTextFilter),
        "joined_at",
        ConsentFilter,
        AccountFilter,
        LifecycleFilter,
        GroupFilter,
        QualityFilter,
        "language",
    )
    list_filter_submit = True
    list_select_related = ("tier_status__tier",)
    search_fields = ("name",)
    search_help_text = _("Name, phone, card number or e-mail")
    ordering = ("-joined_at", "-id")
    actions_detail = ("adjust_points", "edit_profile", "state_consent")
    formfield_overrides = {PhoneNumberField: {"widget": UnfoldAdminTextInputWidget}}
    fieldsets = (
        (None, {"fields": ("name", ("email", "phone"), ("language", "time_zone"), "city")}),
        (
            _("Birthday"),
            {
                "fields": (
                    "birthday_calendar",
                    ("birthday_month", "birthday_day"),
                    ("birthday_year", "birthday_leap_month"),
                    "leap_day_rule",
                )
            },
        ),
    )

    # --- The list ---------------------------------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        return with_overview(super().get_queryset(request))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        return search(search_term, queryset), False

    @display(description=_("member"), header=True, ordering="name")
    def who(self, member: Member) -> tuple:
        return member.name or member.email or "–", member.card_number_grouped

    @display(description=_("tier"), ordering="tier_status__tier__threshold")
    def tier(self, member: Member) -> str | None:
        return member.tier_name

    @display(description=_("points"), ordering="points")
    def shown_points(self, member: Member) -> int:
        return member.points

    @display(description=_("last visit"), ordering="last_purchase_at")
    def last_visit(self, member: Member) -> str | None:
        return member.last_purchase_at and days_ago(member.last_purchase_at, now())

    @display(description=_("purchases"), ordering="purchase_count")
    def purchases(self, member: Member) -> int:
        return member.purchase_count

    @display(description=_("joined"), ordering="joined_at")
    def joined(self, member: Member) -> str:
        return format_day(member.joined_at)

    # --- The page ---------------------------------------------------------------------------------------------------
    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None) -> HttpResponse:
        """Who this is, at a glance. The form has a page of its own."""
        response = super().change_view(request, object_id, form_url, extra_context)
        member = getattr(response, "context_data", {}).get("original")
        if member is not None:
            response.template_name = "admin/member.html"
            response.context_data |= member_page(member, at=now(), older=request.GET.get("older", ""))
        return response

    @action(description=_("Edit"), url_path="profile", permissions=["change"], icon="edit")
    def edit_profile(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.changeform_view(request, object_id)

    @action(description=_("Adjust points"), url_path="adjust", permissions=["adjust"], icon="exposure")
    def adjust_points(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return AdjustPointsView.answer(self, request, object_id=object_id)

    @action(description=_("Consent"), url_path="consent", permissions=["change"], icon="verified_user")
    def state_consent(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return StateConsentView.answer(self, request, object_id=object_id)

    def has_adjust_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.add_transfer")

    # --- Saving: the service checks, writes and records -------------------------------------------------------------
    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any):
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"actor_id": request.user.pk})

    def save_model(self, request: HttpRequest, obj: Member, form: MemberForm, change: bool) -> None:
        """The form's service has saved already."""

    def response_change(self, request: HttpRequest, obj: Member) -> HttpResponse:
        super().response_change(request, obj)
        return redirect("admin:members_member_change", obj.pk)

    response_add = response_change
