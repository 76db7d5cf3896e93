"""What happens to members leads to invitations, and to no more than the shop's rule allows."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from members.events import record
from members.services.reactions import run_due as react
from members.tests.factories import make_member
from rewards.services.redemptions import redeem_reward
from rewards.tests.factories import adjust, make_reward, make_rule, make_tiers, post
from surveys.models import AskingRule, DueInvitation, Invitation, SurveyTrigger
from surveys.services.cases.acting import move
from surveys.services.cases.opening import open_case
from surveys.services.inviting import Invited, invite, run_due
from surveys.services.triggering import Happened, hear, invite_due, plan_scheduled
from surveys.tests.factories import AT, open_survey

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def make_trigger(event: str = "purchase", **more) -> SurveyTrigger:
    return SurveyTrigger.objects.create(survey=more.pop("survey", None) or open_survey(), event=event, **more)


def bought(member, amount: int = 900, store: str = "Mitte", at=AT) -> None:
    data = {"purchase": 0, "amount_minor": amount, "currency": "EUR", "store": store}
    record(member_id=member.pk, kind="purchase.paid", at=at, data=data)
    react(at=timezone.now() + HOUR)


def test_a_purchase_is_asked_about_some_hours_later_and_once():
    trigger = make_trigger(after_hours=2, store="Mitte", least_minor=500)
    members = [make_member() for _ in range(3)]
    bought(members[0])
    bought(members[1], store="Nord")
    bought(members[2], amount=499)
    assert invite_due(at=AT + HOUR) == 0
    assert invite_due(at=AT + 2 * HOUR) == 1
    asked = Invitation.objects.get()
    assert asked.member_id == members[0].pk
    assert asked.expires_at == AT + 2 * HOUR + timedelta(days=30)
    assert asked.key.startswith(f"trigger:{trigger.pk}:")
    assert not DueInvitation.objects.exists()
    bought(members[0], at=AT + timedelta(days=1))
    assert invite_due(at=AT + timedelta(days=2)) == 0  # asked the day before yesterday


def test_one_survey_a_fortnight_whichever_it_is():
    first, second = open_survey(), open_survey()
    member = make_member().pk
    assert invite(survey_id=first.pk, member_ids=[member], key="a", at=AT).invited == 1
    soon = AT + timedelta(days=13)
    assert invite(survey_id=second.pk, member_ids=[member], key="a", at=soon) == Invited(1, 1, 0)
    AskingRule.objects.create(pk=1, days=10)
    assert invite(survey_id=second.pk, member_ids=[member], key="a", at=soon).invited == 1


def test_share_is_drawn_the_same_again():
    trigger = make_trigger("tier", share=Decimal(50))
    member = make_member().pk
    told = [Happened(n, "tier.changed", member, AT, {}) for n in range(200)]
    drawn = hear(events=told)
    assert 60 <= drawn <= 140
    assert hear(events=told) == drawn
    assert DueInvitation.objects.filter(trigger=trigger).count() == drawn
    assert invite_due(at=AT + timedelta(days=1)) == 1  # one person, once


def redeems(member) -> None:
    adjust(member, 50, AT)
    redeem_reward(member_id=member.pk, reward_id=make_reward(points=50).pk, source="test", key="k", at=AT)


def is_helped(member) -> None:
    case = open_case(kind="complaint", text="Cold", source="till", member_id=member.pk, at=AT)
    for to in ("resolved", "closed"):
        move(case_id=case.pk, to=to, at=AT, actor_id=None, version=None)


def climbs(member) -> None:
    make_rule()
    make_tiers()
    post(member, AT, purchased_at=AT, amount_minor=60_000)


@pytest.mark.parametrize(("event", "happens"), [("redemption", redeems), ("case", is_helped), ("tier", climbs)])
def test_what_really_happens_leads_to_one_invitation(event, happens):
    trigger, member = make_trigger(event, after_hours=24), make_member()
    happens(member)
    react(at=timezone.now() + HOUR)
    assert DueInvitation.objects.filter(trigger=trigger).exists()
    assert invite_due(at=AT + 23 * HOUR) == 0
    assert invite_due(at=AT + timedelta(days=2)) == 1
    assert Invitation.objects.get().member_id == member.pk


def test_events_of_others_by_their_name():
    make_trigger("custom", name="workshop", after_hours=0)
    member = make_member().pk
    told = [Happened(n, "event.told", member, AT, {"event": name}) for n, name in enumerate(["workshop", "visit"])]
    assert hear(events=told) == 1


def test_waves_come_round():
    trigger = make_trigger("schedule", every_days=30, next_at=AT)
    make_member()
    assert plan_scheduled(at=AT) == 1
    assert plan_scheduled(at=AT) == 0
    assert run_due(at=AT) == 1
    assert Invitation.objects.count() == 1
    trigger.refresh_from_db()
    assert trigger.next_at == AT + timedelta(days=30)
    assert plan_scheduled(at=AT + timedelta(days=95)) == 1  # three were missed: one is made
    trigger.refresh_from_db()
    assert trigger.next_at == AT + timedelta(days=120)
