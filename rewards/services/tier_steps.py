"""Changing the steps of the tiers or how members qualify: whom that would move, and moving them. docs/tiers.md."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from time import monotonic
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, F
from django.utils.translation import gettext_lazy as _
from psycopg.types.json import Jsonb

from common.doorbell import ring
from common.sql import fetch_all
from members.enums import ImportState
from members.import_problems import FileRefused
from members.models import Member
from members.services.imports import leases
from rewards.enums import TierCause
from rewards.models import Reassessment, Tier, TierChange
from rewards.queries import reward_settings
from rewards.queries_qualifying import DECIDED, SETTING, meets, stood
from rewards.services.settings import save_reward_settings
from rewards.services.tiers import assess_members, chunks

log = structlog.get_logger(__name__)
RUN = "rewards.tasks.run_reassessment"
LOOKED_AT = 50_000  # members that a preview counts; of more, every second, third …
SHOWN = 3
ASKED = ("threshold", "spend_minor", "visits", "tenure_days")
QUALIFYING = ("tier_window", "downgrade", "grace_days", "notice_days")


# --- whom a change would move -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Move:
    """`members` would go from one tier to another (ids; 0 for a tier that is not there yet, None for none); some of
    them by name."""

    from_id: int | None
    to_id: int | None
    members: int
    sample: tuple[Member, ...]


@dataclass(frozen=True)
class Moves:
    """Where everybody would stand, by whence and whither; those who stay are among them. Counted is every `every`-th
    member: with more than one, numbers are about right."""

    rows: tuple[Move, ...]
    every: int
    ranks: dict[int | None, int]

    def _count(self, wanted: Callable[[int, int], bool]) -> int:
        found = (row for row in self.rows if wanted(self.ranks.get(row.from_id, -1), self.ranks.get(row.to_id, -1)))
        return sum(row.members for row in found)

    @property
    def up(self) -> int:
        return self._count(lambda old, new: new > old)

    @property
    def down(self) -> int:
        return self._count(lambda old, new: new < old)


_OWN = """
SELECT account.id FROM rewards_account AS account JOIN members_member AS member ON member.id = account.member_id
WHERE account.kind = 'wallet' AND account.unit = 'points' AND member.merged_into_id IS NULL
  AND member.erased_at IS NULL AND member.id %% %(every)s = 0
UNION
SELECT account.id FROM members_member AS gone JOIN rewards_account AS account ON account.member_id = gone.id
WHERE account.kind = 'wallet' AND account.unit = 'points' AND gone.merged_into_id %% %(every)s = 0
"""
_STEP = """
SELECT * FROM jsonb_to_recordset(%(steps)s) AS step (id bigint, rank int, threshold bigint, spend_minor bigint,
                                                     visits int, tenure_days int, combine text)
"""
_SETTING = f"""
SELECT coalesce(%(tier_window)s, span) AS span, coalesce(%(downgrade)s, downgrade) AS downgrade,
       coalesce(make_interval(days => %(grace_days)s::int), grace) AS grace,
       coalesce(make_interval(days => %(notice_days)s::int), notice) AS notice, zone, currency
