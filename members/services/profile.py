"""Who members are: joining, changing the profile, opening a portal account."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from members import events
from members.models import Identity, Member, TimelineEvent, User
from members.queries import get_programme
from members.rules import check_birthday
from members.services.age import GuardianConsent, check_age, write_guardian
from members.services.attributes import changed_attributes
from members.services.identities import claim
from members.validators import validate_country

# What people state of themselves, in the order in which forms and files show it.
CONTACT_FIELDS = ("name", "email", "phone", "language", "time_zone")
ADDRESS_FIELDS = ("street", "postal_code", "city", "country")
BIRTHDAY_FIELDS = (
    "birthday_calendar",
    "birthday_month",
    "birthday_day",
    "birthday_year",
    "birthday_leap_month",
    "leap_day_rule",
)
PROFILE_FIELDS = frozenset((*CONTACT_FIELDS, *ADDRESS_FIELDS, *BIRTHDAY_FIELDS))
SIGN_INS_APART = timedelta(hours=1)
_TAKEN = {
    "members_member_email_unique": ("email", _("This e-mail address belongs to another member.")),
    "members_member_phone_unique": ("phone", _("This phone number belongs to another member.")),
}


class MemberGone(Exception):
    """The member was merged into another, or erased: nothing of theirs changes any more."""


class AlreadyLinked(Exception):
    """The member or the user already has a portal account."""


def _save(member: Member, at: datetime, guardian: GuardianConsent | None = None) -> None:
    member.email = member.email.strip().lower()
    member.country = member.country.strip().upper()
    validate_country(member.country)
    check_birthday(
        calendar=member.birthday_calendar,
        month=member.birthday_month,
        day=member.birthday_day,
        year=member.birthday_year,
        leap_month=member.birthday_leap_month,
    )
    check_age(member=member, at=at, guardian=guardian)
    member.clean_fields(exclude=["card_number", "joined_at", "updated_at", "user"])
    try:
        with transaction.atomic():
            member.save()
            _own_contacts(member)
    except IntegrityError as error:
        for constraint, (field, sentence) in _TAKEN.items():
            if constraint in str(error):
                raise ValidationError({field: ValidationError(sentence, code="taken")}) from error
        raise


def _own_contacts(member: Member) -> None:
    """The address and phone are nobody else's further ones, and no longer this member's own further ones."""
    for field, value in (("email", member.email), ("phone", str(member.phone))):
        if not value:
            continue
        try:
            claim(member_id=member.pk, system=field, value=value)
        except ValidationError as error:
            raise ValidationError({field: error}) from error
        Identity.objects.filter(member=member, system=field, value=value).delete()


@transaction.atomic
def create_member(
    *,
    at: datetime,
    profile: dict[str, Any] | None = None,
    identity: tuple[str, str] | None = None,
    source: str,
    actor_id: int | None = None,
    guardian: GuardianConsent | None = None,
) -> Member:
    """A new member with a new card. `profile` sets PROFILE_FIELDS and `attributes` by key, cleaned already;
    `identity` is (system, customer number there). Who is below the minimum age needs a `guardian`.

    ValidationError by field: a value that cannot be, or an e-mail, phone or identity that belongs to another member.
    """
    fields, attributes = _only_profile(profile or {})
    empty = dict.fromkeys(ADDRESS_FIELDS, "")
    personalised = get_programme().personalise_by_default
    member = Member(joined_at=at, source=source[:40], personalised=personalised, **empty | fields)
    changed_attributes(member, attributes)
    _save(member, at, guardian)
    member.refresh_from_db(fields=["card_number"])
    if guardian:
        write_guardian(member_id=member.pk, guardian=guardian, at=at, actor_id=actor_id)
    if identity:
        system, value = identity
        _created = Identity.objects.get_or_create(system=system, value=value, defaults={"member": member})
        if _created[0].member_id != member.pk:
            raise ValidationError(_("This customer number belongs to another member."), code="taken")
    events.record(member_id=member.pk, kind=events.MEMBER_JOINED, at=at, data={"source": source}, actor_id=actor_id)
    return member


@transaction.atomic
def update_profile(*, member_id: int, changes: dict[str, Any], at: datetime, actor_id: int | None = None) -> Member:
    """Changes some of PROFILE_FIELDS, and of `attributes` those given by key: cleaned values, None for nothing said.

    Records which fields changed, not their values. ValidationError by field; MemberGone for who was merged or erased.
    """
    member = Member.objects.select_for_update().get(pk=member_id)
    if member.merged_into_id is not None or member.erased_at is not None:
        raise MemberGone
    fields, attributes = _only_profile(changes)
    changed = sorted(name for name, value in fields.items() if getattr(member, name) != value)
    for name in changed:
        setattr(member, name, fields[name])
        if name in ("email", "phone"):
            setattr(member, f"{name}_verified_at", None)
    changed += [f"attributes.{key}" for key in changed_attributes(member, attributes)]
    if not changed:
        return member
    _save(member, at)
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


@transaction.atomic
def record_sign_in(*, user_id: int, at: datetime) -> bool:
    """Tells the timeline that a member came to their pages, at most once an hour; whether it was told."""
    member = Member.objects.filter(user=user_id).select_for_update(no_key=True).first()
    if member is None:
        return False
    latest = TimelineEvent.objects.filter(member=member, at__gt=at - SIGN_INS_APART)
    if latest.filter(kind=events.SIGNED_IN).exists():
        return False
    events.record(member_id=member.pk, kind=events.SIGNED_IN, at=at, actor_id=user_id)
    return True


def _only_profile(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a profile, and the custom attributes by key."""
    fields = {name: value for name, value in values.items() if name != "attributes"}
    if unknown := fields.keys() - PROFILE_FIELDS:
        raise ValueError(f"not fields of a profile: {', '.join(sorted(unknown))}")
    return fields, values.get("attributes") or {}
