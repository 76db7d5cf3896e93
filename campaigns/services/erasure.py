"""What becomes of the messages of members who are erased: that they were sent stays, what they said goes."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from campaigns.enums import OPEN, MessageState, SkipReason
from campaigns.models import DeliveryEvent, Message, Suppression, TrackEvent
from campaigns.privacy import suppressions, words_of_providers
from members.models import Member


def erase_messages(member_ids: Sequence[int], at: datetime) -> None:
    """Stops what waits and empties what was sent. A worker that holds a message finds its claim gone."""
    messages = Message.objects.filter(member__in=member_ids)
    messages.filter(state__in=OPEN, dot_at=None).update(
        state=MessageState.SKIPPED, reason=SkipReason.ERASED, lease_until=None, token=None, changed_at=at
    )
    empty_messages(messages)
    messages.exclude(why={}).update(why={})
    members = list(Member.objects.filter(pk__in=member_ids))
    # That nothing may be sent to the address stays, by its digest; the address goes.
    Suppression.objects.filter(suppressions(members)).update(value="", note="", lift_note="")
    DeliveryEvent.objects.filter(words_of_providers(members)).update(recipient="", provider_id="", detail="", raw={})
    messages.exclude(provider_id="").update(provider_id="")
    TrackEvent.objects.filter(message__member__in=member_ids).update(agent="", network="")


def empty_messages(messages: QuerySet[Message]) -> None:
    """Takes the content and the address out of messages. What is sent again after that is written anew."""
    messages.update(to="", subject="", text="", error="", values={}, tries=[])
    messages.filter(state__in=[MessageState.FAILED, MessageState.MISSED]).update(frozen_at=None)
