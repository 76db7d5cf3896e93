"""Putting everybody on the tier that they reach, night after night. docs/tiers.md."""

from collections.abc import Iterator
from datetime import datetime

from common.sql import execute, fetch_all
from rewards.models import TierNight
from rewards.queries import purses, wallets
from rewards.queries_qualifying import COUNTS, SETTING, STEP
from rewards.services.tiers import CHUNK, assess_members, chunks, lagging

LOOK = 20_000  # members looked at a time, without a lock: on most nights little changes

# The ladder as it is, and whether it asks for nothing but points of the last 12 months: then one reading of transfers
# tells for whom nothing can have changed.
_LADDER = f"""
SELECT span = 'rolling' AND NOT EXISTS (
           SELECT FROM rewards_tier WHERE coalesce(spend_minor, visits, tenure_days) IS NOT NULL) AS is_plain,
       md5(concat(to_jsonb(setting), (SELECT jsonb_agg(step ORDER BY rank) FROM ({STEP}) AS step), ARRAY(
           SELECT id FROM rewards_ruleversion WHERE definition->'counts_for_tier' = 'false' ORDER BY id)))::uuid,
       clock_timestamp()
FROM ({SETTING}) AS setting
"""
# Since the last night a sum can only have changed by a transfer that came, whenever it counts from, or by one that
# ceased to count; and time brings days of grace to their end, and notices. Who came is looked at again.
_SINCE = f"""
CREATE TEMP TABLE rewards_stirred AS
WITH moments AS (
    SELECT %(last)s::timestamptz AS last, %(at)s::timestamptz AS at, %(at)s::timestamptz + notice AS told,
           greatest(notice - grace, interval '0') AS ahead
    FROM ({SETTING}) AS setting
),
ceased AS (
    SELECT earn.credit_id FROM moments, rewards_transfer AS earn
    WHERE earn.kind = 'earn' AND earn.at > last - interval '12 months 1 day'
      AND earn.at <= moments.at - interval '12 months' + interval '1 day'
      AND earn.at + interval '12 months' > last AND earn.at + interval '12 months' <= moments.at
    UNION
    SELECT earn.credit_id FROM moments, rewards_transfer AS earn
    WHERE ahead > interval '0' AND earn.kind = 'earn' AND earn.at > last + ahead - interval '12 months 1 day'
      AND earn.at <= moments.at + ahead - interval '12 months' + interval '1 day'
      AND earn.at + interval '12 months' > last + ahead AND earn.at + interval '12 months' <= moments.at + ahead
),
came AS (
    SELECT unnest(ARRAY[debit_id, credit_id]) AS account_id FROM rewards_transfer
    WHERE created_at >= %(began)s::timestamptz - interval '1 hour'
),
found (member_id, came) AS (
    SELECT account.member_id, false FROM ceased JOIN rewards_account AS account ON account.id = credit_id
    UNION ALL
    SELECT account.member_id, true FROM came JOIN rewards_account AS account ON account.id = account_id
    WHERE account.member_id IS NOT NULL
    UNION ALL
    SELECT member_id, false FROM moments, rewards_membertier
    WHERE grace_until <= moments.told AND (grace_until <= moments.at OR noticed_at IS NULL)
)
SELECT coalesce(member.merged_into_id, member.id) AS member_id, bool_and(found.came) AS came
FROM found JOIN members_member AS member ON member.id = found.member_id GROUP BY 1
"""
# Of wallets on a plain ladder: who may not keep what they have. The others have what they had, on the tier that
# this reaches, and keep it until a notice would be due.
_UNSETTLED = f"""
WITH setting AS MATERIALIZED (
    SELECT at, probe, at - interval '12 months' + interval '3 days' AS surely,
           probe - interval '12 months' + interval '3 days' AS surely_later
    FROM (
        SELECT %(at)s::timestamptz AS at, %(at)s::timestamptz + greatest(notice - grace, interval '0') AS probe
        FROM ({SETTING}) AS saved
    ) AS moments
),
given AS MATERIALIZED (
    SELECT earn.id, earn.credit_id, earn.at, earn.amount FROM rewards_transfer AS earn
    WHERE earn.credit_id = ANY(%(own)s::bigint[]) AND earn.kind = 'earn'
      AND earn.at >= %(at)s::timestamptz - interval '12 months 1 day' AND ({COUNTS})
),
back AS (
    SELECT taken.reverses_id, sum(taken.amount)::bigint AS amount
    FROM given JOIN rewards_transfer AS taken ON taken.reverses_id = given.id AND taken.kind = 'reverse'
    GROUP BY taken.reverses_id
),
earned AS (
    -- Adding months is slow: most transfers are so young that none need be added.
    SELECT given.credit_id,
           sum(given.amount - coalesce(back.amount, 0)) FILTER (
               WHERE given.at > surely OR given.at + interval '12 months' > setting.at) AS now,
           sum(given.amount - coalesce(back.amount, 0)) FILTER (
               WHERE given.at > surely_later OR given.at + interval '12 months' > setting.probe) AS later
    FROM given CROSS JOIN setting LEFT JOIN back ON back.reverses_id = given.id GROUP BY given.credit_id
),
points AS (
    SELECT coalesce(member.merged_into_id, member.id) AS member_id, coalesce(sum(earned.now), 0)::bigint AS now,
           coalesce(sum(earned.later), 0)::bigint AS later
    FROM rewards_account AS wallet JOIN members_member AS member ON member.id = wallet.member_id
    LEFT JOIN earned ON earned.credit_id = wallet.id
    WHERE wallet.id = ANY(%(own)s::bigint[]) GROUP BY 1
)
SELECT points.member_id FROM points
LEFT JOIN rewards_membertier AS status ON status.member_id = points.member_id
LEFT JOIN rewards_tier AS held ON held.id = status.tier_id
WHERE NOT coalesce(
    status.assessed_at <= %(at)s AND status.grace_until IS NULL AND status.noticed_at IS NULL
    AND status.qualifying_points = points.now AND status.qualifying_spend_minor = 0 AND status.qualifying_visits = 0
    AND least(points.now, points.later) >= coalesce(held.threshold, 0)
    AND NOT EXISTS (
        SELECT FROM rewards_tier AS higher WHERE higher.rank > held.rank AND higher.threshold <= points.now
    ), false)
"""


