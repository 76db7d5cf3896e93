"""The suppression list: searched, added to, lifted with a reason, exported."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.timezone import get_current_timezone, now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from campaigns.enums import SuppressionReason
from campaigns.forms_sending import LiftForm, SuppressForm
from campaigns.models import Suppression
from campaigns.queries import address_key
from campaigns.services.suppression import Entry, lift, listed, suppress
from common.admin import ConfirmView, ExportAdmin, PlainResource, ReadOnlyAdmin
from common.moments import format_moment

SHOWN = 10  # lines with mistakes


class SuppressionResource(PlainResource):
    class Meta:
        model = Suppression
        fields = ("value", "channel", "reason", "note", "created_at", "expires_at", "lifted_at", "lift_note")
        export_order = fields


class SuppressView(ConfirmView):
    title = _("Add addresses")
    act_label = _("Add")
    form_class = SuppressForm
    permission_required = "campaigns.add_suppression"

    def get_success_url(self) -> str:
        return reverse("admin:campaigns_suppression_changelist")

    def preview(self, form: Form) -> list[str]:
        n = len(form.cleaned_data["addresses"])
        text = ngettext("Nothing is sent to %(n)d address any more.", "Nothing is sent to %(n)d addresses any more.", n)
        sentences = [text % {"n": n}, gettext("What waits for them is skipped, at once.")]
        told = form.cleaned_data
        if there := listed(channel=told["channel"], values=[line.address for line in told["addresses"]]):
            text = ngettext("%(n)d of them is on the list already.", "%(n)d of them are on the list already.", there)
            sentences.append(text % {"n": there})
        mistakes = form.mistakes  # type: ignore[attr-defined]
        sentences += mistakes[:SHOWN]
        if len(mistakes) > SHOWN:
            text = gettext("%(n)d more lines cannot be read and are left out.")
            sentences.append(text % {"n": len(mistakes) - SHOWN})
        return sentences

    def act(self, form: Form) -> str:
        told = form.cleaned_data
        zone = get_current_timezone()
        entries = [
            Entry(
                told["channel"],
                line.address,
                SuppressionReason.BY_HAND,
                line.note or told["note"],
                datetime.combine(line.until + timedelta(days=1), time(), zone) if line.until else None,
            )
            for line in told["addresses"]
        ]
        n = suppress(entries=entries, at=self.at, actor_id=self.request.user.pk)
        text = ngettext("%(n)d address is new on the list.", "%(n)d addresses are new on the list.", n)
        return text % {"n": n}


class LiftView(ConfirmView):
    title = _("Lift")
    act_label = _("Lift")
    form_class = LiftForm
    permission_required = "campaigns.change_suppression"
    danger = True

    def get_initial(self) -> dict[str, Any]:
        return {"ids": self.request.GET.get("ids", "")}

    def get_success_url(self) -> str:
        return reverse("admin:campaigns_suppression_changelist")

    def preview(self, form: Form) -> list[str]:
        found = Suppression.objects.filter(pk__in=form.cleaned_data["ids"], lifted_at=None)
        n, complained = found.count(), found.filter(reason=SuppressionReason.COMPLAINT).count()
        text = ngettext("%(n)d address can be written to again.", "%(n)d addresses can be written to again.", n)
        sentences = [text % {"n": n}]
        if complained:
            text = ngettext(
                "%(n)d of them reported us as spam: only with a new consent.",
                "%(n)d of them reported us as spam: only with a new consent.",
                complained,
            )
            sentences.append(text % {"n": complained})
        return sentences

    def act(self, form: Form) -> str:
        told = form.cleaned_data
        n = lift(ids=told["ids"], note=told["note"], at=self.at, actor_id=self.request.user.pk)
        text = ngettext("%(n)d address can be written to again.", "%(n)d addresses can be written to again.", n)
        return text % {"n": n}


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin, ExportAdmin):
    resource_classes = (SuppressionResource,)
    export_permission = "members.download_exportjob"
    list_display = ("shown", "channel", "why", "since", "until", "note", "lifted")
    list_filter = ("channel", "reason", ("lifted_at", admin.EmptyFieldListFilter))
    search_fields = ("value",)
    search_help_text = _("An address")
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions = ("lift_selected",)
    actions_list = ("add_addresses",)
    fields = (
        ("value", "channel"),
        ("reason", "note"),
        ("created_at", "expires_at"),
        ("lifted_at", "lifted_by"),
        "lift_note",
    )

    def get_urls(self) -> list:
        view = self.admin_site.admin_view
        return [
            path("add-addresses/", view(self.add), name="campaigns_suppression_addresses"),
            path("lift/", view(self.lift), name="campaigns_suppression_lift"),
            *super().get_urls(),
        ]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if "@" in search_term or search_term.strip().lstrip("+").isdigit():  # also of who was erased
            return queryset.filter(address=address_key(search_term)), False
        return super().get_search_results(request, queryset, search_term)

    def has_suppress_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.add_suppression")

    def has_lift_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.change_suppression")

    @action(description=_("Add addresses"), url_path="add-more", permissions=["suppress"], icon="block")
    def add_addresses(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:campaigns_suppression_addresses"))

    @admin.action(description=_("Lift"), permissions=["lift"])
    def lift_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        ids = ",".join(map(str, queryset.order_by("pk").values_list("pk", flat=True)[:500]))
        return HttpResponseRedirect(f"{reverse('admin:campaigns_suppression_lift')}?{urlencode({'ids': ids})}")

    def add(self, request: HttpRequest) -> HttpResponse:
        return SuppressView.answer(self, request)

    def lift(self, request: HttpRequest) -> HttpResponse:
        return LiftView.answer(self, request)

    @display(description=_("address"))
    def shown(self, entry: Suppression) -> str:
        return entry.value or gettext("of an erased member")

    @display(
        description=_("why"),
        label={"hard_bounce": "warning", "complaint": "danger", "by_hand": "info", "soft_bounce": "warning"},
    )
    def why(self, entry: Suppression) -> tuple:
        return entry.reason, entry.get_reason_display()

    @display(description=_("since"))
    def since(self, entry: Suppression) -> str:
        return format_moment(entry.created_at)

    @display(description=_("until"))
    def until(self, entry: Suppression) -> str:
        if entry.expires_at is None:
            return gettext("for ever")
        over = gettext("over since %(moment)s") if entry.expires_at <= now() else "%(moment)s"
        return over % {"moment": format_moment(entry.expires_at)}

    @display(description=_("lifted"))
    def lifted(self, entry: Suppression) -> str:
        return f"{format_moment(entry.lifted_at)}: {entry.lift_note}" if entry.lifted_at else "–"
