"""From a portal account to a membership: a new card, or the one that a verified e-mail address already has."""

from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from members.enums import Channel, Purpose
from members.events import AGE_STATED, record
from members.models import Member, User
from members.queries import find_member, get_programme
from members.services.consent import state_consent
from members.services.profile import AlreadyLinked, create_member, link_account, update_profile


class TooYoung(Exception):
    """They did not say that they have reached the minimum age."""


@transaction.atomic
def claim_by_email(*, user: User, language: str, at: datetime) -> Member | None:
    """Links the member with the user's address, if there is one without an account. The caller has verified it."""
    member = find_member(email=user.email)
    if member is None or member.user_id is not None or Member.objects.filter(user=user).exists():
        return None
    return open_account(member_id=member.pk, user=user, language=language, at=at)


@transaction.atomic
def join(
    *,
    user: User,
    name: str,
    language: str,
    consents: Iterable[tuple[Channel, Purpose]],
    at: datetime,
    source: str,
    old_enough: bool,
) -> Member:
    """Makes the user a member with a new card, or with the one that their verified address has.

    `consents` are the channels and purposes they agreed to; `old_enough` is whether they said that they have reached
    the programme's minimum age. AlreadyLinked where they are a member; TooYoung. An address that
    another member holds is left with that member, and the new one has none.
    """
    programme = get_programme()
    if programme.minimum_age and not old_enough:
        raise TooYoung
    User.objects.select_for_update().get(pk=user.pk)  # two clicks make one member
    if Member.objects.filter(user=user).exists():
        raise AlreadyLinked
    member = claim_by_email(user=user, language=language, at=at)
    if member is None:
        profile = {"name": name, "language": language, "time_zone": programme.time_zone}
        created = create_member(at=at, profile=profile, source=source)
        member = open_account(member_id=created.pk, user=user, language=language, at=at)
    if programme.minimum_age:
        record(member_id=member.pk, kind=AGE_STATED, at=at, data={"age": programme.minimum_age}, actor_id=user.pk)
    for channel, purpose in consents:
        state_consent(member_id=member.pk, channel=channel, purpose=purpose, granted=True, source=source, at=at)
    return member


@transaction.atomic
def open_account(*, member_id: int, user: User, language: str, at: datetime) -> Member:
    """Gives the member their account, and from now on the language and the address they came to it with.

    AlreadyLinked where either side has one.
    """
    link_account(member_id=member_id, user=user, at=at)
    member = update_profile(member_id=member_id, changes={"language": language}, at=at, actor_id=user.pk)
    return use_sign_in_address(member=member, at=at)


def use_sign_in_address(*, member: Member, at: datetime) -> Member:
    """A member with an account is written to at the address they sign in with, which they have verified; unless another
    member holds it."""
    assert member.user is not None
    try:
        member = update_profile(
            member_id=member.pk, changes={"email": member.user.email.lower()}, at=at, actor_id=member.user_id
        )
    except ValidationError:
        return member
    if member.email_verified_at is None:
        member.email_verified_at = at
        member.save(update_fields=["email_verified_at", "updated_at"])
    return member
