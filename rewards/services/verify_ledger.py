"""Checks that transfers have the shapes of their kinds, and awards the arithmetic they tell. Part of
rewards.services.verify."""

from django.utils.translation import gettext_lazy as _

from rewards.services.check import Check

# From which account to which, by kind. Staff's writing off of a debt at an erasure is an adjustment of arrears.
_WAYS = {
    "earn": ["issued wallet"],
    "gift": ["issued wallet", "issued card"],
    "adjust": ["adjusted wallet", "wallet adjusted", "adjusted arrears"],
    "redeem": ["held redeemed", "wallet redeemed"],
    "pay": ["wallet redeemed", "card redeemed"],
    "return": ["redeemed wallet", "redeemed card"],
    "expire": ["wallet expired", "card expired"],
    "reinstate": ["expired wallet", "expired card"],
    "hold": ["wallet held"],
    "release": ["held wallet"],
    "reverse": ["wallet issued", "arrears issued", "card issued"],
    "repay": ["wallet arrears"],
    "merge": ["wallet wallet", "arrears arrears"],
}
_VALUES = ", ".join(f"('{kind}', '{way}')" for kind, ways in _WAYS.items() for way in ways)
# What a kind reverses: what was given, what was paid, an expiry, a hold.
_REVERSED = """
CASE transfer.kind
    WHEN 'reverse' THEN given.kind IN ('earn', 'gift', 'adjust', 'reinstate')
    WHEN 'return' THEN given.kind IN ('pay', 'hold', 'redeem')
    WHEN 'reinstate' THEN given.kind = 'expire'
    WHEN 'release' THEN given.kind = 'hold'
    WHEN 'merge' THEN given.kind = 'merge'
    WHEN 'adjust' THEN given.kind = 'adjust'
END
"""
# An exact number, as an award keeps it: a decimal, or a fraction.
_EXACT = """CASE WHEN position('/' IN {0}) > 0 THEN split_part({0}, '/', 1)::numeric / split_part({0}, '/', 2)::numeric
                 ELSE {0}::numeric END"""
_ROUNDED = """CASE version.definition->>'rounding' WHEN 'up' THEN ceil(told.exact)
                   WHEN 'nearest' THEN floor(told.exact + 0.5) ELSE floor(told.exact) END"""

