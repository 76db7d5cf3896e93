"""What members fill in to take a reward, and to prove themselves at the till."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from members.models import Member
from members.services.pins import validate_pin
from portal.forms import NameField, country_choices

PARTS = ("name", "street", "postal_code", "city", "country")


def _part(label: Any, wanted: Any, length: int, autocomplete: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=length, error_messages={"required": wanted}, widget=widget)


class AddressForm(forms.Form):
    """Where a parcel goes, beginning with what the profile says. Not every place has a postal code."""

    name = NameField(label=_("Name on the parcel"))
    street = _part(_("Street and number"), _("Please say where we shall send it."), 160, "street-address")
    postal_code = _part(_("Postal code"), "", 12, "postal-code")
    city = _part(_("City"), _("Please enter the city."), 80, "address-level2")
    country = forms.ChoiceField(label=_("Country"), widget=forms.Select(attrs={"autocomplete": "country"}))

    def __init__(self, data: QueryDict | None, *, member: Member) -> None:
        super().__init__(data, initial={name: getattr(member, name) for name in PARTS})
        self.fields["postal_code"].required = False
        self.fields["country"].choices = country_choices(get_language() or "en")  # type: ignore[attr-defined]
        self.fields["country"].error_messages["required"] = _("Please choose the country.")

    def address(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in PARTS if self.cleaned_data[name]}


class PinForm(forms.Form):
    """A new PIN, typed twice."""

    pin = forms.CharField(
        label=_("New PIN"),
        max_length=8,
        help_text=_("4 to 8 digits that nobody guesses."),
        error_messages={"required": _("Please choose 4 to 8 digits.")},
        widget=forms.PasswordInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    again = forms.CharField(
        label=_("Once more"),
        max_length=8,
        error_messages={"required": _("Please type it once more.")},
        widget=forms.PasswordInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def clean_pin(self) -> str:
        pin = self.cleaned_data["pin"]
        validate_pin(pin)
        return pin

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "pin" in cleaned and "again" in cleaned and cleaned["pin"] != cleaned["again"]:
            self.add_error("again", ValidationError(_("The two are not the same.")))
        return cleaned
