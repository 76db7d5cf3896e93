"""Tiers beside a plain Python model: any window, any way down, any mixture of what is asked for."""

import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from members.models import Member, Programme
from members.tests.factories import make_member
from rewards.models import MemberTier, RewardSettings, Tier, TierChange, TierNight
from rewards.queries_tiers import tier_standing
from rewards.services import tier_nights, tiers
from rewards.services.refunds import refund_purchase
from rewards.services.verify import verify
from rewards.tests.factories import event_data, make_rule, post

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2025, 11, 20, 22, 30, tzinfo=UTC)
JOINED = datetime(2024, 2, 29, 23, 30, tzinfo=UTC)  # 1 March in Berlin
MOMENT = timedelta(microseconds=1)


def add_years(day: date, years: int) -> date:
    return day + relativedelta(years=years)


@dataclass
class Model:
    """One member; tiers as (points, spend in euros, visits, days, "all" or "any"), lowest first."""

    steps: list[tuple]
    window: str
    downgrade: str
    grace: timedelta
    bought: list[list] = field(default_factory=list)  # [moment, euros, refunded]
    rank: int = 0
    grace_until: datetime | None = None
    moves: list[tuple[int, int]] = field(default_factory=list)

    def year(self, at: datetime, offset: int = 0) -> datetime:
        """When the year of the window that holds `at` begins."""
        here = at.astimezone(BERLIN)
        anchor = JOINED.astimezone(BERLIN).date() if self.window == "membership" else date(2000, 1, 1)
        years = here.year - anchor.year
        if add_years(anchor, years) > here.date():
            years -= 1
        return datetime.combine(add_years(anchor, years + offset), datetime.min.time(), BERLIN)

    def counts(self, moment: datetime, at: datetime, before: bool) -> bool:
        if self.window == "lifetime":
            return not before
        if self.window == "rolling":
            return not before and moment + relativedelta(months=12) > at
        return (moment >= self.year(at)) if not before else self.year(at, -1) <= moment < self.year(at)

    def totals(self, at: datetime, before: bool = False) -> tuple[int, int, int, int]:
        kept = [(m, euros - back) for m, euros, back in self.bought if self.counts(m, at, before)]
        worth = sum(net for _moment, net in kept)
        visits = len({m.astimezone(BERLIN).date() for m, net in kept if net})
        return worth, worth, visits, (at - JOINED).days

    def reaches(self, totals: tuple) -> int:
        best = 0
        for rank, (*asked, combine) in enumerate(self.steps, start=1):
            met = [has >= wanted for has, wanted in zip(totals, asked, strict=True) if wanted is not None]
            if (any if combine == "any" else all)(met):
                best = rank
        return best

    def assess(self, at: datetime) -> None:
        reached = self.reaches(self.totals(at))
        if self.window in ("calendar", "membership"):
            reached = max(reached, self.reaches(self.totals(at, before=True)))
        old, due = self.rank, reached < self.rank and self.downgrade != "none"
        if reached >= old:
            self.rank, self.grace_until = reached, None
        elif not due:
            self.grace_until = None
        elif (self.grace_until is None and self.grace) or (self.grace_until and self.grace_until > at):
            self.grace_until = self.grace_until or at + self.grace
        else:
            self.rank = old - 1 if self.downgrade == "one" else reached
            self.grace_until = at + max(relativedelta_days(at), self.grace) if self.rank > reached else None
        if old != self.rank:
            self.moves.append((old, self.rank))


def relativedelta_days(at: datetime) -> timedelta:
    return at + relativedelta(months=12) - at


ASKED = {
    "points": lambda n: (n * 300, None, None, None, "all"),
    "spend or visits": lambda n: (None, n * 400, n * 3, None, "any"),
    "points and visits": lambda n: (n * 250, None, n * 2, None, "all"),
    "time or points": lambda n: (n * 300, None, None, 500 + n * 200, "any"),
    "all four": lambda n: (n * 100, n * 150, n * 2, n * 100, "all"),
}
STEP = st.one_of(
    st.tuples(st.just("buy"), st.integers(1, 500)),
    st.tuples(st.just("buy"), st.integers(100, 400)),
    st.tuples(st.just("refund"), st.integers(0, 9), st.integers(1, 400)),
    st.tuples(st.just("night"), st.sampled_from([0, 1, 9, 10, 11, 40, 41, 200, 364, 365, 366])),
)


