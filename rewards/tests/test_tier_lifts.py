"""Tiers that staff give: higher than was reached, until a day, and then as the settings say."""

from datetime import UTC, date, datetime, timedelta

import pytest

from members.models import Programme, User
from members.services.purchases import KeyReused
from members.tests.factories import make_member
from rewards.models import MemberTier, RewardSettings, TierChange, TierLift
from rewards.queries_tiers import tier_standing
from rewards.services.tier_lifts import DayNeeded, NotHigher, lift_tier
from rewards.services.tier_nights import reassess_all
from rewards.services.verify import verify
from rewards.tests.factories import event_data, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db
LAST = date(2026, 6, 30)
END = datetime(2026, 6, 30, 22, tzinfo=UTC)  # midnight in Berlin
SECOND = timedelta(seconds=1)


@pytest.fixture
def tiers(at):
    Programme.objects.create(pk=1, time_zone="Europe/Berlin")
    make_rule()
    return make_tiers()


@pytest.fixture
def boss(db):
    return User.objects.create_user("boss@example.com", is_staff=True)


def lift(member, tier, at, boss, *, last_day=LAST, key="k", reason="Sang at our party"):
    told = {"member_id": member.pk, "tier_id": tier.pk, "last_day": last_day, "reason": reason, "key": key}
    return lift_tier(**told, at=at, actor_id=boss.pk)


def stands(member) -> str:
    status = MemberTier.objects.select_related("tier").filter(member=member).first()
    return status.tier.name_en if status else "Bronze"


def sound() -> None:
    assert [str(r.check) for r in verify() if r.difference] == []


@pytest.mark.parametrize("bought", [True, False])
def test_it_holds_to_the_end_of_its_day_and_then_what_was_earned(at, tiers, boss, bought):
    member = make_member()
    if bought:
        post(member, at, amount_minor=60_000, purchased_at=at)
    before = "Silver" if bought else "Bronze"
    given = lift(member, tiers["gold"], at, boss)
    assert (stands(member), given.until, given.actor) == ("Gold", END, boss)
    assert lift(member, tiers["gold"], at, boss) == given  # twice is once
    for moment in (at + timedelta(days=1), END - SECOND):
        reassess_all(at=moment)
        assert stands(member) == "Gold"
    standing = tier_standing(member.pk, END - SECOND)
    assert (standing.tier, standing.keep_until, standing.is_lost) == (tiers["gold"], LAST, True)
    assert len(event_data(member, "tier.will_drop")) == 1
    sound()
    reassess_all(at=END)
    assert stands(member) == before
    causes = list(TierChange.objects.filter(member=member).order_by("pk").values_list("cause", flat=True))
    assert causes[-2:] == ["staff", "lost"]
    assert event_data(member, "tier.changed")[-2]["up"]
    sound()


def test_only_up_and_another_day_for_what_was_given(at, tiers, boss):
    member = make_member()
    post(member, at, amount_minor=60_000, purchased_at=at)
    for tier in (tiers["bronze"], tiers["silver"]):
        with pytest.raises(NotHigher) as error:
            lift(member, tier, at, boss)
        assert error.value.tier == tiers["silver"]
    for day in (None, at.date() - timedelta(days=1)):
        with pytest.raises(DayNeeded):
            lift(member, tiers["gold"], at, boss, last_day=day)
    assert not TierLift.objects.exists()
    lift(member, tiers["gold"], at, boss)
    with pytest.raises(KeyReused):
        lift(member, tiers["gold"], at, boss, reason="Another")
    lift(member, tiers["gold"], at, boss, key="shorter", last_day=at.date())
    assert TierChange.objects.filter(member=member, cause="staff").count() == 1
    reassess_all(at=at + timedelta(days=1))
    assert stands(member) == "Silver"


def test_who_reaches_it_meanwhile_holds_it_as_everybody_does(at, tiers, boss):
    member = make_member()
    lift(member, tiers["silver"], at, boss)
    post(member, at, amount_minor=60_000, purchased_at=at)
    assert MemberTier.objects.get().grace_until is None
    reassess_all(at=END)
    assert stands(member) == "Silver"
    sound()


def test_where_nobody_goes_down_it_has_no_end(at, tiers, boss):
    RewardSettings.objects.update(downgrade="none")
    member = make_member()
    assert lift(member, tiers["gold"], at, boss, last_day=None).until is None
    reassess_all(at=END + timedelta(days=700))
    assert stands(member) == "Gold"
    sound()
