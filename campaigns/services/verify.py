"""What `./crm verify` holds of messages: their states against their events and gifts, and that none is forgotten."""

from django.utils.translation import gettext_lazy as _

from rewards.services.check import Check
from rewards.services.verify import CHECKS

MESSAGE_CHECKS = [
    Check(
        _("The timeline says what became of each message"),
        "campaigns_message",
        """
        SELECT message.id, message.state AS expected,
               CASE WHEN told.kinds @> ARRAY['message.' || message.state]
                      OR (message.state = 'sent' AND told.kinds @> ARRAY['message.settled'])
                    THEN message.state ELSE array_to_string(told.kinds, ' ') END AS found
        FROM campaigns_message AS message
        JOIN members_member AS member ON member.id = message.member_id AND member.erased_at IS NULL
        LEFT JOIN (
            SELECT (data ->> 'message')::bigint AS id, array_agg(DISTINCT kind::text) AS kinds
            FROM members_timelineevent
            WHERE kind IN ('message.sent', 'message.failed', 'message.unknown', 'message.settled') GROUP BY 1
        ) AS told ON told.id = message.id
        WHERE message.state IN ('sent', 'failed', 'unknown')
        """,
    ),
    Check(
        _("No message is forgotten in the hands of a worker"),
        "campaigns_message",
        """
        SELECT id, NULL AS expected, CASE WHEN lease_until < now() - interval '1 hour' THEN state END AS found
        FROM campaigns_message WHERE state IN ('claimed', 'handing_over')
        """,
    ),
    Check(
        _("What came with a message is a gift that it names"),
        "campaigns_message",
        """
        SELECT message.id, 'gift' AS expected, gift.kind AS found
        FROM campaigns_message AS message JOIN rewards_transfer AS gift ON gift.id = message.gift_id
        """,
    ),
    Check(
        _("What a server took was marked before it left"),
        "campaigns_message",
        """
        SELECT id, true AS expected, dot_at IS NOT NULL AND dot_at <= answered_at AS found
        FROM campaigns_message WHERE answered_at IS NOT NULL
        """,
    ),
]


def register_all() -> None:
    """Adds them to what `verify` looks at. Called once, when the app is ready."""
    CHECKS.extend(MESSAGE_CHECKS)
