"""What the programme has still to do about what happened, and what it gave up on."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from common.admin import ReadOnlyAdmin
from members.events import describe
from members.models import PendingReaction
from members.services.reactions import retry


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return (("parked", _("Given up")), ("waiting", _("Waiting")))

    def queryset(self, request, queryset):
        if self.value() in ("parked", "waiting"):
            return queryset.filter(parked_at__isnull=self.value() == "waiting")
        return queryset


@admin.register(PendingReaction)
class PendingReactionAdmin(ReadOnlyAdmin):
    list_display = ("state", "what", "member", "reaction", "attempts", "error", "due_at")
    list_filter = (StateFilter, "reaction")
    list_select_related = ("event__member",)
    ordering = ("-id",)
    actions = ("retry_selected",)
    fields = ("what", "member", "reaction", "attempts", "due_at", "parked_at", "error")
    readonly_fields = ("what", "member")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("members.change_pendingreaction")

    @admin.action(description=_("Try again"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        ids = list(queryset.filter(parked_at__isnull=False).values_list("pk", flat=True))
        for pk in ids:
            retry(reaction_id=pk, at=now())
        text = ngettext("%(n)d reaction will be tried again.", "%(n)d reactions will be tried again.", len(ids))
        messages.success(request, text % {"n": len(ids)})

    @display(description=_("state"), label={"parked": "danger", "waiting": "info"})
    def state(self, obj: PendingReaction) -> tuple:
        return ("parked", _("Given up")) if obj.parked_at else ("waiting", _("Waiting"))

    @admin.display(description=_("event"))
    def what(self, obj: PendingReaction) -> str:
        return describe(obj.event)

    @admin.display(description=_("member"))
    def member(self, obj: PendingReaction) -> str:
        return str(obj.event.member)