@settings(
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "40")),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a run is many statements: shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    asked=st.sampled_from(sorted(ASKED)),
    window=st.sampled_from(["rolling", "calendar", "membership", "lifetime"]),
    downgrade=st.sampled_from(["none", "one", "fit"]),
    grace=st.sampled_from([0, 0, 10, 40]),
    few=st.booleans(),
    steps=st.lists(STEP, min_size=3, max_size=14),
)
def test_tiers_are_what_a_plain_model_says(db, asked, window, downgrade, grace, few, steps):
    with transaction.atomic(), timezone.override(BERLIN), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiers, "FEW", 50 if few else 0)
        run(asked, window, downgrade, grace, steps)
        transaction.set_rollback(True)


def run(asked: str, window: str, downgrade: str, grace: int, steps: list[tuple]) -> None:
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "Europe/Berlin", "currency": "EUR"})
    RewardSettings.objects.update_or_create(
        pk=1, defaults={"tier_window": window, "downgrade": downgrade, "grace_days": grace, "notice_days": 0}
    )
    make_rule(valid_months=60)
    ladder = [ASKED[asked](n) for n in (1, 2, 3)]
    Tier.objects.create(name_en="Base", rank=0)
    for rank, (points, spend, visits, days, combine) in enumerate(ladder, start=1):
        minor = None if spend is None else spend * 100
        told = {"threshold": points, "spend_minor": minor, "visits": visits, "tenure_days": days, "combine": combine}
        Tier.objects.create(name_en=f"Step {rank}", rank=rank, **told)
    member = make_member()
    Member.objects.filter(pk=member.pk).update(joined_at=JOINED)
    model, at, ids = Model(ladder, window, downgrade, timedelta(days=grace)), START, []
    for n, step in enumerate(steps):
        at += timedelta(hours=7)
        match step:
            case ("buy", euros):
                ids.append(post(member, at, amount_minor=euros * 100, purchased_at=at).id)
                model.bought.append([at, euros, 0])
            case ("refund", which, euros) if ids:
                told = model.bought[which % len(ids)]
                euros = min(euros, told[1] - told[2])
                if not euros:
                    continue
                refund_purchase(
                    purchase_id=ids[which % len(ids)], source="t", key=f"r{n}", amount_minor=euros * 100, at=at
                )
                told[2] += euros
            case ("night", days):
                at += timedelta(days=days)
                tier_nights.reassess_all(at=at)
                # What comes is assessed when it comes: the next night needs only what ceased to count.
                TierNight.objects.update(began_at=timezone.now() + timedelta(days=1))
            case _:
                continue
        model.assess(at)
        compare(member, model, at, ladder)
    foretold(member, model, at)
    ranks = dict(Tier.objects.values_list("pk", "rank"))
    changes = TierChange.objects.filter(member=member).order_by("pk").values_list("from_tier", "to_tier")
    assert [(ranks[old], ranks[new]) for old, new in changes] == model.moves
    assert [(r.check, r.difference) for r in verify() if r.difference and "tier" in r.difference.table] == []


def compare(member: Member, model: Model, at: datetime, ladder: list[tuple]) -> None:
    status = MemberTier.objects.select_related("tier").filter(member=member).first()
    points, spend, visits, _days = model.totals(at)
    counted = any(step[1] or step[2] for step in ladder)  # purchases are read only where a step asks for them
    expected = (model.rank, points, spend * 100 * counted, visits * counted, model.grace_until)
    found = (0, 0, 0, 0, None)
    if status:
        found = (
            status.tier.rank,
            status.qualifying_points,
            status.qualifying_spend_minor,
            status.qualifying_visits,
            status.grace_until,
        )
    assert found == expected


