"""How a campaign goes out: who goes first, when it is quiet, how fast. Asked of broadcasts and journeys."""

from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

SENDING = ("priority", "quiet_from", "quiet_until", "rate_per_minute")


def time_field(label: Any, **kwargs: Any) -> forms.TimeField:
    widget = UnfoldAdminTextInputWidget(attrs={"type": "time"})
    return forms.TimeField(label=label, required=False, widget=widget, **kwargs)


class SendingFields(forms.Form):
    """The fields of a campaign that say how it is sent, by their names there."""

    priority = forms.IntegerField(
        label=_("Priority"),
        min_value=0,
        max_value=100,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Where a member has room for one more message only, the higher number goes. 50 is usual."),
    )
    quiet_from = time_field(
        _("Quiet from"), help_text=_("On each member's own clock. What falls into it waits for its end.")
    )
    quiet_until = time_field(_("Quiet until"))
    rate_per_minute = forms.IntegerField(
        label=_("Messages a minute at most"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def clean_quiet_until(self) -> time | None:
        until = self.cleaned_data["quiet_until"]
        if "quiet_from" in self.cleaned_data and (self.cleaned_data["quiet_from"] is None) != (until is None):
            raise forms.ValidationError(gettext("Quiet hours have a beginning and an end."))
        return until
