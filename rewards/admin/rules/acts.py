"""What is asked twice: publish, pause, resume, end, discard, and a whole programme on one page."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.admin import ConfirmView, found_or_404, rehearse
from common.moments import format_moment
from members.queries import get_programme
from rewards.admin.rules.builder import estimate_words
from rewards.admin.rules.parts import differences, parts
from rewards.admin.rules.saying import said
from rewards.earning.definition import BadRule
from rewards.enums import RuleState, VersionState
from rewards.models import EarningRule, RuleVersion
from rewards.services.earning.publishing import (
    InThePast,
    NothingToPublish,
    WrongState,
    archive,
    bring_back,
    discard_draft,
    end,
    is_published,
    pause,
    publish,
    resume,
)


class RuleAct(ConfirmView):
    form_class = forms.Form
    permission_required = "rewards.change_earningrule"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.rule: EarningRule = found_or_404(EarningRule, kwargs["object_id"])

    def get_object(self) -> EarningRule:
        return self.rule

    def get_success_url(self) -> str:
        return reverse("admin:rewards_earningrule_change", args=[self.rule.pk])

    @property
    def intro(self) -> str:
        """What is about to stop, start or go."""
        version = self.rule.versions.order_by("-number").first()
        return self.said(version) if version else ""

    def said(self, version: RuleVersion) -> str:
        return said(version.definition, self.rule.trigger, self.rule.unit)

    def log(self, message: str) -> None:
        self.model_admin.log_change(self.request, self.rule, message)


def moved_meanwhile() -> ValidationError:
    return ValidationError(gettext("Somebody changed this rule meanwhile. Please look at its page again."))


class PublishForm(forms.Form):
    valid_from = forms.DateTimeField(
        label=_("From"),
        required=False,
        help_text=_("Empty: from now on. In the programme's time."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "desk-input"}, format="%Y-%m-%dT%H:%M"),
    )


class PublishView(RuleAct):
    title = _("Publish")
    form_class = PublishForm
    act_label = _("Publish")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.rule.versions.filter(state=VersionState.DRAFT).exists():
            messages.info(request, gettext("There is nothing to publish: edit the rule first, which makes a draft."))
            return redirect(self.get_success_url())
        return super().get(request, *args, **kwargs)

    def _publish(self, form: Form) -> Any:
        try:
            return publish(
                rule_id=self.rule.pk,
                valid_from=form.cleaned_data["valid_from"],
                at=self.at,
                actor_id=self.request.user.pk,
            )
        except NothingToPublish:
            raise ValidationError(gettext("There is no draft. Edit the rule first.")) from None
        except InThePast:
            text = gettext("That moment is over. What was earned since would be another: choose now, or a later one.")
            raise ValidationError({"valid_from": text}) from None
        except BadRule as bad:
            raise ValidationError([str(problem.sentence) for problem in bad.problems]) from None

    def preview(self, form: Form) -> list[str]:
        plan = rehearse(lambda: self._publish(form))
        rule, version = self.rule, plan.version
        begins = form.cleaned_data["valid_from"]
        when = format_moment(begins) if begins else gettext("now")
        sentences = [
            gettext("From %(moment)s: %(words)s") % {"moment": when, "words": self.said(version)},
            *self._changes(plan),
        ]
        sentences += [
            gettext("Version %(n)d, planned from %(moment)s, will not begin.")
            % {"n": one.number, "moment": format_moment(one.valid_from)}
            for one in plan.replaces
        ]
        if begins and begins < self.at:
            sentences.append(
                gettext("Purchases from then on that are reported later earn by it; those known already do not.")
            )
        estimate = estimate_words(version.definition, rule.trigger, rule.unit, rule)
        if estimate["headline"] != "–":
            sentences.append(f"{capfirst(estimate['headline'])}. {estimate['basis']}")
        if rule.state == RuleState.PAUSED:
            sentences.append(gettext("The rule is paused: nothing is given until you resume it."))
        sentences.append(gettext("A published version cannot be changed, only followed by another."))
        return sentences

    def _changes(self, plan: Any) -> list[str]:
        if plan.ends is None:
            return []
        told = {"trigger": self.rule.trigger, "unit": self.rule.unit, "currency": get_programme().currency}
        added, dropped = differences(parts(plan.ends.definition, **told), parts(plan.version.definition, **told))
        if not added and not dropped:
            return [gettext("It says the same as version %(n)d.") % {"n": plan.ends.number}]
        lines = [gettext("Version %(n)d ends then. What changes:") % {"n": plan.ends.number}]
        lines += [f"− {label}: {text}" for label, text in dropped]
        return lines + [f"+ {label}: {text}" for label, text in added]

    def act(self, form: Form) -> str:
        version = self._publish(form).version
        moment = format_moment(version.valid_from)
        self.log(gettext("Version %(n)d published, from %(moment)s.") % {"n": version.number, "moment": moment})
        text = gettext("“%(name)s”: version %(n)d is published and counts from %(moment)s.")
        return text % {"name": self.rule, "n": version.number, "moment": moment}


class PauseView(RuleAct):
    title = _("Pause this rule")
    act_label = _("Pause")

    def preview(self, form: Form) -> list[str]:
        rehearse(self._pause)
        return [
            gettext("“%(name)s” gives nothing from now on, until you resume it.") % {"name": self.rule},
            gettext("What was given stays. Purchases made in the meantime do not earn by it later."),
        ]

    def _pause(self) -> EarningRule:
        try:
            return pause(rule_id=self.rule.pk)
        except WrongState:
            raise moved_meanwhile() from None

    def act(self, form: Form) -> str:
        self._pause()
        self.log(gettext("Paused."))
        return gettext("“%(name)s” is paused.") % {"name": self.rule}


class ResumeView(RuleAct):
    title = _("Resume this rule")
    act_label = _("Resume")

    def preview(self, form: Form) -> list[str]:
        return [gettext("“%(name)s” gives again from now on.") % {"name": self.rule}]

    def act(self, form: Form) -> str:
        try:
            resume(rule_id=self.rule.pk)
        except WrongState:
            raise moved_meanwhile() from None
        self.log(gettext("Resumed."))
        return gettext("“%(name)s” gives again.") % {"name": self.rule}


class EndView(RuleAct):
    title = _("End this rule")
    act_label = _("End it")
    danger = True

    def preview(self, form: Form) -> list[str]:
        rehearse(self._end)
        return [
            gettext("“%(name)s” ends now and leaves the list. What it gave stays.") % {"name": self.rule},
            gettext("It can be brought back later by publishing another version."),
        ]

    def _end(self) -> EarningRule:
        try:
            return end(rule_id=self.rule.pk, at=self.at)
        except WrongState:
            raise moved_meanwhile() from None

    def act(self, form: Form) -> str:
        self._end()
        self.log(gettext("Ended."))
        return gettext("“%(name)s” has ended.") % {"name": self.rule}


class ArchiveView(RuleAct):
    title = _("Archive this rule")
    act_label = _("Archive")

    def preview(self, form: Form) -> list[str]:
        rehearse(self._archive)
        return [
            gettext("“%(name)s” leaves the lists. What it gave stays, and is explained by it.") % {"name": self.rule},
            gettext("It can be brought back: filter the list by “Archived”."),
        ]

    def _archive(self) -> EarningRule:
        try:
            return archive(rule_id=self.rule.pk)
        except WrongState:
            raise moved_meanwhile() from None

    def act(self, form: Form) -> str:
        self._archive()
        self.log(gettext("Archived."))
        return gettext("“%(name)s” is archived.") % {"name": self.rule}


class BringBackView(RuleAct):
    title = _("Bring this rule back")
    act_label = _("Bring back")

    def preview(self, form: Form) -> list[str]:
        rehearse(self._bring_back)
        return [
            gettext("“%(name)s” is in the lists again. It gives nothing until it is published.") % {"name": self.rule}
        ]

    def _bring_back(self) -> EarningRule:
        try:
            return bring_back(rule_id=self.rule.pk)
        except WrongState:
            raise moved_meanwhile() from None

    def act(self, form: Form) -> str:
        self._bring_back()
        self.log(gettext("Brought back."))
        return gettext("“%(name)s” is back.") % {"name": self.rule}


class DiscardView(RuleAct):
    title = _("Throw the draft away")
    act_label = _("Throw away")
    danger = True

    def get_success_url(self) -> str:
        if is_published(self.rule):
            return super().get_success_url()
        return reverse("admin:rewards_earningrule_changelist")

    def preview(self, form: Form) -> list[str]:
        if is_published(self.rule):
            return [gettext("The draft is gone then. The published versions stay.")]
        return [gettext("“%(name)s” was never published. It leaves the list.") % {"name": self.rule}]

    def act(self, form: Form) -> str:
        try:
            discard_draft(rule_id=self.rule.pk)
        except (NothingToPublish, WrongState):
            raise moved_meanwhile() from None
        self.log(gettext("Draft thrown away."))
        return gettext("The draft of “%(name)s” is gone.") % {"name": self.rule}
