"""Two people on two phones: one shares in Chinese, the other takes the gift in English; both are thanked, and it is
taken back."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import expect

from members.models import Member
from members.services.profile import update_profile
from members.services.reactions import run_due
from portal.tests.browser import LOOKS, PHONE, check, sign_in
from portal.tests.conftest import PASSWORD, make_account
from referrals.enums import ReferralState
from referrals.models import Referral
from referrals.services.advocates import set_wishes
from referrals.services.inviting import invite, send_waiting
from referrals.services.qualifying import settle_due
from referrals.tests.factories import bring, live_programme, newcomer
from rewards.queries import balance
from rewards.services.refunds import refund_purchase
from rewards.tests.factories import post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module", autouse=True)
def _catalogues():
    call_command("messages", "--compile")


def test_from_the_share_to_both_thanked_and_back(club, open_page, settings, live_server):
    settings.SITE_URL = live_server.url
    live_programme(welcome={"points": 50}, milestones=[{"friends": 3, "thanks": {"points": 500}}])
    mei = make_account("mei@example.com", name="陈梅")
    update_profile(member_id=mei.pk, changes={"language": "zh-hans"}, at=timezone.now())
    giver = open_page(viewport=PHONE, locale="zh-CN", color_scheme="dark")
    sign_in(giver, "mei@example.com")
    giver.goto("/friends/")
    giver.get_by_role("button", name="获取我的链接").click()
    link = giver.locator("#link").input_value()
    check(giver, "/friends/")

    friend = open_page(**LOOKS["phone-en-light"])
    friend.goto(link)
    expect(friend.get_by_text("A friend has something for you")).to_be_visible()
    expect(friend.get_by_text("50 points and later 100 points")).to_be_visible()
    check(friend, friend.url.removeprefix(live_server.url))
    friend.get_by_role("button", name="Take the gift").click()
    friend.locator("[name=name]").fill("Lee Reed")
    friend.locator("[name=email]").fill("lee@example.com")
    friend.locator("[name=password1]").fill(PASSWORD)
    friend.locator("main form .button").first.click()
    friend.locator("[name=code]").fill(re.search(r"\b\d{4}-\d{4}\b", mail.outbox[-1].body).group())
    friend.locator("main form .button").first.click()
    friend.locator("[name=old_enough]").check()
    friend.locator("main form .button").first.click()
    expect(friend.get_by_text("From your friend, for you: 50 points and later 100 points.")).to_be_visible()
    lee = Member.objects.get(email="lee@example.com")
    assert balance(lee.pk) == 50

    at = timezone.now()
    bought = post(lee, at, amount_minor=2_500, purchased_at=at)
    run_due(at=timezone.now())
    giver.reload()
    expect(giver.get_by_text("等待中")).to_be_visible()
    settle_due(at=at + timedelta(days=15))
    giver.reload()
    expect(giver.get_by_text("已完成，谢谢您！")).to_be_visible()
    assert (balance(mei.pk, at + timedelta(days=15)), balance(lee.pk, at + timedelta(days=15))) == (200, 175)

    refund_purchase(purchase_id=bought.id, source="till", key="r1", at=at + timedelta(days=16), reason="")
    run_due(at=timezone.now())
    giver.reload()
    expect(giver.get_by_text("已收回")).to_be_visible()
    assert (balance(mei.pk), balance(lee.pk)) == (0, 50)


@pytest.mark.parametrize("look", LOOKS)
def test_no_page_of_friends_has_a_barrier_or_is_too_wide(club, open_page, look):
    live_programme(welcome={"points": 50}, milestones=[{"friends": 3, "thanks": {"points": 500}}])
    mei, at = make_account("mei@example.com", name="陈梅"), timezone.now()
    update_profile(member_id=mei.pk, changes={"language": "zh-hans" if "zh" in look else "en"}, at=at)
    set_wishes(member_id=mei.pk, shows_name=True, nickname="M", is_listed=True, at=at)
    for state, friend in ((ReferralState.REFUSED, newcomer(at=at)), (ReferralState.REWARDED, newcomer(at=at))):
        referral = bring(mei, friend, at, friend_shows_name=True)
        ends = {"due_at": None, "ended_at": at, "qualified_at": at}
        Referral.objects.filter(pk=referral.pk).update(state=state, reason="Both orders went to one address", **ends)
    refused = Referral.objects.get(state=ReferralState.REFUSED)
    invite(advocate=mei.advocate, address="kim@example.net", language="en", at=at)
    send_waiting(at=at)
    refuse = re.search(r"/r/no/\S+", mail.outbox[-1].body).group()
    page = open_page(**LOOKS[look])
    for path in (f"/r/{mei.advocate.code}/", refuse):
        check(page, path)
    sign_in(page, "mei@example.com")
    for path in ("/friends/", f"/friends/{refused.pk}/objection/", "/friends/card/", "/friends/poster/"):
        check(page, path)
