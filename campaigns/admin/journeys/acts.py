"""What is asked twice: publish, pause, resume."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from campaigns.journeys.definition import BadJourney
from campaigns.journeys.parser import parse
from campaigns.journeys.words import rules_words, trigger_words
from campaigns.models import Journey
from campaigns.queries_journeys import figures
from campaigns.services.journeys.definitions import (
    NotPublished,
    WrongState,
    known,
    pause_journey,
    publish_journey,
    resume_journey,
)
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
            pause_journey(journey_id=self.journey.pk, why=gettext("by staff"))
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
