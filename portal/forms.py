"""What strangers and members fill in."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from babel import Locale
from babel.core import get_global
from babel.dates import get_timezone_location
from django import forms
from django.http import HttpRequest, QueryDict
from django.utils.dates import MONTHS
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext_lazy as _
from phonenumber_field.formfields import PhoneNumberField

from common.moments import time_zones
from members.attributes import TEXT_LENGTH, clean_attribute
from members.attributes import choices as attribute_choices
from members.enums import BY_ADDRESS, MARKETING, AttributeKind, Calendar, Channel, Language, LeapDayRule, Purpose
from members.models import Attribute, ConsentWording, Member, Programme, User
from members.rules import FIRST_YEAR, LAST_YEAR, lunar_day_name, lunar_month_name
from members.services.age import too_young
from members.validators import CARD_DIGITS, countries


class NameField(forms.CharField):
    def __init__(self, **kwargs) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "name"})
        errors = {"required": _("Please enter your name.")}
        super().__init__(
            **{"label": _("Your name"), "max_length": 120, "widget": widget, "error_messages": errors, **kwargs}
        )


class SignupForm(forms.Form):
    """What allauth's form asks besides address and password. The card comes once the address is verified."""

    name = NameField()
    field_order = ("name", "email", "password1")

    def signup(self, request: HttpRequest, user: User) -> None:
        user.first_name = self.cleaned_data["name"]
        user.save(update_fields=["first_name"])


class ConsentForm(forms.Form):
    """A box per channel and purpose, with the wording in force. Nothing is ticked that was not agreed to.

    The versions shown travel with the form: nobody agrees to a wording that changed while they read.
    """

    versions = forms.CharField(widget=forms.HiddenInput)

    def __init__(
        self,
        *args,
        wordings: dict[str, ConsentWording],
        channels: Sequence[Channel],
        granted: frozenset[tuple[str, str]] = frozenset(),
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.channels = channels
        self.wordings = wordings
        self.shown = ",".join(f"{purpose}:{wording.version}" for purpose, wording in sorted(wordings.items()))
        self.initial["versions"] = self.shown
        for purpose in MARKETING:
            wording = wordings[purpose].text if purpose in wordings else purpose.label
            for channel in channels:
                self.fields[f"{channel}_{purpose}"] = forms.BooleanField(
                    label=channel.label if len(channels) > 1 else wording,
                    required=False,
                    initial=(channel, purpose) in granted,
                )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("versions") != self.shown:
            self.data = {name: self.data[name] for name in self.data} | {"versions": self.shown}
            raise forms.ValidationError(_("The wording has just changed. Please read it again."))
        return cleaned

    def purposes(self) -> list[dict[str, Any]]:
        """For each purpose its label, its wording and its boxes."""
        return [
            {
                "label": purpose.label,
                "wording": self.wordings.get(purpose),
                "boxes": [self[f"{channel}_{purpose}"] for channel in self.channels],
            }
            for purpose in MARKETING
        ]

    def said(self) -> dict[tuple[Channel, Purpose], bool]:
        """Yes or no for each channel and purpose asked."""
        return {
            (channel, purpose): self.cleaned_data[f"{channel}_{purpose}"]
            for purpose in MARKETING
            for channel in self.channels
        }


class JoinForm(ConsentForm):
    """The last step of joining: a name where none was given yet, the age, and consent to mails."""

    name = NameField()
    old_enough = forms.BooleanField()
    field_order = ("name", "old_enough")

    def __init__(self, *args, name: str, programme: Programme, **kwargs) -> None:
        super().__init__(*args, channels=(Channel.EMAIL,), **kwargs)
        if name:
            del self.fields["name"]
        if programme.minimum_age:
            age = self.fields["old_enough"]
            age.label = _("I am %(age)d or older") % {"age": programme.minimum_age}
            age.error_messages["required"] = too_young(programme)
        else:
            del self.fields["old_enough"]


class ClaimForm(forms.Form):
    """Which card, and where its code should go first."""

    card_number = forms.CharField(
        label=_("Card number"),
        max_length=CARD_DIGITS * 2,
        help_text=_("The 12 digits on your card."),
        error_messages={"required": _("Please enter the number on your card.")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    channel = forms.ChoiceField(
        label=_("Send the code by"),
        choices=[(one.value, one.label) for one in BY_ADDRESS],
        initial=Channel.EMAIL,
        widget=forms.RadioSelect,
    )


class ClaimCodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        error_messages={"required": _("Please enter the code.")},
        max_length=12,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )


class ProfileForm(forms.Form):
    """Who a member is, and what the shop would like to know. The e-mail address is changed with the sign-in."""

    name = NameField()
    phone = PhoneNumberField(
        label=_("Phone"),
        required=False,
        help_text=_("With the country code, like +49 30 123456."),
        error_messages={"invalid": _("This is no phone number. Please write it with the country code.")},
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )
    street = forms.CharField(
        label=_("Street and number"),
        required=False,
        max_length=160,
        widget=forms.TextInput(attrs={"autocomplete": "street-address"}),
    )
    postal_code = forms.CharField(
        label=_("Postal code"),
        required=False,
        max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "postal-code"}),
    )
    city = forms.CharField(
        label=_("City"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "address-level2"}),
    )
    country = forms.ChoiceField(
        label=_("Country"), required=False, widget=forms.Select(attrs={"autocomplete": "country"})
    )
    language = forms.ChoiceField(label=_("Language"), choices=Language)
    time_zone = forms.ChoiceField(label=_("Time zone"))

    def __init__(self, data: QueryDict | None, *, member: Member, attributes: Sequence[Attribute] = ()) -> None:
        super().__init__(data, initial={name: getattr(member, name) for name in self.base_fields})
        choices = time_zone_choices(get_language() or "en")
        known = {name for name, _label in choices}
        extra = [] if member.time_zone in known else [(member.time_zone, member.time_zone)]
        self.fields["time_zone"].choices = [*extra, *choices]  # type: ignore[attr-defined]
        self.fields["country"].choices = country_choices(get_language() or "en")  # type: ignore[attr-defined]
        self.custom = {f"attribute_{attribute.key}": attribute for attribute in attributes}
        for name, attribute in self.custom.items():
            self.fields[name] = attribute_field(attribute)
            value = member.attributes.get(attribute.key)
            self.initial[name] = str(value).lower() if isinstance(value, bool) else value

    def clean(self) -> dict[str, Any]:
        """What members say of themselves is checked as what staff write of them."""
        cleaned = super().clean() or {}
        said: dict[str, Any] = {}
        for name, attribute in self.custom.items():
            try:
                said[attribute.key] = clean_attribute(attribute, cleaned.pop(name, None))
            except forms.ValidationError as error:
                self.add_error(name, error)
        return {**cleaned, "attributes": said}

    def about(self) -> list[forms.BoundField]:
        """The fields that everybody has."""
        return [self[name] for name in self.base_fields]

    def asked(self) -> list[forms.BoundField]:
        """What this shop asks besides."""
        return [self[name] for name in self.custom]


