"""Gifts by hand at the desk: who may give how much, who decides, and how the settings say so."""

import html
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import localdate

from members.models import Member, User
from members.services.segments import refresh, save_segment
from members.tests.factories import make_member
from rewards.models import Coupon, GrantRequest, Lot, RewardSettings, RewardSettingsChange, Transfer
from rewards.queries import balance
from rewards.services.coupons.jobs import create_codes, run_job
from rewards.services.grant_runs import give_due
from rewards.services.settings import save_reward_settings
from rewards.tests.coupons import make_offer
from rewards.tests.factories import adjust, make_rule, make_tiers

LIMIT = 100


@pytest.fixture
def member(db, at) -> Member:
    make_rule()
    make_tiers()
    save_reward_settings(values={"grant_limit": LIMIT}, at=at)
    return make_member(name="Anna Becker")


def text(answer) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def give(client, member: Member, amount: int, **data):
    form = {"direction": "give", "amount": amount, "reason": "Queue", "note": "Sorry", "key": str(uuid.uuid4()), **data}
    return client.post(reverse("admin:members_member_adjust_points", args=[member.pk]), form, follow=True)


def act(client, asked: GrantRequest, name: str, **data):
    url = reverse(f"admin:rewards_grantrequest_{name}", args=[asked.pk])
    return client.post(url, {"confirmed": "1", **data}, follow=True)


def test_above_the_limit_the_page_says_that_it_waits_and_a_manager_lets_it_go(member, desk):
    marketer, manager = desk("Marketer"), desk("Manager")
    asked = text(give(marketer, member, LIMIT + 1))
    assert "One person may give at most 100 points at once. So this waits until another person agrees." in asked
    assert "The member will read: “Sorry”." in asked
    assert not GrantRequest.objects.exists()
    assert "It waits for another person now." in text(give(marketer, member, LIMIT + 1, confirmed="1"))
    request = GrantRequest.objects.get()
    page = reverse("admin:members_member_change", args=[member.pk])
    assert "Gifts waiting for approval" in text(marketer.get(page))
    assert act(marketer, request, "approve").status_code == 403
    today = text(manager.get(reverse("admin:index")))
    assert "1 gift of points waits for your decision" in today
    assert "1 gift of points waits for your decision" not in text(marketer.get(reverse("admin:index")))
    shown = text(manager.get(reverse("admin:rewards_grantrequest_approve", args=[request.pk])))
    assert "Anna Becker gets 101 points. Asked by marketer@example.com: “Queue”" in shown
    assert "It is approved." in text(act(manager, request, "approve", remark="Fine"))
    assert balance(member.pk) == LIMIT + 1
    assert "Gifts waiting for approval" not in text(marketer.get(page))


def test_a_gift_may_have_a_last_day(member, desk):
    marketer, key = desk("Marketer"), str(uuid.uuid4())
    early = text(give(marketer, member, 5, expires_on=localdate() - timedelta(days=1)))
    assert "Please choose a day that is still to come." in early
    assert "5 points after this." in text(give(marketer, member, 5))
    last = localdate() + timedelta(days=30)
    assert "It can be spent until" in text(give(marketer, member, 5, expires_on=last, key=key))
    give(marketer, member, 5, expires_on=last, key=key, confirmed="1")
    assert localdate(Lot.objects.get().expires_at) == last + timedelta(days=1)  # the end of that day
    other = give(marketer, member, 5, expires_on=last + timedelta(days=1), key=key, confirmed="1")
    assert "This form was used already." in text(other)


def test_a_gift_card_given_by_hand_is_credit_given_by_hand(member, desk, at):
    offer = make_offer("card", {"currency": "EUR", "amount": "25.00"})
    marketer, url = desk("Marketer"), reverse("admin:rewards_offer_issue", args=[offer.pk])

    def issue(key: str, **more) -> str:
        return text(marketer.post(url, {"member": member.card_number, "key": key, **more}, follow=True))

    for confirmed in ({}, {"confirmed": "1"}):
        assert "One person may give at most 100 points at once. Store credit instead" in issue("a", **confirmed)
    save_reward_settings(values={"grant_limit": 2_500, "grant_limit_day": 4_000}, at=at)
    for _click in range(2):
        assert "has the coupon" in issue("a", confirmed="1")
    assert "at most 4,000 points in a day" in issue("b", confirmed="1")
    assert "at most 4,000 points in a day" in text(give(marketer, member, 1_501))
    assert Coupon.objects.count() == 1
    run_job(job_id=create_codes(offer_id=offer.pk, total=1, at=at).pk)
    sold = reverse("admin:rewards_coupon_activate", args=[Coupon.objects.latest("pk").pk])
    assert "Please let a manager activate it." in text(marketer.post(sold, {"confirmed": "1"}))
    assert "The gift card can be used." in text(desk("Manager").post(sold, {"confirmed": "1"}, follow=True))


