"""What a merge of two members does with whom they brought."""

from members.merging import Strategy, register


def register_all() -> None:
    # Both have a code: what was shared under the other keeps working, for it leads to who they are now.
    register(
        "referrals.Advocate.member",
        Strategy.MOVE,
        stays="EXISTS (SELECT FROM referrals_advocate AS other WHERE other.member_id = {survivor})",
    )
    # Nobody brings themselves: a referral between the two stays where it is.
    register(
        "referrals.Referral.giver",
        Strategy.MOVE,
        stays="row.friend_id = {survivor}",
    )
    register(
        "referrals.Referral.friend",
        Strategy.MOVE,
        stays="""
            row.giver_id = {survivor}
            OR EXISTS (SELECT FROM referrals_referral AS other WHERE other.friend_id = {survivor})
        """,
    )
    register(
        "referrals.MilestoneReached.member",
        Strategy.MOVE,
        stays="""
            EXISTS (SELECT FROM referrals_milestonereached AS other WHERE other.member_id = {survivor}
                    AND other.programme_id = row.programme_id AND other.friends = row.friends)
        """,
    )
    register("referrals.ThanksGiven.member", Strategy.MOVE)
    register(
        "referrals.Trace.member",
        Strategy.MOVE,
        stays="""
            EXISTS (SELECT FROM referrals_trace AS other WHERE other.member_id = {survivor}
                    AND other.kind = row.kind AND other.mark = row.mark)
        """,
    )