FROM ({SETTING}) AS saved
"""
_MOVES = f"""
WITH {
    stood(
        own="%(own)s::bigint[]",
        moment="greatest(%(at)s::timestamptz, status.assessed_at)",
        setting=_SETTING,
        step=_STEP,
    )
}, {DECIDED}
SELECT old.id, new.id, count(*), (array_agg(decided.member_id ORDER BY decided.member_id))[1:{SHOWN}]
FROM decided LEFT JOIN step AS old ON old.rank = decided.from_rank LEFT JOIN step AS new ON new.rank = decided.goes_to
GROUP BY old.id, new.id, old.rank, new.rank ORDER BY old.rank DESC NULLS LAST, new.rank DESC NULLS LAST
"""


# Who never had a wallet earned nothing and bought nothing: only time brings them further.
_IDLE = f"""
WITH step AS MATERIALIZED ({_STEP}),
idle AS (
    SELECT id, floor(extract(epoch FROM %(at)s::timestamptz - joined_at) / 86400)::int AS days
    FROM members_member AS member
    WHERE merged_into_id IS NULL AND erased_at IS NULL AND id %% %(every)s = 0
      AND NOT EXISTS (SELECT FROM rewards_account WHERE member_id = member.id AND kind = 'wallet' AND unit = 'points')
      AND NOT EXISTS (
          SELECT FROM members_member AS gone JOIN rewards_account AS account ON account.member_id = gone.id
          WHERE gone.merged_into_id = member.id AND account.kind = 'wallet' AND account.unit = 'points')
)
SELECT (SELECT id FROM step WHERE rank = 0), reached.id, count(*), (array_agg(idle.id ORDER BY idle.id))[1:{SHOWN}]
FROM idle LEFT JOIN LATERAL (
    SELECT id FROM step WHERE {meets("step", "0", "0", "0", "idle.days")} ORDER BY rank DESC LIMIT 1
) AS reached ON true
GROUP BY reached.id
"""


def moves(*, at: datetime, steps: Sequence[Tier] | None = None, settings: dict[str, Any] | None = None) -> Moves:
    """Where members would stand, were these the tiers (a new one without id) or these some of the settings. Those who
    would go down are told where they end, after their days of grace."""
    tiers = list(Tier.objects.order_by("rank")) if steps is None else list(steps)
    counted = fetch_all("SELECT count(*) FROM members_member WHERE erased_at IS NULL")[0][0]
    every = 1 + counted // (LOOKED_AT + 1)
    asked = {name: (settings or {}).get(name) for name in QUALIFYING}
    told = [
        {
            "id": tier.pk or 0,
            "rank": tier.rank,
            "combine": tier.combine,
            **{name: getattr(tier, name) for name in ASKED},
        }
        for tier in tiers
    ]
    own = [row[0] for row in fetch_all(_OWN, {"every": every})]
    rows = fetch_all(_MOVES, {"at": at, "own": own, "steps": Jsonb(told), **asked})
    among = {(old, new): (count, sample) for old, new, count, sample in rows}
    for old, new, count, sample in fetch_all(_IDLE, {"at": at, "every": every, "steps": Jsonb(told)}):
        known, some = among.get((old, new), (0, []))
        among[old, new] = known + count, (some + sample)[:SHOWN]
    members = Member.objects.in_bulk({pk for _count, sample in among.values() for pk in sample})
    found = tuple(
        Move(old, new, count * every, tuple(members[pk] for pk in sample))
        for (old, new), (count, sample) in among.items()
    )
    return Moves(found, every, {tier.pk or 0: tier.rank for tier in tiers})


# --- changing -----------------------------------------------------------------------------------------------------
def planned(*, tier_id: int | None, above_id: int | None, values: dict[str, Any]) -> list[Tier]:
    """The tiers as they would be with one changed, or a new one above another; nothing is saved. ValidationError, by
    field. Tier.DoesNotExist."""
    tiers = list(Tier.objects.order_by("rank"))
    if tier_id is None:
        place = 0
        if tiers:
            place = next((n for n, other in enumerate(tiers) if other.pk == above_id), len(tiers) - 1) + 1
        tier = Tier()
        tiers.insert(place, tier)
    else:
        tier = next((other for other in tiers if other.pk == tier_id), None)  # type: ignore[assignment]
        if tier is None:
            raise Tier.DoesNotExist
    for name, value in values.items():
        setattr(tier, name, value)
    for rank, other in enumerate(tiers):
        other.rank = rank
    tier.full_clean(validate_unique=False, validate_constraints=False)
    asks = any(getattr(tier, name) is not None for name in ASKED)
    if tier.rank == 0 and asks:
        raise ValidationError({"threshold": _("The lowest tier is everybody's: it asks for nothing.")})
    if tier.rank > 0 and not asks:
        raise ValidationError({"threshold": _("Say what members must reach: points, spend, visits or time.")})
    _check_order(tiers, tier)
    return tiers


def _check_order(tiers: list[Tier], tier: Tier) -> None:
    """Where two neighbours ask for the same things, the higher one asks for more. ValidationError."""
    for lower, higher in pairwise(tiers):
        if tier not in (lower, higher) or lower.rank == 0 or lower.combine != higher.combine:
            continue
        pairs = {name: (getattr(lower, name), getattr(higher, name)) for name in ASKED}
        if any((low is None) != (high is None) for low, high in pairs.values()):
            continue
        told = [(name, low, high) for name, (low, high) in pairs.items() if low is not None]
        if all(high <= low for _name, low, high in told):
            sentence = _("%(higher)s stands above %(lower)s, so it must ask for more.")
            raise ValidationError({told[0][0]: sentence % {"higher": higher.name, "lower": lower.name}})


@transaction.atomic
def save_tier(
    *,
    tier_id: int | None,
    above_id: int | None = None,
    values: dict[str, Any],
    at: datetime,
    actor_id: int | None = None,
) -> tuple[Tier, Reassessment | None]:
    """Adds a tier or changes one. Where that may move somebody, all members are assessed anew, in the background; the
    work that does it. ValidationError, by field; Tier.DoesNotExist."""
    before = {tier.pk: _step(tier) for tier in Tier.objects.select_for_update()}
    tiers = planned(tier_id=tier_id, above_id=above_id, values=values)
    for tier in reversed(tiers):  # from above: a rank is free before it is taken
        if tier.pk and before[tier.pk][0] != tier.rank:
            Tier.objects.filter(pk=tier.pk).update(rank=tier.rank)
    saved = next(tier for tier in tiers if tier.pk == tier_id)
    saved.save()
    if before.get(saved.pk) == _step(saved):
        return saved, None
    return saved, start_reassessment(what=saved.name, at=at, actor_id=actor_id)


def _step(tier: Tier) -> tuple:
    return (tier.rank, tier.combine, *(getattr(tier, name) for name in ASKED))


@transaction.atomic
def save_qualifying(*, values: dict[str, Any], at: datetime, actor_id: int | None = None) -> Reassessment | None:
    """Changes over what members qualify and how they go down; the work that assesses all anew, None where nothing
    changed. ValidationError, by field."""
    kept = reward_settings()
    if all(getattr(kept, name) == value for name, value in values.items()):
        return None
    save_reward_settings(values=values, at=at, actor_id=actor_id)
    return start_reassessment(what="", at=at, actor_id=actor_id)


# --- assessing all anew -------------------------------------------------------------------------------------------
def start_reassessment(*, what: str, at: datetime, actor_id: int | None) -> Reassessment:
    """All members are put where they belong, behind. Work that was begun under older rules is not finished."""
    Reassessment.objects.filter(state__in=(ImportState.QUEUED, ImportState.RUNNING)).update(cancel_requested=True)
    total = fetch_all("SELECT count(*) FROM rewards_account WHERE kind = 'wallet' AND unit = 'points'")[0][0]
    job = Reassessment.objects.create(what=what, total=total, created_at=at, created_by_id=actor_id)
    ring(RUN, job.pk)
    return job


def resume_reassessments() -> None:
    """Wakes a worker for what waits, or whose worker died."""
    for job_id in leases.waiting(Reassessment):
        ring(RUN, job_id)


def run_reassessment(*, job_id: int, seconds: float = 240) -> None:
    """Assesses all members, from where the last worker came to. Each chunk is a transaction of its own; after so many
    `seconds` another task goes on."""
    started = monotonic()
    job = leases.claim(Reassessment, job_id)
    if job is None:
        return
    try:
        for chunk in chunks(job.last_id):
            with transaction.atomic():
                leases.hold(job)
                assess_members(chunk, job.created_at, always=False, cause=TierCause.RULES, actor_id=job.created_by_id)
                Reassessment.objects.filter(pk=job_id).update(
                    done=F("done") + len(chunk), last_id=chunk[-1], attempts=0, moved=_moved(job)
                )
            if monotonic() - started > seconds:
                leases.let_go(job)
                ring(RUN, job_id)
                return
        leases.end(job, ImportState.DONE)
    except leases.Cancelled:
        leases.end(job, ImportState.CANCELLED)
    except leases.LeaseLost:
        log.warning("another worker took the assessment over", job=job_id)
    except Exception as error:
        log.exception("assessment stopped", job=job_id, attempts=job.attempts)
        if job.attempts >= leases.MAX_ATTEMPTS:
            leases.refuse(job, FileRefused("unexpected", detail=str(error)[:500]))
        raise


def _moved(job: Reassessment) -> list[list[int | None]]:
    changes = TierChange.objects.filter(cause=TierCause.RULES, at__gte=job.created_at)
    counted = changes.order_by("from_tier", "to_tier").values_list("from_tier", "to_tier")
    return [list(row) for row in counted.annotate(members=Count("pk"))]
