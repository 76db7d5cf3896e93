"""The page by which staff reach people, through the front door."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.utils import timezone

from campaigns.models import SurveyMail
from members.models import User
from members.services.consent import state_consent
from members.tests.factories import make_member
from surveys.enums import TriggerEvent
from surveys.models import AskingRule, DueInvitation, Invitation, SurveyPlace, SurveyTrigger, Wave
from surveys.services.doors import make_trigger
from surveys.services.inviting import run_due
from surveys.services.triggering import Happened, hear, invite_due, plan_scheduled
from surveys.tests.factories import open_survey

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client):
    client.force_login(User.objects.create_superuser("chief@example.com", "x"))
    return client


def text(reply) -> str:
    return reply.content.decode()


def test_a_wave_is_estimated_by_reason_and_then_asks_as_many(desk):
    survey = open_survey()
    members = [make_member() for _ in range(4)]
    at = timezone.now()
    state_consent(member_id=members[0].pk, channel="email", purpose="offers", granted=True, source="test", at=at)
    Invitation.objects.create(survey=open_survey(), member=members[1], key="wave:1", created_at=at)
    address = f"/admin/surveys/survey/{survey.pk}/reach/"
    told = {"wave-share": "100", "wave-days_open": "30", "wave-segment": ""}
    page = text(desk.get(address, told))
    assert "Invite 3" in page  # one was asked by another survey
    assert '<p class="desk-figure">1</p>' in page  # of them one agreed to mail
    assert not Wave.objects.exists()
    text(desk.post(address, {"act": "template", "template": "", "channel": ["sms", "email", ""]}))
    assert SurveyMail.objects.get(survey=survey).campaign.channels == ["sms", "email"]
    assert '<option value="sms" selected>' in text(desk.get(address))
    desk.post(address, {"act": "wave", **told})
    run_due(at=timezone.now())
    wave = Wave.objects.get()
    assert (wave.considered, wave.rested, wave.invited) == (4, 1, 3)
    listed = text(desk.get(f"{address}invitations/"))
    assert str(members[2]) in listed
    assert str(members[1]) not in listed


def test_triggers_places_and_the_rule_are_made_and_taken_back(desk):
    survey = open_survey(ways=["link"])
    address = f"/admin/surveys/survey/{survey.pk}/reach/"
    trigger = {
        "act": "trigger", "trigger-event": "purchase", "trigger-after_hours": "3", "trigger-share": "50",
        "trigger-cooldown_days": "60", "trigger-least": "12.50", "trigger-store": "Mitte",
    }  # fmt: skip
    page = text(desk.post(address, trigger, follow=True))
    assert "3 hours later, 50 % of them. Only in Mitte. From €12.50. Nobody again within 60 days." in page
    made = SurveyTrigger.objects.get()
    assert made.least_minor == 1250
    assert "Please say which event" in text(desk.post(address, trigger | {"trigger-event": "custom"}))
    place = {"act": "place", "place-kind": "poster", "place-store": "Mitte", "place-tables": "1, 2"}
    desk.post(address, place | {"place-idle_seconds": "60"})
    survey.refresh_from_db()
    assert survey.ways == ["link", "public"]
    first, second = SurveyPlace.objects.order_by("pk")
    assert text(desk.get(f"{address}posters/")).count("<svg") == 2
    desk.post(address, {"act": "revoke", "place": first.pk})
    sheet = text(desk.get(f"{address}posters/"))
    assert second.token in sheet
    assert first.token not in sheet
    desk.post(address, {"act": "rest", "rest-days": "21"})
    assert AskingRule.objects.get().days == 21


def test_a_trigger_is_changed_paused_and_deleted_and_says_what_becomes_of_who_waits(desk):
    survey, at = open_survey(), timezone.now()
    made = make_trigger(survey_id=survey.pk, event=TriggerEvent.PURCHASE, at=at, least_minor=1250)
    address = f"/admin/surveys/survey/{survey.pk}/reach/triggers/{made.pk}/"
    buys = [Happened(n, "purchase.paid", make_member().pk, at, {"amount_minor": 2000}) for n in range(2)]
    assert hear(events=buys) == 2
    form = {"least": "20", "after_hours": "5", "share": "100", "cooldown_days": "30", "days_open": "14", "segment": ""}
    asked = text(desk.post(address, form))
    assert "2 members wait, and are asked at the hour" in asked
    assert "Until now: A purchase: 2 hours later, 100 % of them. From €12.50." in asked
    made.refresh_from_db()
    assert made.after_hours == 2  # not before it is confirmed
    desk.post(address, form | {"confirmed": "1", "event": "tier"})
    made.refresh_from_db()
    assert (made.event, made.after_hours, made.least_minor, made.days_open) == ("purchase", 5, 2000, 14)
    assert made.due.count() == 2
    assert "Nothing was changed" in text(desk.post(address, form))

    assert "2 members wait to be asked by it, and will not be." in text(desk.get(f"{address}pause/"))
    desk.post(f"{address}pause/", {"confirmed": "1"})
    made.refresh_from_db()
    assert (made.active, made.due.count(), hear(events=buys)) == (False, 0, 0)
    desk.post(f"{address}resume/", {"confirmed": "1"})
    assert hear(events=buys) == 2
    assert invite_due(at=at + timedelta(hours=5)) == 2
    assert hear(events=[replace(buys[0], id=9)]) == 1

    assert "1 member waits to be asked by it" in text(desk.get(f"{address}delete/"))
    desk.post(f"{address}delete/", {"confirmed": "1"})
    assert not SurveyTrigger.objects.exists()
    assert not DueInvitation.objects.exists()
    assert Invitation.objects.count() == 2
    assert desk.get(address).status_code == 404
    acts = LogEntry.objects.filter(object_id=survey.pk).order_by("pk")
    assert [one.change_message.split(":")[0] for one in acts] == [
        "Trigger changed", "Trigger paused", "Trigger goes on", "Trigger deleted"
    ]  # fmt: skip


def test_a_trigger_by_days_keeps_its_round_when_the_days_change(desk):
    survey, at = open_survey(), timezone.now()
    made = make_trigger(survey_id=survey.pk, event=TriggerEvent.SCHEDULE, at=at, every_days=30)
    plan_scheduled(at=at + timedelta(minutes=1))
    address = f"/admin/surveys/survey/{survey.pk}/reach/triggers/{made.pk}/"
    assert 'name="least"' not in text(desk.get(address))
    told = {"every_days": "7", "share": "50", "days_open": "30", "segment": "", "confirmed": "1"}
    desk.post(address, told)
    made.refresh_from_db()
    assert made.next_at == at + timedelta(minutes=1, days=7)


def test_the_mail_is_chosen_and_tried(desk):
    survey = open_survey()
    address = f"/admin/surveys/survey/{survey.pk}/reach/"
    assert "on its way" in text(desk.post(address, {"act": "test", "test-to": "me@example.com"}, follow=True))
    assert mail.outbox[0].to == ["me@example.com"]
    chosen = SurveyMail.objects.get().template
    assert f'<option value="{chosen.pk}" selected>' in text(desk.get(address))
