"""How delivery stands, for who watches the site."""

from datetime import datetime, timedelta

from campaigns.enums import BreakerState
from campaigns.models import Sender
from common.sql import fetch_all

# By the index of what can be sent now, a campaign and sender at a time.
_OLDEST = """
SELECT min(first.next_try_at) FROM campaigns_campaign AS campaign CROSS JOIN campaigns_sender AS sender
CROSS JOIN LATERAL (
    SELECT message.next_try_at FROM campaigns_message AS message
    WHERE message.campaign_id = campaign.id AND message.sender_id = sender.id AND message.state = 'queued'
      AND message.expires_at > %(at)s
    ORDER BY message.next_try_at LIMIT 1
) AS first WHERE campaign.state = 'running' AND first.next_try_at <= %(at)s
"""


def waits_since(at: datetime) -> timedelta:
    """For how long the message that is due longest has been due; zero where none is."""
    oldest = fetch_all(_OLDEST, {"at": at})[0][0]
    return at - oldest if oldest else timedelta()


def senders_in_trouble() -> int:
    """How many senders pause because of their server; those that staff paused are none of them."""
    return Sender.objects.filter(paused_at=None).exclude(breaker=BreakerState.CLOSED).count()
