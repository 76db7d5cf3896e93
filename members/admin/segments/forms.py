"""What staff tell about a segment, a list, a pick."""

import json
import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from members.enums import Language
from members.models import MemberList, Segment
from members.segments.tree import BadDefinition, Problem, parse

MOST_KEYS = 100_000
_REFRESH = (
    (15, _("every 15 minutes")),
    (60, _("every hour")),
    (360, _("every 6 hours")),
    (1440, _("once a day")),
)


def read_json(text: str | bytes) -> Any:
    """The JSON of a definition. BadDefinition, at its root, where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadDefinition([Problem("", str(_("This is not readable as JSON.")))]) from None


class SegmentForm(forms.Form):
    name_en = forms.CharField(label=_("Name in English"), max_length=80, widget=UnfoldAdminTextInputWidget)
    name_zh_hans = forms.CharField(
        label=_("Name in Chinese"), max_length=80, required=False, widget=UnfoldAdminTextInputWidget
    )
    description_en = forms.CharField(
        label=_("Description in English"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )
    description_zh_hans = forms.CharField(
        label=_("Description in Chinese"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )
    refresh_minutes = forms.TypedChoiceField(
        label=_("Looked at again"),
        choices=_REFRESH,
        coerce=int,
        initial=60,
        help_text=_("Whom something happens to is looked at within seconds. This is for what time alone changes."),
        widget=UnfoldAdminSelectWidget,
    )
    definition = forms.CharField(
        label=_("Conditions as JSON"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false", "autocomplete": "off"}),
    )

    problems: tuple[Problem, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        minutes = self.initial.get("refresh_minutes")
        if minutes and minutes not in dict(_REFRESH):  # set by other means than this form
            kept = (minutes, _("every %(n)d minutes") % {"n": minutes})
            self.fields["refresh_minutes"].choices = [*_REFRESH, kept]  # type: ignore[attr-defined]

    def clean_definition(self) -> Any:
        try:
            definition = read_json(self.cleaned_data["definition"])
            parse(definition)
        except BadDefinition as bad:
            self.problems = tuple(bad.problems)
            raise forms.ValidationError(_("Some conditions are not complete. They are marked.")) from None
        return definition

    def wanted(self) -> dict[str, Any]:
        """What save_segment takes."""
        given = self.cleaned_data
        by_language = {Language.ENGLISH: "en", Language.CHINESE: "zh_hans"}
        return {
            "names": {code: given[f"name_{suffix}"] for code, suffix in by_language.items()},
            "descriptions": {code: given[f"description_{suffix}"] for code, suffix in by_language.items()},
            "definition": given["definition"],
            "refresh_minutes": given["refresh_minutes"],
        }

    @classmethod
    def of(cls, segment: Segment) -> dict[str, Any]:
        """What the form begins with for a segment that there is."""
        plain = ("name_en", "name_zh_hans", "description_en", "description_zh_hans", "refresh_minutes")
        return {name: getattr(segment, name) or "" for name in plain} | {"definition": as_json(segment.definition)}


def as_json(definition: Any) -> str:
    return json.dumps(definition, ensure_ascii=False, indent=1)


class KeysForm(forms.Form):
    """Members by what names them: pasted, or in a file."""

    keys = forms.CharField(
        label=_("Members"),
        required=False,
        help_text=_("Card numbers, e-mail addresses, phone numbers or customer numbers, one a line."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
    )
    file = forms.FileField(
        label=_("or a file"),
        required=False,
        help_text=_("Text or CSV; the first column counts."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        text = given.get("keys") or ""
        if given.get("file"):
            text += "\n" + _text(given["file"].read())
        # A sheet saved as CSV has more columns, and quotes around what it thinks needs them.
        first = (re.split(r"[;,\t]", line, maxsplit=1)[0].strip(' "\ufeff') for line in text.splitlines())
        given["wanted"] = list(dict.fromkeys(filter(None, first)))
        if not given["wanted"] and not self.errors:
            raise forms.ValidationError(_("Please name at least one member, or choose a file."))
        if len(given["wanted"]) > MOST_KEYS:
            raise forms.ValidationError(_("At most %(n)d at once.") % {"n": MOST_KEYS})
        return given


def _text(raw: bytes) -> str:
    for encoding in ("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise forms.ValidationError(_("The file is not readable as text."))


class PickForm(KeysForm):
    include = forms.ChoiceField(
        label=_("They are"),
        choices=[("yes", _("always in")), ("no", _("never in"))],
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ("include", "keys", "file")


class ListForm(KeysForm):
    name = forms.CharField(label=pgettext_lazy("list", "Name"), max_length=80, widget=UnfoldAdminTextInputWidget)
    field_order = ("name", "keys", "file")

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if MemberList.objects.filter(name=name).exists():
            raise forms.ValidationError(_("There is a list of this name already."))
        return name
