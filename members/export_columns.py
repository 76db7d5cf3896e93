"""The columns that members bring to an export: named as an import of customers understands them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.money import to_major
from members.attributes import option_label
from members.enums import MARKETING, AttributeKind, Calendar, Channel, CustomerField, Language, Purpose
from members.exporting import register_columns
from members.models import Attribute, ConsentState, Identity, Member, MemberTag, PurchaseSummary
from members.queries import get_programme
from members.rules import country_name

_FIELDS = ("card_number", "name", "email", "phone", "language", "time_zone", "street", "postal_code", "city", "country")
_BIRTHDAY = ("birthday_calendar", "birthday_month", "birthday_day", "birthday_year", "birthday_leap_month")
_PROFILE = (*_FIELDS, *_BIRTHDAY, "joined_at", "source")
_CHOICES: dict[str, dict[str, Promise | str]] = {
    "language": dict(Language.choices),
    "birthday_calendar": dict(Calendar.choices),
}
Values = dict[int, dict[str, Any]]


def _profile_columns() -> Mapping[str, Promise | str]:
    known = {field.value: field.label for field in CustomerField} | {"card_number": CustomerField.CARD.label}
    return {name: capfirst(known.get(name) or Member._meta.get_field(name).verbose_name) for name in _PROFILE}  # type: ignore[union-attr]


def _profile(member_ids: Sequence[int], keys: Sequence[str]) -> Values:
    rows = Member.objects.filter(pk__in=member_ids).values("pk", *keys)
    return {row["pk"]: {key: _words(key, _plain(row[key])) for key in keys} for row in rows}


def _words(key: str, value: Any) -> Any:
    """A word for what members hold as a code; an import of customers understands both."""
    if key == "country":
        return country_name(value)
    words = _CHOICES.get(key)
    return str(words[value]) if words and value in words else value


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if hasattr(value, "tzinfo"):
        return localtime(value).replace(tzinfo=None)  # sheets know no time zones
    return str(value) if hasattr(value, "as_e164") else value


def _attribute_columns() -> dict[str, str]:
    return {f"attribute.{a.key}": str(a.label) for a in Attribute.objects.filter(archived_at=None)}


def _attributes(member_ids: Sequence[int], keys: Sequence[str]) -> Values:
    known = {f"attribute.{a.key}": a for a in Attribute.objects.all()}
    words = {
        key: {option["key"]: option_label(option) for option in known[key].options}
        for key in keys
        if known[key].kind == AttributeKind.CHOICE
    }
    found = Member.objects.filter(pk__in=member_ids).values_list("pk", "attributes")
    values: Values = {}
    for pk, attributes in found:
        said = {key: attributes.get(known[key].key) for key in keys}
        values[pk] = {
            key: words[key].get(value, value) if key in words else _plain(value) for key, value in said.items()
        }
    return values


def _tags(member_ids: Sequence[int], keys: Sequence[str]) -> Values:
    words = defaultdict(list)
    pinned = MemberTag.objects.filter(member__in=member_ids).order_by("tag__name")
    for pk, name in pinned.values_list("member", "tag__name"):
        words[pk].append(name)
    return {pk: {"tags": ", ".join(names)} for pk, names in words.items()}


def _number_columns() -> dict[str, str]:
    return {"numbers": str(_("Customer numbers elsewhere"))}


def _numbers(member_ids: Sequence[int], keys: Sequence[str]) -> Values:
    words = defaultdict(list)
    known = Identity.objects.filter(member__in=member_ids).order_by("system", "value")
    for pk, system, value in known.values_list("member", "system", "value"):
        words[pk].append(f"{system}: {value}")
    return {pk: {"numbers": "; ".join(names)} for pk, names in words.items()}


def _consents() -> dict[str, tuple[str, str]]:
    pairs = [(channel, purpose) for purpose in MARKETING for channel in Channel]
    pairs += [("", Purpose.PROFILING), ("", Purpose.SHARING)]  # type: ignore[list-item]
    return {f"consent.{channel or '-'}.{purpose}": (str(channel), str(purpose)) for channel, purpose in pairs}


def _consent_columns() -> dict[str, str]:
    def label(channel: str, purpose: str) -> str:
        word = str(Purpose(purpose).label)
        return f"{word} · {Channel(channel).label}" if channel else word

    columns = {}
    for key, what in _consents().items():
        columns[key] = label(*what)
        columns[f"{key}.at"] = str(_("%(consent)s: since") % {"consent": label(*what)})
    return columns


def _consent_states(member_ids: Sequence[int], keys: Sequence[str]) -> Values:
    names = {what: key for key, what in _consents().items()}
    values: Values = defaultdict(dict)
    for state in ConsentState.objects.filter(member__in=member_ids):
        if key := names.get((state.channel, state.purpose)):
            values[state.member_id] |= {key: _plain(state.granted), f"{key}.at": _plain(state.at)}
    return values


def _purchase_columns() -> dict[str, str]:
    currency = get_programme().currency
    return {
        "purchases": str(_("Purchases")),
        "spent": str(_("Spent (%(currency)s)") % {"currency": currency}),
        "first_purchase_at": str(_("First purchase")),
        "last_purchase_at": str(_("Last purchase")),
    }


def _purchases(member_ids: Sequence[int], keys: Sequence[str]) -> Values:
    currency = get_programme().currency
    return {
        summary.member_id: {
            "purchases": summary.purchases,
            "spent": float(to_major(summary.spent_minor, currency)),
            "first_purchase_at": _plain(summary.first_at),
            "last_purchase_at": _plain(summary.last_at),
        }
        for summary in PurchaseSummary.objects.filter(member__in=member_ids)
    }


def register_all() -> None:
    register_columns("profile", _("Profile"), _profile_columns, _profile, order=10, chosen=True)
    register_columns("attributes", _("Attributes"), _attribute_columns, _attributes, order=20, chosen=True)
    register_columns("tags", _("Tags"), lambda: {"tags": str(_("Tags"))}, _tags, order=30, chosen=True)
    register_columns("numbers", _("Customer numbers"), _number_columns, _numbers, order=40)
    register_columns("consents", _("Consent"), _consent_columns, _consent_states, order=50)
    register_columns("purchases", _("Purchases"), _purchase_columns, _purchases, order=70)
