"""A case that staff write down."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from members.models import PRESENT, Member
from members.queries import search
from surveys.enums_cases import CaseChannel, CaseKind, Severity
from surveys.models import Category
from surveys.services.cases.opening import MOST


class NewCaseForm(forms.Form):
    who = forms.CharField(
        label=_("Member"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget,
        help_text=_("A name, phone, card number or e-mail that only one member has."),
    )  # fmt: skip
    contact = forms.EmailField(
        label=_("E-mail, if it is no member"), required=False, widget=UnfoldAdminEmailInputWidget
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=CaseKind.choices, widget=UnfoldAdminSelectWidget)
    severity = forms.ChoiceField(
        label=_("Severity"), choices=Severity.choices, initial=Severity.NORMAL, widget=UnfoldAdminSelectWidget
    )
    category: forms.ModelChoiceField = forms.ModelChoiceField(
        Category.objects.filter(archived_at=None), label=_("Category"), required=False, widget=UnfoldAdminSelectWidget
    )
    channel = forms.ChoiceField(
        label=_("How they told us"),
        choices=[(one.value, one.label) for one in (CaseChannel.PERSON, CaseChannel.PHONE, CaseChannel.EMAIL)],
        widget=UnfoldAdminSelectWidget,
    )
    text = forms.CharField(label=_("What they said"), max_length=MOST, widget=UnfoldAdminTextareaWidget)

    def clean_who(self) -> Member | None:
        told = self.cleaned_data["who"].strip()
        if not told:
            return None
        if told.startswith("#") and told[1:].isdecimal():
            return Member.objects.filter(PRESENT, pk=int(told[1:])).first()
        found = list(search(told)[:2])
        if len(found) != 1:
            raise ValidationError(
                _("Nobody, or more than one, is found by this. Please take a card number or a phone.")
            )
        return found[0]

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        if not told.get("who") and not told.get("contact") and "who" not in self.errors:
            self.add_error("who", _("Who is it?"))
        return told
