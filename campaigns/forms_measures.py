"""What staff choose to have measured of a campaign: asked where it is set up, and where its figures stand."""

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

MEASURES = ("goal_days", "measure_clicks", "measure_opens", "utm_campaign")


class MeasuresFields(forms.Form):
    """The fields of a campaign that say what is measured, by their names there."""

    goal_days = forms.IntegerField(
        label=_("A purchase counts within (days)"),
        min_value=1,
        max_value=365,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    measure_clicks = forms.BooleanField(
        label=_("Measure clicks"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Links lead through this site, which counts them. Service messages are never measured."),
    )
    measure_opens = forms.BooleanField(
        label=_("Measure opens"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_(
            "A picture that cannot be seen tells when a mail is opened. Off unless you need it: it watches people at"
            " home, and many programs open mails by themselves. In some countries members must agree to it."
        ),
    )
    utm_campaign = forms.SlugField(
        label=_("Name in web statistics"),
        required=False,
        max_length=60,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Links carry it as utm_campaign. Empty: made of the campaign's name."),
    )
