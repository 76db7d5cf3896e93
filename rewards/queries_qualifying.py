"""What counts towards tiers, and which tier it reaches: the parts of which all statements about tiers are made.

A single purchase, the night, the preview of an edit, `verify` and the member's own page so count alike. docs/tiers.md.
"""

# How members qualify, as it is saved. A preview gives other rows of the same shape.
SETTING = """
SELECT coalesce(settings.tier_window, 'rolling') AS span, coalesce(settings.downgrade, 'fit') AS downgrade,
       make_interval(days => coalesce(settings.grace_days, 0)) AS grace,
       make_interval(days => coalesce(settings.notice_days, 30)) AS notice,
       coalesce(programme.time_zone, 'UTC') AS zone, coalesce(programme.currency, 'EUR') AS currency
FROM (VALUES (1)) AS one (id)
LEFT JOIN rewards_rewardsettings AS settings USING (id) LEFT JOIN members_programme AS programme USING (id)
"""
STEP = "SELECT id, rank, threshold, spend_minor, visits, tenure_days, combine FROM rewards_tier"


def meets(step: str, points: str, spend: str, visits: str, days: str) -> str:
    """SQL: whether what counts reaches a step. What a step does not ask for is reached (all), or is no way (any)."""
    pairs = ((points, "threshold"), (spend, "spend_minor"), (visits, "visits"), (days, "tenure_days"))
    every = " AND ".join(f"coalesce({has} >= {step}.{asked}, true)" for has, asked in pairs)
    some = " OR ".join(f"coalesce({has} >= {step}.{asked}, false)" for has, asked in pairs)
    return f"({step}.rank = 0 OR CASE {step}.combine WHEN 'any' THEN {some} ELSE {every} END)"


_YEARLY = "setting.span IN ('calendar', 'membership')"  # in a CASE: else nobody's years are reckoned
# Adding months is slow, and most of what counts is so young that none need be added.
_NOW = """CASE WHEN who.span = 'rolling' THEN {at} > who.surely OR {at} + interval '12 months' > who.at
                 ELSE {at} >= who.since END"""
_BEFORE = "who.is_yearly AND {at} < who.since AND {at} >= who.floor"
_LATER = """CASE WHEN who.span = 'rolling' THEN {at} > who.surely_later OR {at} + interval '12 months' > who.probe
                   ELSE {at} >= who.since END"""
VISIT = "(bought.amount_minor > bought.refunded_minor OR bought.amount_minor = 0)"
DAY = "(bought.purchased_at AT TIME ZONE who.zone)::date"


# Of `earn`: whether what a rule gave counts for tiers.
COUNTS = """
earn.rule_id IS NULL OR earn.rule_id <> ALL (ARRAY(
    SELECT id FROM rewards_ruleversion WHERE definition->'counts_for_tier' = 'false'))
"""


def _totals(value: str, at: str) -> str:
    return ", ".join(
        f"coalesce(sum({value}) FILTER (WHERE {when.format(at=at)}), 0)::bigint AS {name}"
        for name, when in (("now", _NOW), ("before", _BEFORE), ("later", _LATER))
    )


