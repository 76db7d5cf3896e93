"""What campaigns brought, and one member's story with one of them, as staff see it."""

from datetime import time, timedelta

import pytest
from django.utils.timezone import now

from campaigns.admin.results.trace import reasons, verdict
from campaigns.admin.results.words import story
from campaigns.models import Campaign, Message, Sender, TrackEvent
from campaigns.queries_measure import came, lifts
from campaigns.queries_trace import known_of
from campaigns.services.breaker import pause_sender
from campaigns.services.broadcasts import control
from campaigns.services.measuring import cost_of, return_of
from campaigns.services.survey_mail import mail_of
from campaigns.services.verdicts import judge
from campaigns.tests import factories, test_broadcasts, test_journeys
from campaigns.tests.factories import AT
from campaigns.tests.test_broadcasts import beat, many, reader, scheduled
from common.sql import execute
from members.models import Member
from members.services.consent import state_consent
from members.tests.factories import make_member
from surveys.tests.factories import open_survey

pytestmark = pytest.mark.django_db
LATER = AT + timedelta(days=1)


@pytest.fixture(autouse=True)
def without_second_factor(settings):
    settings.REQUIRE_STAFF_MFA = False


def buy(of: str, amount: str) -> None:
    execute(
        "INSERT INTO members_purchase (member_id, source, key, fingerprint, purchased_at, amount_minor, currency)"
        f" SELECT message.member_id, 'test', message.uid::text, message.uid, %s, {amount}, 'EUR'"
        f" FROM campaigns_message AS message WHERE {of}",
        [LATER],
    )


def test_what_it_brought_is_told_beside_those_held_out(admin_client):
    many(120)
    made = scheduled(campaign={"holdout_percent": 50, "goal_days": 7}, gift_points=10)
    beat()
    Sender.objects.update(message_cost="0.01")
    factories.run(AT)
    # The lot falls anew each time: amounts that hung on who drew what would miss the true gain once in twenty times.
    spread = "200 * (row_number() OVER (ORDER BY message.member_id) %% 2)"
    buy("message.state = 'sent'", f"900 + {spread}")
    buy("message.state = 'held'", f"400 + {spread}")
    lift = lifts([made.pk], at=LATER)[made.pk]
    assert lift.got.members + lift.held.members == 120
    assert lift.enough
    assert lift.difference.low < 500 < lift.difference.high
    cost, gave = cost_of(made.campaign)
    assert gave.points == 10 * lift.got.members
    assert cost.sending == lift.got.members
    remains = return_of(lift, cost)
    assert float(remains.left) == pytest.approx(
        lift.difference.estimate * lift.got.members - float(cost.whole), rel=1e-6
    )
    one = Message.objects.filter(state="sent").first()
    state_consent(member_id=one.member_id, channel="email", purpose="offers", granted=False, source="x", at=LATER)
    assert came([made.pk])[made.pk].unsubscribed == 1
    page = admin_client.get(f"/admin/campaigns/campaign/{made.pk}/change/").content.decode()
    assert "After its cost" in page
    rows = admin_client.get(f"/admin/campaigns/message/?campaign__id__exact={made.pk}&state__exact=sent&left=yes")
    assert list(rows.context["cl"].result_list) == [one]
    listed = admin_client.get("/admin/campaigns/campaign/").content.decode()
    assert "Spring" in listed
    table = admin_client.get(f"/admin/campaigns/campaign/{made.pk}/csv/").content.decode()
    assert f"Held out,{lift.held.members}" in table
    assert "Spring,Broadcast," in admin_client.get("/admin/campaigns/campaign/as-csv/").content.decode()


