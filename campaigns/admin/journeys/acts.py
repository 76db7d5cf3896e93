"""What is asked twice: publish, pause, resume."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.enums import RunState
from campaigns.journeys.definition import BadJourney
from campaigns.journeys.parser import parse
from campaigns.journeys.words import rules_words, step_words, trigger_words
from campaigns.models import Journey, JourneyRun
from campaigns.queries_journeys import figures, stuck
from campaigns.services.journeys.definitions import (
    NotPublished,
    WrongState,
    known,
    pause_journey,
    publish_journey,
    read_version,
    resume_journey,
)
from campaigns.services.journeys.mending import MOST, retry, skip
from common.admin import ConfirmView, found_or_404


class JourneyAct(ConfirmView):
    form_class: Any = forms.Form
    permission_required = "campaigns.change_journey"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.journey: Journey = found_or_404(Journey.objects.select_related("campaign"), kwargs["object_id"])

    def get_object(self) -> Journey:
        return self.journey

    def get_success_url(self) -> str:
        return reverse("admin:campaigns_journey_change", args=[self.journey.pk])

    def inside(self) -> int:
        return figures([self.journey.pk])[self.journey.pk].inside


class MendForm(forms.Form):
    """Which ways that are stuck, and what with them."""

    which = forms.ChoiceField(label=_("Which"), widget=UnfoldAdminSelectWidget)
    what = forms.ChoiceField(
        label=_("What now"),
        choices=[("retry", _("try the step again")), ("skip", _("go on behind the step, without it"))],
        widget=UnfoldAdminSelectWidget,
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("Is kept with their way."), widget=UnfoldAdminTextInputWidget
    )


class MendView(JourneyAct):
    """The members of a journey who are stuck, by what holds them up."""

    title = _("Members who are stuck")
    intro = _("A step failed for them five times over. Mend what the error says first, then let them try again.")
    act_label = _("Do it")
    form_class = MendForm

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        self.groups = stuck(self.journey.pk)
        choices = []
        for n, group in enumerate(self.groups):
            run = JourneyRun.objects.select_related("version").get(pk=group.example)
            step = read_version(run.version_id).steps.get(group.step)
            words = {"step": step_words(step, known()) if step else group.step, "error": group.error}
            members = ngettext("%(n)d member", "%(n)d members", group.n) % {"n": group.n}
            choices.append((str(n), f"{members}: {words['step']} – {words['error']}"[:300]))
        form.fields["which"].choices = choices
        return form

    def runs(self, form: Any) -> list[int]:
        group = self.groups[int(form.cleaned_data["which"])]
        found = JourneyRun.objects.filter(
            journey=self.journey.pk, state=RunState.STUCK, step=group.step, error=group.error
        )
        return list(found.order_by("pk").values_list("pk", flat=True)[:MOST])

    def preview(self, form: Any) -> list[str]:
        n = len(self.runs(form))
        if form.cleaned_data["what"] == "retry":
            said = ngettext("%(n)d member tries the step again.", "%(n)d members try the step again.", n)
        else:
            said = ngettext(
                "%(n)d member goes on without what the step does.", "%(n)d members go on without what the step does.", n
            )
        return [said % {"n": n}]

    def act(self, form: Any) -> str:
        mend = retry if form.cleaned_data["what"] == "retry" else skip
        n = mend(run_ids=self.runs(form), reason=form.cleaned_data["reason"], at=self.at, actor_id=self.request.user.pk)
        return ngettext("%(n)d member goes on.", "%(n)d members go on.", n) % {"n": n}


class PublishView(JourneyAct):
    title = _("Publish this journey")
    act_label = _("Publish")

    def preview(self, form: forms.Form) -> list[str]:
        there = known()
        try:
            read = parse(self.journey.draft, there)
        except BadJourney as bad:
            raise ValidationError([problem.sentence for problem in bad.problems]) from bad
        said = [gettext("From now on members come in: %(trigger)s.") % {"trigger": trigger_words(read, there)}]
        said += rules_words(read, there)
        if n := self.inside():
            sentence = ngettext(
                "%(n)d member is inside and finishes on the version they began.",
                "%(n)d members are inside and finish on the version they began.",
                n,
            )
            said.append(sentence % {"n": n})
        return said

    def act(self, form: forms.Form) -> str:
        try:
            version = publish_journey(journey_id=self.journey.pk, at=self.at, actor_id=self.request.user.pk)
        except BadJourney as bad:
            raise ValidationError([problem.sentence for problem in bad.problems]) from bad
        return gettext("“%(name)s” runs, as version %(n)d.") % {"name": self.journey, "n": version.number}


class PauseView(JourneyAct):
    title = _("Pause this journey")
    act_label = _("Pause")

    def preview(self, form: forms.Form) -> list[str]:
        n = self.inside()
        stands = ngettext("%(n)d member stands still.", "%(n)d members stand still.", n) % {"n": n}
        return [gettext("Nobody comes in any more, nothing is sent and nothing is given."), stands]

    def act(self, form: forms.Form) -> str:
        try:
            pause_journey(journey_id=self.journey.pk, why=str(self.request.user))
        except WrongState as error:
            raise ValidationError(gettext("It does not run.")) from error
        return gettext("“%(name)s” is paused.") % {"name": self.journey}


class ResumeView(JourneyAct):
    title = _("Let this journey go on")
    act_label = _("Go on")

    def preview(self, form: forms.Form) -> list[str]:
        hours = self.journey.draft.get("catch_up_hours", 48)
        return [
            gettext("Members come in again, and those inside go on where they stood."),
            gettext("What should have been sent more than %(n)s hours ago is not sent any more.") % {"n": hours},
        ]

    def act(self, form: forms.Form) -> str:
        try:
            resume_journey(journey_id=self.journey.pk)
        except (WrongState, NotPublished) as error:
            raise ValidationError(gettext("It is not paused.")) from error
        return gettext("“%(name)s” goes on.") % {"name": self.journey}