def stood(*, own: str, moment: str, setting: str = SETTING, step: str = STEP) -> str:
    """The CTEs `setting`, `step`, `wallet`, `who` (one row per owner of the wallets `own`), `earned`, and `stood`: who
    with what counts at `moment`, what counted in the year before (in windows of a year), and what will still count at
    `probe`, when a notice would be due.

    12 calendar months count from the purchase; the bound `floor` is a day longer, because a year from 29 February is
    shorter than a year back to it. What a rule gives that does not count for tiers is left out. Purchases are read only
    where a step asks for spend or visits.
    """
    return f"""
setting AS MATERIALIZED ({setting}),
step AS MATERIALIZED ({step}),
wallet AS (
    SELECT wallet.id, coalesce(member.merged_into_id, member.id) AS member_id
    FROM rewards_account AS wallet JOIN members_member AS member ON member.id = wallet.member_id
    WHERE wallet.id = ANY({own})
),
who AS MATERIALIZED (
    SELECT member.id AS member_id, member.joined_at, moment.at, setting.span, setting.zone, setting.currency,
           {_YEARLY} AS is_yearly,
           status.member_id IS NOT NULL AS is_known, status.tier_id, status.since AS tier_since, status.grace_until,
           status.noticed_at, status.qualifying_points, status.qualifying_spend_minor, status.qualifying_visits,
           moment.at + greatest(setting.notice - setting.grace, interval '0') AS probe,
           moment.at - interval '12 months' + interval '3 days' AS surely,
           moment.at + greatest(setting.notice - setting.grace, interval '0') - interval '12 months'
               + interval '3 days' AS surely_later,
           CASE setting.span WHEN 'rolling' THEN moment.at - interval '12 months 1 day'
                             WHEN 'lifetime' THEN '-infinity' ELSE year.since END AS since,
           CASE setting.span WHEN 'rolling' THEN moment.at - interval '12 months 1 day'
                             WHEN 'lifetime' THEN '-infinity' ELSE year.before END AS floor,
           year.ends, year.next_ends
    FROM (SELECT DISTINCT member_id FROM wallet) AS one
    JOIN members_member AS member ON member.id = one.member_id
    LEFT JOIN rewards_membertier AS status ON status.member_id = member.id
    CROSS JOIN setting
    CROSS JOIN LATERAL (SELECT {moment} AS at OFFSET 0) AS moment
    CROSS JOIN LATERAL (
        SELECT moment.at AT TIME ZONE setting.zone AS now,
               CASE setting.span WHEN 'membership' THEN (member.joined_at AT TIME ZONE setting.zone)::date
                                 ELSE date '2000-01-01' END AS anchor
        OFFSET 0
    ) AS local
    CROSS JOIN LATERAL (
        SELECT (extract(year FROM local.now) - extract(year FROM local.anchor))::int AS n OFFSET 0
    ) AS rough
    CROSS JOIN LATERAL (
        SELECT rough.n - (local.anchor + make_interval(years => rough.n) > local.now)::int AS n
        OFFSET 0
    ) AS nth
    CROSS JOIN LATERAL (
        SELECT CASE WHEN {_YEARLY} THEN (local.anchor + make_interval(years => nth.n - 1))
                   AT TIME ZONE setting.zone END AS before,
               CASE WHEN {_YEARLY} THEN (local.anchor + make_interval(years => nth.n))
                   AT TIME ZONE setting.zone END AS since,
               CASE WHEN {_YEARLY} THEN (local.anchor + make_interval(years => nth.n + 1))
                   AT TIME ZONE setting.zone END AS ends,
               CASE WHEN {_YEARLY} THEN (local.anchor + make_interval(years => nth.n + 2))
                   AT TIME ZONE setting.zone END AS next_ends
        OFFSET 0
    ) AS year
),
given AS (
    SELECT earn.id, earn.credit_id, earn.at, earn.amount FROM rewards_transfer AS earn
    WHERE earn.credit_id = ANY({own}) AND earn.kind = 'earn' AND earn.at >= (SELECT min(floor) FROM who)
      AND ({COUNTS})
),
earned AS (
    SELECT given.credit_id AS wallet_id, given.at, given.amount - coalesce(back.amount, 0) AS points
    FROM given LEFT JOIN (
        SELECT taken.reverses_id, sum(taken.amount)::bigint AS amount
        FROM given JOIN rewards_transfer AS taken ON taken.reverses_id = given.id AND taken.kind = 'reverse'
        GROUP BY taken.reverses_id
    ) AS back ON back.reverses_id = given.id
),
points AS (
    SELECT who.member_id, {_totals("earned.points", "earned.at")},
           min(earned.at) FILTER (WHERE {_NOW.format(at="earned.at")}) AS counts_since
    FROM who JOIN wallet USING (member_id) JOIN earned ON earned.wallet_id = wallet.id GROUP BY who.member_id
),
bought AS (
    SELECT who.member_id,
           {
        _totals(
            "CASE WHEN bought.currency = who.currency THEN bought.amount_minor - bought.refunded_minor END",
            "bought.purchased_at",
        )
    },
           count(DISTINCT {DAY}) FILTER (WHERE {VISIT} AND {_NOW.format(at="bought.purchased_at")}) AS visits_now,
           count(DISTINCT {DAY}) FILTER (WHERE {VISIT} AND {_BEFORE.format(at="bought.purchased_at")})
               AS visits_before,
           count(DISTINCT {DAY}) FILTER (WHERE {VISIT} AND {_LATER.format(at="bought.purchased_at")}) AS visits_later
    FROM who JOIN members_purchase AS bought
      ON bought.member_id = who.member_id AND bought.purchased_at >= who.floor
    WHERE (SELECT bool_or(spend_minor IS NOT NULL OR visits IS NOT NULL) FROM step)
    GROUP BY who.member_id
),
stood AS (
    SELECT who.*, coalesce(points.now, 0) AS points, coalesce(bought.now, 0) AS spend,
           coalesce(bought.visits_now, 0) AS visits,
           coalesce(points.before, 0) AS points_before, coalesce(bought.before, 0) AS spend_before,
           coalesce(bought.visits_before, 0) AS visits_before,
           coalesce(points.later, 0) AS points_later, coalesce(bought.later, 0) AS spend_later,
           coalesce(bought.visits_later, 0) AS visits_later,
           floor(extract(epoch FROM who.at - who.joined_at) / 86400)::int AS days, points.counts_since
    FROM who LEFT JOIN points USING (member_id) LEFT JOIN bought USING (member_id)
)"""


