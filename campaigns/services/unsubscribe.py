"""The link at the foot of every mail: signed, valid for ever, and independent of any row but the member's."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db.models import Q
from django.urls import get_script_prefix, get_urlconf, reverse

from campaigns.enums import Pace
from campaigns.models import ContactPace
from campaigns.queries_preferences import Interest, interests_of, pace_name, pace_of
from campaigns.services.preferences import choose_topic, set_pace
from members.enums import Channel, Purpose
from members.models import PRESENT, Member
from members.queries import consent_state
from members.services.consent import state_consent, stop_everything

SOURCE = "unsubscribe link"
_signer = Signer(salt="campaigns.unsubscribe", sep="~")


class BadLink(Exception):
    """The link is cut off or altered."""


class Gone(Exception):
    """The link is one of ours, and its member is erased: there is nobody left to write to."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link is about."""

    member: Member
    channel: Channel
    purpose: Purpose


def unsubscribe_url(*, member_id: int, channel: str, purpose: str) -> str:
    """The full address of a member's link."""
    before, after = _address(get_urlconf(), get_script_prefix())
    return f"{settings.SITE_URL}{before}{_signer.sign(f'{member_id}.{channel}.{purpose}')}{after}"


@lru_cache(maxsize=4)
def _address(_urlconf: str | None, _prefix: str) -> list[str]:
    """What stands before and behind the token: working it out for each mail takes as long as signing."""
    return reverse("campaigns:unsubscribe", args=["token"]).split("token")


def read_token(token: str) -> Subscription:
    """What a link is about; in a mail to somebody who was merged since, it is about who they are now. BadLink where it
    is not one of ours; Gone."""
    try:
        member_id, channel, purpose = _signer.unsign(token).split(".")
        there = Q(pk=member_id) | Q(merged_members=member_id)
        return Subscription(Member.objects.get(PRESENT, there), Channel(channel), Purpose(purpose))
    except (BadSignature, ValueError) as error:
        raise BadLink from error
    except Member.DoesNotExist as error:
        raise Gone from error


def unsubscribe(*, token: str, at: datetime) -> Subscription:
    """Withdraws the consent, at once. A second time changes nothing. BadLink; Gone."""
    subscription = read_token(token)
    _state(subscription, granted=False, source=SOURCE, at=at)
    return subscription


def resubscribe(*, token: str, at: datetime) -> Subscription:
    """Undoes it, and only it: a link gives no consent that was not withdrawn through it. BadLink; Gone."""
    subscription = read_token(token)
    last = consent_state(subscription.member.pk).get((subscription.channel, subscription.purpose))
    if last is not None and last.source == SOURCE:
        _state(subscription, granted=True, source=f"{SOURCE}, undone", at=at)
    return subscription


def standing(subscription: Subscription) -> tuple[bool, bool]:
    """Whether its member agrees, and whether a link may give back what a link took."""
    last = consent_state(subscription.member.pk).get((subscription.channel, subscription.purpose))
    granted = last is not None and last.granted
    return granted, last is not None and not granted and last.source == SOURCE


def what_is_on(subscription: Subscription) -> list[tuple[str, str]]:
    """(channel, purpose) of all that the link's member has agreed to and can stop, personalised treatment included."""
    said = consent_state(subscription.member.pk)
    on = [key for key, consent in said.items() if consent.granted and key[1] != Purpose.PROFILING]
    return sorted(on) + ([("", Purpose.PROFILING.value)] if subscription.member.personalised else [])


def stop(*, token: str, what: tuple[str, str] | None, at: datetime) -> Subscription:
    """Stops one (channel, purpose), or with None everything. A link can stop but never start: whoever holds a mail
    may refuse for its reader, not agree for them. BadLink; Gone."""
    subscription = read_token(token)
    if what is None:
        stop_everything(member_id=subscription.member.pk, source=SOURCE, at=at)
    elif what in what_is_on(subscription):
        channel, purpose = what
        state_consent(
            member_id=subscription.member.pk, channel=channel, purpose=purpose, granted=False, source=SOURCE, at=at
        )
    return read_token(token)


def stop_topic(*, token: str, topic_id: int, channel: Channel, at: datetime) -> Subscription:
    """No more of a topic by a channel. BadLink; Gone; UnknownTopic."""
    subscription = read_token(token)
    choose_topic(
        member_id=subscription.member.pk, topic_id=topic_id, channel=channel, wanted=False, source=SOURCE, at=at
    )
    return subscription


def undo_topic(*, token: str, topic_id: int, channel: Channel, at: datetime) -> Subscription:
    """Undoes that, and only that: what was said elsewhere stays. BadLink; Gone; UnknownTopic."""
    subscription = read_token(token)
    found = interests_of(subscription.member.pk).values()
    said = [i for each in found for i in each if (i.topic.pk, i.channel) == (topic_id, channel)]
    if said and can_undo(said[0]):
        source = f"{SOURCE}, undone"
        choose_topic(
            member_id=subscription.member.pk, topic_id=topic_id, channel=channel, wanted=True, source=source, at=at
        )
    return subscription


def can_undo(interest: Interest) -> bool:
    """Whether a topic was stopped through a link, so that a link may bring it back."""
    return not interest.wanted and interest.source == SOURCE


def write_less(*, token: str, pace: Pace, at: datetime) -> Subscription:
    """Less often from now on; a link can make it more only where a link had made it less. BadLink; Gone."""
    subscription = read_token(token)
    wish = pace_of(subscription.member.pk)
    if pace in paces_open(wish):
        set_pace(member_id=subscription.member.pk, pace=pace, source=SOURCE, at=at)
    return subscription


def paces_open(wish: ContactPace | None) -> list[Pace]:
    """What a link can choose of how often."""
    order = list(Pace)
    if wish is not None and wish.source == SOURCE:
        return order
    return order[order.index(pace_name(wish)) :]


def _state(subscription: Subscription, *, granted: bool, source: str, at: datetime) -> None:
    state_consent(
        member_id=subscription.member.pk,
        channel=subscription.channel,
        purpose=subscription.purpose,
        granted=granted,
        source=source,
        confirmed=True,  # what is undone here had been confirmed, where that is asked for
        at=at,
    )
