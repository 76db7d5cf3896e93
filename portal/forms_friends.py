"""What members fill in about friends."""

from django import forms
from django.utils.translation import gettext_lazy as _


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("Your friend's e-mail"), widget=forms.EmailInput(attrs={"autocomplete": "off"}))


class WishesForm(forms.Form):
    shows_name = forms.BooleanField(label=_("Friends who open my link see my first name"), required=False)
    is_listed = forms.BooleanField(label=_("Show me on the leaderboard"), required=False)
    nickname = forms.CharField(label=_("Nickname there"), max_length=40, required=False)


class CameForm(forms.Form):
    """Who brought somebody, told later."""

    code = forms.CharField(
        label=_("Your friend's code"), max_length=40, widget=forms.TextInput(attrs={"autocapitalize": "characters"})
    )
    shows_name = forms.BooleanField(label=_("My friend may see my first name"), required=False)


class ObjectionForm(forms.Form):
    text = forms.CharField(label=_("What should we know?"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 4}))
