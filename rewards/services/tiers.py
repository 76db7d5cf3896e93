"""Putting members on the tiers that they reach, and telling them before they lose one. docs/tiers.md."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from common.sql import fetch_all, fetch_prepared
from members.events import record_many
from rewards.enums import TierCause, Unit
from rewards.events import TIER_CHANGED, TIER_WILL_DROP
from rewards.models import Tier
from rewards.queries import PURSES, purses, wallets
from rewards.queries_qualifying import COUNTS, DECIDED, SETTING, stood
from rewards.queries_tiers import standings
from rewards.services.ledger import lock_wallets

CHUNK = 5_000  # wallets locked at a time: tills wait for one chunk, not for the night
LOOK = 20_000  # wallets looked at a time, without a lock: on most nights little changes
FEW = 50  # up to so many wallets, one statement finds those that belong together by itself

_MOVED = f"""
{DECIDED},
moved AS (
    SELECT decided.*, coalesce(decided.tier_id, base.id) AS from_id, came.id AS to_id,
           decided.warned AND (decided.noticed_at IS NULL OR decided.new_rank <> decided.from_rank) AS is_news
    FROM decided LEFT JOIN step AS came ON came.rank = decided.new_rank LEFT JOIN step AS base ON base.rank = 0
)"""
_DIFFERS = """
(is_news OR to_id IS DISTINCT FROM from_id OR points IS DISTINCT FROM qualifying_points
 OR spend <> qualifying_spend_minor OR visits <> qualifying_visits
 OR new_grace IS DISTINCT FROM grace_until OR NOT warned AND noticed_at IS NOT NULL)"""
_WRITE = f"""
{_MOVED},
kept AS (
    INSERT INTO rewards_membertier AS status (member_id, tier_id, qualifying_points, qualifying_spend_minor,
        qualifying_visits, since, grace_until, noticed_at, assessed_at)
    SELECT member_id, to_id, points, spend, visits, at, new_grace,
           CASE WHEN is_news THEN at WHEN warned THEN noticed_at END, at
    FROM moved
    WHERE to_id IS NOT NULL
      AND (%(always)s OR {_DIFFERS})
    ON CONFLICT (member_id) DO UPDATE
    SET tier_id = excluded.tier_id, qualifying_points = excluded.qualifying_points,
        qualifying_spend_minor = excluded.qualifying_spend_minor, qualifying_visits = excluded.qualifying_visits,
        grace_until = excluded.grace_until, noticed_at = excluded.noticed_at, assessed_at = excluded.assessed_at,
        since = CASE WHEN status.tier_id = excluded.tier_id THEN status.since ELSE excluded.since END
),
gone AS (
    DELETE FROM rewards_membertier AS status USING moved
    WHERE status.member_id = moved.member_id AND moved.to_id IS NULL
),
noted AS (
    INSERT INTO rewards_tierchange (member_id, from_tier_id, to_tier_id, cause, why, actor_id, at)
    SELECT member_id, from_id, to_id,
           coalesce(%(cause)s, CASE WHEN new_rank > from_rank THEN 'earned' ELSE 'lost' END),
           jsonb_strip_nulls(jsonb_build_object(
               'points', points, 'spend_minor', spend, 'visits', visits, 'days', days, 'window', span,
               'before', CASE WHEN is_yearly THEN jsonb_build_object(
                   'points', points_before, 'spend_minor', spend_before, 'visits', visits_before) END,
               'asked', (SELECT to_jsonb(step) - 'id' FROM step WHERE step.rank = greatest(new_rank, from_rank)))),
           %(actor)s::bigint, at
    FROM moved WHERE to_id IS DISTINCT FROM from_id
)
SELECT moved.member_id, moved.at, moved.from_id, moved.to_id, moved.new_rank > moved.from_rank, moved.is_news,
       tier.name_en, tier.name_zh_hans
FROM moved LEFT JOIN rewards_tier AS tier ON tier.id = moved.to_id
WHERE moved.to_id IS DISTINCT FROM moved.from_id OR moved.is_news
"""
# An assessment never goes back: who was assessed after `at` is assessed as of then.
_MOMENT = "greatest(%(at)s::timestamptz, status.assessed_at)"
_ASSESS = f"WITH {stood(own='%(own)s::bigint[]', moment=_MOMENT)}, {_WRITE}"
_LAGGING = f"""
WITH {stood(own="%(own)s::bigint[]", moment=_MOMENT)}, {_MOVED}
SELECT member_id FROM moved WHERE {_DIFFERS}
"""
# Where all steps ask for nothing but points of the last 12 months, one reading of the transfers tells for whom nothing
# can have changed: they have what they had, on the tier that this reaches, and keep it until a notice would be due.
_PLAIN = f"""
SELECT setting.span = 'rolling' AND NOT EXISTS (
    SELECT FROM rewards_tier WHERE coalesce(spend_minor, visits, tenure_days) IS NOT NULL
) FROM ({SETTING}) AS setting
"""
_STIRRED = f"""
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
_ASSESS_FEW = f"""
WITH purse (own, ever) AS ({PURSES}),
{stood(own="(SELECT own FROM purse)::bigint[]", moment=_MOMENT)}, {_WRITE}
"""


