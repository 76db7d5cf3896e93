"""What members tell the shop."""

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from surveys.enums_cases import CaseKind
from surveys.models import Category
from surveys.services.cases.opening import MOST

_LONG = _("Please write less: at most 10,000 characters.")


class WordsForm(forms.Form):
    text = forms.CharField(
        label=_("Your message"),
        max_length=MOST,
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages={"required": _("Please write something."), "max_length": _LONG},
    )
    picture = forms.FileField(
        label=_("A photo"), required=False, widget=forms.FileInput(attrs={"accept": "image/*"}), max_length=200
    )
    key = forms.UUIDField(widget=forms.HiddenInput, required=False)  # of this form: sent twice it is one message


class TellForm(WordsForm):
    kind = forms.ChoiceField(
        label=_("What is it?"),
        widget=forms.RadioSelect,
        choices=[
            (CaseKind.COMPLAINT.value, _("Something went wrong")),
            (CaseKind.SUGGESTION.value, _("I have an idea")),
            (CaseKind.QUESTION.value, _("I have a question")),
            (CaseKind.PRAISE.value, _("I want to say thank you")),
        ],
        error_messages={"required": _("Please choose one.")},
    )
    category: forms.ModelChoiceField = forms.ModelChoiceField(
        Category.objects.filter(archived_at=None),
        label=_("What is it about?"),
        required=False,
        empty_label=pgettext_lazy("category", "Not sure"),
    )
    field_order = ("kind", "category", "text", "picture", "key")
