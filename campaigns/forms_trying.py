"""Where a test of a message goes."""

from typing import Any

from django import forms
from django.core.validators import validate_email
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from phonenumber_field.phonenumber import to_python
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.enums import Medium
from campaigns.services.trying import testable


class TestForm(forms.Form):
    channel = forms.ChoiceField(
        label=_("By"),
        choices=lambda: [(one.value, one.label) for one in testable()],
        initial=Medium.EMAIL,
        widget=UnfoldAdminSelectWidget,
        help_text=_("How it looks in the inbox on the members' pages is shown by the editor."),
    )
    to = forms.CharField(
        label=_("To"),
        max_length=254,
        help_text=_(
            "E-mail address; phone number with its country code; for an app, the number by which it knows them."
        ),
        widget=UnfoldAdminTextInputWidget,
    )

    def clean(self) -> dict[str, Any]:
        told = super().clean() or self.cleaned_data
        to = told.get("to", "").strip()
        if not to:
            return told
        try:
            if told.get("channel") == Medium.EMAIL:
                validate_email(to)
            elif told.get("channel") == Medium.SMS:
                number = to_python(to)
                if not number or not number.is_valid():
                    text = gettext("Please write the number with its country code: +49 170 1234567.")
                    raise forms.ValidationError(text)
                to = number.as_e164
        except forms.ValidationError as error:
            self.add_error("to", error)
        told["to"] = to
        return told


class TestAsForm(TestForm):
    card = forms.CharField(
        label=_("As this member"),
        required=False,
        help_text=_("Card number, e-mail or name. Empty: a made-up member."),
        widget=UnfoldAdminTextInputWidget,
    )