def reassess_all(*, at: datetime) -> int:
    """Puts all members on the tier that they have reached; how many changed tier. In chunks, each in a transaction of
    its own: killed at any moment, the next run does what is left. Nobody's assessment goes back: who was assessed after
    `at` is assessed anew as of then."""
    is_plain, ladder, began_at = fetch_all(_LADDER)[0]
    last = TierNight.objects.filter(ladder=ladder, at__lte=at).first() if is_plain else None
    changed = 0
    for members in _stirred(last, at) if last else _all(at, is_plain):
        for start in range(0, len(members), CHUNK):
            changed += assess_members(members[start : start + CHUNK], at, always=False)
    night = {"at": at, "began_at": began_at, "ladder": ladder}
    TierNight.objects.update_or_create(pk=1, defaults=night)
    return changed


def _all(at: datetime, is_plain: bool) -> Iterator[list[int]]:
    """Of everybody, those for whom an assessment may change something, and those who were never looked at, for want of
    a wallet."""
    for members in chunks(size=LOOK):
        found = _unsettled(members, at) if is_plain else lagging(members, at)
        held = wallets(members).values_list("member_id", flat=True)
        yield sorted({*found} | ({*members} - {*held}))


def _stirred(last: TierNight, at: datetime) -> Iterator[list[int]]:
    """Of those for whom something moved since the last night, those for whom an assessment may change something."""
    execute("DROP TABLE IF EXISTS pg_temp.rewards_stirred")
    execute(_SINCE, {"last": last.at, "at": at, "began": last.began_at})
    execute("CREATE INDEX ON rewards_stirred (member_id)")
    execute("ANALYZE rewards_stirred")
    after = 0
    while rows := fetch_all(_NEXT, [after, LOOK]):
        after = rows[-1][0]
        came = [member for member, only_came in rows if only_came]
        yield sorted({member for member, only_came in rows if not only_came}.union(_unsettled(came, at)))
    execute("DROP TABLE rewards_stirred")


_NEXT = "SELECT member_id, came FROM rewards_stirred WHERE member_id > %s ORDER BY member_id LIMIT %s"


def _unsettled(members: list[int], at: datetime) -> list[int]:
    """Those who do not surely keep what they have, on a plain ladder."""
    own = purses(member_ids=members).own
    return [row[0] for row in fetch_all(_UNSETTLED, {"at": at, "own": own})] if members else []
