"""What staff do with a broadcast, each asked once in plain words."""

from typing import Any

from django.core.exceptions import ValidationError
from django.forms import Form
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from liquid.exceptions import LiquidError

from campaigns.admin.broadcasts.steps import broadcast_or_404, url
from campaigns.admin.broadcasts.words import gift_words, members, number, pace_words, way_words, when_words, who_words
from campaigns.channels import Refusal
from campaigns.enums import CampaignState, MessageState
from campaigns.forms_broadcasts import Nothing, RefuseForm
from campaigns.forms_trying import TestForm
from campaigns.models import Broadcast
from campaigns.queries_broadcast_results import progress
from campaigns.services.broadcasts import control
from campaigns.services.trying import send_test
from common.admin import ConfirmView
from members.enums import Language


class BroadcastView(ConfirmView):
    """An act on one broadcast."""

    form_class = Nothing
    permission_required = "campaigns.change_broadcast"

    @property
    def broadcast(self) -> Broadcast:
        return broadcast_or_404(self.kwargs["object_id"])

    def get_object(self) -> Broadcast:
        return self.broadcast

    def get_success_url(self) -> str:
        return url("change", self.kwargs["object_id"])

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """An act that asks nothing says at once what it will do."""
        if self.form_class is not Nothing:
            return super().get(request, *args, **kwargs)
        form = Nothing()
        try:
            sentences = self.preview(form)
        except ValidationError as error:
            sentences = list(error.messages)
        return self.render_to_response(
            self.get_context_data(form=form, sentences=sentences, warnings=self.warnings(form))
        )

    def guarded(self, act: Any, **kwargs: Any) -> Any:
        try:
            return act(campaign_id=self.kwargs["object_id"], **kwargs)
        except control.WrongState as error:
            raise ValidationError(gettext("That is not possible any more. Please look again.")) from error
        except control.NotReady as error:
            raise ValidationError(error.problems) from error
        except control.SamePerson as error:
            raise ValidationError(gettext("Somebody else must approve what you asked for.")) from error


class AskView(BroadcastView):
    """The last page before it goes out: who gets what and when."""

    title = _("Send")
    act_label = _("Send it")

    def preview(self, form: Form) -> list[str]:
        broadcast = self.broadcast
        told, problems = control.check(broadcast, at=self.at)
        if problems or told is None:
            raise ValidationError(problems or [gettext("It cannot be counted now.")])
        sentences = [
            gettext("%(members)s get it.") % {"members": members(told.reached)},
            who_words(broadcast),
            way_words(broadcast),
            when_words(broadcast, at=self.at),
            *pace_words(broadcast),
        ]
        if gift := gift_words(broadcast):
            sentences.append(gift)
        left = told.audience - told.reached
        if left:
            sentences.append(gettext("%(members)s of the audience do not.") % {"members": members(left)})
        if control.needs_approval(told.reached):
            sentences.append(gettext("It waits until somebody else has approved it."))
        return sentences

    def act(self, form: Form) -> str:
        held = self.guarded(control.ask, at=self.at, actor_id=self.request.user.pk)
        if held.campaign.state == CampaignState.WAITING:
            return gettext("It waits for approval now.")
        return gettext("It is scheduled.")


class ApproveView(BroadcastView):
    title = _("Approve")
    act_label = _("Approve and send it")
    permission_required = "campaigns.approve_broadcast"

    def preview(self, form: Form) -> list[str]:
        broadcast = self.broadcast
        if broadcast.campaign.state != CampaignState.WAITING:
            raise ValidationError(gettext("It does not wait for approval."))
        if broadcast.asked_by_id == self.request.user.pk:
            raise ValidationError(gettext("Somebody else must approve what you asked for."))
        count = broadcast.estimate.get("reached", 0)
        said = gettext("%(name)s asked to send it to %(members)s.")
        return [
            said % {"name": broadcast.asked_by or "–", "members": members(count)},
            who_words(broadcast),
            way_words(broadcast),
            when_words(broadcast, at=self.at),
            *pace_words(broadcast),
            *filter(None, [gift_words(broadcast)]),
        ]

    def act(self, form: Form) -> str:
        self.guarded(control.approve, at=self.at, actor_id=self.request.user.pk)
        return gettext("It is approved and scheduled.")


class TakeBackView(BroadcastView):
    title = _("Back to the draft")
    act_label = _("Make it a draft again")

    def preview(self, form: Form) -> list[str]:
        return [gettext("Nothing goes out until it is sent off anew.")]

    def act(self, form: Form) -> str:
        self.guarded(control.take_back)
        return gettext("It is a draft again.")