def test_everybody_who_was_drawn_counts_whatever_became_of_their_message():
    """Of 60, half are held out. Of the others one says no and one is cancelled: they were drawn."""
    many(60)
    silent = make_member(email="silent@example.com")
    made = scheduled(campaign={"holdout_percent": 50, "goal_days": 7})
    beat()
    drawn = dict(Message.objects.exclude(member=silent).values_list("member_id", "state"))
    held = [pk for pk, state in drawn.items() if state == "held"]
    got = sorted(set(drawn) - set(held))
    assert len(drawn) == 60
    first, second = got[0], got[1]
    state_consent(member_id=first, channel="email", purpose="offers", granted=False, source="x", at=now())
    Message.objects.filter(member_id=second).update(state="cancelled")
    factories.run(AT)
    assert Message.objects.get(member_id=first).state == "skipped"
    assert Message.objects.get(member=silent).state == "skipped"  # before the draw: on neither side
    buy(f"message.member_id IN ({first}, {second})", "3000")
    buy("message.state = 'held'", "500")
    lift = lifts([made.pk], at=LATER)[made.pk]
    assert (lift.got.members, lift.held.members) == (len(got), len(held))
    assert (lift.got.buyers, lift.got.spent) == (2, 6000)
    assert lift.difference.estimate == pytest.approx(6000 / len(got) - 500)


def test_not_enough_data_is_said(admin_client):
    reader(email="a@example.com")
    made = scheduled()
    beat()
    factories.run(AT)
    page = admin_client.get(f"/admin/campaigns/campaign/{made.pk}/change/").content.decode()
    assert "Nobody was held out" in page
    assert "Not enough data to say whether it paid." in page


def test_a_members_story_with_a_broadcast(admin_client):
    good, silent = reader(email="a@example.com", name="Ann"), make_member(email="b@example.com", name="Bob")
    made = scheduled()
    beat()
    factories.run(AT)
    late = reader(email="c@example.com", name="Cleo")
    Member.objects.filter(pk=late.pk).update(joined_at=AT + timedelta(days=2))
    late.refresh_from_db()
    message = Message.objects.get(member=good)
    TrackEvent.objects.create(
        message=message, kind="click", at=LATER, minute=LATER, looks="unsure", method="GET", agent="Mozilla/5.0 (X)"
    )
    judge(at=LATER + timedelta(hours=1))
    buy("message.state = 'sent'", "500")
    campaign = Campaign.objects.get(pk=made.pk)
    found = known_of(campaign, good)
    assert verdict(found).startswith("Yes")
    words = [moment.words for moment in story(found)]
    for part in ("Taken down", "Written", "Sent", "A link was followed", "Bought for €5.00"):
        assert any(part in said for said in words), part
    assert "No. Skipped: has not agreed" in verdict(known_of(campaign, silent))
    told = [one.sentence for one in reasons(campaign, late, known_of(campaign, late), LATER)]
    assert any("after the audience was taken down" in said for said in told)
    page = admin_client.get(f"/admin/campaigns/campaign/{made.pk}/trace/?q=a@example.com").content.decode()
    assert "nothing speaks against it" in page


def test_a_story_says_what_a_message_waits_for():
    reader(email="a@example.com")
    made = scheduled()
    beat()
    message = Message.objects.get()
    assert [moment.words.split(",")[0] for moment in story(known_of(made.campaign, message.member))][-2:] == [
        "Taken down",
        "Waiting",
    ]
    for paused, said in (("", "it waits"), ("sender", "“E-mail” is paused"), ("campaign", "the campaign is paused")):
        if paused == "sender":
            pause_sender(sender_id=message.sender_id, at=AT, actor_id=None)
        elif paused:
            control.pause(campaign_id=made.pk, why="anna@example.com")
        campaign = Campaign.objects.get(pk=made.pk)
        assert said in verdict(known_of(campaign, message.member))
    control.cancel(campaign_id=made.pk, at=AT)
    campaign.refresh_from_db()
    assert verdict(known_of(campaign, message.member)) == "No: the campaign was cancelled."
    assert campaign.paused_why == ""


def test_stories_of_journeys_and_birthdays(admin_client):
    step = {"id": "m", "kind": "send", "template": test_journeys.template().pk, "channels": []}
    made = test_journeys.journey(step)
    member = test_journeys.join()
    (greeting,) = factories.due()
    for pk, who in ((made.pk, member), (greeting.campaign_id, greeting.member)):
        page = admin_client.get(f"/admin/campaigns/campaign/{pk}/trace/?member={who.pk}")
        assert page.status_code == 200
        assert "What happened when" in page.content.decode()
    assert lifts([made.pk], at=LATER)[made.pk].got.members == 1


