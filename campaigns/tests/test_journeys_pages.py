"""The marketer's pages of journeys, through the front door."""

import hashlib
import hmac
import json
import os
import signal
from datetime import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Barrier, Thread

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Journey, JourneyCall, JourneyRun, Sender, Template, Topic
from campaigns.services.journeys import acts
from campaigns.services.journeys.advancing import advance, advance_batch
from campaigns.services.journeys.calling import make_calls
from campaigns.services.journeys.mending import retry
from campaigns.services.journeys.running import run
from campaigns.tests.test_journeys import AT, DAY, HOUR, join, journey, points, template, wait
from members.models import Member, User
from members.services.segments import SegmentInUse, archive_segment, save_segment
from members.tests.killed import killed_in
from rewards.queries import balance
from rewards.services.verify import verify
from rewards.tests.factories import adjust, make_reward

pytestmark = pytest.mark.django_db


CHINESE = {"trait": "language", "op": "any_of", "value": ["zh-hans"]}


@pytest.fixture
def desk(settings):
    settings.REQUIRE_STAFF_MFA = False
    user = User.objects.create_user("marketer@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(name: str, *args) -> str:
    return reverse(f"admin:campaigns_journey_{name}", args=args)


def form(definition, **values) -> dict:
    told = {
        "name": "Mine",
        "purpose": "offers",
        "holdout_percent": "0",
        "channel": "email",
        "goal_days": "14",
        "priority": "50",
        "definition": json.dumps(definition),
    }
    return {**told, **values}


def test_a_ready_journey_is_taken_changed_and_published(desk):
    assert "Win back" in desk.get(page("add")).content.decode()
    assert desk.get(page("ready", "win-back")).status_code == 302  # looking takes nothing
    assert not Journey.objects.exists()
    desk.post(page("ready", "win-back"))
    made = Journey.objects.get()
    shown = desk.get(page("change", made.pk)).content.decode()
    assert "journey-picture" in shown
    assert "Goal: Purchase. Who reaches it leaves." in shown
    assert "Gives 3000 coupons at most." in desk.post(page("publish", made.pk), {}).content.decode()
    desk.post(page("publish", made.pk), {"confirmed": "1"})
    made.refresh_from_db()
    assert (made.number, made.campaign.state) == (1, "running")
    assert "RUNNING" in desk.get(page("changelist")).content.decode().upper()


def test_a_draft_may_be_wrong_and_says_where_but_never_runs(desk):
    desk.post(page("add"), form({"trigger": {"kind": "joined"}, "steps": []}, publish="1"))
    made = Journey.objects.get()
    assert "A journey needs a step." in desk.get(page("change", made.pk)).content.decode()
    said = {"save": "1", "goal_days": "7", "measure_opens": "on", "utm_campaign": "hello"}
    desk.post(page("change", made.pk), form({"trigger": {"kind": "joined"}, "steps": []}, **said))
    kept = Campaign.objects.values_list("goal_days", "measure_clicks", "measure_opens", "utm_campaign")
    assert kept.get(pk=made.pk) == (7, False, True, "hello")
    desk.post(page("publish", made.pk), {"confirmed": "1"})
    made.refresh_from_db()
    assert (made.number, made.campaign.state) == (0, "draft")


def test_topic_priority_quiet_hours_and_speed_are_those_of_its_messages(desk):
    news = Topic.objects.create(purpose="offers", name_en="News", name_zh_hans="消息")
    wishes = Topic.objects.create(purpose="greetings", name_en="Wishes", name_zh_hans="祝福")
    steps = {"trigger": {"kind": "joined"}, "steps": [points("a")], "again": {"rule": "never"}}
    said = {"save": "1", "priority": "80", "quiet_from": "21:00", "quiet_until": "08:00", "rate_per_minute": "30"}
    wrong = desk.post(page("add"), form(steps, **said, topic=wishes.pk)).content.decode()
    assert "Members chose this topic for another purpose." in wrong
    half = desk.post(page("add"), form(steps, **said | {"quiet_until": ""})).content.decode()
    assert "Quiet hours have a beginning and an end." in half
    assert not Journey.objects.exists()
    desk.post(page("add"), form(steps, **said, topic=news.pk))
    made = Campaign.objects.get(journey__isnull=False)
    assert (made.topic, made.priority, made.rate_per_minute) == (news, 80, 30)
    assert (made.quiet_from, made.quiet_until) == (time(21), time(8))
    shown = desk.get(page("change", made.pk)).context["form"]
    assert (shown["priority"].value(), shown["topic"].value(), shown["quiet_from"].value()) == (80, news.pk, time(21))


def test_what_is_no_json_is_kept_as_it_was_typed(desk):
    answer = desk.post(page("add"), {**form({}, save="1"), "definition": "{oops"})
    assert "This is not readable as JSON." in answer.content.decode()
    assert "{oops" in answer.content.decode()


def test_the_script_asks_in_a_blink(desk):
    asked = {"trigger": {"kind": "joined"}, "steps": [points("a")], "again": {"rule": "never"}}
    told = desk.post(page("preview"), json.dumps(asked), content_type="application/json").json()
    assert told["steps"] == {"a": "Give 10 points"}
    told = desk.post(page("preview"), "[[[", content_type="application/json").json()
    assert told["problems"][0]["sentence"] == "Here must be a journey."


def test_trying_walks_a_member_and_writes_nothing(desk):
    made = journey(wait(days=2), points())
    member = join()
    before = JourneyRun.objects.count(), balance(member.pk, AT)
    shown = desk.get(page("try", made.pk), {"card": member.card_number}).content.decode()
    assert "Give 10 points" in shown
    assert (JourneyRun.objects.count(), balance(member.pk, AT)) == before


def test_why_says_point_by_point(desk):
    made = journey(points(), audience={"trait": "language", "op": "any_of", "value": ["zh-hans"]}, holdout=50)
    member = join()
    with time_machine.travel(AT + HOUR, tick=False):
        shown = desk.get(page("why", made.pk), {"card": member.card_number}).content.decode()
    assert "Does not belong to the audience" in shown
    assert "As soon as somebody joins: that happened last at" in shown
    assert "drawn to be held out" in shown


def test_who_can_have_a_reward_now_comes_in_and_why_says_so(desk):
    now = timezone.now()  # the moment of a movement is the database's
    make_reward(points=100)
    made = journey(points(n=1), trigger={"kind": "affordable"}, at=now - DAY)
    rich, poor = join(at=now), join(at=now)
    adjust(rich, 120, now, key="rich")
    adjust(poor, 60, now, key="poor")
    run(at=timezone.now() + HOUR)
    assert list(JourneyRun.objects.values_list("member", flat=True)) == [rich.pk]
    for member, told in ((rich, "that happened last at"), (poor, "that did not happen to this member")):
        assert told in desk.get(page("why", made.pk), {"card": member.card_number}).content.decode()


def test_a_members_way_is_told_step_by_step(desk):
    journey(points(), wait())
    member = join()
    run(at=AT)
    found = JourneyRun.objects.get(member=member)
    shown = desk.get(reverse("admin:campaigns_journeyrun_change", args=[found.pk])).content.decode()
    assert "10 points given" in shown
    assert "Wait 1 day" in shown
    assert desk.get(reverse("admin:campaigns_journeyrun_changelist")).status_code == 200


def test_pausing_and_going_on(desk):
    made = journey(points())
    for act, state in (("pause", "paused"), ("resume", "running")):
        desk.post(page(act, made.pk), {"confirmed": "1"})
        made.campaign.refresh_from_db()
        assert made.campaign.state == state


def test_those_inside_finish_on_their_version_whatever_is_published_meanwhile(desk):
    made = journey(wait(), points(n=10))
    old = join()
    run(at=AT)
    steps = [wait(), points(n=99), {"id": "s", "kind": "send", "template": template().pk, "channels": ["sms", "email"]}]
    typed = form({"trigger": {"kind": "joined"}, "steps": steps}, publish="1", channel="app", otherwise="email")
    assert desk.post(page("change", made.pk), typed).url == page("publish", made.pk)
    asked = desk.post(page("publish", made.pk), {}).content.decode()
    assert "1 member is inside and finishes on the version they began." in asked
    with time_machine.travel(AT, tick=False):
        desk.post(page("publish", made.pk), {"confirmed": "1"})
    new = join()
    run(at=AT)
    run(at=AT + DAY)
    assert (balance(old.pk, AT + DAY), balance(new.pk, AT + DAY)) == (10, 99)
    made.campaign.refresh_from_db()
    assert made.campaign.channels == ["app", "email"]
    assert "by Text message → E-mail" in desk.get(page("change", made.pk)).content.decode()


def test_who_is_stuck_is_seen_and_goes_on_once_staff_say_how(desk):
    empty = Template.objects.create(name="Empty", created_at=AT, changed_at=AT)  # it says nothing yet
    made = journey({"id": "s", "kind": "send", "template": empty.pk}, points())
    first, second = join(), join()
    for n in range(5):
        run(at=AT + n * DAY)
    assert f"{made.pk}/mend/" in desk.get(page("change", made.pk)).content.decode()
    asked = desk.get(page("mend", made.pk)).content.decode()
    assert "2 members: Send “Empty”" in asked
    typed = {"which": "0", "what": "skip", "reason": "It will never say anything"}
    assert "2 members go on without what the step does." in desk.post(page("mend", made.pk), typed).content.decode()
    with time_machine.travel(AT + 6 * DAY, tick=False):
        desk.post(page("mend", made.pk), {**typed, "confirmed": "1"})
    run(at=AT + 6 * DAY)
    assert [balance(member.pk, AT + 6 * DAY) for member in (first, second)] == [10, 10]
    found = JourneyRun.objects.get(member=first)
    shown = desk.get(reverse("admin:campaigns_journeyrun_change", args=[found.pk])).content.decode()
    assert "Staff led past the step" in shown
    assert "It will never say anything" in shown
    assert retry(run_ids=[found.pk], reason="x", at=AT, actor_id=None) == 0  # it is not stuck any more


def test_what_a_living_journey_needs_cannot_be_archived(desk):
    text = template("In use")
    segment = save_segment(names={"en": "Chinese"}, definition=CHINESE, at=AT)
    made = journey({"id": "s", "kind": "send", "template": text.pk}, audience={
        "trait": "segment", "op": "any_of", "value": [segment.pk]})  # fmt: skip
    archive = reverse("admin:campaigns_template_archive", args=[text.pk])
    assert "These journeys send it: Test." in desk.post(archive, {"confirmed": "1"}).content.decode()
    with pytest.raises(SegmentInUse):
        archive_segment(segment_id=segment.pk, at=AT)
    Campaign.objects.filter(pk=made.pk).update(state="done")
    desk.post(archive, {"confirmed": "1"})
    text.refresh_from_db()
    assert text.archived_at
    assert archive_segment(segment_id=segment.pk, at=AT).archived_at


# --- telling another system ------------------------------------------------------------------------------------------
class _Listener(BaseHTTPRequestHandler):
    heard: list = []
    answers: list = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append((dict(self.headers), body))
        self.send_response(self.answers.pop(0))
        self.end_headers()

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def listener():
    server = HTTPServer(("127.0.0.1", 0), _Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    _Listener.heard.clear()
    yield server
    server.shutdown()
    server.server_close()


def to_listener(listener) -> None:
    Sender.objects.filter(channel="webhook").delete()
    Sender.objects.create(
        label="Calls", channel="webhook", transport="http", url=f"http://127.0.0.1:{listener.server_port}/hook",
        body="{}", is_default=True, signing_key="MESSAGE_SECRET_HOOK",
    )  # fmt: skip
    journey({"id": "c", "kind": "webhook", "event": "welcomed"})


def test_another_system_is_told_again_until_it_answers_under_the_same_key(listener, monkeypatch, settings):
    settings.MESSAGE_HOSTS_INSIDE = ["127.0.0.1"]
    monkeypatch.setenv("MESSAGE_SECRET_HOOK", "s3cret")
    to_listener(listener)
    member = join()
    advance(at=AT)
    _Listener.answers[:] = [500, 200]
    assert make_calls(at=AT) == 0
    assert JourneyCall.objects.get().error.startswith("500")
    assert make_calls(at=AT + HOUR) == 1
    assert make_calls(at=AT + DAY) == 0
    (first, body), (second, _) = _Listener.heard
    assert first["Idempotency-Key"] == second["Idempotency-Key"]
    signed = f"{first['Webhook-Id']}.{first['Webhook-Timestamp']}.".encode() + body
    assert first["X-Signature"] == hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert json.loads(body)["member"] == member.card_number


def test_an_address_of_ones_own_network_is_refused_and_a_no_for_good_is_not_asked_again(
    listener, monkeypatch, settings
):
    monkeypatch.setenv("MESSAGE_SECRET_HOOK", "s3cret")
    to_listener(listener)
    join()
    run(at=AT)
    assert _Listener.heard == []
    assert "inside our own network" in JourneyCall.objects.get().error
    settings.MESSAGE_HOSTS_INSIDE = ["127.0.0.1"]
    _Listener.answers[:] = [422]
    make_calls(at=AT + DAY)
    assert JourneyCall.objects.get().next_try_at is None


# --- killed in the middle --------------------------------------------------------------------------------------------
def advance_and_die(times: int) -> None:
    """Dies when the nth group of members has been given its points, before anything is committed."""
    whole, calls = acts.ACTS["points"], []

    def then_die(group):
        went = whole(group)
        calls.append(1)
        if len(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return went

    acts.ACTS["points"] = then_die
    advance(at=AT)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing():
    journey(points(n=3), points("q", 4), {"id": "t", "kind": "task", "title": "Call"})
    members = [join().pk for _ in range(5)]
    for times in (1, 2):
        killed_in(advance_and_die, times)
    advance(at=AT)
    advance(at=AT)
    assert [balance(pk, AT) for pk in members] == [7] * 5
    assert all(member.tasks.count() == 1 for member in Member.objects.filter(pk__in=members))
    assert [result.difference for result in verify() if result.difference] == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_move_each_member_once(monkeypatch):
    made = journey(points(n=3), points("q", 4))
    members = [join().pk for _ in range(6)]
    both, claimed, give = Barrier(2, timeout=5), [], acts.ACTS["points"]

    def when_both_hold_members(group):
        if group.step.id == "p":
            both.wait()  # neither has ended its transaction
        return give(group)

    def work():
        try:
            claimed.append(advance_batch(journey_id=made.pk, at=AT, limit=3))
        finally:
            connection.close()

    monkeypatch.setitem(acts.ACTS, "points", when_both_hold_members)
    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert claimed == [3, 3]
    assert advance(at=AT) == 0
    assert [balance(pk, AT) for pk in members] == [7] * 6
    assert set(JourneyRun.objects.values_list("state", flat=True)) == {"done"}
    assert [result.difference for result in verify() if result.difference] == []
