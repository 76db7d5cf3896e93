"""Who members are: joining, changing the profile, opening a portal account."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from members import events
from members.models import Identity, Member, User
from members.rules import check_birthday

PROFILE_FIELDS = frozenset(
    (
        "name",
        "email",
        "phone",
        "language",
        "time_zone",
        "city",
        "birthday_calendar",
        "birthday_month",
        "birthday_day",
        "birthday_year",
        "birthday_leap_month",
        "leap_day_rule",
    )
)
_TAKEN = {
    "members_member_email_unique": ("email", _("This e-mail address belongs to another member.")),
    "members_member_phone_unique": ("phone", _("This phone number belongs to another member.")),
}


class AlreadyLinked(Exception):
    """The member or the user already has a portal account."""


def _save(member: Member) -> None:
    member.email = member.email.strip().lower()
    check_birthday(
        calendar=member.birthday_calendar,
        month=member.birthday_month,
        day=member.birthday_day,
        year=member.birthday_year,
        leap_month=member.birthday_leap_month,
    )
    member.clean_fields(exclude=["card_number", "joined_at", "updated_at", "user"])
    try:
        with transaction.atomic():
            member.save()
    except IntegrityError as error:
        for constraint, (field, sentence) in _TAKEN.items():
            if constraint in str(error):
                raise ValidationError({field: ValidationError(sentence, code="taken")}) from error
        raise


@transaction.atomic
def create_member(
    *,
    at: datetime,
    profile: dict[str, Any] | None = None,
    identity: tuple[str, str] | None = None,
    source: str,
    actor_id: int | None = None,
) -> Member:
    """A new member with a new card. `profile` sets PROFILE_FIELDS; `identity` is (system, customer number there).

    ValidationError by field: a value that cannot be, or an e-mail, phone or identity that belongs to another member.
    """
    member = Member(joined_at=at, source=source[:40], **_only_profile(profile or {}))
    _save(member)
    member.refresh_from_db(fields=["card_number"])
    if identity:
        system, value = identity
        _created = Identity.objects.get_or_create(system=system, value=value, defaults={"member": member})
        if _created[0].member_id != member.pk:
            raise ValidationError(_("This customer number belongs to another member."), code="taken")
    events.record(member_id=member.pk, kind=events.MEMBER_JOINED, at=at, data={"source": source}, actor_id=actor_id)
    return member


@transaction.atomic
def update_profile(*, member_id: int, changes: dict[str, Any], at: datetime, actor_id: int | None = None) -> Member:
    """Changes some of PROFILE_FIELDS. Records which fields changed, not their values. ValidationError by field."""
    member = Member.objects.select_for_update().get(pk=member_id)
    changed = sorted(name for name, value in _only_profile(changes).items() if getattr(member, name) != value)
    if not changed:
        return member
    for name in changed:
        setattr(member, name, changes[name])
    _save(member)
    events.record(member_id=member_id, kind=events.PROFILE_CHANGED, at=at, data={"fields": changed}, actor_id=actor_id)
    return member


@transaction.atomic
def link_account(*, member_id: int, user: User, at: datetime) -> Member:
    """Gives a member their portal account. AlreadyLinked where either side has one."""
    member = Member.objects.select_for_update().get(pk=member_id)
    if member.user_id is not None or Member.objects.filter(user=user).exists():
        raise AlreadyLinked
    member.user = user
    member.save(update_fields=["user", "updated_at"])
    events.record(member_id=member_id, kind=events.ACCOUNT_LINKED, at=at, actor_id=user.pk)
    return member


def _only_profile(values: dict[str, Any]) -> dict[str, Any]:
    if unknown := values.keys() - PROFILE_FIELDS:
        raise ValueError(f"not fields of a profile: {', '.join(sorted(unknown))}")
    return values
