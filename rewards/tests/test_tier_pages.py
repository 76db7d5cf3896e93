"""What staff do with tiers, benefits and memberships: whom a change moves is said first, and then it happens behind."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from members.models import Member, Programme, User
from members.services.segments import save_segment
from members.tests.factories import make_member
from rewards.models import (
    Benefit,
    BenefitUse,
    MembershipPlan,
    MemberTier,
    PlanMembership,
    Reassessment,
    Tier,
    TierChange,
)
from rewards.queries import reward_settings
from rewards.services import tier_steps, tiers
from rewards.services.tier_lifts import lift_tier
from rewards.services.tier_steps import moves, planned, run_reassessment, save_qualifying, save_tier
from rewards.tests.factories import adjust, make_reward, make_rule, make_rule_of, make_tiers, post

NOW = datetime.now(UTC)


@pytest.fixture
def manager(db, settings) -> Client:
    settings.REQUIRE_STAFF_MFA = False
    user = User.objects.create_user("manager@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="Manager"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def steps(db) -> dict[str, Tier]:
    Programme.objects.create(pk=1, currency="EUR")
    make_rule()
    return make_tiers()


def buyer(euros: int, name: str = "Anna", days: int = 1) -> Member:
    member = make_member(name=name)
    post(member, NOW, purchased_at=NOW - timedelta(days=days), amount_minor=euros * 100)
    return member


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def stands(member: Member) -> str:
    return MemberTier.objects.get(member=member).tier.name_en


def form_of(tier: Tier, **changed) -> dict:
    same = {"name_en": tier.name_en, "name_zh_hans": tier.name_zh_hans, "combine": "all", "multiplier": "1"}
    return {**same, "threshold": tier.threshold or "", **changed}


def test_a_change_of_a_tier_says_who_moves_and_then_moves_them_behind(steps, manager):
    anna, bert = buyer(950), buyer(600, "Bert")
    url = reverse("admin:rewards_tier_change", args=[steps["gold"].pk])
    page = text(manager.post(url, form_of(steps["gold"], threshold="900")))
    assert "Gold asks for 900 points, in the last 12 months." in page
    assert "1 member moves up." in page
    assert "moves down" not in page
    assert "Silver ↑ Gold 1 Anna" in page
    assert "Bert" not in page  # who stays is counted, not named
    steps["gold"].refresh_from_db()
    assert steps["gold"].threshold == 1000
    done = text(manager.post(url, form_of(steps["gold"], threshold="900", confirmed="1"), follow=True))
    assert "Gold is saved. Members are being assessed anew." in done
    assert "Waiting for a worker" in done
    assert (stands(anna), stands(bert)) == ("Silver", "Silver")
    job = Reassessment.objects.get()
    run_reassessment(job_id=job.pk)
    assert (stands(anna), stands(bert)) == ("Gold", "Silver")
    job.refresh_from_db()
    assert (job.state, job.done, job.moved) == ("done", 2, [[steps["silver"].pk, steps["gold"].pk, 1]])
    change = TierChange.objects.get(member=anna, to_tier=steps["gold"])
    assert (change.cause, change.why["points"], change.why["asked"]["threshold"]) == ("rules", 950, 900)
    assert change.actor.email == "manager@example.com"
    page = text(manager.get(reverse("admin:rewards_reassessment_change", args=[job.pk])))
    assert "2 members were assessed anew." in page
    assert "Silver ↑ Gold 1" in page


def test_who_falls_without_the_change_too_is_told_apart(steps, manager):
    lift = {"tier_id": steps["gold"].pk, "last_day": NOW.date() + timedelta(days=9), "reason": "x", "actor_id": None}
    lift_tier(member_id=buyer(600).pk, key="l", at=NOW, **lift)
    buyer(1_050, "Bert")
    page = text(
        manager.post(
            reverse("admin:rewards_tier_change", args=[steps["gold"].pk]), form_of(steps["gold"], threshold="1100")
        )
    )
    assert "2 members move down. 1 of those who move down does so without this change, too" in page


def test_a_new_name_moves_nobody(steps, manager):
    url = reverse("admin:rewards_tier_change", args=[steps["gold"].pk])
    renamed = text(manager.post(url, form_of(steps["gold"], name_en="Top", confirmed="1"), follow=True))
    assert "Top is saved." in renamed
    assert not Reassessment.objects.exists()
    assert "This field is required" in text(manager.post(url, form_of(steps["gold"], name_en="")))


def test_a_tier_between_two_others_takes_from_the_lower(steps, manager):
    anna = buyer(800)
    form = {"name_en": "Rose", "threshold": "750", "multiplier": "1", "combine": "all", "above": steps["silver"].pk}
    assert "Silver ↑ Rose 1 Anna" in text(manager.post(reverse("admin:rewards_tier_add"), form))
    manager.post(reverse("admin:rewards_tier_add"), {**form, "confirmed": "1"})
    assert list(Tier.objects.order_by("rank").values_list("name_en", flat=True)) == ["Bronze", "Silver", "Rose", "Gold"]
    run_reassessment(job_id=Reassessment.objects.get().pk)
    assert stands(anna) == "Rose"


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("gold", {"threshold": "400"}, "Gold stands above Silver, so it must ask for more."),
        ("silver", {"threshold": "2000"}, "Gold stands above Silver, so it must ask for more."),
        ("gold", {"threshold": ""}, "Say what members must reach"),
        ("gold", {"spend": "10.005"}, "There is no smaller coin than that."),
    ],
)
def test_what_cannot_be_a_ladder_is_said_beside_the_field(steps, manager, key, values, words):
    url = reverse("admin:rewards_tier_change", args=[steps[key].pk])
    assert words in text(manager.post(url, form_of(steps[key], **values, confirmed="1")))
    assert sorted(Tier.objects.values_list("threshold", flat=True), key=lambda n: n or 0) == [None, 500, 1000]


def test_the_lowest_tier_is_everybodys(steps, manager):
    url = reverse("admin:rewards_tier_change", args=[steps["bronze"].pk])
    manager.post(url, form_of(steps["bronze"], threshold="10", name_en="Base", confirmed="1"))
    steps["bronze"].refresh_from_db()
    assert (steps["bronze"].name_en, steps["bronze"].threshold) == ("Base", None)


def test_another_window_says_who_falls_and_with_what_grace(steps, manager):
    old, new = buyer(600, days=300), buyer(600, "Bert")
    Member.objects.filter(pk=old.pk).update(joined_at=NOW - timedelta(days=365 + 5))  # a new year has just begun
    form = {"tier_window": "membership", "downgrade": "fit", "grace_days": "0", "notice_days": "0"}
    url = reverse("admin:rewards_tier_qualifying")
    assert "Nobody moves" in text(manager.post(url, form))  # what the year before brought is kept
    Member.objects.filter(pk=old.pk).update(joined_at=NOW - timedelta(days=900))
    manager.post(url, {**form, "tier_window": "lifetime", "confirmed": "1"})
    assert reward_settings().tier_window == "lifetime"
    steps["silver"].threshold = 700
    tier, job = save_tier(tier_id=steps["silver"].pk, values={"threshold": 700}, at=NOW)
    run_reassessment(job_id=job.pk)
    assert (stands(old), stands(new)) == ("Bronze", "Bronze")
    assert Reassessment.objects.filter(cancel_requested=True).count() == 1  # the work under the older rules
    page = text(manager.post(url, {**form, "grace_days": "10"}))
    assert "Who no longer reaches a tier goes down to the one that fits, after 10 days of grace." in page
    assert save_qualifying(values={"grace_days": 0}, at=NOW) is None
    assert tier.pk == steps["silver"].pk


def test_a_worker_that_dies_is_followed_by_one_that_goes_on(steps, monkeypatch):
    monkeypatch.setattr(tiers, "CHUNK", 2)
    members = [buyer(600, f"Member {n}") for n in range(5)]
    _tier, job = save_tier(tier_id=steps["gold"].pk, values={"threshold": 600}, at=NOW)
    real, calls = tier_steps.assess_members, []

    def dies(chunk, *args, **kwargs):
        calls.append(chunk)
        if len(calls) == 2:
            raise RuntimeError("the power is gone")
        return real(chunk, *args, **kwargs)

    monkeypatch.setattr(tier_steps, "assess_members", dies)
    with pytest.raises(RuntimeError):
        run_reassessment(job_id=job.pk)
    job.refresh_from_db()
    assert (job.done, job.state, [stands(m) for m in members].count("Gold")) == (2, "running", 2)
    Reassessment.objects.update(lease_until=NOW - timedelta(days=1))
    run_reassessment(job_id=job.pk)
    job.refresh_from_db()
    assert (job.done, job.state, {stands(m) for m in members}) == (5, "done", {"Gold"})
    assert TierChange.objects.filter(cause="rules").count() == 5


def test_a_preview_of_many_counts_some_of_them(steps, monkeypatch):
    for n in range(40):
        buyer(600, f"Member {n}")
    plan = planned(tier_id=steps["gold"].pk, above_id=None, values={"threshold": 600})
    assert moves(at=NOW, steps=plan).up == 40
    monkeypatch.setattr(tier_steps, "LOOKED_AT", 15)
    found = moves(at=NOW, steps=plan)
    assert found.every == 3
    assert 24 <= found.up <= 54


def test_a_preview_counts_who_never_bought_anything(steps):
    old, new = make_member(), make_member()
    for member, days in ((old, 100), (new, 5)):
        Member.objects.filter(pk=member.pk).update(joined_at=NOW - timedelta(days=days))
    buyer(600)
    plan = planned(tier_id=None, above_id=steps["gold"].pk, values={"name_en": "Loyal", "tenure_days": 90})
    found = moves(at=NOW, steps=plan)
    rows = {(row.from_id, row.to_id): (row.members, row.sample) for row in found.rows}
    assert rows[steps["bronze"].pk, 0] == (1, (old,))
    assert (steps["bronze"].pk, steps["bronze"].pk, new) in {
        (*pair, one) for pair, (_n, s) in rows.items() for one in s
    }
    assert found.up == 2  # who bought belongs as long as who did not
    save_tier(tier_id=None, above_id=steps["gold"].pk, values={"name_en": "Loyal", "tenure_days": 90}, at=NOW)
    run_reassessment(job_id=Reassessment.objects.get().pk)
    assert [stands(old), stands(new)] == ["Loyal", "Bronze"]


def test_a_tier_is_deleted_only_where_nothing_knows_of_it(steps, manager):
    spare = save_tier(tier_id=None, above_id=steps["silver"].pk, values={"name_en": "Spare", "threshold": 700}, at=NOW)[
        0
    ]
    run_reassessment(job_id=Reassessment.objects.get().pk)
    url = reverse("admin:rewards_tier_remove", args=[spare.pk])
    benefit, reward = Benefit.objects.create(name_en="Lounge", kind="visits", uses=2), make_reward(name="Mug")
    benefit.tiers.add(spare)
    reward.tiers.add(spare)
    make_rule_of("Extra", {"effect": {"kind": "fixed", "points": 1}, "conditions": {"tiers": [spare.pk]}})
    asked = {"all": [{"trait": "tier", "op": "any_of", "value": [spare.pk]}]}
    save_segment(names={"en": "Spares"}, definition=asked, at=NOW)
    buyer(800, "Anna")
    for confirmed in ({}, {"confirmed": "1"}):
        said = text(manager.post(url, confirmed))
        for words in ("This tier is used, and stays.", "1 member stands on it.", "It is in the history of 1 member.",
                      "Benefits: Lounge.", "Rewards: Mug.", "Earning rules: Extra.", "Segments: Spares."):  # fmt: skip
            assert words in said, (words, said)
    base = text(manager.post(reverse("admin:rewards_tier_remove", args=[steps["bronze"].pk]), {"confirmed": "1"}))
    assert "the others stand above it." in base
    assert Tier.objects.count() == 4
    fresh = save_tier(tier_id=None, above_id=spare.pk, values={"name_en": "Fresh", "threshold": 900}, at=NOW)[0]
    url = reverse("admin:rewards_tier_remove", args=[fresh.pk])
    assert "Delete this tier" in text(manager.get(reverse("admin:rewards_tier_change", args=[fresh.pk])))
    assert "Nobody stands on it" in text(manager.post(url))
    assert "Fresh is deleted." in text(manager.post(url, {"confirmed": "1"}, follow=True))
    assert list(Tier.objects.values_list("name_en", "rank")) == [
        ("Bronze", 0),
        ("Silver", 1),
        ("Spare", 2),
        ("Gold", 3),
    ]
    assert manager.post(url, {"confirmed": "1"}).status_code == 404


def test_the_ladder_shows_what_each_tier_asks_and_brings_and_who_stands_there(steps, manager):
    buyer(600), make_member()
    benefit = Benefit.objects.create(name_en="Lounge", kind="visits", uses=2)
    benefit.tiers.add(steps["silver"])
    page = text(manager.get(reverse("admin:rewards_tier_changelist")))
    assert "What counts is what members do in the last 12 months." in page
    assert "Silver 500 points points × 1, Lounge 1 50%" in page
    assert "Bronze from the first day points × 1 1 50%" in page


# --- benefits and memberships ---------------------------------------------------------------------------------------
def test_a_benefit_needs_somebody_who_has_it_and_a_value_that_makes_sense(steps, manager):
    url = reverse("admin:rewards_benefit_add")
    form = {"name_en": "Double", "kind": "multiplier", "value": "1", "period": "year", "position": "0", "active": "on"}
    page = text(manager.post(url, {**form, "tiers": [steps["gold"].pk]}))
    assert "A multiplier is more than 1" in page
    assert "Say who has it" in text(manager.post(url, {**form, "value": "2"}))
    assert not Benefit.objects.exists()
    manager.post(url, {**form, "value": "2", "tiers": [steps["gold"].pk]})
    assert Benefit.objects.get().value == Decimal(2)
    listed = text(manager.get(reverse("admin:rewards_benefit_changelist")))
    assert "points × 2" in listed
    assert "holds by itself" in listed


def test_staff_use_a_benefit_on_the_member_page_once_a_form_and_take_it_back(steps, manager):
    member = buyer(600)
    benefit = Benefit.objects.create(name_en="Lounge", kind="visits", uses=1)
    benefit.tiers.add(steps["silver"])
    page = manager.get(reverse("admin:members_member_change", args=[member.pk]))
    assert "1 of 1 left" in text(page)
    assert "400 points" in text(page)
    key = re.search(r'name="key" value="([0-9a-f-]{36})"', page.content.decode()).group(1)
    act = reverse("admin:members_member_act", args=[member.pk, "benefits", "use"])
    for _click in range(2):
        manager.post(act, {"benefit": benefit.pk, "key": key})
    assert BenefitUse.objects.count() == 1
    told = text(manager.post(act, {"benefit": benefit.pk, "key": "another"}, headers={"HX-Request": "true"}))
    assert "is used up; again from" in told
    use = BenefitUse.objects.get()
    assert use.actor.email == "manager@example.com"
    manager.post(reverse("admin:members_member_act", args=[member.pk, "benefits", "undo"]), {"use": use.pk})
    use.refresh_from_db()
    assert use.undone_at


def test_a_membership_is_sold_and_cancelled_by_staff(steps, manager):
    member = buyer(600)
    plan = MembershipPlan.objects.create(name_en="Plus", price_points=500, months=12)
    url = reverse("admin:rewards_planmembership_sell", args=[member.pk])
    form = {"plan": plan.pk, "pay": "points", "key": "k"}
    assert "Plus is not sold for money." in text(manager.post(url, {**form, "pay": "money"}))
    assert "500 points are taken." in text(manager.post(url, form))
    assert not PlanMembership.objects.exists()
    for _click in range(2):
        manager.post(url, {**form, "confirmed": "1"})
    bought = PlanMembership.objects.get()
    assert "That costs 500 points; the member has 100 points." in text(manager.post(url, {**form, "key": "k2"}))
    assert "Plus" in text(manager.get(reverse("admin:members_member_change", args=[member.pk])))
    cancel = reverse("admin:rewards_planmembership_cancel", args=[bought.pk])
    assert "500 points go back." in text(manager.post(cancel))
    assert "is cancelled" in text(manager.post(cancel, {"confirmed": "1"}, follow=True))
    assert "is over already" in text(manager.post(cancel, {"confirmed": "1"}))


def test_a_plan_costs_something(steps, manager):
    url = reverse("admin:rewards_membershipplan_add")
    form = {"name_en": "Plus", "months": "12", "position": "0", "active": "on"}
    assert "Say what it costs" in text(manager.post(url, form))
    manager.post(url, {**form, "price": "49.90"})
    assert MembershipPlan.objects.get().price_minor == 4990
    assert "€49.90" in text(manager.get(reverse("admin:rewards_membershipplan_changelist")))


def test_what_moved_by_hand_says_so(steps):
    member = make_member()
    adjust(member, 5000, NOW)
    tiers.reassess(at=NOW, member_ids=[member.pk])
    assert not TierChange.objects.exists()  # what staff give counts towards no tier
