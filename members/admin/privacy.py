"""Privacy at the desk: who looked at whose data, wishes to be forgotten, files handed over, how long what is kept."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminRadioSelectWidget

from common.admin import ConfirmView, DeskAdmin, ReadOnlyAdmin, found_or_404, record_link
from members.enums import AccessAction, JobState
from members.models import AccessLog, DataExport, ErasureRequest, Member, RetentionRule
from members.privacy import retentions
from members.services.access import log_access
from members.services.retention import check_days, make_rules, preview, set_rule


def whose(member: Member | None) -> Any:
    """A link to the member's page; who is gone has none."""
    if member is None:
        return None
    if member.erased_at or member.merged_into_id:
        return gettext("erased") if member.erased_at else gettext("merged")
    return record_link("members_member", member.pk, member)


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "shown_action", "of_member", "how_many", "shown_what")
    list_filter = ("action", ("at", RangeDateFilter), ("actor", admin.RelatedOnlyFieldListFilter))
    list_filter_submit = True
    list_select_related = ("actor", "member")
    list_display_links = None
    ordering = ("-at", "-id")
    fields = ("at", "actor", "action", "of_member", "members", "what")
    readonly_fields = ("of_member",)

    @display(
        description=_("action"),
        label={
            AccessAction.ERASED.label: "danger",
            AccessAction.EXPORTED.label: "warning",
            AccessAction.DOWNLOADED.label: "warning",
        },
    )
    def shown_action(self, row: AccessLog) -> str:
        return row.get_action_display()

    @display(description=_("member"))
    def of_member(self, row: AccessLog) -> Any:
        return whose(row.member)

    @display(description=_("what"))
    def shown_what(self, row: AccessLog) -> str:
        if (form := row.what.removeprefix("members as ")) != row.what:
            return gettext("members as %(form)s") % {"form": form.upper()}
        return gettext(row.what) if row.what else "–"

    @display(description=_("members"))
    def how_many(self, row: AccessLog) -> int:
        return row.members


@admin.register(ErasureRequest)
class ErasureRequestAdmin(ReadOnlyAdmin):
    list_display = ("of_member", "requested_at", "due_at", "state")
    list_filter = (("due_at", RangeDateFilter),)
    list_filter_submit = True
    list_select_related = ("member",)
    list_display_links = None
    ordering = ("-id",)
    fields = ("of_member", "requested_at", "due_at", "cancelled_at", "done_at")
    readonly_fields = ("of_member",)

    @display(description=_("member"))
    def of_member(self, row: ErasureRequest) -> Any:
        return whose(row.member)

    @display(description=_("state"), label={_("Erased"): "danger", _("Waiting"): "warning"})
    def state(self, row: ErasureRequest) -> str:
        if row.done_at:
            return gettext("Erased")
        return gettext("Taken back") if row.cancelled_at else gettext("Waiting")


@admin.register(DataExport)
class DataExportAdmin(ReadOnlyAdmin):
    list_display = ("of_member", "requested_at", "actor", "shown_state", "expires_at", "fetch")
    list_select_related = ("member", "actor")
    list_display_links = None
    ordering = ("-id",)
    fields = ("of_member", "requested_at", "actor", "finished_at", "expires_at")
    readonly_fields = ("of_member",)

    def get_urls(self) -> list:
        name = "members_dataexport_download"
        page = self.admin_site.admin_view(self.download)
        return [path("<int:object_id>/download/", page, name=name), *super().get_urls()]

    def download(self, request: HttpRequest, object_id: int) -> FileResponse:
        """A file that staff asked for; what members asked for themselves is theirs. Written down as taken."""
        if not request.user.has_perm("members.add_dataexport"):
            raise PermissionDenied
        found = found_or_404(DataExport.objects.select_related("member"), object_id)
        if found.actor_id is None or not found.is_ready or not found.file.storage.exists(str(found.file.name)):
            raise Http404
        what = "all data of a member"
        log_access(
            actor_id=request.user.pk, action=AccessAction.DOWNLOADED, what=what, member_id=found.member_id, at=now()
        )
        return FileResponse(found.file.open("rb"), as_attachment=True, filename=f"{found.member.card_number}.zip")

    @display(description=_("member"))
    def of_member(self, row: DataExport) -> Any:
        return whose(row.member)

    @display(description=_("state"))
    def shown_state(self, row: DataExport) -> str:
        return row.get_state_display()

    @display(description=_("file"))
    def fetch(self, row: DataExport) -> Any:
        if row.actor_id is None:
            return gettext("for the member alone")
        if row.state != JobState.DONE:
            return "–"
        url = reverse("admin:members_dataexport_download", args=[row.pk])
        return format_html('<a class="desk-link" href="{}">{}</a>', url, gettext("Download"))


