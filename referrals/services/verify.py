"""What `./crm verify` holds of referrals: budgets, and that both sides were thanked once, or not at all."""

from django.utils.translation import gettext_lazy as _

from rewards.services.check import Check
from rewards.services.verify import CHECKS

REFERRAL_CHECKS = [
    Check(
        _("A referral programme has spent what it promised and gave"),
        "referrals_programme",
        """
        SELECT programme.id, programme.spent_minor::text AS expected, (coalesce((
                   SELECT sum(promised_minor) FROM referrals_referral AS referral
                   WHERE referral.programme_id = programme.id), 0) + coalesce((
                   SELECT sum(thanks.cost_minor) FROM referrals_thanksgiven AS thanks
                   JOIN referrals_referral AS referral ON referral.id = thanks.referral_id
                   WHERE referral.programme_id = programme.id AND thanks.taken_at IS NULL
                     AND thanks.occasion <> 'qualified'), 0))::text AS found
        FROM referrals_programme AS programme
        """,
    ),
    Check(
        _("No referral programme has spent more than its budget"),
        "referrals_programme",
        """
        SELECT id, NULL AS expected, CASE WHEN spent_minor > budget_minor THEN spent_minor::text END AS found
        FROM referrals_programme
        """,
    ),
    Check(
        _("Thanks that stand belong to a referral that was rewarded, or welcomed somebody, or to a milestone"),
        "referrals_thanksgiven",
        """
        SELECT thanks.id, NULL AS expected, CASE
                   WHEN thanks.taken_at IS NULL AND thanks.occasion = 'qualified' AND referral.state <> 'rewarded'
                   THEN referral.state END AS found
        FROM referrals_thanksgiven AS thanks JOIN referrals_referral AS referral ON referral.id = thanks.referral_id
        """,
    ),
    Check(
        _("Points and credit given as thanks are the transfer that they name"),
        "referrals_thanksgiven",
        """
        SELECT thanks.id, 'gift ' || thanks.amount AS expected, moved.kind || ' ' || moved.amount AS found
        FROM referrals_thanksgiven AS thanks JOIN rewards_transfer AS moved ON moved.id = thanks.transfer_id
        """,
    ),
    Check(
        _("The last step of a referral is its state"),
        "referrals_referral",
        """
        SELECT referral.id, referral.state AS expected, (
                   SELECT state FROM referrals_referralstep AS step WHERE step.referral_id = referral.id
                   ORDER BY id DESC LIMIT 1) AS found
        FROM referrals_referral AS referral
        """,
    ),
]


def register_all() -> None:
    known = {str(check.name) for check in CHECKS}
    CHECKS.extend(check for check in REFERRAL_CHECKS if str(check.name) not in known)
