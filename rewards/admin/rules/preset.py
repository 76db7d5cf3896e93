"""A whole programme on one page: a few numbers, and the rules that make it."""

from decimal import Decimal
from typing import Any

from django import forms
from django.db import transaction
from django.forms import Form
from django.urls import reverse
from django.utils.dates import WEEKDAYS
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
)

from common.admin import ConfirmView
from members.queries import get_programme
from rewards.admin.rules import ready
from rewards.admin.rules.saying import said
from rewards.enums import RuleState
from rewards.models import EarningRule
from rewards.services.earning.publishing import publish, save_draft


class ProgrammeForm(forms.Form):
    points = forms.DecimalField(
        label=_("Points for each 1.00"),
        min_value=Decimal("0.0001"),
        max_digits=9,
        decimal_places=4,
        initial=1,
        widget=UnfoldAdminDecimalFieldWidget,
    )
    months = forms.IntegerField(
        label=_("Valid for months"), min_value=1, max_value=120, initial=12, widget=UnfoldAdminIntegerFieldWidget
    )
    welcome = forms.IntegerField(
        label=_("Points for joining"), min_value=0, max_value=10**6, initial=100, required=False,
        help_text=_("0: none."), widget=UnfoldAdminIntegerFieldWidget,
    )  # fmt: skip
    birthday = forms.IntegerField(
        label=_("Points on the birthday"), min_value=0, max_value=10**6, initial=200, required=False,
        help_text=_("0: none."), widget=UnfoldAdminIntegerFieldWidget,
    )  # fmt: skip
    double = forms.ChoiceField(
        label=_("Double points on"), required=False, widget=UnfoldAdminSelectWidget,
        choices=[("", _("no day")), *((str(n), name) for n, name in WEEKDAYS.items())],
    )  # fmt: skip


class ProgrammeView(ConfirmView):
    title = _("A whole programme on one page")
    intro = _("Five answers make a programme that starts at once. Each of its rules can be changed afterwards.")
    form_class = ProgrammeForm
    permission_required = "rewards.add_earningrule"
    act_label = _("Start the programme")

    def get_success_url(self) -> str:
        return reverse("admin:rewards_earningrule_changelist")

    def _rules(self, given: dict[str, Any]) -> list[ready.Ready]:
        currency, months = get_programme().currency, given["months"]
        rules = [ready.per_amount(f"{given['points'].normalize():f}", months)]
        if given["welcome"]:
            rules.append(ready.welcome(given["welcome"], months))
        if given["birthday"]:
            rules.append(ready.birthday(given["birthday"]))
        if given["double"]:
            rules.append(ready.double_day(int(given["double"])))
        return [rule.in_currency(currency) for rule in rules]

    def preview(self, form: Form) -> list[str]:
        return [said(rule.definition, rule.trigger, rule.unit) for rule in self._rules(form.cleaned_data)]

    def warnings(self, form: Form) -> list[str]:
        live = list(EarningRule.objects.filter(state=RuleState.LIVE, trigger="purchase"))
        if not live:
            return []
        names = ", ".join(str(rule) for rule in live)
        return [gettext("These rules count already, and base rules add up: %(names)s.") % {"names": names}]

    @transaction.atomic
    def act(self, form: Form) -> str:
        rules = self._rules(form.cleaned_data)
        for told in rules:
            fields = told.in_languages()
            draft = save_draft(
                names={"en": fields["name_en"], "zh-hans": fields["name_zh_hans"]},
                descriptions={"en": fields["description_en"], "zh-hans": fields["description_zh_hans"]},
                trigger=told.trigger,
                unit=told.unit,
                definition=told.definition,
                at=self.at,
                actor_id=self.request.user.pk,
            )
            publish(rule_id=draft.rule_id, at=self.at, actor_id=self.request.user.pk)
            self.model_admin.log_addition(self.request, draft.rule, gettext("Published with a whole programme."))
        return gettext("The programme has started with %(n)s rules.") % {"n": number_format(len(rules))}
