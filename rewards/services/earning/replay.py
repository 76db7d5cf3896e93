"""Replays: what really was bought in some months, reckoned anew under other rules. docs/rules.md.

Members are taken one after the other, each with all purchases of the period in their order, so that limits hold and
memory does not grow with the members. What is known so far is written down with how far it is, in one statement: a
worker that dies loses one chunk, and two workers cannot count one twice. Budgets are for all members, so they are laid
over the sums at the end, day by day.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from common.doorbell import ring
from common.sql import fetch_all
from members.enums import JobState
from members.queries import get_programme
from rewards.earning.evaluate import evaluate, note
from rewards.earning.facts import Rule
from rewards.earning.triggers import PURCHASE
from rewards.enums import Unit
from rewards.models import Replay, Tier
from rewards.queries import reward_settings
from rewards.services.earning.history import purchases
from rewards.services.earning.programme import read_snapshot, snapshot

log = structlog.get_logger(__name__)
RUN = "rewards.tasks.run_replay"
CHUNK = 500  # members of one round of queries
LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 5  # claims without a chunk between them
MOST_DAYS = 2 * 366

Cells = dict[str, dict[str, list[int]]]  # bucket (a local day) → tier ("" where there are none) → [units, times]


class NothingToTry(Exception):
    """No rule was chosen."""


class BadPeriod(Exception):
    """The end must come after the start, and at most MOST_DAYS later."""


_COUNT = "SELECT count(*) FROM members_purchase WHERE purchased_at >= %(since)s AND purchased_at < %(until)s"
_NEXT = """
SELECT DISTINCT member_id FROM members_purchase
WHERE member_id > %(after)s AND purchased_at >= %(since)s AND purchased_at < %(until)s
ORDER BY member_id LIMIT %(most)s
"""
_GIVEN = """
SELECT transfer.purchase_id, wallet.unit, sum(transfer.amount)::bigint
FROM rewards_transfer AS transfer JOIN rewards_account AS wallet ON wallet.id = transfer.credit_id
WHERE transfer.purchase_id = ANY(%(purchases)s) AND transfer.kind = 'earn'
GROUP BY transfer.purchase_id, wallet.unit
"""


@transaction.atomic
def create_replay(
    *,
    name: str,
    starts_at: datetime,
    ends_at: datetime,
    chosen: Mapping[int, str],
    at: datetime,
    actor_id: int | None = None,
) -> Replay:
    """Asks for a replay of the purchases from `starts_at` until `ends_at`; `chosen` says by rule whether its published
    version or its draft is tried. The rules are kept as they are now. NothingToTry; BadPeriod."""
    if not timedelta(0) < ends_at - starts_at <= timedelta(days=MOST_DAYS):
        raise BadPeriod
    programme = snapshot(chosen, trigger=PURCHASE, at=at)
    if not programme:
        raise NothingToTry
    total = fetch_all(_COUNT, {"since": starts_at, "until": ends_at})[0][0]
    replay = Replay.objects.create(
        name=name, starts_at=starts_at, ends_at=ends_at, programme=programme, total=total, created_at=at,
        created_by_id=actor_id,
    )  # fmt: skip
    ring(RUN, replay.pk)
    return replay


def cancel_replay(*, replay_id: int) -> bool:
    """Stops a replay where it is; whether there was something to stop."""
    open_ = Replay.objects.filter(pk=replay_id, state__in=(JobState.QUEUED, JobState.RUNNING))
    return bool(open_.update(state=JobState.CANCELLED, lease_until=None))


def go_on(*, replay_id: int) -> bool:
    """Lets a replay that was stopped, or that failed, go on from where it was; whether it could."""
    stopped = Replay.objects.filter(pk=replay_id, state__in=(JobState.CANCELLED, JobState.FAILED))
    if moved := bool(stopped.update(state=JobState.QUEUED, error="", attempts=0)):
        ring(RUN, replay_id)
    return moved


def resume_replays() -> None:
    """Wakes a worker for every replay that waits, or whose worker died."""
    for replay_id in Replay.objects.filter(_free(timezone.now())).values_list("pk", flat=True):
        ring(RUN, replay_id)


def _free(at: datetime) -> Q:
    lapsed = Q(lease_until=None) | Q(lease_until__lte=at)
    return Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING) & lapsed


def run_replay(*, replay_id: int, seconds: float | None = None) -> Replay:
    """Takes a replay as far as it goes, for about `seconds`, if given, before the next worker goes on.

    Does nothing where another worker has it or it has ended. An error is raised; the replay then goes on later, or is
    given up after a few attempts.
    """
    begun = time.monotonic()
    at = timezone.now()
    mine = Replay.objects.filter(_free(at), pk=replay_id)
    claimed = mine.update(state=JobState.RUNNING, lease_until=at + LEASE, attempts=F("attempts") + 1)
    replay = Replay.objects.get(pk=replay_id)
    if not claimed:
        return replay
    try:
        run = _Run(replay)
        while run.step():
            if seconds is not None and time.monotonic() - begun > seconds:
                Replay.objects.filter(pk=replay_id, state=JobState.RUNNING).update(lease_until=None)
                ring(RUN, replay_id)
                break
    except Exception as error:
        log.exception("replay stopped", replay=replay_id, attempts=replay.attempts)
        if replay.attempts >= MAX_ATTEMPTS:
            Replay.objects.filter(pk=replay_id).update(state=JobState.FAILED, error=str(error)[:500], lease_until=None)
        raise
    return Replay.objects.get(pk=replay_id)


class _Run:
    """One worker at one replay."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.rules: list[Rule] = read_snapshot(replay.programme)
        self.with_budget = {one["rule"] for one in replay.programme if one["budget"] is not None}
        programme = get_programme()
        self.zone, self.home = ZoneInfo(programme.time_zone), programme.currency
        carry = replay.carry
        self.tried: dict[str, Cells] = {rule: _cells(cells) for rule, cells in carry.get("tried", {}).items()}
        self.given: dict[str, Cells] = {unit: _cells(cells) for unit, cells in carry.get("given", {}).items()}
        self.fired, self.members = carry.get("fired", 0), carry.get("members", 0)
        self.last_id, self.done = replay.last_id, replay.done

    def step(self) -> bool:
        """One chunk; whether there may be more for this worker."""
        replay = self.replay
        period = {"since": replay.starts_at, "until": replay.ends_at}
        members = [row[0] for row in fetch_all(_NEXT, {**period, "after": self.last_id, "most": CHUNK})]
        if not members:
            self._end()
            return False
        weeks: dict[int, tuple[str, str]] = {}  # purchase → week and tier, for what it really gave
        for past in purchases(members, self.rules, **period):
            happening, standing = past.happening, past.standing
            outcome = evaluate(self.rules, happening, standing, zone=self.zone, home=self.home)
            note(outcome, happening, standing, {})
            day = happening.at.astimezone(self.zone).date()
            tier, week = str(standing.tier or ""), _monday(day)
            weeks[past.purchase_id] = week, tier
            for award in outcome.awards:
                bucket = day.isoformat() if award.rule.id in self.with_budget else week
                _add(self.tried.setdefault(str(award.rule.id), _cells({})), bucket, tier, award.points)
            self.fired += bool(outcome.awards)
        for purchase_id, unit, amount in fetch_all(_GIVEN, {"purchases": list(weeks)}):
            _add(self.given.setdefault(unit, _cells({})), *weeks[purchase_id], amount)
        self.members += len(members)
        return self._write_down(members[-1], self.done + len(weeks))

    def _write_down(self, last_id: int, done: int) -> bool:
        """False where another worker has it, or somebody stopped it."""
        mine = Replay.objects.filter(pk=self.replay.pk, state=JobState.RUNNING, last_id=self.last_id)
        self.last_id, self.done = last_id, done
        carry = {"tried": self.tried, "given": self.given, "fired": self.fired, "members": self.members}
        return bool(
            mine.update(last_id=last_id, done=done, carry=carry, attempts=0, lease_until=timezone.now() + LEASE)
        )

    def _end(self) -> None:
        budgets = {str(one["rule"]): one["budget"] for one in self.replay.programme if one["budget"] is not None}
        lost = {rule: _within(self.tried.get(rule, {}), budget) for rule, budget in budgets.items()}
        settings = reward_settings()
        result = {
            "cells": self._table(),
            "rules": [self._of_rule(one, lost) for one in self.replay.programme],
            "tiers": {
                str(pk): [english, chinese or english]
                for pk, english, chinese in Tier.objects.values_list("pk", "name_en", "name_zh_hans")
            },
            "purchases": self.done,
            "fired": self.fired,
            "members": self.members,
            "point_cost": str(settings.point_cost),
            "currency": self.home,
        }
        mine = Replay.objects.filter(pk=self.replay.pk, state=JobState.RUNNING, last_id=self.last_id)
        mine.update(state=JobState.DONE, result=result, carry={}, done=F("total"), lease_until=None)

    def _table(self) -> list[list[Any]]:
        """Rows of (week, tier, points tried, credit tried, points given, credit given), in order."""
        units = {str(one["rule"]): one["unit"] for one in self.replay.programme}
        rows: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for rule, cells in self.tried.items():
            for bucket, tiers in cells.items():
                for tier, (units_given, _times) in tiers.items():
                    rows[_monday(date.fromisoformat(bucket)), tier][units[rule] == Unit.CREDIT] += units_given
        for unit, cells in self.given.items():
            for week, tiers in cells.items():
                for tier, (units_given, _times) in tiers.items():
                    rows[week, tier][2 + (unit == Unit.CREDIT)] += units_given
        return [[week, tier, *row] for (week, tier), row in sorted(rows.items())]

    def _of_rule(self, one: dict[str, Any], lost: dict[str, tuple[int, str]]) -> dict[str, Any]:
        cells = self.tried.get(str(one["rule"]), {})
        sums = [pair for tiers in cells.values() for pair in tiers.values()]
        cut, day = lost.get(str(one["rule"]), (0, ""))
        named = {key: one[key] for key in ("rule", "version", "draft", "name_en", "name_zh_hans", "unit", "budget")}
        return {**named, "units": sum(u for u, _t in sums), "times": sum(t for _u, t in sums), "cut": cut, "gone": day}


def _cells(kept: Mapping[str, Any]) -> Cells:
    return {bucket: {tier: list(pair) for tier, pair in tiers.items()} for bucket, tiers in kept.items()}


def _add(cells: Cells, bucket: str, tier: str, units: int) -> None:
    pair = cells.setdefault(bucket, {}).setdefault(tier, [0, 0])
    pair[0] += units
    pair[1] += 1


def _monday(day: date) -> str:
    return (day - timedelta(days=day.weekday())).isoformat()


def _within(cells: Cells, budget: int) -> tuple[int, str]:
    """Lays a budget over the days, in order, changing `cells`: on the day on which it runs out, what is left of it is
    shared out as the day has it. How much was cut, and that day ("" where it lasts)."""
    left, cut, gone = budget, 0, ""
    for day in sorted(cells):
        tiers = cells[day]
        asked = sum(pair[0] for pair in tiers.values())
        if asked <= left:
            left -= asked
            continue
        gone = gone or day
        kept = 0
        for n, pair in enumerate(sorted(tiers.values()), start=1):
            share = left - kept if n == len(tiers) else pair[0] * left // asked
            cut += pair[0] - share
            kept, pair[0] = kept + share, share
        left = 0
    return cut, gone
