"""What a merge of two members does with their messages."""

from campaigns.models import DAYS_BETWEEN
from members.merging import Strategy, register


def register_all() -> None:
    # Written to under both names: the second message stays where it is.
    register(
        "campaigns.Message.member",
        Strategy.MOVE,
        stays=f"""
            EXISTS (SELECT FROM campaigns_message AS other
                    WHERE other.member_id = {{survivor}} AND other.campaign_id = row.campaign_id
                      AND (other.occurrence_year = row.occurrence_year
                           OR abs(other.occurrence_day - row.occurrence_day) < {DAYS_BETWEEN}
                           OR (other.occurrence = row.occurrence AND other.channel = row.channel)))
        """,
    )
    # Inside the same journey under both names: the second way ends where it is.
    register(
        "campaigns.JourneyRun.member",
        Strategy.MOVE,
        stays="""
            row.state = 'active' AND EXISTS (
                SELECT FROM campaigns_journeyrun AS other WHERE other.member_id = {survivor}
                AND other.journey_id = row.journey_id AND other.state = 'active')
        """,
    )
    # Who is there now has the last word; what the other said counts where they said nothing.
    register(
        "campaigns.TopicChoice.member",
        Strategy.MOVE,
        stays="""
            EXISTS (SELECT FROM campaigns_topicchoice AS other WHERE other.member_id = {survivor}
                    AND other.topic_id = row.topic_id AND other.channel = row.channel)
        """,
    )
    register("campaigns.ContactPace.member", Strategy.LEAVE)  # asked for under both names (queries_pressure)
    register(
        "campaigns.PendingConsent.member",
        Strategy.MOVE,
        stays="""
            row.confirmed_at IS NULL AND row.withdrawn_at IS NULL
            AND EXISTS (SELECT FROM campaigns_pendingconsent AS other WHERE other.member_id = {survivor}
                        AND other.channel = row.channel AND other.purpose = row.purpose
                        AND other.confirmed_at IS NULL AND other.withdrawn_at IS NULL)
        """,
    )
