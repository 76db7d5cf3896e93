"""What a merge of two members does with what they answered."""

from members.merging import Strategy, register


def register_all() -> None:
    # Asked for the same under both names: the second invitation stays where it is.
    register(
        "surveys.Invitation.member",
        Strategy.MOVE,
        stays="""
            EXISTS (SELECT FROM surveys_invitation AS other WHERE other.member_id = {survivor}
                    AND other.survey_id = row.survey_id AND other.key = row.key)
        """,
    )
    register("surveys.Response.member", Strategy.MOVE)
    # Asked for the same under both names: once is enough.
    register(
        "surveys.DueInvitation.member",
        Strategy.MOVE,
        stays="""
            EXISTS (SELECT FROM surveys_dueinvitation AS other WHERE other.member_id = {survivor}
                    AND other.trigger_id = row.trigger_id AND other.key = row.key)
        """,
    )
    register("surveys.Case.member", Strategy.MOVE)
    register(
        "surveys.SuggestionLike.member",
        Strategy.MOVE,
        stays="""
            EXISTS (SELECT FROM surveys_suggestionlike AS other WHERE other.member_id = {survivor}
                    AND other.suggestion_id = row.suggestion_id)
        """,
    )
