"""Rewards, benefits and memberships at the till."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from members.services.pins import set_pin
from rewards.codes import shown
from rewards.enums import Fulfilment, PlanState, RedemptionState
from rewards.models import Benefit, BenefitUse, MembershipPlan, PlanMembership, Redemption, RewardSession
from rewards.queries import balance
from rewards.services.settings import save_reward_settings
from rewards.tests.factories import adjust, make_reward
from till.tests.conftest import hidden


def test_what_the_member_can_have_comes_first_and_the_rest_says_why_not(till, anna):
    adjust(anna, 150, timezone.now())
    make_reward(name="Mug", points=400)
    make_reward(name="Coffee", points=100)
    page = till.get(reverse("till:rewards", args=[anna.pk])).content.decode()
    assert page.index("Coffee") < page.index("Not now") < page.index("Mug") < page.index("250 more points are needed")


def test_a_reward_is_taken_handed_over_and_undone(till, anna):
    adjust(anna, 150, timezone.now())
    url = reverse("till:reward", args=[anna.pk, make_reward(points=100, stock=1).pk])
    page = till.get(url).content.decode()
    assert "Redeem · 100 points" in page
    form = {"key": hidden(page, "key"), "hand_over": "on", "act": "redeem"}
    for _n in range(2):
        assert till.post(url, form)["Location"].endswith("?done")
    taken = Redemption.objects.get()
    assert (taken.fulfilment, taken.store, taken.source) == (Fulfilment.COLLECTED, "Old Town", "till-page")
    assert balance(anna.pk) == 50
    again = till.post(url, {**form, "key": "0" * 36}).content.decode()
    assert "Nothing is left of it." in again
    assert shown(taken.code) in till.get(reverse("till:redemption", args=[taken.pk])).content.decode()
    till.post(reverse("till:undo"), {"act_id": f"redemption:{taken.pk}"})
    taken.refresh_from_db()
    assert (taken.state, balance(anna.pk)) == (RedemptionState.REFUNDED, 150)
    assert "This was undone" in till.post(url, form).content.decode()


def test_a_dear_reward_asks_for_the_pin_and_a_poor_member_is_not_asked_in_vain(till, anna):
    save_reward_settings(values={"till_confirm_points": 100}, at=timezone.now())
    set_pin(member_id=anna.pk, pin="2580", at=timezone.now())
    url = reverse("till:reward", args=[anna.pk, make_reward(points=100).pk])
    form = {"key": "1" * 36, "act": "redeem", "by": "pin", "proof": "1111"}
    assert "100 more points are needed" in till.post(url, form).content.decode()
    anna.pin.refresh_from_db()
    assert anna.pin.failures == 0
    adjust(anna, 150, timezone.now())
    assert "4 tries are left" in till.post(url, form).content.decode()
    assert not Redemption.objects.exists()
    assert till.post(url, {**form, "proof": "2580"})["Location"].endswith("?done")
    assert Redemption.objects.get().fulfilment == Fulfilment.TO_COLLECT
    assert "To hand over" in till.get(reverse("till:member", args=[anna.pk])).content.decode()


def test_an_experience_needs_its_date(till, anna):
    reward = make_reward(points=0, kind="experience")
    date = RewardSession.objects.create(reward=reward, starts_at=timezone.now() + timedelta(days=2), capacity=1)
    url = reverse("till:reward", args=[anna.pk, reward.pk])
    assert "Please choose a date." in till.post(url, {"key": "1" * 36, "act": "redeem"}).content.decode()
    assert till.post(url, {"key": "1" * 36, "act": "redeem", "session": date.pk})["Location"].endswith("?done")
    assert Redemption.objects.get().session == date


def test_a_benefit_is_used_once_by_its_key_and_undone(till, anna):
    plan = MembershipPlan.objects.create(name_en="Plus", price_minor=4900)
    benefit = Benefit.objects.create(name_en="Lounge", kind="visits", uses=1)
    benefit.plans.add(plan)
    url, own = reverse("till:benefit", args=[anna.pk]), reverse("till:member", args=[anna.pk])
    form = {"key": "1" * 36, "benefit": benefit.pk}
    assert "does not have" in till.post(url, form).content.decode()
    sold = till.post(reverse("till:plans", args=[anna.pk]), {"key": "2" * 36, "plan": plan.pk, "pay": "money"})
    assert sold["Location"].endswith("?done")
    assert "Lounge" in till.get(own).content.decode()
    for _n in range(2):
        assert till.post(url, form)["Location"].endswith("?done")
    use = BenefitUse.objects.get()
    assert use.store == "Old Town"
    assert "is used up" in till.post(url, {**form, "key": "3" * 36}).content.decode()
    till.post(reverse("till:undo"), {"act_id": f"benefit:{use.pk}"})
    use.refresh_from_db()
    assert use.undone_at is not None
    assert "This was undone" in till.post(url, form).content.decode()


def test_a_membership_is_sold_for_points_and_cancelled(till, anna):
    plan = MembershipPlan.objects.create(name_en="Plus", price_minor=4900, price_points=300)
    save_reward_settings(values={"till_confirm_points": 300}, at=timezone.now())
    set_pin(member_id=anna.pk, pin="2580", at=timezone.now())
    url, form = reverse("till:plans", args=[anna.pk]), {"key": "1" * 36, "plan": plan.pk, "pay": "points"}
    assert "there are too few" in till.get(url).content.decode()
    adjust(anna, 500, timezone.now())
    assert "ask the member" in till.post(url, form).content.decode()
    for _n in range(2):
        assert till.post(url, {**form, "by": "pin", "proof": "2580"})["Location"].endswith("?done")
    bought = PlanMembership.objects.get()
    assert balance(anna.pk) == 200
    till.post(reverse("till:undo"), {"act_id": f"plan:{bought.pk}"})
    bought.refresh_from_db()
    assert (bought.state, balance(anna.pk)) == (PlanState.CANCELLED, 500)
    assert "This was undone" in till.post(url, form).content.decode()
