"""Checks that shelves, places, redemptions, and what they gave, agree. Part of rewards.services.verify."""

from django.utils.translation import gettext_lazy as _

from rewards.services.check import Check

CATALOGUE_CHECKS = [
    Check(
        _("What is taken of a reward is what its redemptions say"),
        "rewards_reward",
        """
        SELECT reward.id, coalesce(standing.n, 0) AS expected, reward.redeemed AS found
        FROM rewards_reward AS reward LEFT JOIN (
            SELECT reward_id, count(*) AS n FROM rewards_redemption WHERE state IN ('reserved', 'confirmed')
            GROUP BY reward_id
        ) AS standing ON standing.reward_id = reward.id
        """,
    ),
    Check(
        _("The places taken of a date are those of redemptions, and those kept for who waits"),
        "rewards_rewardsession",
        """
        SELECT date.id, coalesce(standing.n, 0) + coalesce(kept.n, 0) AS expected, date.booked AS found
        FROM rewards_rewardsession AS date
        LEFT JOIN (
            SELECT session_id, count(*) AS n FROM rewards_redemption WHERE state IN ('reserved', 'confirmed')
            GROUP BY session_id
        ) AS standing ON standing.session_id = date.id
        LEFT JOIN (
            SELECT session_id, count(*) AS n FROM rewards_waitingentry WHERE state = 'offered' GROUP BY session_id
        ) AS kept ON kept.session_id = date.id
        """,
    ),
    # What was given back was confirmed before, and says so.
    Check(
        _("The points of a redemption are held, spent or given back as it says, and are its member's"),
        "rewards_redemption",
        """
        SELECT redemption.id,
               CASE WHEN redemption.points = 0 THEN 'nothing' ELSE concat_ws(
                   ' ', redemption.points,
                   CASE redemption.state WHEN 'refunded' THEN 'confirmed' ELSE redemption.state END,
                   'of', coalesce(member.merged_into_id, member.id),
                   CASE WHEN redemption.state = 'refunded' THEN 'back ' || redemption.points END
               ) END AS expected,
               CASE WHEN hold.id IS NULL THEN 'nothing' ELSE concat_ws(
                   ' ', hold.amount, hold.state, 'of', coalesce(owner.merged_into_id, owner.id), 'back ' || back.amount
               ) END AS found
        FROM rewards_redemption AS redemption
        JOIN members_member AS member ON member.id = redemption.member_id
        LEFT JOIN rewards_hold AS hold ON hold.id = redemption.hold_id
        LEFT JOIN rewards_account AS wallet ON wallet.id = hold.account_id
        LEFT JOIN members_member AS owner ON owner.id = wallet.member_id
        LEFT JOIN rewards_transfer AS back ON back.key = 'return:' || hold.id AND back.kind = 'return'
        """,
    ),
    Check(
        _("What a redemption gave is there: a coupon of its offer, or credit"),
        "rewards_redemption",
        """
        SELECT redemption.id,
               CASE WHEN redemption.state NOT IN ('confirmed', 'refunded') THEN 'nothing'
                    WHEN reward.kind IN ('coupon', 'gift_card', 'trial')
                    THEN 'coupon' || CASE redemption.state WHEN 'refunded' THEN ' void' ELSE '' END
                    WHEN reward.kind = 'credit'
                    THEN 'credit' || CASE redemption.state WHEN 'refunded' THEN ' back' ELSE '' END
                    ELSE 'nothing' END AS expected,
               CASE WHEN coupon.id IS NOT NULL
                    THEN 'coupon' || CASE WHEN redemption.state = 'refunded' AND coupon.state = 'void'
                                          THEN ' void' ELSE '' END
                    WHEN given.id IS NOT NULL
                    THEN 'credit' || CASE WHEN back.amount = given.amount THEN ' back' ELSE '' END
                    ELSE 'nothing' END AS found
        FROM rewards_redemption AS redemption
        JOIN rewards_reward AS reward ON reward.id = redemption.reward_id
        LEFT JOIN rewards_coupon AS coupon ON coupon.id = redemption.coupon_id
        LEFT JOIN rewards_transfer AS given ON given.key = 'reward:' || redemption.id
        LEFT JOIN rewards_transfer AS back ON back.key = 'reward-back:' || redemption.id
        """,
    ),
]
