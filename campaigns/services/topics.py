"""The last look at what a campaign is about: a member who let go of its topic meanwhile does not get it."""

from collections.abc import Sequence
from datetime import datetime

from campaigns.enums import SkipReason
from campaigns.queries_pressure import UNWANTED
from campaigns.services import objections
from campaigns.services.objections import Held, Objection
from common.sql import fetch_all

_ASKED = f"""
SELECT message.id FROM campaigns_message AS message
JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
WHERE message.id = ANY(%(ids)s::bigint[]) AND {UNWANTED}
"""


def unwanted(messages: Sequence[Held], at: datetime) -> dict[int, Objection]:
    """In one query for all messages."""
    rows = fetch_all(_ASKED, {"ids": [message.id for message in messages]})
    return {pk: Objection(SkipReason.TOPIC_OFF) for (pk,) in rows}


def register() -> None:
    objections.register(unwanted)
