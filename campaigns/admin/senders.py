"""Senders: who sends, how fast, and whether all is well; words of providers."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from campaigns.channels import Refusal
from campaigns.channels.lines import line_of
from campaigns.enums import BreakerState
from campaigns.forms_sending import SenderForm
from campaigns.models import DeliveryEvent, Sender
from campaigns.services.breaker import pause_sender, resume_sender
from campaigns.services.delivery import limits_of
from common.admin import DeskAdmin, ReadOnlyAdmin, found_or_404
from common.moments import format_moment


@admin.register(Sender)
class SenderAdmin(DeskAdmin):
    form = SenderForm
    list_display = ("label", "channel", "transport", "default", "pace", "state", "next_try", "last_trouble")
    list_filter = ("channel", "breaker")
    ordering = ("channel", "label")
    sortable_by = ()
    actions_detail = ("pause", "resume", "test")
    fieldsets = (
        (None, {"fields": (("label", "is_default"), ("channel", "transport"), ("name", "address"), "reply_to")}),
        (_("Speed"), {"fields": (("per_second", "per_minute", "per_hour"), ("lanes", "message_cost"))}),
        (_("Members in WeChat or another app"), {"fields": (("goes_to", "goes_to_system"),), "classes": ("collapse",)}),
        (
            _("HTTP call"),
            {"fields": ("url", "body", ("token", "signing_key"), ("id_field", "timeout")), "classes": ("collapse",)},
        ),
        (_("State"), {"fields": (("condition", "next_try"), "last_trouble")}),
    )
    readonly_fields = ("condition", "next_try", "last_trouble")

    def get_urls(self) -> list:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/halt/", view(self.halt), name="campaigns_sender_halt"),
            *super().get_urls(),
        ]

    def has_change_sender_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request)

    # Links that staff press; what they do is undone by the other, and a look at them does nothing but that.
    @action(description=_("Pause"), url_path="pause", permissions=["change_sender"], icon="pause")
    def pause(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._act(request, object_id, "pause", _("Nothing leaves by this sender until you resume it."))

    @action(description=_("Resume"), url_path="resume", permissions=["change_sender"], icon="play_arrow")
    def resume(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._act(
            request, object_id, "resume", _("Messages that wait go out again, and troubles are forgotten.")
        )

    @action(description=_("Test connection"), url_path="test", permissions=["change_sender"], icon="network_check")
    def test(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._act(request, object_id, "test", _("Connects and signs in. No message is sent."))

    def _act(self, request: HttpRequest, object_id: int, what: str, words: Any) -> HttpResponse:
        """Asks; the answer is posted to `halt`."""
        from django.template.response import TemplateResponse

        sender = found_or_404(Sender, object_id)
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": sender,
            "title": str(sender),
            "what": what,
            "words": words,
        }
        return TemplateResponse(request, "campaigns/admin/sender_act.html", context)

    def halt(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Does what was asked for."""
        if not self.has_change_permission(request):
            from django.core.exceptions import PermissionDenied

            raise PermissionDenied
        sender = found_or_404(Sender, pk)
        if request.method != "POST":  # an address typed, or a page loaded again
            return redirect("admin:campaigns_sender_change", sender.pk)
        what = request.POST.get("what", "")
        if what == "pause":
            pause_sender(sender_id=sender.pk, at=now(), actor_id=request.user.pk)
            messages.success(request, gettext("%(sender)s is paused.") % {"sender": sender})
        elif what == "resume":
            resume_sender(sender_id=sender.pk)
            messages.success(request, gettext("%(sender)s sends again.") % {"sender": sender})
        elif what == "test":
            self._test(request, sender)
        return redirect("admin:campaigns_sender_change", sender.pk)

    def _test(self, request: HttpRequest, sender: Sender) -> None:
        line = line_of(sender)
        try:
            line.open()
        except Refusal as error:
            text = gettext("It cannot be reached: %(error)s")
            messages.error(request, text % {"error": error})
        else:
            messages.success(request, gettext("It answers."))
        finally:
            line.close()

    # --- Columns ------------------------------------------------------------------------------------------------
    @display(description=_("default"), boolean=True)
    def default(self, sender: Sender) -> bool:
        return sender.is_default

    @display(description=_("at most"))
    def pace(self, sender: Sender) -> str:
        units = {1: gettext("a second"), 60: gettext("a minute"), 3600: gettext("an hour")}
        return ", ".join(f"{limit.most} {units[limit.seconds]}" for limit in limits_of(sender)) or "–"

    @display(description=_("state"), label={"at_work": "success", "paused": "info", "open": "danger"})
    def state(self, sender: Sender) -> tuple:
        if sender.paused_at is not None:
            return "paused", gettext("Paused by staff")
        if sender.breaker != BreakerState.CLOSED:
            return "open", sender.get_breaker_display()
        return "at_work", sender.get_breaker_display()

    @display(description=_("state"))
    def condition(self, sender: Sender) -> str:
        """The same on the sender's own page, where there is no label to colour."""
        return self.state(sender)[1]

    @display(description=_("next try"))
    def next_try(self, sender: Sender) -> str:
        return format_moment(sender.open_until)

    @display(description=_("last trouble"))
    def last_trouble(self, sender: Sender) -> str:
        return f"{format_moment(sender.trouble_at)}: {sender.trouble}" if sender.trouble_at else "–"


@admin.register(DeliveryEvent)
class DeliveryEventAdmin(ReadOnlyAdmin):
    list_display = ("recipient", "kind", "permanent", "source", "happened", "detail", "message")
    list_filter = ("kind", "source", "permanent", "received_at")
    list_select_related = ("message__campaign",)
    search_fields = ("recipient", "provider_id")
    ordering = ("-received_at", "-id")
    sortable_by = ()
    fields = ("recipient", ("kind", "permanent"), ("source", "provider_id"), ("at", "received_at"), "detail", "message")

    @display(description=_("happened"), ordering="at")
    def happened(self, event: DeliveryEvent) -> str:
        return format_moment(event.at)
