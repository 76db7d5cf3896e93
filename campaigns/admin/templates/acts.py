"""What is asked twice: archive, bring back, copy, restore an older version, send a test."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from liquid.exceptions import LiquidError

from campaigns.admin.templates.differences import differences
from campaigns.admin.templates.forms import CopyForm
from campaigns.channels import Refusal
from campaigns.content.blocks import BadContent
from campaigns.forms_trying import TestAsForm
from campaigns.models import Template, TemplateVersion
from campaigns.queries_journeys import journeys_that_send
from campaigns.services.templates import (
    TemplateInUse,
    TemplateOfGreeting,
    archive_template,
    copy_template,
    newest_version,
    restore_version,
)
from campaigns.services.trying import send_test
from common.admin import ConfirmView, found_or_404
from members.enums import Language
from members.models import PRESENT, Member
from members.queries import search


class TemplateAct(ConfirmView):
    form_class: Any = forms.Form
    permission_required = "campaigns.change_template"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.template: Template = found_or_404(Template, kwargs["object_id"])

    def get_object(self) -> Template:
        return self.template

    def get_success_url(self) -> str:
        return reverse("admin:campaigns_template_change", args=[self.template.pk])


class ArchiveView(TemplateAct):
    title = _("Archive this template")
    act_label = _("Archive")

    def preview(self, form: forms.Form) -> list[str]:
        refuse(journeys_that_send(self.template.pk))
        return [
            gettext("“%(name)s” leaves the list and is not offered any more.") % {"name": self.template},
            gettext("What was sent by it stays as it is. It can be brought back."),
        ]

    def act(self, form: forms.Form) -> str:
        try:
            archive_template(template_id=self.template.pk, at=self.at)
        except TemplateInUse as used:
            refuse(used.journeys)
        except TemplateOfGreeting:
            text = gettext("The birthday greeting says it: choose another template there first.")
            raise ValidationError(text) from None
        return gettext("“%(name)s” is archived.") % {"name": self.template}


def refuse(journeys: list[str]) -> None:
    """ValidationError where journeys that live send the template."""
    if journeys:
        text = gettext("These journeys send it: %(names)s. Give them another template and publish them first; those who"
                       " are inside finish on the version they began.")  # fmt: skip
        raise ValidationError(text % {"names": ", ".join(journeys)})


class BringBackView(TemplateAct):
    title = _("Bring this template back")
    act_label = _("Bring back")

    def preview(self, form: forms.Form) -> list[str]:
        return [gettext("“%(name)s” is in the list again.") % {"name": self.template}]

    def act(self, form: forms.Form) -> str:
        archive_template(template_id=self.template.pk, at=None)
        return gettext("“%(name)s” is back.") % {"name": self.template}


class CopyView(TemplateAct):
    title = _("Make a copy")
    act_label = _("Make a copy")
    form_class = CopyForm

    def get_initial(self) -> dict[str, Any]:
        return {"name": (gettext("%(name)s, copy") % {"name": self.template})[:80]}

    def preview(self, form: forms.Form) -> list[str]:
        return [
            gettext("“%(copy)s” will say what “%(name)s” says now. Changing one does not change the other.")
            % {"copy": form.cleaned_data["name"], "name": self.template}
        ]

    def act(self, form: forms.Form) -> str:
        try:
            version = copy_template(
                template_id=self.template.pk,
                name=form.cleaned_data["name"],
                actor_id=self.request.user.pk,
                at=self.at,
            )
        except BadContent as bad:
            raise ValidationError([one.sentence for one in bad.problems]) from None
        self.template = version.template
        return gettext("“%(name)s” is made.") % {"name": version.template}


class RestoreView(TemplateAct):
    title = _("Restore an older version")
    act_label = _("Restore")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        key = TemplateVersion.objects.filter(template=self.template, number=kwargs["number"]).values("pk")
        self.older: TemplateVersion = found_or_404(TemplateVersion, key.values_list("pk", flat=True).first())

    def preview(self, form: forms.Form) -> list[str]:
        newest = newest_version(self.template.pk)
        added, dropped = differences(newest.content, self.older.content)
        if not added and not dropped:
            return [gettext("It says the same as version %(n)d.") % {"n": newest.number}]
        lines = [
            gettext("Version %(n)d is made, and says what version %(older)d said. What changes:")
            % {"n": newest.number + 1, "older": self.older.number}
        ]
        return lines + [f"− {text}" for text in dropped] + [f"+ {text}" for text in added]

    def act(self, form: forms.Form) -> str:
        try:
            version = restore_version(
                template_id=self.template.pk, number=self.older.number, actor_id=self.request.user.pk, at=self.at
            )
        except BadContent as bad:
            raise ValidationError([one.sentence for one in bad.problems]) from None
        return gettext("Version %(older)d counts again, as version %(n)d.") % {
            "older": self.older.number,
            "n": version.number,
        }


class TestView(TemplateAct):
    title = _("Send a test")
    act_label = _("Send")
    form_class = TestAsForm

    def get_initial(self) -> dict[str, Any]:
        return {"to": self.request.user.get_username()}

    def _member(self, form: forms.Form) -> Member | None:
        text = form.cleaned_data["card"].strip()
        if not text:
            return None
        if not self.request.user.has_perm("members.view_member"):
            raise ValidationError({"card": gettext("You may not look at members.")})
        found = list(search(text, Member.objects.filter(PRESENT))[:2])
        if len(found) != 1:
            raise ValidationError(
                {"card": gettext("Several members are called so.") if found else gettext("Nobody is found by that.")}
            )
        return found[0]

    def preview(self, form: forms.Form) -> list[str]:
        member = self._member(form)
        who = str(member) if member else gettext("a made-up member")
        return [
            gettext("“%(name)s” goes to %(to)s in each language that is complete, as %(who)s would get it.")
            % {"name": self.template, "to": form.cleaned_data["to"], "who": who},
            gettext("It begins with [Test]. Nothing is given, and nothing is counted."),
        ]

    def act(self, form: forms.Form) -> str:
        version, member, to = newest_version(self.template.pk), self._member(form), form.cleaned_data["to"]
        try:
            sent = send_test(content=version.content, kind=self.template.kind, languages=Language.values,
                             member=member, to=to, at=self.at, channel=form.cleaned_data["channel"])  # fmt: skip
        except (OSError, LiquidError, Refusal) as error:
            raise ValidationError(gettext("It could not be sent: %(error)s") % {"error": error}) from None
        text = ngettext(
            "%(n)d test message is on its way to %(to)s.", "%(n)d test messages are on their way to %(to)s.", sent
        )
        return text % {"n": sent, "to": to}
