"""What campaigns tell a member of the messages they were sent."""

from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models import (
    ContactPace,
    DeliveryEvent,
    JourneyRun,
    Message,
    PendingConsent,
    Suppression,
    TopicChoice,
    TrackEvent,
)
from campaigns.queries import address_key
from members.models import Member
from members.privacy import exempt, register_export

MESSAGE = ("channel", "due_at", "state", "reason", "sent_at", "to", "language", "subject", "text", "read_at")


def _messages(member_id: int) -> list[dict[str, Any]]:
    messages = Message.objects.filter(member_id=member_id).select_related("campaign").order_by("due_at")
    return [
        {
            "campaign": message.campaign.name or message.campaign.kind,
            "purpose": message.campaign.purpose,
            **{name: getattr(message, name) for name in MESSAGE},
        }
        for message in messages
    ]


def suppressions(members: list[Member]) -> Q:
    """The entries of the suppression list about these members' addresses."""
    keys = [address_key(str(value)) for member in members for value in (member.email, member.phone) if value]
    of_messages = Message.objects.filter(member__in=members, address__isnull=False).values("address")
    return Q(address__in=keys) | Q(address__in=of_messages)


def words_of_providers(members: list[Member]) -> Q:
    """What providers told about messages to these members, or about their addresses."""
    addresses = [member.email for member in members if member.email]
    return Q(message__member__in=members) | Q(recipient__in=addresses)


def _deliveries(member_id: int) -> list[dict[str, Any]]:
    member = Member.objects.get(pk=member_id)
    found = DeliveryEvent.objects.filter(words_of_providers([member])).order_by("at")
    told = [{"kind": event.kind, "at": event.at, "to": event.recipient, "reason": event.detail} for event in found]
    entries = Suppression.objects.filter(suppressions([member])).order_by("created_at")
    tracks = TrackEvent.objects.filter(message__member=member).select_related("link").order_by("at")
    told += [
        {
            "kind": track.kind,
            "at": track.at,
            "to": track.link.url if track.link else "",
            "reason": " ".join(part for part in (track.agent, track.network) if part),
        }
        for track in tracks
    ]
    return told + [
        {
            "kind": entry.reason,
            "at": entry.created_at,
            "to": entry.value,
            "reason": entry.note,
            "until": entry.expires_at,
        }
        for entry in entries
    ]


def _journeys(member_id: int) -> list[dict[str, Any]]:
    runs = JourneyRun.objects.filter(member_id=member_id).select_related("journey__campaign").order_by("entered_at")
    return [
        {
            "campaign": str(run.journey),
            "at": run.entered_at,
            "state": run.state,
            "until": run.ended_at,
        }
        for run in runs
    ]


def _wishes(member_id: int) -> dict[str, Any]:
    topics = TopicChoice.objects.filter(member_id=member_id).select_related("topic").order_by("at")
    wish = ContactPace.objects.filter(member_id=member_id).first()
    pending = PendingConsent.objects.filter(member_id=member_id).order_by("asked_at")
    fields = ("channel", "purpose", "address", "source", "evidence", "asked_at", "expires_at", "confirmed_at")
    return {
        "topics": [
            {"topic": t.topic.name, "channel": t.channel, "wanted": t.wanted, "source": t.source, "at": t.at}
            for t in topics
        ],
        "pace": {"pace": wish.pace, "source": wish.source, "at": wish.at} if wish else None,
        "first_channel": wish.first_channel if wish else "",
        "to_be_confirmed": list(pending.values(*fields, "withdrawn_at", "sent_at")),
    }


def register_all() -> None:
    register_export(
        "wishes",
        _("What you want to hear of"),
        _wishes,
        models=["campaigns.TopicChoice", "campaigns.ContactPace", "campaigns.PendingConsent"],
        order=73,
    )
    exempt("campaigns.OccasionDate", _("the calendar; a member of staff may have moved a day"))
    exempt("campaigns.Broadcast", _("what is sent to many; a member of staff asked for it or approved it"))
    register_export("journeys", _("Journeys you were on"), _journeys, models=["campaigns.JourneyRun"], order=72)
    register_export("messages", _("Messages to you"), _messages, models=["campaigns.Message"], order=70)
    register_export(
        "deliveries",
        _("What became of messages to you"),
        _deliveries,
        models=["campaigns.DeliveryEvent", "campaigns.Suppression", "campaigns.TrackEvent"],
        order=71,
    )
    exempt("campaigns.Sender", _("who sends; a member of staff may have paused it"))
