"""What `./crm verify` holds of cases: states against their history, remedies against what was given."""

from django.utils.translation import gettext_lazy as _

from rewards.services.check import Check
from rewards.services.verify import CHECKS

CASE_CHECKS = [
    Check(
        _("Each case is in the state that its history ended in"),
        "surveys_case",
        """
        SELECT one.id, one.state AS expected, coalesce(
            (SELECT data ->> 'to' FROM surveys_casechange WHERE case_id = one.id AND what IN ('state', 'reopened')
             ORDER BY id DESC LIMIT 1), 'new') AS found
        FROM surveys_case AS one
        WHERE one.state <> 'merged' AND NOT EXISTS (
            SELECT FROM surveys_casechange WHERE case_id = one.id AND what = 'took_in')
        """,
    ),
    Check(
        _("Each coupon that was given for a case is that member's"),
        "surveys_remedy",
        """
        SELECT remedy.id, one.member_id AS expected, coupon.member_id AS found
        FROM surveys_remedy AS remedy JOIN surveys_case AS one ON one.id = remedy.case_id
        JOIN rewards_coupon AS coupon ON coupon.id = remedy.coupon_id
        JOIN members_member AS member ON member.id = one.member_id AND member.erased_at IS NULL
        """,
    ),
    Check(
        _("Points given for a case are what was asked for"),
        "surveys_remedy",
        """
        SELECT remedy.id, remedy.points AS expected, asked.amount AS found
        FROM surveys_remedy AS remedy JOIN rewards_grantrequest AS asked ON asked.id = remedy.grant_id
        """,
    ),
]


def register_all() -> None:
    """Adds them to what `verify` looks at. Called once, when the app is ready."""
    CHECKS.extend(CASE_CHECKS)
