"""What campaigns write to a member's timeline."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.enums import CampaignKind, Medium, Pace
from members.enums import Channel, Purpose
from members.events import group, record_selected
from members.events import kind as any_kind


def _campaign(data: dict[str, Any]) -> str:
    return data.get("name") or str(CampaignKind(data["campaign"]).label)


def _about(sentence: Promise | str) -> Callable[[dict[str, Any]], str]:
    return lambda data: str(sentence) % {"campaign": _campaign(data)}


def kind(name: str, label: Promise | str, sentence: Callable[[dict[str, Any]], str]) -> str:
    return any_kind(name, label, sentence, about=("campaigns.message", "message"))


group("message", _("Messages"), "mail")
MESSAGE_SENT = kind("message.sent", _("Message sent"), _about(_("%(campaign)s sent")))
MESSAGE_MISSED = kind("message.missed", _("Message missed"), _about(_("%(campaign)s missed: it was too late")))
MESSAGE_FAILED = kind("message.failed", _("Message failed"), _about(_("%(campaign)s could not be delivered")))
MESSAGE_UNKNOWN = kind("message.unknown", _("Message in doubt"), _about(_("%(campaign)s: unknown whether it arrived")))
MESSAGE_SETTLED = kind(
    "message.settled",
    _("Message settled by staff"),
    lambda data: f"{_campaign(data)}: {data['reason']}",
)


def _asked(data: dict[str, Any]) -> str:
    words = {"what": Purpose(data["purpose"]).label, "channel": Channel(data["channel"]).label}
    return gettext("Waits to be confirmed: %(what)s, %(channel)s") % words


def _topic(data: dict[str, Any]) -> str:
    words = {"topic": data["topic"], "channel": Channel(data["channel"]).label}
    text = gettext("Wants “%(topic)s” by %(channel)s") if data["wanted"] else gettext("No “%(topic)s” by %(channel)s")
    return text % words


def _wish(label: Promise | str, text: Promise | str) -> str:
    return gettext("%(label)s: %(text)s") % {"label": label, "text": text}


group("journey", _("Journeys"), "route")
JOURNEY_STARTED = any_kind(
    "journey.started",
    _("Journey started by staff"),
    lambda data: gettext("Staff started “%(journey)s”") % {"journey": data.get("name") or "?"},
    about=("campaigns.journeyrun", "run"),
)
CONSENT_ASKED = any_kind("consent.asked", _("Consent to be confirmed"), _asked)
TOPIC_CHOSEN = any_kind("consent.topic", _("Topic chosen"), _topic)
PACE_CHOSEN = any_kind("consent.pace", _("How often"), lambda data: _wish(_("How often"), Pace(data["pace"]).label))
FIRST_CHANNEL_CHOSEN = any_kind(
    "consent.first",
    _("Which way first"),
    lambda data: _wish(
        _("Which way first"), Medium(data["channel"]).label if data["channel"] else _("No matter which")
    ),
)


# What an event says of its message, for a SELECT FROM campaigns_message AS message with its campaign.
DATA = "jsonb_build_object('message', message.id, 'campaign', campaign.kind, 'name', campaign.name)"


def record_messages(kind: str, ids: Sequence[int], at: datetime) -> None:
    """Writes what became of messages to their members' timelines."""
    if ids:
        record_selected(
            kind=kind,
            select=f"SELECT message.member_id, %(at)s::timestamptz, {DATA} FROM campaigns_message AS message"
            " JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id"
            " WHERE message.id = ANY(%(ids)s::bigint[])",
            params={"at": at, "ids": list(ids)},
        )