def foretold(member: Member, model: Model, at: datetime) -> None:
    """The last day that the standing tells is the last day, if nobody buys anything more."""
    standing = tier_standing(member.pk, at)
    assert standing.tier.rank == model.rank
    assert (standing.qualifying_points, standing.days) == (model.totals(at)[0], model.totals(at)[3])
    assert not standing.to_next or any(one.missing for one in standing.to_next)
    if model.grace or model.grace_until:
        return
    if standing.keep_until is None:
        if model.rank:
            assert later_rank(member, at + timedelta(days=1500)) >= model.rank
        return
    last = datetime.combine(standing.keep_until, datetime.min.time(), BERLIN)
    if last - MOMENT > at:
        assert later_rank(member, last - MOMENT) >= model.rank  # more by time alone
    assert (
        later_rank(member, datetime.combine(standing.keep_until + timedelta(days=1), last.time(), BERLIN)) < model.rank
    )


def later_rank(member: Member, at: datetime) -> int:
    """Where the member would stand at a moment to come, if nothing came between."""
    with transaction.atomic():
        tiers.reassess(at=at, member_ids=[member.pk])
        rank = MemberTier.objects.get(member=member).tier.rank
        transaction.set_rollback(True)
    return rank


def test_members_are_told_once_before_they_lose_a_tier(at):
    RewardSettings.objects.update_or_create(pk=1, defaults={"notice_days": 30, "grace_days": 0})
    make_rule()
    Tier.objects.create(name_en="Base", rank=0)
    gold = Tier.objects.create(name_en="Gold", rank=1, threshold=500)
    member = make_member()
    post(member, at, amount_minor=60_000, purchased_at=at)
    lost = at + relativedelta(months=12)
    nights = [lost - timedelta(days=n) for n in (31, 30, 29, 28)]
    for night in nights:
        tier_nights.reassess_all(at=night)
    (told,) = event_data(member, "tier.will_drop")
    assert (told["tier"], told["until"], told["missing"]) == (gold.pk, lost.date().isoformat(), {"points": 500})
    assert MemberTier.objects.get().noticed_at == nights[1]
    post(member, nights[3], amount_minor=60_000, purchased_at=nights[3])  # safe again, so the next time counts anew
    assert MemberTier.objects.get().noticed_at is None
    tier_nights.reassess_all(at=lost)
    assert MemberTier.objects.get().tier == gold
    tier_nights.reassess_all(at=nights[3] + relativedelta(months=12) - timedelta(days=5))
    assert len(event_data(member, "tier.will_drop")) == 2


def test_grace_gives_another_chance_and_the_notice_comes_before_its_end(at):
    RewardSettings.objects.update_or_create(pk=1, defaults={"notice_days": 10, "grace_days": 30})
    make_rule()
    Tier.objects.create(name_en="Base", rank=0)
    gold = Tier.objects.create(name_en="Gold", rank=1, threshold=500)
    member = make_member()
    post(member, at, amount_minor=60_000, purchased_at=at)
    lost = at + relativedelta(months=12)
    tier_nights.reassess_all(at=lost)
    status = MemberTier.objects.get()
    assert (status.tier, status.grace_until) == (gold, lost + timedelta(days=30))
    standing = tier_standing(member.pk, lost)
    assert (standing.is_lost, standing.points_to_keep) == (True, 500)
    assert event_data(member, "tier.will_drop") == []
    tier_nights.reassess_all(at=lost + timedelta(days=20))
    assert [told["until"] for told in event_data(member, "tier.will_drop")] == [str((lost + timedelta(days=30)).date())]
    again = lost + timedelta(days=25)
    post(member, again, amount_minor=50_000, purchased_at=again)
    tier_nights.reassess_all(at=lost + timedelta(days=40))
    assert (MemberTier.objects.get().tier, MemberTier.objects.get().grace_until) == (gold, None)
