"""Forms of the member page."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from babel import Locale
from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.dates import MONTHS
from django.utils.html import format_html, format_html_join
from django.utils.timezone import now
from django.utils.translation import get_language, gettext, to_locale
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from common.admin import TimeZoneField
from common.money import minor_digits, to_minor
from members.attributes import choices, clean_attribute
from members.channels import offered
from members.enums import MARKETING, AttributeKind, Purpose
from members.models import Attribute, Member
from members.queries import get_programme
from members.services.age import GuardianConsent, write_guardian
from members.services.duplicates import LookAlike, look_alikes
from members.services.profile import PROFILE_FIELDS, MemberGone, create_member, update_profile
from members.similarity import REASONS
from members.validators import countries
from rewards.enums import Unit

MOST = 1_000_000_000  # points at once
TAGGED_AT_ONCE = 1_000


def attribute_field(attribute: Attribute) -> forms.Field:
    """A form's field for a custom attribute. What was typed is cleaned by members.attributes."""
    common: dict[str, Any] = {"label": attribute.label, "required": False}
    match attribute.kind:
        case AttributeKind.DATE:
            return forms.DateField(widget=UnfoldAdminDateWidget, **common)
        case AttributeKind.CHOICE | AttributeKind.BOOLEAN:
            offered = [("", _("Not said")), *choices(attribute)]
            return forms.ChoiceField(choices=offered, widget=UnfoldAdminSelectWidget, **common)
        case _:
            return forms.CharField(widget=UnfoldAdminTextInputWidget, **common)


def country_choices() -> list[tuple[str, str]]:
    """Every country as the active language calls it."""
    known = Locale.parse(to_locale(get_language() or "en")).territories
    return [("", "–"), *sorted(((code, known.get(code, code)) for code in countries()), key=lambda item: item[1])]


def _months() -> list[tuple[int | str, str]]:
    """By number, which lunar months go by, and name."""
    return [("", "–"), *((n, f"{n} · {name}") for n, name in MONTHS.items())]