def test_nobody_approves_their_own_not_even_who_may_everything(member, client, settings):
    settings.REQUIRE_STAFF_MFA = False
    chief = User.objects.create_superuser("chief@example.com", "x")
    client.force_login(chief, backend="django.contrib.auth.backends.ModelBackend")
    give(client, member, LIMIT + 1, confirmed="1")
    request = GrantRequest.objects.get()
    assert act(client, request, "approve").status_code == 403
    assert "It is withdrawn." in text(act(client, request, "withdraw"))
    assert not Transfer.objects.exists()


def test_who_asked_reads_why_it_was_refused(member, desk):
    marketer, manager = desk("Marketer"), desk("Manager")
    give(marketer, member, LIMIT + 1, confirmed="1")
    request = GrantRequest.objects.get()
    assert "This field is required" in text(act(manager, request, "refuse", remark=""))
    act(manager, request, "refuse", remark="Too much for a queue")
    page = text(marketer.get(reverse("admin:rewards_grantrequest_change", args=[request.pk])))
    assert "Too much for a queue" in page
    assert "Refused" in page
    assert act(manager, request, "approve").status_code == 403  # decided already


def test_taking_points_needs_nobody_and_the_member_reads_a_correction(member, desk, at):
    adjust(member, 500, at)
    give(desk("Marketer"), member, 300, direction="take", note="", confirmed="1")
    taken = Transfer.objects.latest("id")
    assert (taken.amount, taken.reason, taken.note) == (300, "Queue", "Correction")


def test_points_for_a_segment(member, desk):
    now = datetime.now(UTC)
    segment = save_segment(names={"en": "Regulars"}, definition={"all": []}, at=now)
    refresh(segment_id=segment.pk, at=now)
    make_member()
    refresh(segment_id=segment.pk, at=now)
    marketer, manager, url = desk("Marketer"), desk("Manager"), reverse("admin:rewards_grantrequest_add")
    form = {"segment": segment.pk, "amount": 60, "reason": "Ten years", "key": str(uuid.uuid4())}
    asked = text(marketer.post(url, form))
    assert "“Regulars”: 2 members get 60 points each, 120 points in all." in asked
    assert "So this waits until another person agrees." in asked
    assert "Please choose a day that is still to come." in text(
        marketer.post(url, {**form, "expires_on": "2020-01-01"})
    )
    marketer.post(url, {**form, "confirmed": "1"})
    request = GrantRequest.objects.get()
    act(manager, request, "approve")
    assert give_due(at=now) == 2
    shown = text(manager.get(reverse("admin:rewards_grantrequest_change", args=[request.pk])))
    assert "2 of 2 members, finished" in shown
    assert act(manager, request, "stop").status_code == 403


def test_the_settings_say_what_changes_and_keep_who_did_it(member, desk, at):
    adjust(member, 1_000, at)
    manager, url = desk("Manager"), reverse("admin:rewards_rewardsettings_change", args=[1])
    opened = manager.get(url)
    form = {name: value for name, value in opened.context["form"].initial.items() if value not in (None, False)}
    form |= {"point_cost": "0.02", "grant_limit": "", "refund_policy": "arrears"}
    asked = text(manager.post(url, form))
    for words in (
        "A point costs €0.02. Until now: A point costs €0.01.",
        "Members hold 1,000 points: €20.00 are owed for them, instead of €10.00.",
        "One person may give any number of points at once. Until now: A gift of more than 100 points waits",
        "what the member earns next repays them first.",
    ):
        assert words in asked, words
    assert RewardSettings.objects.get().grant_limit == LIMIT
    assert "The settings are saved." in text(manager.post(url, {**form, "confirmed": "1"}, follow=True))
    kept = RewardSettings.objects.get()
    assert (str(kept.point_cost), kept.grant_limit, kept.refund_policy) == ("0.020000", None, "arrears")
    change = RewardSettingsChange.objects.first()
    assert change.actor.email == "manager@example.com"
    assert change.changes["grant_limit"] == ["100", None]
    assert "manager@example.com" in text(manager.get(url))
    seen = text(desk("Marketer").get(url))
    assert "A point costs €0.02." in seen
    assert "Continue" not in seen


def test_settings_that_contradict_each_other_are_refused(member, desk):
    manager, url = desk("Manager"), reverse("admin:rewards_rewardsettings_change", args=[1])
    form = {n: v for n, v in manager.get(url).context["form"].initial.items() if v not in (None, False)}
    assert "A day allows at least as much as one gift." in text(manager.post(url, {**form, "grant_limit_day": "50"}))
    assert "greater than or equal to 1" in text(manager.post(url, {**form, "hold_minutes": "0"}))


def test_credit_above_the_limit_waits_as_points_do_and_is_shown_as_money(member, desk):
    marketer, manager = desk("Marketer"), desk("Manager")
    give(marketer, member, "2000.00", unit="credit", confirmed="1")
    request = GrantRequest.objects.get()
    assert (request.unit, request.amount, request.state) == ("credit", 200_000, "waiting")
    asked = text(manager.post(reverse("admin:rewards_grantrequest_approve", args=[request.pk])))
    assert "Anna Becker gets €2,000.00." in asked
    assert "Anna Becker has €0.00 now." in asked
    act(manager, request, "approve")
    assert balance(member.pk, unit="credit") == 200_000