class RetentionForm(forms.Form):
    days = forms.IntegerField(
        label=_("Kept for days"), min_value=1, max_value=36_500, widget=UnfoldAdminIntegerFieldWidget
    )
    active = forms.TypedChoiceField(
        label=_("After that"),
        choices=[("yes", _("It goes by itself, every night")), ("no", _("Nothing happens"))],
        coerce=lambda value: value == "yes",
        widget=UnfoldAdminRadioSelectWidget,
    )


class SetRetentionView(ConfirmView):
    """A rule is switched on only after it has said what it would take tonight."""

    form_class = RetentionForm
    permission_required = "members.change_retentionrule"
    act_label = _("Set")
    danger = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.rule = found_or_404(RetentionRule.objects.filter(subject__in=retentions()), kwargs["object_id"])
        self.subject = retentions()[self.rule.subject]
        self.title = self.subject.label
        self.intro = self.subject.explanation
        return super().dispatch(request, *args, **kwargs)

    def get_object(self) -> RetentionRule:
        return RetentionRule(pk=self.rule.pk, subject=str(self.subject.label))  # as the path to the page calls it

    def get_success_url(self) -> str:
        return reverse("admin:members_retentionrule_changelist")

    def get_initial(self) -> dict[str, Any]:
        return {"days": self.rule.days, "active": "yes" if self.rule.active else "no"}

    def preview(self, form: forms.Form) -> list[str]:
        days = form.cleaned_data["days"]
        check_days(subject=self.rule.subject, days=days)
        seen = preview(subject=self.rule.subject, days=days, at=self.at)
        if not form.cleaned_data["active"]:
            return [gettext("Nothing goes: the rule is off.")]
        sentences = [gettext("%(n)d are older than %(days)d days now.") % {"n": seen.count, "days": days}]
        if seen.sample:
            sentences.append(gettext("Among them: %(names)s") % {"names": "; ".join(seen.sample)})
        return [*sentences, gettext("They go in the coming night, and cannot be brought back.")]

    def act(self, form: forms.Form) -> str:
        data = form.cleaned_data
        rule = set_rule(
            subject=self.rule.subject,
            days=data["days"],
            active=data["active"],
            at=self.at,
            actor_id=self.request.user.pk,
        )
        if not rule.active:
            return gettext("%(what)s: kept, nothing goes by itself.") % {"what": self.subject.label}
        return gettext("%(what)s: goes after %(days)d days.") % {"what": self.subject.label, "days": rule.days}


@admin.register(RetentionRule)
class RetentionRuleAdmin(DeskAdmin):
    list_display = ("what", "days", "state", "last_run_at", "last_affected")
    ordering = ("subject",)

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).filter(subject__in=retentions())

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        make_rules()
        return super().changelist_view(request, extra_context)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None) -> HttpResponse:
        return SetRetentionView.answer(self, request, object_id=object_id)

    @display(description=_("what"), header=True)
    def what(self, rule: RetentionRule) -> tuple:
        subject = retentions()[rule.subject]
        return subject.label, subject.explanation

    @display(description=_("state"), label={_("On"): "success"})
    def state(self, rule: RetentionRule) -> str:
        return gettext("On") if rule.active else gettext("Off")
