"""Messages: what was said to whom, what went wrong, and what staff can do about it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from campaigns.admin import outbox
from campaigns.admin.why import why_words
from campaigns.enums import MessageState
from campaigns.forms import AT_ONCE, SettleForm
from campaigns.models import Message
from campaigns.queries_measure import left_after
from campaigns.services.messages import RESENDABLE, SentAgain, mark_sent, send_again
from campaigns.services.reading import Emptied, copy_of
from common.admin import ConfirmView, ReadOnlyAdmin, Tones, record_link, rehearse
from common.moments import format_moment
from members.queries import search
from rewards.queries import explain

FOUND_AT_MOST = 1000
COLOURS = Tones(
    {
        MessageState.SENT: "success",
        MessageState.QUEUED: "info",
        MessageState.CLAIMED: "info",
        MessageState.HANDING_OVER: "info",
        MessageState.UNKNOWN: "warning",
        MessageState.MISSED: "warning",
        MessageState.FAILED: "danger",
    }
)


class SettleView(ConfirmView):
    """Something done with the messages ticked in the list, for a reason that is kept."""

    form_class = SettleForm
    permission_required = "campaigns.change_message"

    def get_initial(self) -> dict[str, Any]:
        return {"ids": self.request.GET.get("ids", "")}

    def get_success_url(self) -> str:
        return reverse("admin:campaigns_message_changelist")


class SendAgainView(SettleView):
    title = _("Send again")
    act_label = _("Send again")
    danger = True

    def _send(self, form: Form) -> SentAgain:
        return send_again(
            message_ids=form.cleaned_data["ids"],
            at=self.at,
            reason=form.cleaned_data["reason"],
            actor_id=self.request.user.pk,
        )

    def preview(self, form: Form) -> list[str]:
        chosen = Message.objects.filter(pk__in=form.cleaned_data["ids"])
        doubtful = chosen.filter(state=MessageState.UNKNOWN).count()
        done = rehearse(lambda: self._send(form))
        sentences = [_will_be_sent(done.queued)]
        if doubtful:
            text = ngettext(
                "%(n)d of them is in doubt: that member may get the mail twice.",
                "%(n)d of them are in doubt: those members may get the mail twice.",
                doubtful,
            )
            sentences.append(text % {"n": doubtful})
        if done.refused:
            sentences.append(_refused(done.refused))
        sentences.append(gettext("The gift is given once, however often the mail is sent."))
        return sentences

    def act(self, form: Form) -> str:
        return _will_be_sent(self._send(form).queued)


class MarkSentView(SettleView):
    title = _("Mark as sent")
    act_label = _("Mark as sent")
    intro = _("For messages in doubt that did arrive, as the mail server's log or the member says.")

    def _mark(self, form: Form) -> int:
        return mark_sent(
            message_ids=form.cleaned_data["ids"],
            at=self.at,
            reason=form.cleaned_data["reason"],
            actor_id=self.request.user.pk,
        )

    def preview(self, form: Form) -> list[str]:
        marked = rehearse(lambda: self._mark(form))
        left = len(form.cleaned_data["ids"]) - marked
        text = ngettext("%(n)d message will say sent.", "%(n)d messages will say sent.", marked)
        sentences = [text % {"n": marked}]
        if left:
            text = ngettext(
                "%(n)d is not in doubt and stays as it is.", "%(n)d are not in doubt and stay as they are.", left
            )
            sentences.append(text % {"n": left})
        return sentences

    def act(self, form: Form) -> str:
        marked = self._mark(form)
        text = ngettext("%(n)d message says sent.", "%(n)d messages say sent.", marked)
        return text % {"n": marked}


def _will_be_sent(n: int) -> str:
    text = ngettext("%(n)d message goes out again.", "%(n)d messages go out again.", n)
    return text % {"n": n}


def _refused(n: int) -> str:
    text = ngettext(
        "%(n)d does not: it was sent or is waiting, or the member was greeted otherwise.",
        "%(n)d do not: they were sent or are waiting, or the members were greeted otherwise.",
        n,
    )
    return text % {"n": n}


class LeftFilter(admin.SimpleListFilter):
    """Members who said no to a message's channel and purpose within the days of its campaign."""

    title = _("unsubscribed")
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(left_after()) if self.value() == "yes" else queryset


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ("member", "campaign", "occurrence_day", "shown_state", "note", "due", "sent")
    list_filter = ("state", "reason", "campaign", "channel", "language", "sent_at", "due_at", LeftFilter)
    list_select_related = ("member", "campaign")
    search_fields = ("to",)
    search_help_text = _("A member's name, phone, card number or e-mail")
    ordering = ("-due_at", "-id")
    sortable_by = ()
    actions = ("send_again_selected", "mark_sent_selected")
    actions_list = ("open_outbox",)
    actions_detail = ("send_this_again", "mark_this_sent")
    fieldsets = (
        (None, {"fields": ("mail",)}),
        (
            _("Delivery"),
            {
                "fields": (
                    ("member", "to"),
                    ("campaign", "channel"),
                    "occurrence_day",
                    "planned",
                    ("state", "changed_at"),
                    "note",
                    ("due_at", "expires_at"),
                    ("sent_at", "attempts"),
                    ("shown_language", "given"),
                    "name_of_mail",
                )
            },
        ),
    )
    readonly_fields = ("mail", "planned", "note", "name_of_mail", "shown_language", "given")

    class Media:
        css = {"all": ["campaigns/desk.css"]}

    def get_urls(self) -> list:
        view = self.admin_site.admin_view
        return [
            path("send-again/", view(self.send_again), name="campaigns_message_send_again"),
            path("mark-sent/", view(self.mark_sent), name="campaigns_message_mark_sent"),
            path("outbox/", view(self.outbox), name="campaigns_message_outbox"),
            path("outbox/<str:name>/", view(self.outbox_file), name="campaigns_message_outbox_file"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        # The list reads no mail: a page of it would be a megabyte.
        return super().get_queryset(request).defer("text")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        members = search(search_term).order_by().values_list("pk", flat=True)[:FOUND_AT_MOST]
        return queryset.filter(member__in=list(members)), False

    # --- What staff do ------------------------------------------------------------------------------------------
    def has_settle_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("campaigns.change_message")

    @admin.action(description=_("Send again"), permissions=["settle"])
    def send_again_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._settle(request, queryset, "admin:campaigns_message_send_again")

    @admin.action(description=_("Mark as sent"), permissions=["settle"])
    def mark_sent_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._settle(request, queryset, "admin:campaigns_message_mark_sent")

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list:
        """Only those of use to the message in its state."""
        state = Message.objects.filter(pk=object_id).values_list("state", flat=True).first()
        shown = {"send_this_again": state in RESENDABLE, "mark_this_sent": state == MessageState.UNKNOWN}
        found = super().get_actions_detail(request, object_id)
        return [one for one in found if shown.get(one.method.__name__, True)]

    @action(description=_("Send again"), url_path="send-this-again", permissions=["settle"], icon="replay")
    def send_this_again(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect(f"{reverse('admin:campaigns_message_send_again')}?ids={object_id}")

    @action(description=_("Mark as sent"), url_path="mark-this-sent", permissions=["settle"], icon="done")
    def mark_this_sent(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect(f"{reverse('admin:campaigns_message_mark_sent')}?ids={object_id}")

    def _settle(self, request: HttpRequest, queryset: QuerySet, view: str) -> HttpResponse | None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: AT_ONCE + 1])
        if len(ids) > AT_ONCE:
            messages.error(request, gettext("Please choose at most %(n)d messages at once.") % {"n": AT_ONCE})
            return None
        return HttpResponseRedirect(f"{reverse(view)}?{urlencode({'ids': ','.join(map(str, ids))})}")

    def send_again(self, request: HttpRequest) -> HttpResponse:
        return SendAgainView.answer(self, request)

    def mark_sent(self, request: HttpRequest) -> HttpResponse:
        return MarkSentView.answer(self, request)

    # --- The outbox on disk ---------------------------------------------------------------------------------------
    def has_outbox_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.view_outbox")

    @action(description=_("Outbox on disk"), url_path="open-outbox", permissions=["outbox"], icon="outbox")
    def open_outbox(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:campaigns_message_outbox")

    def outbox(self, request: HttpRequest) -> HttpResponse:
        return outbox.listing(self, request)

    def outbox_file(self, request: HttpRequest, name: str) -> HttpResponse:
        return outbox.reading(self, request, name)

    # --- Columns --------------------------------------------------------------------------------------------------
    @display(description=_("state"), label=COLOURS)
    def shown_state(self, message: Message) -> tuple:
        return message.state, message.get_state_display()

    @display(description=_("why not"))
    def note(self, message: Message) -> str:
        return message.get_reason_display() if message.reason else message.error or "–"

    @display(description=_("due"), ordering="due_at")
    def due(self, message: Message) -> str:
        return format_moment(message.due_at)

    @display(description=_("sent"))
    def sent(self, message: Message) -> str:
        return format_moment(message.sent_at)

    @display(description=_("language"))
    def shown_language(self, message: Message) -> str:
        return message.get_language_display() if message.language else "–"

    @display(description=_("why"))
    def planned(self, message: Message) -> str:
        return why_words(message)

    @display(description=_("gift"))
    def given(self, message: Message) -> str:
        return record_link("rewards_transfer", message.gift.pk, explain(message.gift)) if message.gift else "–"

    @display(description=_("Message-ID"))
    def name_of_mail(self, message: Message) -> str:
        return format_html("<code>{}</code>", message.message_id)

    @display(description=_("mail"))
    def mail(self, message: Message) -> str:
        try:
            content = copy_of(message)
        except Emptied:
            return gettext("What it said is no longer kept.")
        if content is None:
            return gettext("Not written yet.")
        return render_to_string("campaigns/admin/frame.html", {"content": content})
