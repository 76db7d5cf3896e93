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
from rewards.queries import PURSES, purses
from rewards.queries_qualifying import COUNTS, DECIDED, SETTING, stood
from rewards.queries_tiers import standings
from rewards.services.ledger import lock_wallets

CHUNK = 5_000  # wallets locked at a time: tills wait for one chunk, not for the night
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
        qualifying_visits, since, grace_until, noticed_at, assessed_at, counted_to, counts_until)
    SELECT member_id, to_id, points, spend, visits, at, new_grace,
           CASE WHEN is_news THEN at WHEN warned THEN noticed_at END, at,
           -- The wallet is locked: what comes to it has an id that is drawn later.
           CASE span WHEN 'rolling' THEN (SELECT last_value FROM rewards_transfer_id_seq) END,
           CASE span WHEN 'rolling' THEN coalesce(counts_since, at) + interval '12 months' END
    FROM moved
    WHERE to_id IS NOT NULL
      AND (%(always)s OR {_DIFFERS})
    ON CONFLICT (member_id) DO UPDATE
    SET tier_id = excluded.tier_id, qualifying_points = excluded.qualifying_points,
        qualifying_spend_minor = excluded.qualifying_spend_minor, qualifying_visits = excluded.qualifying_visits,
        grace_until = excluded.grace_until, noticed_at = excluded.noticed_at, assessed_at = excluded.assessed_at,
        counted_to = excluded.counted_to, counts_until = excluded.counts_until,
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
# For a till that waits: who surely stays where they are is assessed by one look at what their wallet was given.
# Not those with whom others were merged, whose wallets count as well.
CALM = f"""
UPDATE rewards_membertier AS status SET qualifying_points = counted.now, assessed_at = setting.at
FROM (
    SELECT at, probe, at - interval '12 months' + interval '3 days' AS surely,
           probe - interval '12 months' + interval '3 days' AS surely_later, at - interval '12 months 1 day' AS floor
    FROM (
        SELECT %(at)s::timestamptz AS at, %(at)s::timestamptz + greatest(notice - grace, interval '0') AS probe
        FROM ({SETTING}) AS saved WHERE span = 'rolling' OFFSET 0
    ) AS moments OFFSET 0
) AS setting, rewards_account AS wallet JOIN members_member AS member ON member.id = wallet.member_id, LATERAL (
    SELECT coalesce(sum(points) FILTER (
               WHERE given.at > surely OR given.at + interval '12 months' > setting.at), 0)::bigint AS now,
           coalesce(sum(points) FILTER (
               WHERE given.at > surely_later OR given.at + interval '12 months' > setting.probe), 0)::bigint AS later
    FROM (
        SELECT earn.at, earn.amount - coalesce((
            SELECT sum(amount) FROM rewards_transfer WHERE reverses_id = earn.id AND kind = 'reverse'), 0) AS points
        FROM rewards_transfer AS earn
        WHERE earn.credit_id = wallet.id AND earn.kind = 'earn' AND ({COUNTS}) AND earn.at >= setting.floor
        OFFSET 0
    ) AS given
) AS counted, rewards_tier AS held
WHERE NOT EXISTS (SELECT FROM rewards_tier WHERE coalesce(spend_minor, visits, tenure_days) IS NOT NULL)
  AND wallet.id = ANY(%(wallets)s::bigint[]) AND wallet.unit = 'points' AND wallet.kind = 'wallet'
  AND member.merged_into_id IS NULL
  AND NOT EXISTS (SELECT FROM members_member AS merged WHERE merged.merged_into_id = member.id)
  AND status.member_id = member.id AND held.id = status.tier_id AND status.assessed_at <= setting.at
  AND status.grace_until IS NULL AND status.noticed_at IS NULL
  AND status.qualifying_spend_minor = 0 AND status.qualifying_visits = 0
  AND least(counted.now, counted.later) >= coalesce(held.threshold, 0)
  AND NOT EXISTS (
      SELECT FROM rewards_tier AS higher WHERE higher.rank > held.rank AND higher.threshold <= counted.now)
RETURNING status.member_id
"""
_CALM = f"""
WITH calm AS ({CALM})
SELECT own.id FROM calm JOIN rewards_account AS own ON own.member_id = calm.member_id AND own.kind = 'wallet'
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


def lagging(members: list[int], at: datetime) -> list[int]:
    """Those of them with a wallet for whom an assessment may change something."""
    own = purses(member_ids=members).own
    return [row[0] for row in fetch_all(_LAGGING, {"at": at, "own": own})]


def reassess(*, at: datetime, member_ids: Sequence[int]) -> int:
    """Puts members on the tier that they have reached, in one transaction; how many changed tier. Nobody's assessment
    goes back: who was assessed after `at` is assessed anew as of then. For everybody: services.tier_nights."""
    return assess_members(sorted(set(member_ids)), at, always=True)


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
    if always and cause is None:
        calm = {id_ for (id_,) in fetch_prepared(_CALM, {"at": at, "wallets": wallet_ids})}
        wallet_ids = [id_ for id_ in wallet_ids if id_ not in calm]
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