def attribute_field(attribute: Attribute) -> forms.Field:
    """A form's field for a custom attribute."""
    label = str(attribute.label)
    match attribute.kind:
        case AttributeKind.DATE:
            return forms.DateField(label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}))
        case AttributeKind.NUMBER:
            return forms.CharField(label=label, required=False, widget=forms.TextInput(attrs={"inputmode": "decimal"}))
        case AttributeKind.CHOICE | AttributeKind.BOOLEAN:
            return forms.ChoiceField(label=label, required=False, choices=[("", "–"), *attribute_choices(attribute)])
        case _:
            return forms.CharField(label=label, required=False, max_length=TEXT_LENGTH)


@lru_cache(maxsize=8)
def country_choices(language: str) -> list[tuple[str, str]]:
    """Countries as `language` calls them."""
    names = {**Locale("en").territories, **Locale.parse(to_locale(language)).territories}  # "zh" lacks Sark
    return [("", "–"), *sorted(((code, names.get(code, code)) for code in countries()), key=lambda choice: choice[1])]


@lru_cache(maxsize=1)
def _other_names() -> dict[str, list[str]]:
    """What time zones were called before: some cities are named under the old name alone."""
    found: dict[str, list[str]] = {}
    for old, new in get_global("zone_aliases").items():
        found.setdefault(new, []).append(old)
    return found


def _city(name: str, locale: Locale) -> str:
    known = (locale.time_zones.get(zone, {}).get("city") for zone in (name, *_other_names().get(name, ())))
    return next(filter(None, known), None) or get_timezone_location(name, locale=locale, return_city=True)


@lru_cache(maxsize=8)
def time_zone_choices(language: str) -> list[tuple[str, str]]:
    """Time zones by country and city, as `language` calls them."""
    locale = Locale.parse(to_locale(language))
    choices = [
        (name, f"{locale.territories[territory]} – {_city(name, locale)}")
        for name, territory in get_global("zone_territories").items()
        if name in time_zones() and territory in locale.territories and territory != "ZZ"  # nowhere
    ]
    return [("UTC", "UTC"), *sorted(choices, key=lambda choice: choice[1])]


def _month_choices() -> list[tuple[Any, str]]:
    """By number and name; in Chinese with the name that lunar months go by as well."""
    if (get_language() or "en").startswith("zh"):
        return [("", "–")] + [(n, f"{name} · {lunar_month_name(n)}") for n, name in MONTHS.items()]
    return [("", "–")] + [(n, f"{n} · {name}") for n, name in MONTHS.items()]


def _day_choices() -> list[tuple[Any, str]]:
    if (get_language() or "en").startswith("zh"):
        return [("", "–"), *((n, f"{n}日 · {lunar_day_name(n)}") for n in range(1, 31)), (31, "31日")]
    return [("", "–"), *((n, str(n)) for n in range(1, 32))]


class BirthdayForm(forms.Form):
    """A birthday as its owner states it. Everything empty means: not said."""

    birthday_calendar = forms.ChoiceField(label=_("Calendar"), choices=Calendar, widget=forms.RadioSelect)
    birthday_month = forms.TypedChoiceField(
        label=_("Month"), choices=_month_choices, coerce=int, empty_value=None, required=False
    )
    birthday_day = forms.TypedChoiceField(
        label=_("Day"),
        choices=_day_choices,
        coerce=int,
        empty_value=None,
        required=False,
    )
    birthday_year = forms.IntegerField(
        label=_("Year of birth"),
        required=False,
        min_value=FIRST_YEAR,
        max_value=LAST_YEAR,
        widget=forms.NumberInput(attrs={"autocomplete": "bday-year", "inputmode": "numeric"}),
    )
    birthday_leap_month = forms.BooleanField(label=_("Leap month"), required=False)
    leap_day_rule = forms.ChoiceField(
        label=_("In years without 29 February, keep it on"), choices=LeapDayRule, widget=forms.RadioSelect
    )

    def __init__(self, data: QueryDict | None, *, member: Member) -> None:
        super().__init__(data, initial={name: getattr(member, name) for name in self.base_fields})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("birthday_calendar") == Calendar.SOLAR:
            cleaned["birthday_leap_month"] = False  # the box is hidden then, and may hold what was ticked before
        return cleaned
