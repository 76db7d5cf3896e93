"""A date of an experience: who comes, who waits, and calling it off."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from common.admin import ConfirmView, Labelled, ReadOnlyAdmin, found_or_404, record_link
from common.moments import format_moment
from rewards.admin.catalogue.acts import ReasonForm
from rewards.admin.ledger import member_link
from rewards.enums import WaitingState
from rewards.models import RewardSession
from rewards.queries_catalogue import STANDING
from rewards.services.sessions import call_off

OPEN = (WaitingState.WAITING, WaitingState.OFFERED)


class CallOffView(ConfirmView):
    title = _("Call the date off")
    form_class = ReasonForm
    permission_required = "rewards.change_rewardsession"
    act_label = _("Call it off")
    danger = True

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.session = found_or_404(RewardSession.objects.select_related("reward"), kwargs["object_id"])

    def get_object(self) -> RewardSession:
        return self.session

    def get_success_url(self) -> str:
        return reverse("admin:rewards_rewardsession_change", args=[self.session.pk])

    @property
    def intro(self) -> str:
        words = {"reward": self.session.reward.name, "when": format_moment(self.session.starts_at)}
        return gettext("%(reward)s, %(when)s.") % words

    def preview(self, form: Form) -> list[str]:
        if self.session.cancelled:
            raise ValidationError(gettext("It was called off already."))
        coming = self.session.redemptions.filter(state__in=STANDING).count()
        waiting = self.session.waiting.filter(state__in=OPEN).count()
        return [
            ngettext("%(n)d member gets their points back.", "%(n)d members get their points back.", coming)
            % {"n": coming},
            ngettext("%(n)d member waits no more.", "%(n)d members wait no more.", waiting) % {"n": waiting},
            gettext("This cannot be undone."),
        ]

    def act(self, form: Form) -> str:
        done = call_off(
            session_id=self.session.pk,
            at=self.at,
            actor_id=self.request.user.pk,
            reason=form.cleaned_data["reason"],
        )
        text = ngettext(
            "Called off: %(n)d member has their points back.",
            "Called off: %(n)d members have their points back.",
            done.ended,
        )
        return text % {"n": done.ended}


@admin.register(RewardSession)
class RewardSessionAdmin(ReadOnlyAdmin):
    """Dates are made and changed with their reward."""

    list_display = ("when", "what", "place", "places", "waits", "shown_state")
    list_filter = ("cancelled", "starts_at", "reward")
    list_select_related = ("reward",)
    ordering = ("-starts_at",)
    sortable_by = ("when",)
    actions_detail = ("call_off",)
    fields = (
        ("reward_page", "when"), ("place", "closes_at"), ("places", "shown_state"), "guests", "queue",
    )  # fmt: skip
    readonly_fields = ("reward_page", "when", "places", "shown_state", "guests", "queue")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RewardSession]:
        waits = Count("waiting", filter=Q(waiting__state__in=OPEN))
        return super().get_queryset(request).select_related("reward").annotate(waits=waits)

    def has_call_off_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return request.user.has_perm("rewards.change_rewardsession")

    @action(description=_("Call off"), url_path="call-off", permissions=["call_off"], icon="event_busy")
    def call_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return CallOffView.answer(self, request, object_id=object_id)

    @display(description=_("when"), ordering="starts_at")
    def when(self, session: RewardSession) -> str:
        return format_moment(session.starts_at)

    @display(description=_("reward"))
    def what(self, session: RewardSession) -> str:
        return session.reward.name

    @display(description=_("reward"))
    def reward_page(self, session: RewardSession) -> str:
        return record_link("rewards_reward", session.reward_id, session.reward.name)

    @display(description=_("places"))
    def places(self, session: RewardSession) -> str:
        return f"{session.booked}/{session.capacity}"

    @display(description=_("waiting"))
    def waits(self, session: RewardSession) -> str:
        return str(session.waits or "")

    @display(description=_("state"), label={"open": "success", "full": "warning", "past": "", "off": "danger"})
    def shown_state(self, session: RewardSession) -> tuple[str, Any]:
        if session.cancelled:
            return Labelled(("off", _("Called off")))
        if session.starts_at <= now():
            return Labelled(("past", _("Over")))
        full = session.booked >= session.capacity
        return Labelled(("full", _("Full")) if full else ("open", _("Open")))

    @display(description=_("who comes"))
    def guests(self, session: RewardSession) -> str:
        coming = session.redemptions.filter(state__in=STANDING).select_related("member").order_by("created_at")
        rows = format_html_join(
            "", "{} · {}<br>", [(member_link(one.member), one.get_state_display()) for one in coming]
        )
        href = f"{reverse('admin:rewards_redemption_changelist')}?session__id__exact={session.pk}"
        as_list = format_html('<a class="desk-link" href="{}">{}</a>', href, _("As a list, to take along"))
        return format_html("{}{}", rows, as_list) if rows else "–"

    @display(description=_("who waits"))
    def queue(self, session: RewardSession) -> str:
        waiting = session.waiting.filter(state__in=OPEN).select_related("member").order_by("at", "id")
        rows = [
            (
                member_link(entry.member),
                gettext("a place is kept until %(when)s") % {"when": format_moment(entry.offered_until)}
                if entry.offered_until
                else gettext("since %(when)s") % {"when": format_moment(entry.at)},
            )
            for entry in waiting
        ]
        return format_html_join("", "{} · {}<br>", rows) or "–"
