"""What `verify` holds tiers, benefits and memberships to."""

from django.utils.translation import gettext_lazy as _

from rewards.queries_qualifying import DECIDED, stood
from rewards.services.check import Check

_ALL = "ARRAY(SELECT id FROM rewards_account WHERE kind = 'wallet' AND unit = 'points')"

# An import and an assessment of all put members on their tiers at the end: until then these lag behind, and that is no
# fault.
TIER_CHECKS = [
    Check(
        _("A member's tier is that of what counts in the window (left out while an import or an assessment runs)"),
        "rewards_membertier",
        f"""
        WITH {stood(own=_ALL, moment="coalesce(status.assessed_at, now())")}, {DECIDED}
        SELECT decided.member_id AS id,
               concat_ws(', ', 'points ' || points, 'spend ' || spend, 'visits ' || visits, 'rank ' || CASE
                   WHEN reached < from_rank AND (setting.downgrade = 'none' OR grace_until > at) THEN from_rank
                   WHEN reached < from_rank THEN goes_to ELSE reached END) AS expected,
               CASE WHEN is_known
                    THEN concat_ws(', ', 'points ' || qualifying_points, 'spend ' || qualifying_spend_minor,
                                   'visits ' || qualifying_visits, 'rank ' || from_rank)
                    WHEN points > 0 AND reached >= 0 THEN 'nothing'
                    ELSE concat_ws(', ', 'points ' || points, 'spend ' || spend, 'visits ' || visits,
                                   'rank ' || greatest(reached, from_rank)) END AS found
        FROM decided CROSS JOIN setting
        WHERE NOT EXISTS (SELECT FROM members_purchaseimport WHERE finished_at IS NULL AND NOT dry_run)
          AND NOT EXISTS (SELECT FROM rewards_reassessment WHERE state IN ('queued', 'running'))
        """,
    ),
    Check(
        _("A member stands where the last change of tier led"),
        "rewards_tierchange",
        """
        SELECT last.id, last.to_tier_id AS expected,
               coalesce(status.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0)) AS found
        FROM (
            SELECT DISTINCT ON (member_id) id, member_id, to_tier_id FROM rewards_tierchange
            ORDER BY member_id, at DESC, id DESC
        ) AS last
        JOIN members_member AS member ON member.id = last.member_id AND member.merged_into_id IS NULL
        LEFT JOIN rewards_membertier AS status ON status.member_id = last.member_id
        """,
    ),
    Check(
        _("What a membership cost in points is what was taken for it"),
        "rewards_planmembership",
        """
        SELECT bought.id, bought.paid_points AS expected, coalesce(paid.amount, 0) AS found
        FROM rewards_planmembership AS bought LEFT JOIN rewards_transfer AS paid ON paid.id = bought.transfer_id
        """,
    ),
]
