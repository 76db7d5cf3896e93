"""Gifts by hand: the queue of what waits for another person."""

from typing import Any

from django.contrib import admin
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from unfold.decorators import action, display

from common.admin import ExportAdmin, ReadOnlyAdmin, Tones, record_link
from common.moments import format_moment
from common.money import to_major
from members.queries import search
from rewards.admin.found import OfMember
from rewards.admin.grant_acts import ApproveView, GrantSegmentView, RefuseView, StopView, WithdrawView, whom
from rewards.admin.ledger import CURRENCY
from rewards.enums import GrantState, Unit
from rewards.models import GrantRequest
from rewards.queries import amount_text, explain
from rewards.queries_grants import waits_text

GIVING: tuple[str, ...] = (GrantState.FREE, GrantState.APPROVED)


class GrantResource(OfMember):
    segment = Field("segment__name", column_name="segment")
    each = Field(column_name="amount for each")
    asked_by = Field("requested_by__email", column_name="asked by")
    decider = Field("decided_by__email", column_name="decided by")

    class Meta:
        model = GrantRequest
        fields = (
            "id", "requested_at", "asked_by", "card", "name", "segment", "members", "unit", "each", "reason", "note",
            "state", "decider", "decided_at", "decision",
        )  # fmt: skip
        export_order = fields

    def dehydrate_each(self, asked: Any) -> Any:
        return asked.amount if asked.unit == Unit.POINTS else to_major(asked.amount, asked.currency)


@admin.register(GrantRequest)
class GrantRequestAdmin(ExportAdmin, ReadOnlyAdmin):
    resource_classes = (GrantResource,)
    export_permission = "members.download_exportjob"
    list_display = ("when", "whom", "gift", "reason", "requested_by", "shown_state", "waits")
    list_filter = ("state", "requested_at")
    list_select_related = ("member", "segment", "requested_by", "decided_by")
    search_fields = ("reason",)
    search_help_text = _("A member's name, phone, card number or e-mail")
    ordering = (Case(When(state=GrantState.WAITING, then=0), default=1).asc(), "-requested_at", "-id")
    sortable_by = ()
    actions_detail = ("approve", "refuse", "withdraw", "stop")
    fieldsets = (
        (None, {"fields": ("whom_link", ("gift", "state"), ("requested_by", "when"), "waits")}),
        (_("What was said"), {"fields": ("reason", "note", "until")}),
        (_("What became of it"), {"fields": (("decided_by", "decided"), "decision", "given", "moved")}),
    )
    readonly_fields = ("whom_link", "gift", "when", "waits", "until", "decided", "given", "moved")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.add_grantrequest")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return GrantSegmentView.answer(self, request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[GrantRequest]:
        return super().get_queryset(request).annotate(currency=CURRENCY)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if search_term.strip():
            queryset = queryset.filter(member__in=search(search_term).values("pk"))
        return queryset, False

    # --- What can be done ---------------------------------------------------------------------------------------
    @action(description=_("Approve"), url_path="approve", permissions=["decide"], icon="check")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ApproveView.answer(self, request, object_id=object_id)

    @action(description=_("Refuse"), url_path="refuse", permissions=["decide"], icon="close")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return RefuseView.answer(self, request, object_id=object_id)

    @action(description=_("Withdraw"), url_path="withdraw", permissions=["withdraw"], icon="undo")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return WithdrawView.answer(self, request, object_id=object_id)

    @action(description=_("Stop"), url_path="stop", permissions=["stop"], icon="stop_circle")
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return StopView.answer(self, request, object_id=object_id)

    approve.dialog = refuse.dialog = withdraw.dialog = stop.dialog = {"title": ""}

    def _one(self, object_id: Any) -> GrantRequest:
        """The request; one for which nothing can be done, where there is none."""
        found = GrantRequest.objects.filter(pk=object_id).first() if str(object_id).isdecimal() else None
        return found or GrantRequest(state=GrantState.WITHDRAWN)

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        asked = self._one(obj)
        may = request.user.has_perm("rewards.change_grantrequest") and asked.requested_by_id != request.user.pk
        return may and asked.state == GrantState.WAITING

    def has_withdraw_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        asked = self._one(obj)
        return asked.state == GrantState.WAITING and asked.requested_by_id == request.user.pk

    def has_stop_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        asked = self._one(obj)
        going = asked.segment_id is not None and asked.finished_at is None and asked.state in GIVING
        return going and request.user.has_perm("rewards.change_grantrequest")

    # --- What is shown ------------------------------------------------------------------------------------------
    @display(description=_("asked"))
    def when(self, asked: GrantRequest) -> str:
        return format_moment(asked.requested_at)

    @display(description=_("who gets it"))
    def whom(self, asked: GrantRequest) -> str:
        return whom(asked)

    @display(description=_("who gets it"))
    def whom_link(self, asked: GrantRequest) -> str:
        page = "members_member" if asked.member_id else "members_segment"
        return record_link(page, asked.member_id or asked.segment_id, whom(asked))

    @display(description=_("gift"))
    def gift(self, asked: GrantRequest) -> str:
        each = amount_text(asked.amount, asked.unit)
        if asked.member_id is not None:
            return each
        total = amount_text(asked.amount * asked.members, asked.unit)
        return gettext("%(each)s each, %(total)s in all") % {"each": each, "total": total}

    @display(
        description=_("state"),
        label=Tones(
            {
                GrantState.WAITING.value: "warning",
                GrantState.APPROVED.value: "success",
                GrantState.FREE.value: "success",
                GrantState.REFUSED.value: "danger",
            }
        ),
    )
    def shown_state(self, asked: GrantRequest) -> tuple:
        return asked.state, asked.get_state_display()

    @display(description=_("why it waits"))
    def waits(self, asked: GrantRequest) -> str:
        return waits_text(asked.why)

    @display(description=_("can be spent until"))
    def until(self, asked: GrantRequest) -> str:
        return format_moment(asked.expires_at) or gettext("they never expire")

    @display(description=_("decided"))
    def decided(self, asked: GrantRequest) -> str:
        return format_moment(asked.decided_at)

    @display(description=_("given to"))
    def given(self, asked: GrantRequest) -> str:
        if asked.segment_id is None:
            return ""
        words = {"done": number_format(asked.done, use_l10n=True), "all": number_format(asked.members, use_l10n=True)}
        if asked.finished_at:
            words["when"] = format_moment(asked.finished_at)
            return gettext("%(done)s of %(all)s members, finished %(when)s") % words
        return gettext("%(done)s of %(all)s members so far") % words

    @display(description=_("transfer"))
    def moved(self, asked: GrantRequest) -> str:
        if asked.transfer is None:
            return ""
        return record_link("rewards_transfer", asked.transfer_id, explain(asked.transfer))