class RefuseView(BroadcastView):
    """The second person says no, and why."""

    form_class = RefuseForm  # type: ignore[assignment]
    title = _("Refuse")
    act_label = _("Refuse it")
    permission_required = "campaigns.approve_broadcast"

    def preview(self, form: Form) -> list[str]:
        if self.broadcast.campaign.state != CampaignState.WAITING:
            raise ValidationError(gettext("It does not wait for approval."))
        return [gettext("It is a draft again, and says why. Nothing goes out until it is sent off anew.")]

    def act(self, form: Form) -> str:
        if self.broadcast.campaign.state != CampaignState.WAITING:
            raise ValidationError(gettext("It does not wait for approval."))
        words = {"name": self.request.user, "why": form.cleaned_data["why"]}
        self.guarded(control.take_back, why=gettext("Refused by %(name)s: %(why)s") % words)
        return gettext("It is refused.")


class PauseView(BroadcastView):
    title = _("Pause")
    act_label = _("Pause")

    def preview(self, form: Form) -> list[str]:
        return [
            gettext("Nothing more is handed over, at once."),
            gettext("What becomes too late meanwhile is listed as missed."),
        ]

    def act(self, form: Form) -> str:
        self.guarded(control.pause, why=str(self.request.user))
        return gettext("It is paused.")


class ResumeView(BroadcastView):
    title = _("Go on")
    act_label = _("Go on")

    def preview(self, form: Form) -> list[str]:
        return [gettext("It goes on where it stopped.")]

    def act(self, form: Form) -> str:
        self.guarded(control.resume, at=self.at)
        return gettext("It goes on.")


class CancelView(BroadcastView):
    title = _("Cancel")
    act_label = _("Cancel it for good")
    danger = True

    def preview(self, form: Form) -> list[str]:
        done = progress(self.kwargs["object_id"], at=self.at)
        sentences = [gettext("Nothing more goes out, at once and for good.")]
        if done.states.get("sent"):
            said = gettext("%(members)s have got it already: that stays so.")
            sentences.append(said % {"members": members(done.states["sent"])})
        if done.waiting:
            said = gettext("%(members)s who still wait do not get it.")
            sentences.append(said % {"members": members(done.waiting)})
        return sentences

    def act(self, form: Form) -> str:
        self.guarded(control.cancel, at=self.at)
        return gettext("It is cancelled.")


class FollowView(BroadcastView):
    title = _("Send to just them")
    act_label = _("Make a draft for them")

    def preview(self, form: Form) -> list[str]:
        lost = progress(self.broadcast.pk, at=self.at)
        states = {state: lost.states.get(state, 0) for state in ("missed", "failed", "unknown", "cancelled")}
        told = gettext(", ").join(f"{MessageState(state).label} {number(n)}" for state, n in states.items() if n)
        said = [gettext("A new draft with the same content, for those who missed it or for whom it failed.")]
        if told:
            said.append(gettext("That is, as of now: %(states)s.") % {"states": told})
        if states["unknown"]:
            doubt = gettext("Messages in doubt are among them: settle those first, or their members may get it twice.")
            said.append(doubt)
        return said

    def act(self, form: Form) -> str:
        self.made = self.guarded(control.follow_up, at=self.at, actor_id=self.request.user.pk)
        return gettext("The draft is made.")

    def get_success_url(self) -> str:
        made = getattr(self, "made", None)
        return url("check", made.pk) if made else super().get_success_url()


class TestView(BroadcastView):
    """A test of each version in each language."""

    form_class = TestForm  # type: ignore[assignment]
    title = _("Send a test")
    act_label = _("Send the test")

    def get_initial(self) -> dict[str, Any]:
        return {"to": self.request.user.email}  # type: ignore[union-attr]  # staff is signed in

    def preview(self, form: Form) -> list[str]:
        n = self.broadcast.variants.count()
        return [
            gettext("Each of %(n)d version in every language goes to %(to)s, with a made-up member's values.")
            % {"n": n, "to": form.cleaned_data["to"]}
        ]

    def act(self, form: Form) -> str:
        sent = 0
        try:
            for variant in self.broadcast.variants.select_related("version__template"):
                content = variant.version.content
                sent += send_test(
                    content={**content, "subject": {**content["subject"], **variant.subject}},
                    kind=variant.version.template.kind,
                    languages=Language.values,
                    member=None,
                    to=form.cleaned_data["to"],
                    at=self.at,
                    channel=form.cleaned_data["channel"],
                )
        except (LiquidError, OSError, Refusal) as error:
            raise ValidationError(str(error)) from error
        return gettext("%(n)d test messages went out.") % {"n": sent}