LEDGER_CHECKS = [
    Check(
        _("A transfer moves from where to where its kind says, within one unit"),
        "rewards_transfer",
        f"""
        SELECT transfer.id, concat_ws(' ', transfer.kind, source.kind, target.kind, source.unit) AS expected,
               concat_ws(' ', way.kind, source.kind, target.kind, target.unit) AS found
        FROM rewards_transfer AS transfer
        JOIN rewards_account AS source ON source.id = transfer.debit_id
        JOIN rewards_account AS target ON target.id = transfer.credit_id
        LEFT JOIN (VALUES {_VALUES}) AS way (kind, accounts)
               ON way.kind = transfer.kind AND way.accounts = concat_ws(' ', source.kind, target.kind)
        """,
    ),
    Check(
        _("What reverses a transfer reverses one that can be, of the same unit"),
        "rewards_transfer",
        f"""
        SELECT transfer.id, transfer.kind || ' of ' || transfer_side.unit AS expected,
               CASE WHEN {_REVERSED} THEN transfer.kind || ' of ' || given_side.unit
                    ELSE transfer.kind || ' of a ' || given.kind END AS found
        FROM rewards_transfer AS transfer
        JOIN rewards_account AS transfer_side ON transfer_side.id = transfer.debit_id
        JOIN rewards_transfer AS given ON given.id = transfer.reverses_id
        JOIN rewards_account AS given_side ON given_side.id = given.debit_id
        """,
    ),
    Check(
        _("What repays arrears comes out of the award, or of what came back, that it names"),
        "rewards_transfer",
        """
        SELECT repaid.id, repaid.why->>'earn' AS expected, string_agg(lot.transfer_id::text, ',') AS found
        FROM rewards_transfer AS repaid
        LEFT JOIN rewards_lotuse AS used ON used.transfer_id = repaid.id
        LEFT JOIN rewards_lot AS lot ON lot.id = used.lot_id
        WHERE repaid.kind = 'repay' AND repaid.why->'back' IS NULL GROUP BY repaid.id
        UNION ALL
        -- into its old lots, into one of its own, or on from there by a merge after it
        SELECT repaid.id, repaid.amount::text, sum(used.amount) FILTER (
                   WHERE lot.transfer_id = back.id OR opening.kind = 'merge' AND opening.id > back.id OR EXISTS (
                       SELECT FROM rewards_lotuse AS came
                       WHERE came.transfer_id = back.id AND came.lot_id = used.lot_id AND came.amount < 0)
               )::text
        FROM rewards_transfer AS repaid
        LEFT JOIN rewards_transfer AS back ON back.id = (repaid.why->>'back')::bigint AND back.kind = 'return'
        LEFT JOIN rewards_lotuse AS used ON used.transfer_id = repaid.id
        LEFT JOIN rewards_lot AS lot ON lot.id = used.lot_id
        LEFT JOIN rewards_transfer AS opening ON opening.id = lot.transfer_id
        WHERE repaid.kind = 'repay' AND repaid.why->'back' IS NOT NULL GROUP BY repaid.id
        """,
    ),
    Check(
        _("What was paid comes back to lots that were paid from, or to one of its own"),
        "rewards_transfer",
        """
        SELECT back.id, back.amount AS expected,
               coalesce(opened.amount, 0) + coalesce((
                   SELECT -sum(used.amount) FROM rewards_lotuse AS used
                   WHERE used.transfer_id = back.id AND EXISTS (
                       SELECT FROM rewards_lotuse AS taken
                       JOIN rewards_transfer AS taker ON taker.id = taken.transfer_id
                       WHERE taken.lot_id = used.lot_id AND taken.amount > 0
                         AND taker.kind IN ('pay', 'hold', 'redeem'))
               ), 0) AS found
        FROM rewards_transfer AS back LEFT JOIN rewards_lot AS opened ON opened.transfer_id = back.id
        WHERE back.kind = 'return'
        """,
    ),
    Check(
        _("A lot that staff changed has the times of its last change"),
        "rewards_lotchange",
        """
        SELECT last.id, last.now AS expected,
               CASE last.act WHEN 'activate' THEN lot.available_from
                    -- Activity of the member may have moved it further since.
                    ELSE CASE WHEN lot.inactivity_months IS NOT NULL AND lot.expires_at > last.now THEN last.now
                              ELSE lot.expires_at END END AS found
        FROM (
            SELECT DISTINCT ON (lot_id, act) * FROM rewards_lotchange ORDER BY lot_id, act, id DESC
        ) AS last JOIN rewards_lot AS lot ON lot.id = last.lot_id
        """,
    ),
    Check(
        _("What only an event sets free says which, and is taken back once its last day is over"),
        "rewards_lot",
        """
        SELECT lot.id, 'sound' AS expected,
               CASE WHEN lot.available_from < '9000-01-01 00:00+00' THEN 'sound'
                    WHEN given.why->'waits'->>'then' IS DISTINCT FROM 'cancel' THEN 'waits for nothing'
                    WHEN (given.why->'waits'->>'until')::timestamptz < now() - interval '2 days' THEN 'waits in vain'
                    ELSE 'sound' END AS found
        FROM rewards_lot AS lot JOIN rewards_transfer AS given ON given.id = lot.transfer_id
        WHERE lot.remaining > 0
        """,
    ),
    # An award that keeps what was granted says all of its arithmetic; older ones were given by amount and rate.
    Check(
        _("Points for a purchase are what the rule gives, to the member who bought"),
        "rewards_transfer",
        f"""
        SELECT transfer.id,
               CASE WHEN transfer.why ? 'granted' THEN
                   CASE WHEN told.exact = told.sum AND (transfer.why->>'asked')::numeric = {_ROUNDED}
                         AND (transfer.why->>'granted')::bigint <= (transfer.why->>'asked')::bigint
                         AND rule.unit = wallet.unit
                         AND (purchase.id IS NULL OR purchase.currency = transfer.why->>'currency' AND (
                              told.basis = ANY(paid.left_minor) OR told.basis < purchase.amount_minor
                              AND (told.parts OR paid.otherwise)))
                   THEN (transfer.why->>'granted')::bigint END
               -- What was paid, less what the first so and so many refunds gave back: those before the award.
               WHEN (transfer.why->>'amount_minor')::bigint = ANY(paid.left_minor)
                AND purchase.currency = transfer.why->>'currency'
               THEN floor((transfer.why->>'amount_minor')::numeric * currency.unit
                    * (transfer.why->>'points_per_unit')::numeric * (transfer.why->>'multiplier')::numeric)
               END || ' to member ' || coalesce(buyer.merged_into_id, buyer.id, owner.merged_into_id, owner.id)
                   AS expected,
               transfer.amount || ' to member ' || coalesce(owner.merged_into_id, owner.id) AS found
        FROM rewards_transfer AS transfer
        JOIN rewards_account AS wallet ON wallet.id = transfer.credit_id
        LEFT JOIN members_member AS owner ON owner.id = wallet.member_id
        LEFT JOIN members_purchase AS purchase ON purchase.id = transfer.purchase_id
        LEFT JOIN members_member AS buyer ON buyer.id = purchase.member_id
        LEFT JOIN rewards_ruleversion AS version ON version.id = transfer.rule_id
              AND version.rule_id = (transfer.why->>'rule')::bigint AND version.number = (transfer.why->>'version')::int
        LEFT JOIN rewards_earningrule AS rule ON rule.id = version.rule_id
        LEFT JOIN unnest(%(currencies)s::text[], %(units)s::numeric[]) AS currency (code, unit)
               ON currency.code = purchase.currency
        CROSS JOIN LATERAL (
            SELECT round({_EXACT.format("(transfer.why->>'exact')")}, 9) AS exact,
                   round(sum({_EXACT.format("(line->>2)")}), 9) AS sum, sum((line->>1)::bigint) AS basis,
                   bool_and(line->>0 IS NOT NULL) AS parts
            FROM jsonb_array_elements(transfer.why->'lines') AS line
        ) AS told
        CROSS JOIN LATERAL (
            SELECT array_agg(purchase.amount_minor - refunded.sum) AS left_minor, EXISTS (
                SELECT FROM rewards_transfer AS other WHERE other.purchase_id = purchase.id AND other.kind = 'pay'
            ) AS otherwise
            FROM (
                SELECT 0::numeric AS sum
                UNION ALL SELECT sum(refund.amount_minor) OVER (ORDER BY refund.id)
                FROM members_refund AS refund WHERE refund.purchase_id = purchase.id
            ) AS refunded
        ) AS paid
        WHERE transfer.kind = 'earn'
        """,
    ),
    Check(
        _("What a rule spent of its budget is what it gave less what was taken back"),
        "rewards_earningrule",
        """
        SELECT rule.id, coalesce(given.amount, 0) AS expected, rule.budget_spent AS found
        FROM rewards_earningrule AS rule LEFT JOIN (
            SELECT version.rule_id, sum(earn.amount - coalesce(back.amount, 0)) AS amount
            FROM rewards_ruleversion AS version
            JOIN rewards_transfer AS earn ON earn.rule_id = version.id AND earn.kind = 'earn'
            LEFT JOIN (
                SELECT reverses_id, sum(amount) AS amount FROM rewards_transfer WHERE kind = 'reverse'
                GROUP BY reverses_id
            ) AS back ON back.reverses_id = earn.id
            GROUP BY version.rule_id
        ) AS given ON given.rule_id = rule.id
        WHERE (rule.budget IS NOT NULL OR rule.budget_money IS NOT NULL) AND EXISTS (
            SELECT FROM rewards_ruleversion AS version
            WHERE version.rule_id = rule.id AND version.definition->'effect'->>'kind' <> 'coupon')
        """,
    ),
    Check(
        _("The lines of a refund are of its purchase, and no more than was bought"),
        "members_purchaseline",
        """
        SELECT line.id,
               concat_ws(' ', 'of', line.purchase_id, least(sum(back.amount_minor), greatest(line.amount_minor, 0)),
                         least(coalesce(sum(back.quantity), 0), line.quantity)) AS expected,
               concat_ws(' ', 'of', max(refund.purchase_id), sum(back.amount_minor), coalesce(sum(back.quantity), 0))
                   AS found
        FROM members_refundline AS back
        JOIN members_refund AS refund ON refund.id = back.refund_id
        JOIN members_purchaseline AS line ON line.id = back.line_id
        GROUP BY line.id
        """,
    ),
]
