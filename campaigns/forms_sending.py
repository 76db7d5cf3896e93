"""Forms of senders and of the suppression list."""

import csv
import json
import re
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django import forms
from django.core.validators import validate_email
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from campaigns.enums import GoesTo, Medium, Transport
from campaigns.models import Sender
from members.enums import Channel

_VARIABLE = re.compile(r"MESSAGE_SECRET_[A-Z0-9_]+")
MOST = 10_000  # addresses at once


def _has_port(url: str) -> bool:
    """Whether the address names no port, or one that there can be."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


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
        goes_to = told.get("goes_to")
        if goes_to and channel != Medium.WEBHOOK:
            self.add_error("goes_to", _("This is for calls to an app or another system only."))
        if goes_to == GoesTo.IDENTITY and not told.get("goes_to_system"):
            self.add_error("goes_to_system", _("Please say which system it is."))
        elif goes_to != GoesTo.IDENTITY:
            told["goes_to_system"] = ""
        if way == Transport.HTTP:
            for name in ("url", "body"):
                if not told.get(name):
                    self.add_error(name, _("An HTTP call needs this."))
            if told.get("url") and urlsplit(told["url"]).scheme != "https":
                self.add_error("url", _("The address must begin with https://."))
            elif told.get("url") and not _has_port(told["url"]):
                self.add_error("url", _("The port must be from 1 to 65535."))
        return told


class Line(NamedTuple):
    """An address to put on the list. `until` is the last day on which nothing is sent there."""

    address: str
    note: str
    until: date | None


class SuppressForm(forms.Form):
    """Addresses to put on the list, one a line, as a file of CSV has them: address, why, last day. `mistakes` are the
    lines that cannot be read, as sentences."""

    channel = forms.ChoiceField(
        label=_("Channel"),
        choices=Channel.choices,
        widget=UnfoldAdminSelectWidget,
    )
    addresses = forms.CharField(
        label=_("Addresses"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
        help_text=_(
            "One a line, or the lines of a CSV file: address, why, last day (2027-12-31). The last two may be left out."
        ),
    )
    note = forms.CharField(
        label=_("Why"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("For lines that do not say it themselves."),
    )

    def clean_addresses(self) -> list[Line]:
        self.mistakes: list[str] = []
        found = []
        for number, row in enumerate(csv.reader(self.cleaned_data["addresses"].splitlines()), 1):
            cells = [cell.strip().lstrip("\ufeff") for cell in (*row, "", "", "")[:3]]
            if not any(cells):
                continue
            try:
                until = date.fromisoformat(cells[2]) if cells[2] else None
            except ValueError:
                self.mistakes.append(_mistake(number, cells[2]))
                continue
            if self.cleaned_data.get("channel") == Medium.WEBHOOK or _is_address(cells[0]):
                found.append(Line(cells[0], cells[1][:500], until))
            else:
                self.mistakes.append(_mistake(number, cells[0]))
        if not found:
            raise forms.ValidationError(_("There is no address among these lines."))
        if len(found) > MOST:
            raise forms.ValidationError(_("Please put at most %(n)d addresses on it at once.") % {"n": MOST})
        return found


def _is_address(text: str) -> bool:
    return bool(re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text) or re.fullmatch(r"\+?[0-9]{5,15}", text))


def _mistake(number: int, text: str) -> str:
    said = gettext("Line %(line)d is left out: “%(text)s” cannot be read.")
    return said % {"line": number, "text": text[:60]}


class LiftForm(forms.Form):
    """Why addresses may be written to again. `ids` are those of the list's ticks."""

    note = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)
    ids = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[int]:
        try:
            return [int(part) for part in self.cleaned_data["ids"].split(",")][:500]
        except ValueError:
            raise forms.ValidationError(_("Please choose the addresses again.")) from None
