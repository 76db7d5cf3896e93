"""The link at the foot of every mail: signed, valid for ever, and independent of any row but the member's."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from members.enums import Channel, Purpose
from members.models import Member
from members.queries import consent_state
from members.services.consent import state_consent

SOURCE = "unsubscribe link"
_signer = Signer(salt="campaigns.unsubscribe", sep="~")


class BadLink(Exception):
    """The link is cut off or altered, or its member is gone."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link is about."""

    member: Member
    channel: Channel
    purpose: Purpose


def unsubscribe_url(*, member_id: int, channel: str, purpose: str) -> str:
    """The full address of a member's link."""
    token = _signer.sign(f"{member_id}.{channel}.{purpose}")
    return settings.SITE_URL + reverse("campaigns:unsubscribe", args=[token])


def read_token(token: str) -> Subscription:
    """What a link is about. BadLink where it is not one of ours."""
    try:
        member_id, channel, purpose = _signer.unsign(token).split(".")
        return Subscription(Member.objects.get(pk=member_id), Channel(channel), Purpose(purpose))
    except (BadSignature, ValueError, Member.DoesNotExist) as error:
        raise BadLink from error


def unsubscribe(*, token: str, at: datetime) -> Subscription:
    """Withdraws the consent, at once. A second time changes nothing. BadLink."""
    subscription = read_token(token)
    _state(subscription, granted=False, source=SOURCE, at=at)
    return subscription


def resubscribe(*, token: str, at: datetime) -> Subscription:
    """Undoes it, and only it: a link gives no consent that was not withdrawn through it. BadLink."""
    subscription = read_token(token)
    last = consent_state(subscription.member.pk).get((subscription.channel, subscription.purpose))
    if last is not None and last.source == SOURCE:
        _state(subscription, granted=True, source=f"{SOURCE}, undone", at=at)
    return subscription


def _state(subscription: Subscription, *, granted: bool, source: str, at: datetime) -> None:
    state_consent(
        member_id=subscription.member.pk,
        channel=subscription.channel,
        purpose=subscription.purpose,
        granted=granted,
        source=source,
        at=at,
    )
