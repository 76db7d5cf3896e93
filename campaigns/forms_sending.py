"""Forms of senders and of the suppression list."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from campaigns.enums import Medium, Transport
from campaigns.models import Sender

_VARIABLE = re.compile(r"MESSAGE_SECRET_[A-Z0-9_]+")
MOST = 10_000  # addresses at once


class SenderForm(forms.ModelForm):
    class Meta:
        model = Sender
        fields = "__all__"  # noqa: DJ007  the admin's fieldsets say which

    def _variable(self, name: str) -> str:
        value = self.cleaned_data[name]
        if value and not _VARIABLE.fullmatch(value):
            raise forms.ValidationError(_("The variable's name must begin with MESSAGE_SECRET_."))
        return value

    def clean_token(self) -> str:
        return self._variable("token")

    def clean_signing_key(self) -> str:
        return self._variable("signing_key")

    def clean_body(self) -> str:
        body = self.cleaned_data["body"]
        if body:
            try:
                json.loads(body)
            except ValueError as error:
                raise forms.ValidationError(_("This is not JSON: %(error)s") % {"error": error}) from None
        return body

    def clean_address(self) -> str:
        address = self.cleaned_data["address"].strip()
        if address and self.cleaned_data.get("channel") == Medium.EMAIL:
            validate_email(address)
        return address

    def clean(self) -> dict[str, Any]:
        told = super().clean() or self.cleaned_data
        channel, way = told.get("channel"), told.get("transport")
        fits = {
            Medium.EMAIL: {Transport.SITE},
            Medium.APP: {Transport.APP},
            Medium.SMS: {Transport.LOG, Transport.HTTP},
            Medium.WEBHOOK: {Transport.LOG, Transport.HTTP},
        }
        if channel and way and way not in fits[Medium(channel)]:
            self.add_error("transport", _("This channel cannot go that way."))
        if way == Transport.HTTP:
            for name in ("url", "body"):
                if not told.get(name):
                    self.add_error(name, _("An HTTP call needs this."))
            if told.get("url") and urlsplit(told["url"]).scheme != "https":
                self.add_error("url", _("The address must begin with https://."))
        return told


class SuppressForm(forms.Form):
    """Addresses to put on the list, one a line."""

    channel = forms.ChoiceField(
        label=_("Channel"),
        choices=[(one.value, one.label) for one in (Medium.EMAIL, Medium.SMS)],
        widget=UnfoldAdminSelectWidget,
    )
    addresses = forms.CharField(
        label=_("Addresses"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}), help_text=_("One a line.")
    )
    note = forms.CharField(label=_("Why"), max_length=200, widget=UnfoldAdminTextInputWidget)

    def clean_addresses(self) -> list[str]:
        lines = [line.strip().strip('"').partition(",")[0] for line in self.cleaned_data["addresses"].splitlines()]
        found = [line for line in lines if "@" in line or line.lstrip("+").isdigit()]
        if not found:
            raise forms.ValidationError(_("There is no address among these lines."))
        if len(found) > MOST:
            raise forms.ValidationError(_("Please put at most %(n)d addresses on it at once.") % {"n": MOST})
        return found


class LiftForm(forms.Form):
    """Why addresses may be written to again. `ids` are those of the list's ticks."""

    note = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)
    ids = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[int]:
        try:
            return [int(part) for part in self.cleaned_data["ids"].split(",")][:500]
        except ValueError:
            raise forms.ValidationError(_("Please choose the addresses again.")) from None