class MemberForm(forms.ModelForm):
    """A member's profile. The service checks and saves in one go, so what it refuses stands beside the field."""

    actor_id: int
    custom: Sequence[Attribute] = ()
    time_zone = TimeZoneField()
    country = forms.ChoiceField(
        label=_("Country"), choices=country_choices, required=False, widget=UnfoldAdminSelect2Widget
    )
    birthday_month = forms.TypedChoiceField(
        label=_("Birthday month"),
        choices=_months,
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    birthday_day = forms.TypedChoiceField(
        label=_("Birthday day"),
        choices=[("", "–"), *((n, n) for n in range(1, 32))],
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    guardian_name = forms.CharField(
        label=_("Guardian's name"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget
    )
    guardian_evidence = forms.CharField(
        label=_("Evidence"),
        max_length=200,
        required=False,
        help_text=_("What proves it: form number, file, address."),
        widget=UnfoldAdminTextInputWidget,
    )

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
        for attribute in self.custom:
            value = self.instance.attributes.get(attribute.key)
            shown = str(value).lower() if isinstance(value, bool) else value
            self.initial[f"attribute_{attribute.key}"] = shown

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        name, evidence = cleaned.get("guardian_name"), cleaned.get("guardian_evidence")
        if bool(name) != bool(evidence):
            self.add_error("guardian_evidence" if name else "guardian_name", _("Please give both, or neither."))
        self.guardian = GuardianConsent(name, evidence) if name and evidence else None
        said: dict[str, Any] = {}
        for attribute in self.custom:
            name = f"attribute_{attribute.key}"
            try:
                said[attribute.key] = clean_attribute(attribute, cleaned.get(name))
            except ValidationError as error:
                self.add_error(name, error)
        cleaned["attributes"] = said
        return cleaned

    def _post_clean(self) -> None:
        if self.errors:
            return
        values = {
            name: value for name, value in self.cleaned_data.items() if name in PROFILE_FIELDS or name == "attributes"
        }
        if self.instance.pk is None and not self.data.get("despite") and (like := look_alikes(values)):
            self.add_error(None, self._looks_like(like))
            return
        try:
            if self.instance.pk is None:
                self.instance = create_member(
                    at=now(), profile=values, source="admin", actor_id=self.actor_id, guardian=self.guardian
                )
            else:
                self.instance = self._update(values, now())
        except MemberGone:
            self.add_error(None, _("This member was merged or erased: nothing can be changed any more."))
        except ValidationError as error:
            self.add_error(None, error)

    def _looks_like(self, like: list[LookAlike]) -> str:
        """Who may be here already, and a tick for who is sure that this is somebody else."""
        people = format_html_join(
            "",
            '<li><a class="desk-link" href="{}">{}</a> {}: {}</li>',
            (
                (
                    reverse("admin:members_member_change", args=[found.member.pk]),
                    found.member,
                    found.member.card_number_grouped,
                    " ".join(str(REASONS[reason][1]) for reason in found.reasons),
                )
                for found in like
            ),
        )
        # The note stands above the form; the tick belongs to it by its id.
        return format_html(
            '{}<ul>{}</ul><label><input type="checkbox" name="despite" value="1" form="member_form"> {}</label>',
            gettext("This looks like somebody who is a member already:"),
            people,
            gettext("This is another person: add them."),
        )

    @transaction.atomic
    def _update(self, values: dict[str, Any], at: datetime) -> Member:
        member_id, by = self.instance.pk, self.actor_id
        if self.guardian:
            write_guardian(member_id=member_id, guardian=self.guardian, at=at, actor_id=by)
        return update_profile(member_id=member_id, changes=values, at=at, actor_id=by)


class AdjustPointsForm(forms.Form):
    """Points or credit in plain words: give or take, how much, why. `amount` comes out signed, and in minor units."""

    direction = forms.ChoiceField(
        label=_("What"),
        choices=[("give", _("Give")), ("take", _("Take away"))],
        initial="give",
        widget=UnfoldAdminRadioSelectWidget,
    )
    unit = forms.ChoiceField(
        label=_("Points or credit"),
        choices=Unit.choices,
        initial=Unit.POINTS,
        required=False,
        widget=UnfoldAdminRadioSelectWidget,
    )
    amount = forms.CharField(
        label=_("How much"),
        help_text=_("Points are whole numbers; store credit is money: 12.50."),
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True, "inputmode": "decimal"}),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("For staff."),
        widget=UnfoldAdminTextInputWidget,
    )
    note = forms.CharField(
        label=_("Note for the member"),
        max_length=200,
        required=False,
        help_text=_("They read it in their history. Empty: “A gift from us”, or “Correction”."),
        widget=UnfoldAdminTextInputWidget,
    )
    expires_on = forms.DateField(
        label=_("Can be spent until"),
        required=False,
        help_text=_("The last day of what is given. Empty: it never expires."),
        widget=UnfoldAdminSingleDateWidget,
    )
    # One key per form: sent twice, it has one effect.
    key = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)

    def clean_unit(self) -> Unit:
        return Unit(self.cleaned_data["unit"] or Unit.POINTS)

    def clean_amount(self) -> int:
        typed = self.cleaned_data["amount"]
        if self.cleaned_data.get("unit", Unit.POINTS) == Unit.POINTS:
            return forms.IntegerField(min_value=1, max_value=MOST).clean(typed)
        currency = get_programme().currency
        try:
            least = Decimal(1).scaleb(-minor_digits(currency))
            return to_minor(forms.DecimalField(min_value=least, max_value=MOST).clean(typed), currency)
        except ValueError as error:  # more decimals than the currency has
            text = gettext("%(currency)s has no such fraction.") % {"currency": currency}
            raise ValidationError(text) from error

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("direction") == "take" and cleaned.get("amount"):
            cleaned["amount"] = -cleaned["amount"]
        return cleaned


class TagForm(forms.Form):
    do = forms.ChoiceField(
        label=_("What"),
        choices=[("add", _("Add a tag")), ("remove", _("Take a tag off"))],
        initial="add",
        widget=UnfoldAdminRadioSelectWidget,
    )
    name = forms.CharField(label=_("Tag"), max_length=40, widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}))
    ids = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[int]:
        ids = self.cleaned_data["ids"].split(",")
        if len(ids) > TAGGED_AT_ONCE or not all(one.isdecimal() and len(one) < 19 for one in ids):
            raise ValidationError(_("Please choose the members in the list again."))
        return [int(one) for one in ids]


class ConsentForm(forms.Form):
    purpose = forms.ChoiceField(label=_("For"), choices=Purpose.choices, widget=UnfoldAdminRadioSelectWidget)
    channel = forms.ChoiceField(
        label=_("Channel"),
        choices=lambda: [(one.value, one.label) for one in offered()],
        required=False,
        help_text=_("For greetings and offers only."),
        widget=UnfoldAdminRadioSelectWidget,
    )
    granted = forms.TypedChoiceField(
        label=_("The member says"),
        choices=[("yes", _("Yes")), ("no", _("No"))],
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
    evidence = forms.CharField(
        label=_("Evidence"),
        required=False,
        max_length=200,
        help_text=_("What proves it: form number, file, address."),
        widget=UnfoldAdminTextInputWidget,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("purpose") not in MARKETING:
            cleaned["channel"] = ""
        elif not cleaned.get("channel"):
            self.add_error("channel", _("Please choose a channel."))
        return cleaned
