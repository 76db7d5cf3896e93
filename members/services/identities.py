"""A member's further e-mail addresses, phones and cards, and what other systems call them.

The first address and phone stand in the member's own row, the rest in Identity. Whatever a member is found by belongs
to one member only: no two may share it, wherever of the two places it stands.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from phonenumber_field.phonenumber import to_python

from common.sql import execute
from members import events
from members.enums import OWN_CARD, OWN_EMAIL, OWN_PHONE, OWN_SYSTEMS
from members.models import Identity, Member
from members.validators import clean_card_number, validate_card_number

_TAKEN = {
    OWN_EMAIL: _("This e-mail address belongs to another member."),
    OWN_PHONE: _("This phone number belongs to another member."),
    OWN_CARD: _("This card belongs to another member."),
}
_FIELDS = {OWN_EMAIL: ("email", "email_verified_at"), OWN_PHONE: ("phone", "phone_verified_at")}


def clean_identity(system: str, value: str) -> str:
    """The value as it is kept: addresses in small letters, phones as E.164, cards as digits. ValidationError."""
    value = value.strip()
    if system == OWN_EMAIL:
        validate_email(value)
        return value.lower()
    if system == OWN_PHONE:
        number = to_python(value)
        if number is None or not number.is_valid():
            raise ValidationError(_("This is not a phone number. Please give the country's code, too."), code="phone")
        return number.as_e164
    if system == OWN_CARD:
        number = clean_card_number(value)
        validate_card_number(number)
        return number
    if not system.strip() or not value or len(value) > 254 or len(system) > 40:
        raise ValidationError(_("Please give the system and the number that it has for this member."), code="identity")
    return value


def claim(*, member_id: int, system: str, value: str) -> None:
    """Makes sure that a cleaned value is nobody else's, until the transaction ends. ValidationError where it is.

    Both places a value can stand in have unique keys of their own; what lies between them is kept by this lock.
    """
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{system}:{value}"])
    others = Member.objects.exclude(pk=member_id)
    if system == OWN_EMAIL:
        taken = others.annotate(lower=Lower("email")).exclude(email="").filter(lower=value).exists()
    elif system == OWN_PHONE:
        taken = others.filter(phone=value).exists()
    elif system == OWN_CARD:
        # The card of somebody merged into this member is this member's already.
        taken = others.exclude(merged_into=member_id).filter(card_number=value).exists()
    else:
        taken = False
    if taken or Identity.objects.filter(system=system, value=value).exclude(member=member_id).exists():
        raise ValidationError(_TAKEN.get(system, _("This customer number belongs to another member.")), code="taken")


@transaction.atomic
def add_identity(
    *, member_id: int, system: str, value: str, at: datetime, actor_id: int | None = None, verified: bool = False
) -> Identity:
    """A further address, phone or card (OWN_SYSTEMS), or a customer number elsewhere. Twice is once.

    ValidationError where it cannot be, or is another member's.
    """
    system = system.strip()
    value = clean_identity(system, value)
    member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
    claim(member_id=member_id, system=system, value=value)
    if _is_primary(member, system, value):
        raise ValidationError(_("The member has this already."), code="has")
    identity, is_new = Identity.objects.get_or_create(
        member=member, system=system, value=value, defaults={"verified_at": at if verified else None}
    )
    if is_new:
        _record(member_id, at, actor_id, added=system)
    return identity


def _is_primary(member: Member, system: str, value: str) -> bool:
    own = {OWN_EMAIL: member.email.lower(), OWN_PHONE: str(member.phone), OWN_CARD: member.card_number}
    return own.get(system) == value


@transaction.atomic
def remove_identity(*, identity_id: int, at: datetime, actor_id: int | None = None) -> None:
    """Takes away what the member is no longer found by. Identity.DoesNotExist."""
    identity = Identity.objects.select_for_update().get(pk=identity_id)
    identity.delete()
    _record(identity.member_id, at, actor_id, removed=identity.system)


@transaction.atomic
def verify_identity(*, identity_id: int, at: datetime, actor_id: int | None = None) -> Identity:
    """Notes that the address or phone has been proved to be the member's. Twice is once. Identity.DoesNotExist."""
    identity = Identity.objects.select_for_update().get(pk=identity_id)
    if identity.verified_at is None:
        identity.verified_at = at
        identity.save(update_fields=["verified_at"])
        _record(identity.member_id, at, actor_id, verified=identity.system)
    return identity


@transaction.atomic
def make_primary(*, identity_id: int, at: datetime, actor_id: int | None = None) -> Member:
    """Makes a further address or phone the one that the member is written to at; the former becomes a further one.

    ValueError for a card or a number elsewhere. Identity.DoesNotExist.
    """
    identity = Identity.objects.select_for_update().get(pk=identity_id)
    if identity.system not in _FIELDS:
        raise ValueError("only an address or a phone can be the primary one")
    field, verified = _FIELDS[identity.system]
    member = Member.objects.select_for_update(no_key=True).get(pk=identity.member_id)
    former, former_verified = str(getattr(member, field)), getattr(member, verified)
    setattr(member, field, identity.value)
    setattr(member, verified, identity.verified_at)
    member.save(update_fields=[field, verified, "updated_at"])
    identity.delete()
    if former:
        Identity.objects.create(
            member=member, system=identity.system, value=former.lower(), verified_at=former_verified
        )
    events.record(member_id=member.pk, kind=events.PROFILE_CHANGED, at=at, data={"fields": [field]}, actor_id=actor_id)
    return member


def _record(member_id: int, at: datetime, actor_id: int | None, **what: str) -> None:
    """Which kind of identity came or went, not its value."""
    data = {verb: system if system in OWN_SYSTEMS else "number" for verb, system in what.items()}
    events.record(member_id=member_id, kind=events.IDENTITY_CHANGED, at=at, data=data, actor_id=actor_id)