def _next(last: int, size: int) -> list[int]:
    """Members to assess, in their order. Who never had a wallet earned nothing; only time brings them further."""
    if Tier.objects.filter(tenure_days__isnull=False).exists():
        source = "SELECT id FROM members_member WHERE id > %s AND merged_into_id IS NULL AND erased_at IS NULL"
    else:
        source = "SELECT member_id FROM rewards_account WHERE member_id > %s AND unit = 'points' AND kind = 'wallet'"
    return [row[0] for row in fetch_all(f"{source} ORDER BY 1 LIMIT %s", [last, size])]


def chunks(last: int = 0, size: int = 0) -> Iterator[list[int]]:
    """All members who may stand on a tier, after the member `last`, in chunks of CHUNK or `size`."""
    while chunk := _next(last, size or CHUNK):
        yield chunk
        last = chunk[-1]


def _lagging(members: list[int], at: datetime) -> list[int]:
    """Those for whom an assessment may change something, and those who were never looked at, for want of a wallet."""
    own = purses(member_ids=members).own
    ((is_plain,),) = fetch_all(_PLAIN)
    found = {row[0] for row in fetch_all(_STIRRED if is_plain else _LAGGING, {"at": at, "own": own})}
    held = wallets(members).values_list("member_id", flat=True)
    return sorted(found | (set(members) - set(held)))


def reassess(*, at: datetime, member_ids: Sequence[int] | None = None) -> int:
    """Puts members (by default all) on the tier they have reached; how many changed tier.

    Nobody's assessment goes back: who was assessed after `at` is assessed anew as of then. All are done in chunks, each
    in a transaction of its own; named members in one.
    """
    if member_ids is not None:
        return assess_members(sorted(set(member_ids)), at, always=True)
    changed = 0
    for chunk in chunks(size=LOOK):
        members = _lagging(chunk, at)
        for start in range(0, len(members), CHUNK):
            changed += assess_members(members[start : start + CHUNK], at, always=False)
    return changed


@transaction.atomic
def assess_members(
    members: list[int], at: datetime, *, always: bool, cause: TierCause | None = None, actor_id: int | None = None
) -> int:
    """Locks the members' wallets and assesses them; how many changed tier."""
    return assess(lock_wallets(members), at, always=always, cause=cause, actor_id=actor_id)


def assess(
    wallet_ids: list[int],
    at: datetime,
    *,
    always: bool = True,
    cause: TierCause | None = None,
    actor_id: int | None = None,
) -> int:
    """Assesses the members of wallets that the caller has locked, by all that they and those merged into them did; how
    many changed tier. Without `always`, a row in which nothing would change is not written. `cause` is kept with each
    change in the place of "reached" and "no longer reached". One statement for a few, one more for many, and one for
    each kind of event that there is something to tell of."""
    if not wallet_ids:
        return 0
    params: dict[str, Any] = {"at": at, "always": always, "cause": cause, "actor": actor_id}
    if len(wallet_ids) <= FEW:
        rows = fetch_prepared(_ASSESS_FEW, {**params, "members": [], "wallets": wallet_ids, "unit": Unit.POINTS})
    else:
        rows = fetch_all(_ASSESS, {**params, "own": purses(wallet_ids=wallet_ids).own})
    changed: list[tuple[int, datetime, dict[str, Any]]] = []
    warned: list[tuple[int, datetime, dict[str, Any]]] = []
    for member, moment, old, new, up, is_news, en, zh in rows:
        name = {"en": en, "zh-hans": zh} if new else None
        if new != old:
            changed.append((member, moment, {"from": old, "to": new, "up": up, "name": name}))
        if is_news:
            warned.append((member, moment, {"tier": new, "name": name}))
    record_many(kind=TIER_CHANGED, events=changed, actor_id=actor_id)
    if warned:
        record_many(kind=TIER_WILL_DROP, events=_with_days(warned, at))
    return len(changed)


def _with_days(
    warned: list[tuple[int, datetime, dict[str, Any]]], at: datetime
) -> list[tuple[int, datetime, dict[str, Any]]]:
    """What members are told before they lose a tier, with its last day and what is missing to keep it."""
    known = standings([member for member, _moment, _data in warned], max(moment for _member, moment, _data in warned))
    for member, _moment, data in warned:
        standing = known[member]
        data["until"] = (standing.keep_until or timezone.localdate(at)).isoformat()
        data["missing"] = {one.kind: one.missing for one in standing.to_keep if one.missing}
        data["currency"] = standing.currency
    return warned
