"""What staff tell about a template and a snippet."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.content.blocks import BadContent, Problem
from campaigns.content.reading import parse
from campaigns.enums import TemplateKind
from campaigns.services.templates import known

EMPTY: dict[str, Any] = {"subject": {}, "preheader": {}, "sms": {}, "blocks": []}


def as_json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1)


class TemplateForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80, widget=UnfoldAdminTextInputWidget)
    kind = forms.ChoiceField(
        label=_("Used for"),
        choices=TemplateKind.choices,
        help_text=_("Greetings and offers always carry the links to unsubscribe and to choose."),
        widget=UnfoldAdminSelectWidget,
    )
    content = forms.CharField(
        label=_("Content as JSON"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 24, "spellcheck": "false", "autocomplete": "off"}),
    )
    only_blocks = False
    problems: tuple[Problem, ...] = ()

    def clean_content(self) -> Any:
        try:
            given = json.loads(self.cleaned_data["content"])
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is not readable as JSON.")) from None
        try:
            parse(given, known(), only_blocks=self.only_blocks)
        except BadContent as bad:
            self.problems = tuple(bad.problems)
            raise forms.ValidationError(_("Something has to be mended first. It is marked.")) from None
        return given


class SnippetForm(TemplateForm):
    kind = None  # type: ignore[assignment]
    only_blocks = True


class CopyForm(forms.Form):
    name = forms.CharField(label=_("Name of the copy"), max_length=80, widget=UnfoldAdminTextInputWidget)
