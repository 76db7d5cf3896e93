"""What is asked twice: publish, open, pause, close, put away, copy."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from common.admin import ConfirmView
from common.moments import format_moment
from surveys.admin import tabs
from surveys.definition import BadSurvey
from surveys.differences import differences
from surveys.enums import SurveyState, Way
from surveys.models import Invitation, Response, Survey
from surveys.services.publishing import WrongState, copy_survey, move, publish, read_draft


class SurveyAct(ConfirmView):
    form_class: Any = forms.Form
    permission_required = "surveys.change_survey"
    survey: Any = None  # as_view() sets only what the class has

    @classmethod
    def page(cls, model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
        return cls.as_view(model_admin=model_admin, survey=survey)(request)  # type: ignore[return-value]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """There is nothing to fill in: at once what it will do."""
        form = self.form_class({})
        return self.form_valid(form) if form.is_valid() else self.form_invalid(form)

    def get_object(self) -> Survey:
        return self.survey

    def get_success_url(self) -> str:
        return reverse("admin:surveys_survey_change", args=[self.survey.pk])

    def check(self) -> None:
        """ValidationError where the draft cannot be asked."""
        try:
            read_draft(self.survey)
        except BadSurvey as bad:
            sentences = list(dict.fromkeys(problem.sentence for problem in bad.problems))
            raise ValidationError(
                [gettext("Some questions are not complete. They are marked in the builder."), *sentences[:5]]
            ) from bad


class PublishView(SurveyAct):
    title = _("Publish the changes")
    act_label = _("Publish")

    def preview(self, form: forms.Form) -> list[str]:
        self.check()
        newest = self.survey.versions.filter(number=self.survey.number).first()
        changes = differences(newest.definition, self.survey.draft, get_language() or "en") if newest else []
        if newest and not changes:
            raise ValidationError(gettext("Nothing was changed since version %(n)d.") % {"n": newest.number})
        said = [gettext("Makes version %(n)d, which everybody is asked from now on.") % {"n": self.survey.number + 1}]
        if n := Response.objects.filter(survey=self.survey, state="started").count():
            sentence = ngettext(
                "%(n)d person has begun and finishes on the version they began.",
                "%(n)d people have begun and finish on the version they began.",
                n,
            )
            said.append(sentence % {"n": n})
        return said + changes[:20]

    def act(self, form: forms.Form) -> str:
        try:
            version = publish(survey_id=self.survey.pk, at=self.at, actor_id=self.request.user.pk)
        except BadSurvey as bad:
            raise ValidationError([problem.sentence for problem in bad.problems]) from bad
        return gettext("Version %(n)d is asked from now on.") % {"n": version.number}


class MoveView(SurveyAct):
    to: SurveyState

    def act(self, form: forms.Form) -> str:
        try:
            moved = move(survey_id=self.survey.pk, to=self.to, at=self.at, actor_id=self.request.user.pk)
        except WrongState as error:
            raise ValidationError(gettext("Somebody changed it meanwhile. Please look again.")) from error
        except BadSurvey as bad:
            raise ValidationError([problem.sentence for problem in bad.problems]) from bad
        return gettext("“%(name)s”: %(state)s.") % {"name": moved, "state": SurveyState(moved.state).label}


class OpenView(MoveView):
    title = _("Open this survey")
    act_label = pgettext_lazy("act", "Open")
    to = SurveyState.OPEN

    def get_success_url(self) -> str:
        """An open survey waits for people: on to how they come to it."""
        return reverse("admin:surveys_survey_reach", args=[self.survey.pk])

    def preview(self, form: forms.Form) -> list[str]:
        survey = self.survey
        if survey.number == 0:
            self.check()
        ways = [str(Way(way).label) for way in survey.ways]
        if not ways:
            raise ValidationError(gettext("Please choose in the settings how it can be answered."))
        said = [gettext("It can be answered from now on: %(ways)s.") % {"ways": ", ".join(ways)}]
        if survey.opens_at and survey.opens_at > self.at:
            said = [gettext("It can be answered from %(when)s on.") % {"when": format_moment(survey.opens_at)}]
        if survey.closes_at:
            said.append(gettext("It closes on %(when)s.") % {"when": format_moment(survey.closes_at)})
        if survey.thanks_points:
            n = survey.thanks_points
            said.append(
                ngettext("Who answers gets %(n)d point.", "Who answers gets %(n)d points.", n) % {"n": n}
                if not survey.anonymous
                else gettext("Who answers an invitation gets %(n)d points; the answer stays anonymous.") % {"n": n}
            )
        if survey.anonymous:
            said.append(gettext("It is anonymous. That cannot be changed once somebody has answered."))
        return said


class PauseView(MoveView):
    title = _("Pause this survey")
    act_label = _("Pause")
    to = SurveyState.PAUSED

    def preview(self, form: forms.Form) -> list[str]:
        return [gettext("Nobody can answer until it is opened again. Who has begun loses nothing.")]


class CloseView(MoveView):
    title = _("Close this survey")
    act_label = _("Close")
    to = SurveyState.CLOSED

    def preview(self, form: forms.Form) -> list[str]:
        said = [gettext("No answers are taken any more; what was answered stays.")]
        if n := Invitation.objects.filter(survey=self.survey, state__in=["open", "started"]).count():
            said.append(
                ngettext(
                    "%(n)d invitation has not been answered; its link will say that it is over.",
                    "%(n)d invitations have not been answered; their links will say that it is over.",
                    n,
                )
                % {"n": n}
            )
        return said


class ArchiveView(MoveView):
    title = _("Put this survey away")
    act_label = _("Put away")
    to = SurveyState.ARCHIVED

    def preview(self, form: forms.Form) -> list[str]:
        return [gettext("It leaves the list of those in use. Its answers and its report stay.")]


class CopyView(SurveyAct):
    title = _("Make a copy")
    act_label = _("Copy")
    permission_required = "surveys.add_survey"

    def preview(self, form: forms.Form) -> list[str]:
        return [gettext("Makes a draft with the same questions and settings, without any answers.")]

    def act(self, form: forms.Form) -> str:
        self.copy = copy_survey(
            survey_id=self.survey.pk, name=gettext("%(name)s (copy)") % {"name": self.survey.name[:100]}, at=self.at
        )
        return gettext("“%(name)s” is a draft now.") % {"name": self.copy}

    def get_success_url(self) -> str:
        return reverse("admin:surveys_survey_change", args=[getattr(self, "copy", self.survey).pk])


def versions(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """The versions, newest first, with what each changed and how many answered it."""
    finished = Response.objects.filter(survey=survey, state="complete").order_by().values("version")
    answered = {row["version"]: row["n"] for row in finished.annotate(n=Count("pk"))}
    language = get_language() or "en"
    found = list(survey.versions.select_related("actor").order_by("number"))
    rows = [
        {
            "version": version,
            "when": format_moment(version.at),
            "answers": answered.get(version.pk, 0),
            "changes": differences(found[n - 1].definition, version.definition, language) if n else [],
        }
        for n, version in enumerate(found)
    ]
    return tabs.draw(
        model_admin, request, survey, "surveys/admin/versions.html", tab="versions", rows=list(reversed(rows))
    )


_CONFIRMS: dict[str, type[SurveyAct]] = {
    "publish": PublishView,
    "open": OpenView,
    "pause": PauseView,
    "close": CloseView,
    "archive": ArchiveView,
    "copy": CopyView,
}
for _name, _act in _CONFIRMS.items():
    tabs.register_page(f"{_name}/", _act.page, _name, permission="change")
tabs.register_page("versions/", versions, "versions", tab=_("Versions"), order=80)


def offered(survey: Survey, *, changed: bool) -> list[tuple[str, Any]]:
    """What can be done with it now: (address, words), the likeliest first."""
    acts: list[tuple[str, Any]] = []
    if survey.number and changed:
        acts.append(("publish", _("Publish the changes")))
    acts += {
        SurveyState.DRAFT: [("open", _("Open this survey"))],
        SurveyState.OPEN: [("pause", _("Pause")), ("close", _("Close"))],
        SurveyState.PAUSED: [("open", _("Open again")), ("close", _("Close"))],
        SurveyState.CLOSED: [("open", _("Open again")), ("archive", _("Put away"))],
        SurveyState.ARCHIVED: [("close", _("Take out again"))],
    }[SurveyState(survey.state)]
    return [*acts, ("copy", _("Make a copy"))]
