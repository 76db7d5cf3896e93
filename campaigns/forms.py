"""Forms of the staff pages."""

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

AT_ONCE = 500


class SettleForm(forms.Form):
    """What staff do with messages, and why. `ids` are those of the list's ticks."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Stands on each member's timeline."),
    )
    ids = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[int]:
        try:
            ids = [int(part) for part in self.cleaned_data["ids"].split(",")]
        except ValueError:
            raise forms.ValidationError(_("Please choose the messages again.")) from None
        if len(ids) > AT_ONCE:
            raise forms.ValidationError(_("Please choose at most %(n)d messages at once.") % {"n": AT_ONCE})
        return ids
