"""Fields of the forms about rules."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

MOST_WORDS = 500


class Words(forms.CharField):
    """Several words, one a line; a comma parts them as well where there is no line break."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"rows": 2, "data-tokens": "free", "spellcheck": "false", "class": "desk-input"}
        # Not stripped: the line break after a single word says that a comma belongs to it.
        super().__init__(required=False, strip=False, widget=forms.Textarea(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value)
        parts = re.split(r"\n" if "\n" in text else r"[,，]", text)
        return list(dict.fromkeys(part.strip() for part in parts if part.strip()))[:MOST_WORDS]


class Ids(forms.TypedMultipleChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        attrs = {"data-tokens": "choices", "class": "desk-input", "size": 4}
        super().__init__(required=False, coerce=int, widget=forms.SelectMultiple(attrs=attrs), **kwargs)


class Whole(forms.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", 1)
        attrs = {"class": "desk-input", "inputmode": "numeric"}
        super().__init__(required=False, max_value=10**12, widget=forms.NumberInput(attrs=attrs), **kwargs)


class Number(forms.DecimalField):
    def __init__(self, **kwargs: Any) -> None:
        attrs = {"class": "desk-input", "inputmode": "decimal", "step": "any"}
        super().__init__(
            required=False, max_digits=14, decimal_places=4, widget=forms.NumberInput(attrs=attrs), **kwargs
        )


class Day(forms.DateField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date", "class": "desk-input"}, format="%Y-%m-%d")
        super().__init__(required=False, widget=widget, **kwargs)


class Hours(forms.CharField):
    """ "14:00–17:00, 20:00–22:00" as pairs."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"class": "desk-input", "placeholder": "14:00–17:00", "autocomplete": "off"})
        super().__init__(required=False, widget=widget, **kwargs)

    def clean(self, value: Any) -> list[list[str]]:
        text = super().clean(value)
        pairs = []
        for part in filter(None, (part.strip() for part in re.split(r"[,，;；]", text))):
            found = re.fullmatch(
                r"(\d{1,2})(?::(\d{2}))?\s*[-–—~至]+\s*(\d{1,2})(?::(\d{2}))?", part.replace("：", ":")
            )
            if found is None:
                raise forms.ValidationError(_("Please write hours like this: 14:00–17:00."))
            begin_hour, begin_minute, end_hour, end_minute = (int(group or 0) for group in found.groups())
            pairs.append([f"{begin_hour:02}:{begin_minute:02}", f"{end_hour:02}:{end_minute:02}"])
        return pairs


def choice(label: Any, options: Any, **kwargs: Any) -> forms.ChoiceField:
    widget = forms.Select(attrs={"class": "desk-input"})
    return forms.ChoiceField(label=label, choices=options, widget=widget, **kwargs)


def text_line(label: Any, length: int, **kwargs: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=length, widget=forms.TextInput(attrs={"class": "desk-input"}), **kwargs
    )


def ticks(label: Any, options: Any, **kwargs: Any) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, choices=options, required=False, widget=forms.CheckboxSelectMultiple, **kwargs
    )
