"""Members: the list, the page that says who somebody is, and what staff can do for them."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Case, QuerySet, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_htmx.http import trigger_client_event
from phonenumber_field.modelfields import PhoneNumberField
from unfold.contrib.filters.admin import FieldTextFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from analytics.filters import GroupFilter, LifecycleFilter, QualityFilter
from analytics.queries import with_overview
from common.admin import ExportAdmin, found_or_404
from common.moments import format_day
from loyalty_crm.admin.member_acts import AdjustPointsView, StateConsentView, TagMembersView
from loyalty_crm.admin.member_forms import TAGGED_AT_ONCE, MemberForm, attribute_field
from loyalty_crm.admin.member_list import (
    SORTED_UP_TO,
    AccountFilter,
    ActiveFilter,
    ConsentFilter,
    HouseholdFilter,
    MemberPaginator,
    SegmentFilter,
    TagFilter,
    attribute_filters,
    only_search,
)
from loyalty_crm.admin.member_page import days_ago, member_head, member_page, member_timeline
from loyalty_crm.admin.member_privacy import EraseView, HandOverView
from loyalty_crm.admin.member_tier import SetTierView
from loyalty_crm.templatetags.desk import render_panel
from members import panels
from members.enums import AccessAction, AttributeSection
from members.models import PRESENT, Member
from members.queries import attributes, found_exactly, get_programme, search
from members.services.access import log_access
from members.services.profile import ADDRESS_FIELDS, BIRTHDAY_FIELDS, CONTACT_FIELDS, PROFILE_FIELDS
from members.views import ask_for_export


@admin.register(Member)
class MemberAdmin(ExportAdmin):
    form = MemberForm
    export_permission = "members.add_exportjob"
    list_display = ("who", "tier", "shown_points", "last_visit", "purchases", "tags", "city", "joined")
    list_filter = (
        "tier_status__tier",
        TagFilter,
        SegmentFilter,
        ActiveFilter,
        ("city", FieldTextFilter),
        "joined_at",
        ConsentFilter,
        AccountFilter,
        HouseholdFilter,
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
    paginator = MemberPaginator
    actions = ("tag_selected",)
    actions_detail = (
        "adjust_points",
        "set_tier",
        "edit_profile",
        {"title": _("Privacy"), "icon": "shield_person", "items": ["state_consent", "hand_over_data", "erase"]},
    )
    formfield_overrides = {PhoneNumberField: {"widget": UnfoldAdminTextInputWidget}}

    # --- The list ---------------------------------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        members = super().get_queryset(request).filter(PRESENT)
        if not self.may_browse(request) and not request.GET.get("q", "").strip():
            members = members.none()
        return with_overview(members).prefetch_related("tags__tag")

    def may_browse(self, request: HttpRequest) -> bool:
        """The till looks somebody up; it does not read through the members, nor about their habits."""
        return request.user.has_perm("members.view_purchase")

    def get_list_display(self, request: HttpRequest) -> tuple:
        return self.list_display if self.may_browse(request) else ("who", "tier", "shown_points")

    def get_list_filter(self, request: HttpRequest) -> list:
        return [*self.list_filter, *attribute_filters()] if self.may_browse(request) else []

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return bool(request and self.may_browse(request)) and super().lookup_allowed(lookup, value, request)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        """Who is called exactly so comes first, where that does not mean to sort half of all members."""
        found = search(search_term, queryset)
        if not search_term.strip() or found.order_by().values("pk")[: SORTED_UP_TO + 1].count() > SORTED_UP_TO:
            return found, False
        exactly = Case(When(name__iexact=search_term.strip(), then=0), default=1)
        return found.alias(exactly=exactly).order_by("exactly", *(found.query.order_by or self.ordering)), False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """What belongs to one member alone leads straight to their page."""
        sought = only_search(request)
        if sought:
            found = found_exactly(sought)
            if len(found) == 1:
                return redirect("admin:members_member_change", found[0])
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", {}).get("cl")
        if shown is not None and (found_now := len(shown.result_list)):
            # Never what was searched for: it may be a name.
            searched = (AccessAction.SEARCHED, "search of members")
            action, what = searched if shown.query else (AccessAction.VIEWED, "list of members")
            log_access(actor_id=request.user.pk, action=action, what=what, members=found_now, at=now())
        return response

    def export_action(self, request: HttpRequest) -> HttpResponse:
        """The columns are chosen, and a worker writes the file."""
        members = self.get_changelist_instance(request).get_queryset(request)
        back = f"{reverse('admin:members_member_changelist')}?{request.GET.urlencode()}"
        name = gettext("Members, filtered") if request.GET else gettext("Members")
        return ask_for_export(self, request, members=members, name=name, back_url=back)

    @admin.action(description=_("Tag"), permissions=["tag"])
    def tag_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: TAGGED_AT_ONCE + 1])
        if len(ids) > TAGGED_AT_ONCE:
            messages.error(request, gettext("Please choose at most %(n)d members at once.") % {"n": TAGGED_AT_ONCE})
            return None
        return redirect(f"{reverse('admin:members_member_tag')}?{urlencode({'ids': ','.join(map(str, ids))})}")

    def has_tag_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("members.add_membertag")

    def tag_members(self, request: HttpRequest) -> HttpResponse:
        return TagMembersView.answer(self, request)

    @display(description=_("member"), header=True, ordering="name")
    def who(self, member: Member) -> tuple:
        return member.name or member.email or "–", member.card_number_grouped

    @display(description=_("tier"), ordering="tier_status__tier__rank")
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

    @display(description=_("tags"))
    def tags(self, member: Member) -> str:
        return ", ".join(sorted(pinned.tag.name for pinned in member.tags.all()))

    @display(description=_("joined"), ordering="joined_at")
    def joined(self, member: Member) -> str:
        return format_day(member.joined_at)

    # --- The page ---------------------------------------------------------------------------------------------------
    def get_urls(self) -> list:
        view = self.admin_site.admin_view
        return [
            path("tag/", view(self.tag_members), name="members_member_tag"),
            path("<int:object_id>/timeline/", view(self.timeline), name="members_member_timeline"),
            path("<int:object_id>/panel/<slug:key>/<slug:act>/", view(self.act), name="members_member_act"),
            *super().get_urls(),
        ]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Member | None:
        """Also who was merged or erased: their page says so."""
        return Member.objects.filter(pk=object_id).first() if str(object_id).isdecimal() else None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # unfold gives the key alone where it asks for an action.
        if isinstance(obj, Member) and (obj.merged_into_id is not None or obj.erased_at is not None):
            return False
        return super().has_change_permission(request, obj)

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list:
        """Nothing can be done for who is merged or erased."""
        known = str(object_id).isdecimal()  # the address is whatever somebody typed
        here = known and Member.objects.filter(PRESENT, pk=object_id).exists()
        return super().get_actions_detail(request, object_id) if here else []

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None) -> HttpResponse:
        """Who this is, at a glance. The form has a page of its own; the till sees what the till needs."""
        response = super().change_view(request, object_id, form_url, extra_context)
        member = getattr(response, "context_data", {}).get("original")
        if member is None:
            return response
        at = now()
        if request.user.has_perm("members.view_purchase"):
            response.template_name = "admin/member.html"
            response.context_data |= member_page(member, at=at, request=request)
        else:
            response.template_name = "admin/member_till.html"
            response.context_data |= member_head(member, at=at)
        log_access(actor_id=request.user.pk, action=AccessAction.VIEWED, what="member page", member_id=member.pk, at=at)
        return response

    def timeline(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """A part of the timeline: a page of its own, or what the member page asked for."""
        if not request.user.has_perm("members.view_timelineevent"):
            raise PermissionDenied
        member = found_or_404(Member, object_id)
        context = {"member": member, **member_timeline(member, request)}
        if not request.htmx:
            context |= {**self.admin_site.each_context(request), "title": gettext("Timeline"), "opts": self.opts}
            return TemplateResponse(request, "admin/member_timeline.html", context)
        part = "events" if "older" in request.GET else "timeline"
        return TemplateResponse(request, f"admin/member/{part}.html", context)

    def act(self, request: HttpRequest, object_id: int, key: str, act: str) -> HttpResponse:
        """Something done inside a panel; the panel as it is afterwards, or without script the page."""
        panel = panels.find(key)
        if panel is None or act not in panel.acts:
            raise Http404
        if not request.user.has_perms([p for p in (panel.permission, panel.act_permission) if p]):
            raise PermissionDenied
        member = found_or_404(Member.objects.filter(PRESENT), object_id)
        page = f"{reverse('admin:members_member_change', args=[member.pk])}#panel-{key}"
        if request.method != "POST":
            return redirect(page)
        at, problems = now(), []
        try:
            panel.acts[act](member, at, request)
        except ValidationError as error:
            problems = error.messages
        if not request.htmx:
            for problem in problems:
                messages.error(request, problem)
            return redirect(page)
        member.refresh_from_db()
        shown = panels.show(panel, member, at=at, request=request)
        said = {"problems": problems, "failed": act if problems else "", "typed": request.POST}
        response = HttpResponse(render_panel({**shown.context, **said}, request) if shown else "")
        return response if problems else trigger_client_event(response, "timeline-changed")

    @action(description=_("Edit"), url_path="profile", permissions=["change"], icon="edit")
    def edit_profile(self, request: HttpRequest, object_id: str) -> HttpResponse:
        found_or_404(Member.objects.filter(PRESENT), object_id)
        return self.changeform_view(request, object_id)

    @action(description=_("Adjust balance"), url_path="adjust", permissions=["adjust"], icon="exposure")
    def adjust_points(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return AdjustPointsView.answer(self, request, object_id=object_id)

    @action(description=_("Set tier"), url_path="tier", permissions=["lift"], icon="military_tech")
    def set_tier(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return SetTierView.answer(self, request, object_id=object_id)

    @action(description=_("Consent"), url_path="consent", permissions=["change"], icon="verified_user")
    def state_consent(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return StateConsentView.answer(self, request, object_id=object_id)

    # unfold opens what is marked so in a dialog over the page, where there is script.
    adjust_points.dialog = set_tier.dialog = state_consent.dialog = {"title": ""}

    @action(description=_("All data, as a file"), url_path="data", permissions=["hand_over"], icon="download")
    def hand_over_data(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HandOverView.answer(self, request, object_id=object_id)

    @action(description=_("Erase"), url_path="erase", permissions=["erase"], icon="person_remove")
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return EraseView.answer(self, request, object_id=object_id)

    def has_hand_over_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.add_dataexport")

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.delete_member")

    def has_adjust_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.add_transfer")

    def has_lift_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.add_tierlift")

    # --- Saving: the service checks, writes and records -------------------------------------------------------------
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list:
        """The fields of a profile as its service knows them, and the custom attributes."""
        custom: dict[AttributeSection, list[str]] = {section: [] for section in AttributeSection}
        for attribute in attributes():
            custom[AttributeSection(attribute.section)].append(f"attribute_{attribute.key}")
        sets = [
            (None, {"fields": CONTACT_FIELDS}),
            (_("Address"), {"fields": ADDRESS_FIELDS}),
            (_("Birthday"), {"fields": BIRTHDAY_FIELDS}),
        ]
        if get_programme().guardian_may_consent:
            sets.append(
                (_("Who agrees for a member who is too young"), {"fields": ("guardian_name", "guardian_evidence")})
            )
        labels = {AttributeSection.PROFILE: _("More"), AttributeSection.PREFERENCES: _("Preferences")}
        return sets + [(labels[section], {"fields": names}) for section, names in custom.items() if names]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any):
        custom = attributes()
        fields = {f"attribute_{attribute.key}": attribute_field(attribute) for attribute in custom}
        kwargs["fields"] = sorted(PROFILE_FIELDS)
        kwargs["form"] = type("MemberForm", (MemberForm,), {**fields, "actor_id": request.user.pk, "custom": custom})
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Member, form: MemberForm, change: bool) -> None:
        """The form's service has saved already."""

    def response_change(self, request: HttpRequest, obj: Member) -> HttpResponse:
        super().response_change(request, obj)
        return redirect("admin:members_member_change", obj.pk)

    def response_add(self, request: HttpRequest, obj: Member, post_url_continue: str | None = None) -> HttpResponse:
        return self.response_change(request, obj)
