"""A trigger of a survey is changed, paused, goes on, or is deleted; each says first what becomes of those who wait."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView

from common.money import to_major, to_minor
from members.queries import get_programme
from surveys.admin.acts import SurveyAct
from surveys.admin.reach import trigger_words
from surveys.admin.tabs import register_page
from surveys.enums import TriggerEvent
from surveys.forms_reach import TriggerChangeForm
from surveys.models import Survey, SurveyTrigger
from surveys.services.doors import change_trigger, delete_trigger, switch_trigger


def _gone() -> ValidationError:
    return ValidationError(gettext("Somebody changed it meanwhile. Please look again."))


class TriggerAct(SurveyAct):
    trigger: Any = None

    @classmethod
    def of(cls, model_admin: Any, request: HttpRequest, survey: Survey, trigger_id: int) -> HttpResponse:
        found = survey.triggers.select_related("segment").filter(pk=trigger_id).first()
        if found is None:
            raise Http404
        return cls.as_view(model_admin=model_admin, survey=survey, trigger=found)(request)  # type: ignore[return-value]

    def get_success_url(self) -> str:
        return reverse("admin:surveys_survey_reach", args=[self.survey.pk]) + "#trigger"

    def note(self, words: str) -> str:
        """Written to the log of the survey, too."""
        self.model_admin.log_change(self.request, self.survey, words)
        return words

    def withdrawn(self) -> list[str]:
        """What becomes of who waits, and of who was asked."""
        n = self.trigger.due.count()
        words = ngettext(
            "%(n)d member waits to be asked by it, and will not be.",
            "%(n)d members wait to be asked by it, and will not be.",
            n,
        )
        said = [words % {"n": n}] if n else [gettext("Nobody waits to be asked by it.")]
        return [*said, gettext("Invitations that went out can still be answered.")]


class ChangeView(TriggerAct):
    title = _("Change the trigger")
    act_label = _("Ask so")
    form_class = TriggerChangeForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return FormView.get(self, request, *args, **kwargs)

    def get_initial(self) -> dict[str, Any]:
        one = self.trigger
        least = one.least_minor
        kept = ("event", "after_hours", "store", "name", "every_days", "share", "cooldown_days", "days_open")
        return {name: getattr(one, name) for name in kept} | {
            "segment": one.segment_id,
            "least": None if least is None else to_major(least, get_programme().currency),
        }

    def values(self, form: Any) -> dict[str, Any]:
        """The trigger as it would be, by the arguments of change_trigger; what the form does not ask for stays."""
        told, one = form.cleaned_data, self.trigger
        kept = ("name", "store", "after_hours", "share", "cooldown_days", "every_days", "days_open")
        least, segment = told.get("least"), told["segment"]
        return {name: told.get(name, getattr(one, name)) for name in kept} | {
            "least_minor": None if least is None else to_minor(least, get_programme().currency),
            "segment_id": segment.pk if segment else None,
        }

    def preview(self, form: Any) -> list[str]:
        values = self.values(form)
        before = {name: getattr(self.trigger, name) for name in values}
        if values == before:
            raise ValidationError(gettext("Nothing was changed."))
        words = SurveyTrigger(survey=self.survey, event=self.trigger.event, segment=form.cleaned_data["segment"])
        for name, value in values.items():
            setattr(words, name, value)
        said = [
            gettext("Until now: %(words)s") % {"words": trigger_words(self.trigger)},
            gettext("From now on: %(words)s") % {"words": trigger_words(words)},
        ]
        if n := self.trigger.due.count():
            sentence = ngettext(
                "%(n)d member waits, and is asked at the hour that was set; the group, and the days to answer and"
                " between, are those from now on.",
                "%(n)d members wait, and are asked at the hour that was set; the group, and the days to answer and"
                " between, are those from now on.",
                n,
            )
            said.append(sentence % {"n": n})
        if not self.trigger.active:
            said.append(gettext("It stays paused."))
        return said

    def act(self, form: Any) -> str:
        try:
            changed = change_trigger(
                trigger_id=self.trigger.pk, survey_id=self.survey.pk, at=self.at, **self.values(form)
            )
        except SurveyTrigger.DoesNotExist as error:
            raise _gone() from error
        return self.note(gettext("Trigger changed: %(words)s") % {"words": trigger_words(changed)})


class PauseView(TriggerAct):
    title = _("Pause the trigger")
    act_label = _("Pause")

    def preview(self, form: Any) -> list[str]:
        words = {"words": trigger_words(self.trigger)}
        return [gettext("Until it goes on, nobody is asked so: %(words)s") % words, *self.withdrawn()]

    def act(self, form: Any) -> str:
        if not switch_trigger(trigger_id=self.trigger.pk, survey_id=self.survey.pk, active=False):
            raise _gone()
        return self.note(gettext("Trigger paused: %(words)s") % {"words": trigger_words(self.trigger)})


class ResumeView(TriggerAct):
    title = _("Let the trigger go on")
    act_label = pgettext_lazy("act", "Go on")

    def preview(self, form: Any) -> list[str]:
        said = [gettext("From now on: %(words)s") % {"words": trigger_words(self.trigger)}]
        if self.trigger.event == TriggerEvent.SCHEDULE:
            return [*said, gettext("Where its day has passed meanwhile, it asks once, within a minute.")]
        return [*said, gettext("What happened while it was paused leads to nothing.")]

    def act(self, form: Any) -> str:
        if not switch_trigger(trigger_id=self.trigger.pk, survey_id=self.survey.pk, active=True):
            raise _gone()
        return self.note(gettext("Trigger goes on: %(words)s") % {"words": trigger_words(self.trigger)})


class DeleteView(TriggerAct):
    title = _("Delete the trigger")
    act_label = _("Delete")
    danger = True

    def preview(self, form: Any) -> list[str]:
        words = {"words": trigger_words(self.trigger)}
        return [gettext("Nobody is asked so any more: %(words)s") % words, *self.withdrawn()]

    def act(self, form: Any) -> str:
        try:
            delete_trigger(trigger_id=self.trigger.pk, survey_id=self.survey.pk)
        except SurveyTrigger.DoesNotExist as error:
            raise _gone() from error
        return self.note(gettext("Trigger deleted: %(words)s") % {"words": trigger_words(self.trigger)})


_ROUTE = "reach/triggers/<int:trigger_id>/"
register_page(_ROUTE, ChangeView.of, "trigger", permission="change")
register_page(f"{_ROUTE}pause/", PauseView.of, "trigger_pause", permission="change")
register_page(f"{_ROUTE}resume/", ResumeView.of, "trigger_resume", permission="change")
register_page(f"{_ROUTE}delete/", DeleteView.of, "trigger_delete", permission="change")
