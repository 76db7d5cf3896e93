"""The last look at what a broadcast is about: a member who let go of its topic meanwhile does not get it."""

from collections.abc import Sequence
from datetime import datetime

from campaigns.enums import CampaignKind, SkipReason
from campaigns.services import objections
from campaigns.services.objections import Held, Objection
from common.sql import fetch_all

_UNWANTED = """
SELECT message.id FROM campaigns_message AS message
JOIN campaigns_broadcast AS broadcast ON broadcast.campaign_id = message.campaign_id
JOIN campaigns_topicchoice AS choice ON choice.member_id = message.member_id AND choice.topic_id = broadcast.topic_id
 AND (choice.channel = message.channel OR message.channel NOT IN ('email', 'sms')) AND NOT choice.wanted
WHERE message.id = ANY(%(ids)s::bigint[])
"""


def unwanted(messages: Sequence[Held], at: datetime) -> dict[int, Objection]:
    """In one query, and none where no message is a broadcast's."""
    ids = [message.id for message in messages if message.kind == CampaignKind.BROADCAST]
    rows = fetch_all(_UNWANTED, {"ids": ids}) if ids else []
    return {pk: Objection(SkipReason.TOPIC_OFF) for (pk,) in rows}


def register() -> None:
    objections.register(unwanted)