# Which tier each of `stood` holds, reaches, and comes to; -1 where a programme has no tier of rank 0 to stand on.
# In windows of a year, what was reached in a year is kept to the end of the next. One level at a time falls once a
# year. `goes_to` is where a fall would lead, grace or none; `new_rank` where the member stands from now on.
DECIDED = f"""
ranked AS MATERIALIZED (
    SELECT stood.*, held.from_rank, coalesce(found.reached, -1) AS reached,
           CASE WHEN stood.span = 'rolling' THEN coalesce(found.later, -1)
                WHEN stood.probe >= stood.ends THEN coalesce(found.this, -1)
                ELSE coalesce(found.reached, -1) END AS later,
           coalesce(found.lower, -1) AS lower
    FROM stood
    LEFT JOIN step AS present ON present.id = stood.tier_id
    LEFT JOIN step AS base ON base.rank = 0
    CROSS JOIN LATERAL (SELECT coalesce(present.rank, base.rank, -1) AS from_rank OFFSET 0) AS held
    CROSS JOIN LATERAL (
        SELECT max(one.rank) FILTER (WHERE one.now OR one.before) AS reached,
               max(one.rank) FILTER (WHERE one.now) AS this,
               max(one.rank) FILTER (WHERE one.later) AS later,
               max(one.rank) FILTER (WHERE one.rank < held.from_rank) AS lower
        FROM (
            SELECT step.rank, {meets("step", "stood.points", "stood.spend", "stood.visits", "stood.days")} AS now,
                   stood.is_yearly AND {
    meets("step", "stood.points_before", "stood.spend_before", "stood.visits_before", "stood.days")
} AS before,
                   {
    meets("step", "stood.points_later", "stood.spend_later", "stood.visits_later", "stood.days")
} AS later
            FROM step
        ) AS one
    ) AS found
),
decided AS (
    SELECT ranked.*, going.goes_to, going.falls, coming.new_rank, kept.new_grace,
           -- A notice: the tier held from now on will be lost within the days of notice, if nothing more comes.
           setting.downgrade <> 'none' AND setting.notice > interval '0' AND coming.new_rank > 0
           AND coalesce(kept.new_grace <= ranked.at + setting.notice, ranked.later < coming.new_rank) AS warned
    FROM ranked CROSS JOIN setting
    CROSS JOIN LATERAL (
        SELECT CASE WHEN ranked.reached >= ranked.from_rank THEN ranked.reached
                    WHEN setting.downgrade = 'none' THEN ranked.from_rank
                    WHEN setting.downgrade = 'one' THEN ranked.lower ELSE ranked.reached END AS goes_to,
               ranked.reached < ranked.from_rank AND setting.downgrade <> 'none' AS is_due,
               ranked.reached < ranked.from_rank AND setting.downgrade <> 'none'
               AND coalesce(ranked.grace_until <= ranked.at, setting.grace = interval '0') AS falls
        OFFSET 0
    ) AS going
    CROSS JOIN LATERAL (
        SELECT CASE WHEN going.is_due AND NOT going.falls THEN ranked.from_rank ELSE going.goes_to END AS new_rank
        OFFSET 0
    ) AS coming
    CROSS JOIN LATERAL (
        SELECT CASE WHEN going.is_due AND NOT going.falls THEN coalesce(ranked.grace_until, ranked.at + setting.grace)
                    WHEN going.falls AND going.goes_to > ranked.reached
                    THEN ranked.at + greatest(interval '12 months', setting.grace) END AS new_grace
        OFFSET 0
    ) AS kept
)"""
