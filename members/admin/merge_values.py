"""What two members say of themselves, beside each other and in words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.moments import format_day
from members.attributes import in_words
from members.merging import facts
from members.models import Member, PurchaseSummary
from members.queries import attributes
from members.rules import birthday_words, country_name
from members.services.merged_fields import ATTRIBUTE, GROUPS, is_empty, values_of

LABELS: dict[str, Promise | str] = {
    "name": pgettext_lazy("person", "name"),
    "email": _("e-mail"),
    "phone": _("phone"),
    "language": _("language"),
    "time_zone": _("time zone"),
    "address": _("address"),
    "birthday": _("birthday"),
    "household": _("household"),
    "account": _("portal account"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that both may say: the two values in words, and whether one of them must be chosen."""

    name: str
    label: str
    values: tuple[str, str]
    differs: bool

    @property
    def field(self) -> str:
        """The name of its field in a form."""
        return f"take-{self.name}"


def rows_of(members: tuple[Member, Member]) -> list[Row]:
    """Everything that at least one of the two says, those that differ first."""
    said = [values_of(member) for member in members]
    rows = []
    for group, label in LABELS.items():
        empty = [is_empty(values, group) for values in said]
        same = all(said[0][name] == said[1][name] for name in GROUPS[group] if not name.endswith("verified_at"))
        words = tuple("" if blank else _words(m, group) for m, blank in zip(members, empty, strict=True))
        if not all(empty):
            rows.append(Row(group, str(label).capitalize(), words, not any(empty) and not same))  # type: ignore[arg-type]
    for attribute in attributes():
        theirs = [member.attributes.get(attribute.key) for member in members]
        words = tuple(in_words(attribute, value) if value is not None else "" for value in theirs)
        if any(value is not None for value in theirs):
            differs = None not in theirs and theirs[0] != theirs[1]
            rows.append(Row(f"{ATTRIBUTE}{attribute.key}", str(attribute.label), words, differs))  # type: ignore[arg-type]
    return sorted(rows, key=lambda row: not row.differs)


def _words(member: Member, group: str) -> str:
    match group:
        case "language":
            return str(member.get_language_display())
        case "phone":
            return str(member.phone.as_international)
        case "address":
            place = " ".join(part for part in (member.postal_code, member.city) if part)
            return ", ".join(part for part in (member.street, place, country_name(member.country)) if part)
        case "birthday":
            day = birthday_words(member.birthday)
            return f"{day} ({member.birthday_year})" if member.birthday_year else day
        case "household":
            return str(member.household)
        case "account":
            return str(member.user)
        case _:
            return str(getattr(member, group))


def suggested_survivor(members: tuple[Member, Member], at: datetime) -> Member:
    """Who better stays: who signs in at the portal, then who bought more, then who was here first."""
    bought = dict(PurchaseSummary.objects.filter(member__in=members).values_list("member", "purchases"))
    return max(members, key=lambda m: (m.user_id is not None, bought.get(m.pk, 0), -m.joined_at.timestamp(), -m.pk))


def facts_of(member: Member, at: datetime) -> list[tuple[Any, str]]:
    """What may decide who stays: since when, and what the other apps say."""
    return [(_("Joined"), format_day(member.joined_at)), *facts(member.pk, at)]
