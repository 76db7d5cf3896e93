"""Forms of the member page."""

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from members.admin.programme import TimeZoneField
from members.enums import MARKETING, Channel
from members.models import Member
from members.queries import get_programme
from members.services.profile import PROFILE_FIELDS, create_member, update_profile

MOST = 1_000_000_000  # points at once


class MemberForm(forms.ModelForm):
    """A member's profile. The service checks and saves in one go, so what it refuses stands beside the field."""

    actor_id: int
    time_zone = TimeZoneField()

    class Meta:
        model = Member
        fields = sorted(PROFILE_FIELDS)
        help_texts = {
            "phone": _("With the country's code, e.g. +49 30 1234567."),
            "birthday_leap_month": _("Only in the lunar calendar."),
            "birthday_year": _("May stay empty."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            programme = get_programme()
            self.initial = {"language": programme.language, "time_zone": programme.time_zone, **self.initial}

    def _post_clean(self) -> None:
        if self.errors:
            return
        values = {name: value for name, value in self.cleaned_data.items() if name in PROFILE_FIELDS}
        try:
            if self.instance.pk is None:
                self.instance = create_member(at=now(), profile=values, source="admin", actor_id=self.actor_id)
            else:
                self.instance = update_profile(
                    member_id=self.instance.pk, changes=values, at=now(), actor_id=self.actor_id
                )
        except ValidationError as error:
            self.add_error(None, error)


class AdjustPointsForm(forms.Form):
    amount = forms.IntegerField(
        label=_("Points"),
        min_value=-MOST,
        max_value=MOST,
        help_text=_("100 gives a hundred points, -100 takes them."),
        widget=UnfoldAdminIntegerFieldWidget(attrs={"autofocus": True}),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("The member reads it in their history."),
        widget=UnfoldAdminTextInputWidget,
    )
    # One key per form: sent twice, it has one effect.
    key = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)

    def clean_amount(self) -> int:
        amount = self.cleaned_data["amount"]
        if amount == 0:
            raise ValidationError(_("Please give a number other than 0."))
        return amount


class ConsentForm(forms.Form):
    channel = forms.ChoiceField(label=_("Channel"), choices=Channel.choices, widget=UnfoldAdminRadioSelectWidget)
    purpose = forms.ChoiceField(
        label=_("For"), choices=[(p.value, p.label) for p in MARKETING], widget=UnfoldAdminRadioSelectWidget
    )
    granted = forms.TypedChoiceField(
        label=_("The member says"),
        choices=[("yes", _("Yes, write to me")), ("no", _("No, do not"))],
        coerce=lambda value: value == "yes",
        widget=UnfoldAdminRadioSelectWidget,
    )
    source = forms.ChoiceField(
        label=_("Said where"),
        choices=[
            ("till", _("At the till")),
            ("phone", _("By phone")),
            ("e-mail", _("By e-mail")),
            ("letter", _("By letter")),
        ],
        widget=UnfoldAdminSelectWidget,
    )
