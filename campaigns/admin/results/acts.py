"""What is measured, and sending again to just those who missed it."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from campaigns.admin.broadcasts.words import number
from campaigns.enums import CampaignKind, MessageState
from campaigns.forms_measures import MEASURES, MeasuresFields
from campaigns.models import Campaign, Message
from campaigns.services.measuring import set_measures
from campaigns.services.messages import send_again
from common.admin import ConfirmView, found_or_404, rehearse

AGAIN = (MessageState.MISSED, MessageState.FAILED)
MOST = 10_000
# Who may change what of each kind.
MAY = {
    CampaignKind.BROADCAST: "campaigns.change_broadcast",
    CampaignKind.JOURNEY: "campaigns.change_journey",
    CampaignKind.BIRTHDAY: "campaigns.change_birthdaygreeting",
    CampaignKind.SURVEY: "surveys.change_survey",
}


class CampaignView(ConfirmView):
    """An act on a campaign of any kind, for those who may change that kind."""

    permission_required = "campaigns.view_campaign"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.campaign: Campaign = found_or_404(
            Campaign.objects.exclude(kind=CampaignKind.SERVICE), self.kwargs["object_id"]
        )
        if request.user.is_authenticated and not request.user.has_perm(MAY[CampaignKind(self.campaign.kind)]):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_object(self) -> Campaign:
        return self.campaign

    def get_success_url(self) -> str:
        return reverse("admin:campaigns_campaign_change", args=[self.campaign.pk])


class MeasuresView(CampaignView):
    title = _("What is measured")
    act_label = _("Save")
    form_class = MeasuresFields

    def get_initial(self) -> dict[str, Any]:
        return {name: getattr(self.campaign, name) for name in MEASURES}

    def preview(self, form: forms.Form) -> list[str]:
        told = form.cleaned_data
        said = [
            gettext("Clicks are measured.") if told["measure_clicks"] else gettext("Clicks are not measured."),
            gettext("Opens are measured.") if told["measure_opens"] else gettext("Opens are not measured."),
            gettext("That holds for mails that are sent from now on."),
        ]
        if told["goal_days"] != self.campaign.goal_days:
            text = ngettext(
                "A purchase counts within %(n)d day; all figures of this campaign are counted anew.",
                "A purchase counts within %(n)d days; all figures of this campaign are counted anew.",
                told["goal_days"],
            )
            said.append(text % {"n": told["goal_days"]})
        return said

    def act(self, form: forms.Form) -> str:
        set_measures(campaign_id=self.campaign.pk, **form.cleaned_data)
        return gettext("Saved.")


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Stands on each member's timeline."),
    )


class ResendView(CampaignView):
    """For birthdays and journeys, whose messages are each about their own moment: the same rows go out again. A
    broadcast makes a draft for those who missed it."""

    title = _("Send to just those who missed it")
    act_label = _("Send again")
    form_class = ReasonForm
    danger = True

    def _ids(self) -> list[int]:
        rows = Message.objects.filter(campaign=self.campaign, state__in=AGAIN).exclude(why={}, values={}, text="")
        return list(rows.order_by("-due_at").values_list("pk", flat=True)[:MOST])

    def _send(self, form: forms.Form) -> Any:
        return send_again(
            message_ids=self._ids(), at=self.at, reason=form.cleaned_data["reason"], actor_id=self.request.user.pk
        )

    def preview(self, form: forms.Form) -> list[str]:
        done = rehearse(lambda: self._send(form))
        said = [self._words(done.queued)]
        if done.refused:
            text = ngettext(
                "%(n)s does not: it was sent or is waiting, or the member was greeted otherwise.",
                "%(n)s do not: they were sent or are waiting, or the members were greeted otherwise.",
                done.refused,
            )
            said.append(text % {"n": number(done.refused)})
        ten = Message.objects.filter(pk__in=self._ids()[:10]).select_related("member")
        said.append(gettext("Among them: %(names)s.") % {"names": gettext(", ").join(str(one.member) for one in ten)})
        said.append(gettext("Consent, limits and the suppression list are looked at again before each leaves."))
        return said

    def act(self, form: forms.Form) -> str:
        return self._words(self._send(form).queued)

    def _words(self, n: int) -> str:
        text = ngettext("%(n)s message goes out again.", "%(n)s messages go out again.", n)
        return text % {"n": number(n)}
