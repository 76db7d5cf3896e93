"""What `verify` holds the figures and gifts by hand to."""

from django.utils.translation import gettext_lazy as _

from rewards.services.check import Check

FIGURE_CHECKS = [
    # What the figures tell as outstanding, once by what came and went, once by what there is.
    Check(
        _("Issued, less redeemed and expired, is what lots hold and holds reserve, less what is owed"),
        "rewards_account",
        """
        SELECT issued.id, coalesce(moved.amount, 0) AS expected,
               (SELECT coalesce(sum(lot.remaining), 0) FROM rewards_lot AS lot
                JOIN rewards_account AS wallet ON wallet.id = lot.account_id AND wallet.unit = issued.unit)
               + (SELECT coalesce(sum(hold.amount), 0) FROM rewards_hold AS hold
                  JOIN rewards_account AS wallet ON wallet.id = hold.account_id AND wallet.unit = issued.unit
                  WHERE hold.state = 'reserved')
               + (SELECT coalesce(sum(balance), 0) FROM rewards_account
                  WHERE kind = 'arrears' AND unit = issued.unit) AS found
        FROM rewards_account AS issued LEFT JOIN (
            SELECT system.unit, sum(side.amount) AS amount FROM (
                SELECT debit_id AS account_id, amount FROM rewards_transfer
                UNION ALL SELECT credit_id, -amount FROM rewards_transfer
            ) AS side
            JOIN rewards_account AS system ON system.id = side.account_id
             AND system.kind IN ('issued', 'adjusted', 'redeemed', 'expired')
            GROUP BY system.unit
        ) AS moved ON moved.unit = issued.unit
        WHERE issued.kind = 'issued'
        """,
    ),
    Check(
        _("A gift that was approved or needed nobody has its transfer, and nothing else has one"),
        "rewards_grantrequest",
        """
        SELECT asked.id,
               CASE WHEN asked.segment_id IS NULL AND asked.state IN ('approved', 'free')
                    THEN asked.amount || ' by ' || asked.requested_by_id END AS expected,
               moved.amount || ' by ' || moved.actor_id AS found
        FROM rewards_grantrequest AS asked LEFT JOIN rewards_transfer AS moved ON moved.id = asked.transfer_id
        """,
    ),
    Check(
        _("A segment's gift has gone to as many members as it says, and to no more than were agreed to"),
        "rewards_grantrequest",
        """
        SELECT asked.id, least(asked.done, asked.members) || ' × ' || asked.amount AS expected,
               coalesce(given.n, 0) || ' × ' || coalesce(given.amount, asked.amount) AS found
        FROM rewards_grantrequest AS asked LEFT JOIN (
            SELECT (why->>'grant')::bigint AS id, count(*) AS n, max(amount) AS amount FROM rewards_transfer
            WHERE kind = 'adjust' AND why ? 'grant' GROUP BY 1
        ) AS given ON given.id = asked.id
        WHERE asked.segment_id IS NOT NULL
        """,
    ),
]
