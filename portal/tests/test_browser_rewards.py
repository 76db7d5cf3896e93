"""Rewards and coupons in a real browser: taken, shown, cancelled, with and without script."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import expect

from members.services.profile import update_profile
from portal.tests.browser import LOOKS, check, sign_in
from portal.tests.conftest import make_account
from rewards.models import Benefit, MembershipPlan, Redemption, RewardSession, Tier
from rewards.queries import balance
from rewards.services.earning.events import make_check_in_point
from rewards.services.redemptions import redeem_reward
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_reward

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module", autouse=True)
def _catalogues():
    call_command("messages", "--compile")


@pytest.fixture
def anna(club):
    member = make_account("anna@example.com", name="Anna Berger", time_zone="Europe/Berlin")
    adjust(member, 500, timezone.now())
    return member


@pytest.mark.parametrize("script", [True, False])
def test_a_coupon_is_redeemed_and_shown(anna, open_page, script):
    at = timezone.now()
    offer = make_offer(name_en="Lunch", flash=True, ends_at=at + timedelta(hours=5))
    make_reward(name="Lunch coupon", kind="coupon", points=80, offer=offer)
    page = open_page(**LOOKS["phone-en-light"], java_script_enabled=script)
    sign_in(page, "anna@example.com")
    page.get_by_role("link", name="Rewards", exact=True).click()
    page.get_by_role("link", name="I can have now").click()
    page.get_by_role("link", name="Lunch coupon").click()
    page.get_by_role("link", name="Redeem for 80 points").click()
    expect(page.get_by_text("420")).to_be_visible()
    page.get_by_role("button", name="Yes, redeem").click()
    expect(page.get_by_role("status")).to_have_text("Lunch coupon is yours. You have 420 points left.")
    page.get_by_role("link", name="Show the coupon").click()
    code = page.get_by_role("img", name="QR code of your coupon")
    expect(code).to_be_visible()
    assert code.bounding_box()["width"] > 250
    if script:
        expect(page.locator("[data-count]")).to_contain_text("ends in 04:59:")
    else:
        expect(page.get_by_text("Until")).to_be_visible()
    page.get_by_role("link", name="Close").click()
    expect(page.get_by_role("link", name="Lunch")).to_be_visible()


def test_what_is_set_aside_is_cancelled(anna, open_page):
    make_reward(name="Mug", points=200, money_minor=500)
    page = open_page(**LOOKS["phone-en-light"])
    sign_in(page, "anna@example.com")
    page.get_by_role("link", name="Mug").click()
    page.get_by_role("link", name="Redeem for 200 points + €5.00").click()
    page.get_by_role("button", name="Yes, set it aside").click()
    expect(page.get_by_role("status")).to_have_text("Mug is set aside for you. You have 300 points left.")
    page.get_by_role("button", name="Cancel it").click()
    expect(page.get_by_role("status")).to_have_text("Cancelled. You have 500 points.")
    assert balance(anna.pk) == 500
    page.get_by_role("link", name="Redeemed").click()
    expect(page.get_by_text("your points came back")).to_be_visible()


def test_two_presses_redeem_once(anna, open_page):
    reward = make_reward(points=100)
    page = open_page(**LOOKS["desktop-zh-dark"])
    sign_in(page, "anna@example.com")
    page.goto(f"/rewards/{reward.pk}/redeem/")
    page.get_by_role("button", name="Yes, redeem").dblclick()
    expect(page.get_by_role("status")).to_contain_text("is yours")
    assert Redemption.objects.count() == 1


def test_a_new_coupon_is_new_until_its_list_was_open(anna, open_page):
    coupon = issue(make_offer(), anna, timezone.now())
    page = open_page(**LOOKS["phone-en-light"])
    sign_in(page, "anna@example.com")
    with page.expect_response("**/coupons/seen/") as told:
        page.goto("/coupons/")
    expect(page.get_by_text("New", exact=True)).to_be_visible()
    assert told.value.status == 204
    coupon.refresh_from_db()
    assert coupon.seen_at


@pytest.mark.parametrize("look", LOOKS)
def test_no_serious_barrier_where_there_is_much(anna, open_page, look):
    at = timezone.now()
    if "zh" in look:
        update_profile(member_id=anna.pk, changes={"language": "zh-hans"}, at=at)
    reward = make_reward(points=10, terms_en="One a week.", green=True, limit_member=9)
    dear = make_reward(points=900, ships=True)
    parcel = make_reward(points=5, ships=True)
    dated = make_reward(kind="experience", points=10)
    for n, booked in enumerate((0, 2)):
        RewardSession.objects.create(
            reward=dated, starts_at=at + timedelta(days=n + 1), capacity=2, booked=booked, place="Harbour Street"
        )
    done = redeem_reward(member_id=anna.pk, reward_id=reward.pk, source="t", key="1", at=at)
    sent = redeem_reward(member_id=anna.pk, reward_id=parcel.pk, source="t", key="2", at=at)
    coupon = issue(make_offer(flash=True, ends_at=at + timedelta(days=2), uses_limit=9), anna, at)
    issue(make_offer(valid_days=1), anna, at - timedelta(days=3))
    Benefit.objects.create(name_en="Lounge", kind="visits", uses=2).tiers.add(Tier.objects.get(rank=0))
    plan = MembershipPlan.objects.create(name_en="Plus", price_points=300)
    point = make_check_in_point(name="Market Street")
    page = open_page(**LOOKS[look])
    sign_in(page, "anna@example.com")
    paths = ["/", "/rewards/", "/rewards/mine/", "/coupons/", "/tier/", "/history/", "/history/expiring/"]
    paths += [f"/rewards/{one.pk}/" for one in (reward, dear, dated)]
    paths += [f"/rewards/{one.pk}/redeem/" for one in (reward, parcel)]
    paths += [f"/rewards/mine/{one.pk}/" for one in (done, sent)]
    paths += [f"/coupons/{coupon.pk}/", f"/tier/plans/{plan.pk}/", f"/checkin/{point.token}/"]
    for path in paths:
        check(page, path)