def test_those_who_missed_a_birthday_mail_get_it_after_all(admin_client):
    (message,) = factories.due()
    Message.objects.update(state="missed")
    address = f"/admin/campaigns/campaign/{message.campaign_id}/resend/"
    asked = admin_client.post(address, {"reason": "the worker was down"}).content.decode()
    assert "1 message goes out again." in asked
    admin_client.post(address, {"reason": "the worker was down", "confirmed": "1"})
    assert Message.objects.get().state == "queued"


def test_what_is_measured_is_changed_after_a_question(admin_client):
    reader(email="a@example.com")
    made = test_broadcasts.scheduled()
    address, data = f"/admin/campaigns/campaign/{made.pk}/measures/", {"measure_opens": "on", "goal_days": 30}
    assert "Opens are measured." in admin_client.post(address, data).content.decode()
    admin_client.post(address, data | {"confirmed": "1"})
    campaign = Campaign.objects.get(pk=made.pk)
    assert (campaign.measure_clicks, campaign.measure_opens, campaign.goal_days) == (False, True, 30)


def test_what_is_measured_is_chosen_where_it_is_set_up_and_goes_on_to_who_missed_it(admin_client):
    reader(email="a@example.com")
    made = test_broadcasts.draft()
    address = f"/admin/campaigns/broadcast/{made.pk}/when/"
    assert 'name="measure_opens"' in admin_client.get(address).content.decode()
    data = {"when": "now", "hour_passed": "skip", "late_hours": 24, "holdout_percent": 0, "goal_days": 21}
    data["priority"] = 70
    admin_client.post(address, data | {"measure_opens": "on", "utm_campaign": "spring"})
    again = control.follow_up(campaign_id=made.pk, at=AT, actor_id=None)
    for pk in (made.pk, again.pk):
        one = Campaign.objects.get(pk=pk)
        assert (one.measure_clicks, one.measure_opens, one.utm_campaign, one.goal_days) == (False, True, "spring", 21)
        assert one.priority == 70


def test_who_approves_sees_what_it_says_and_doubt_is_told_only_where_there_is_some(admin_client):
    reader(email="a@example.com")
    held_up = {"quiet_from": time(22), "quiet_until": time(7, 30), "rate_per_minute": 60}
    made = test_broadcasts.scheduled(campaign=held_up)
    Campaign.objects.filter(pk=made.pk).update(state="waiting")
    for address in ("change", "approve"):
        said = admin_client.get(f"/admin/campaigns/broadcast/{made.pk}/{address}/").content.decode()
        assert "It waits from 22:00 to 07:30" in said
        assert "60 messages a minute at most" in said
    page = admin_client.get(f"/admin/campaigns/broadcast/{made.pk}/change/").content.decode()
    assert "Who gets it, as things are now" in page
    assert "cast-look" in page
    counted = admin_client.get(f"/admin/campaigns/broadcast/{made.pk}/estimate/").content.decode()
    assert "1" in counted
    Campaign.objects.filter(pk=made.pk).update(state="scheduled")
    beat()
    address = f"/admin/campaigns/broadcast/{made.pk}/follow/"
    Message.objects.update(state="missed")
    assert "in doubt" not in admin_client.post(address, {}).content.decode()
    Message.objects.update(state="unknown", frozen_at=AT)
    assert "in doubt" in admin_client.post(address, {}).content.decode()


def test_invitations_to_a_survey_have_a_page_of_what_they_came_to_too(admin_client):
    survey = open_survey()
    made = mail_of(survey_id=survey.pk, at=AT).campaign
    page = admin_client.get(f"/admin/campaigns/campaign/{made.pk}/change/")
    assert f"/admin/surveys/survey/{survey.pk}/change/" in page.content.decode()
    assert admin_client.get(f"/admin/campaigns/campaign/{made.pk}/measures/").status_code == 200
