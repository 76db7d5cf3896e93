"""What a member says of themselves, when two become one: which value stands, and what was before."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from members.merging import Merging
from members.models import Guardian, Household, Identity, Member, User
from members.services.identities import claim

# What is taken from one of the two as a whole.
GROUPS: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "email": ("email", "email_verified_at"),
    "phone": ("phone", "phone_verified_at"),
    "language": ("language",),
    "time_zone": ("time_zone",),
    "address": ("street", "postal_code", "city", "country"),
    "birthday": (
        "birthday_month",
        "birthday_day",
        "birthday_year",
        "birthday_calendar",
        "birthday_leap_month",
        "leap_day_rule",
    ),
    "household": ("household_id",),
    "account": ("user_id",),
}
ATTRIBUTE = "attributes."
# Fields that are called as the systems of further identities are (members.enums.OWN_SYSTEMS).
_CONTACTS = {"email": "email_verified_at", "phone": "phone_verified_at"}
# Of who is merged: what the constraint members_member_gone wants empty.
_GONE: dict[str, Any] = {
    "user_id": None,
    "email": "",
    "email_verified_at": None,
    "phone": "",
    "phone_verified_at": None,
    "birthday_month": None,
    "birthday_day": None,
    "birthday_year": None,
    "birthday_leap_month": False,
    "household_id": None,
}
_ALL = (*(name for names in GROUPS.values() for name in names), "attributes", "personalised", "joined_at")
_WHOLE = ("name", "email", "phone", "address")  # said as soon as any of the fields is; the others by their first


def check_names(names: Collection[str]) -> None:
    """ValueError for what is neither a group nor an attribute."""
    if unknown := [name for name in names if name not in GROUPS and not name.startswith(ATTRIBUTE)]:
        raise ValueError(f"not what a member has: {', '.join(sorted(unknown))}")


def values_of(member: Member) -> dict[str, Any]:
    """What a member says of themselves, by field, as JSON."""
    return {name: _plain(getattr(member, name)) for name in _ALL}


def is_empty(values: dict[str, Any], group: str) -> bool:
    """Whether nothing is said in a group of fields."""
    names = GROUPS[group] if group in _WHOLE else GROUPS[group][:1]
    return not any(values[name] for name in names)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool | dict | list):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _set(member: Member, values: dict[str, Any]) -> None:
    for name, value in values.items():
        plain = name.endswith("_id") or not isinstance(value, str)
        setattr(member, name, value if plain else Member._meta.get_field(name).to_python(value))  # type: ignore[union-attr]


def merge(merging: Merging, survivor: Member, merged: Member, take: Collection[str]) -> None:
    """Gives the survivor the values that are to stand. What was an address or phone of either stays one of theirs."""
    mine, theirs = values_of(survivor), values_of(merged)
    _set(merged, _GONE)
    merged.merged_into = survivor
    merged.save()
    for group, names in GROUPS.items():
        if not is_empty(theirs, group) and (group in take or is_empty(mine, group)):
            _set(survivor, {name: theirs[name] for name in names})
    wanted = {key: value for key, value in theirs["attributes"].items() if f"{ATTRIBUTE}{key}" in take}
    survivor.attributes = theirs["attributes"] | mine["attributes"] | wanted
    survivor.personalised = survivor.personalised and merged.personalised  # a no of either counts
    survivor.joined_at = min(survivor.joined_at, merged.joined_at)
    survivor.save()
    for field, verified in _CONTACTS.items():
        for values in (mine, theirs):
            if values[field] and values[field].lower() != str(getattr(survivor, field)).lower():
                Identity.objects.get_or_create(
                    member=survivor,
                    system=field,
                    value=values[field].lower(),
                    defaults={"verified_at": values[verified]},
                )
        Identity.objects.filter(member=survivor, system=field, value=str(getattr(survivor, field))).delete()
    guarded = not Guardian.objects.filter(member=survivor).exists()
    guarded = guarded and bool(Guardian.objects.filter(member=merged).update(member=survivor))
    if mine["user_id"] and theirs["user_id"]:
        merging.unlinked_id = mine["user_id"] if survivor.user_id == theirs["user_id"] else theirs["user_id"]
        users = User.objects.in_bulk([mine["user_id"], theirs["user_id"]])
        text = gettext(
            "Both had a portal account. %(stays)s keeps the card; %(goes)s is no longer linked to one, and is told so"
            " when they next sign in."
        )
        merging.remarks.append(text % {"stays": users[survivor.user_id], "goes": users[merging.unlinked_id]})
    merging.journal |= {"before": mine, "after": values_of(survivor), "merged": theirs, "guardian": guarded}


def undo(merging: Merging, survivor: Member, merged: Member) -> None:
    """Gives each their own values again. What was changed since the merge stays with the survivor."""
    before, after, theirs = (merging.journal[part] for part in ("before", "after", "merged"))
    now = values_of(survivor)
    for names in (*GROUPS.values(), ("personalised",), ("joined_at",)):
        if all(now[name] == after[name] for name in names):
            _set(survivor, {name: before[name] for name in names})
    survivor.attributes = _attributes_before(now["attributes"], after["attributes"], before["attributes"])
    for field, verified in _CONTACTS.items():
        if theirs[field] and str(getattr(survivor, field)).lower() == theirs[field].lower():
            _set(survivor, {field: before[field], verified: before[verified]})  # it was made the first one since
        own = [theirs[field].lower(), str(getattr(survivor, field)).lower()]
        Identity.objects.filter(member=survivor, system=field, value__in=own).delete()
    if theirs["user_id"] and survivor.user_id == theirs["user_id"]:
        survivor.user_id = before["user_id"]
    survivor.save()
    _set(merged, {name: theirs[name] for name in _GONE})
    if merging.journal.get("guardian"):
        Guardian.objects.filter(member=survivor).update(member=merged)
    merged.merged_into = None
    _leave_out_what_is_taken(merging, merged)
    merged.save()


def _attributes_before(now: dict[str, Any], after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in now.items() if key not in after or value != after[key]}
    return {key: value for key, value in before.items() if key in now and now[key] == after.get(key)} | kept


def _leave_out_what_is_taken(merging: Merging, merged: Member) -> None:
    """What somebody else has come to in the meantime does not come back."""
    for field in _CONTACTS:
        try:
            if value := str(getattr(merged, field)):
                claim(member_id=merged.pk, system=field, value=value.lower())
        except ValidationError:
            setattr(merged, field, "")
            merging.remarks.append(gettext("An address or phone could not go back: another member has it now."))
    if merged.user_id is not None:
        free = User.objects.filter(pk=merged.user_id).exists() and not Member.objects.filter(user=merged.user_id)
        if not free:
            merged.user_id = None
            merging.remarks.append(gettext("The portal account could not go back: it is gone or another member's."))
    if merged.household_id is not None and not Household.objects.filter(pk=merged.household_id).exists():
        merged.household_id = None
