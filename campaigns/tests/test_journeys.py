"""Members on journeys: coming in once, going on, leaving, through the services and the reactions that run them."""

from datetime import UTC, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils.timezone import now

from campaigns.enums import CampaignState, Medium
from campaigns.journeys import dates
from campaigns.models import (
    Campaign,
    Journey,
    JourneyCall,
    JourneyLog,
    JourneyRun,
    Message,
    OptInRule,
    PendingConsent,
    Template,
)
from campaigns.queries_journeys import dues
from campaigns.services.journeys.advancing import advance, advance_batch
from campaigns.services.journeys.definitions import pause_journey, publish_journey, resume_journey, save_journey
from campaigns.services.journeys.entering import let_in_by_time
from campaigns.services.journeys.running import run
from campaigns.services.opt_in import confirm, confirm_url
from campaigns.services.preferences import set_first_channel
from campaigns.services.templates import save_template
from campaigns.tests.factories import utc
from common.sql import execute
from members.models import Member, MemberTag, Task, TimelineEvent
from members.services.consent import state_consent
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.services.profile import create_member
from members.services.purchases import NewLine, record_purchases
from members.services.reactions import run_due
from members.tasks import run_reactions
from members.tests.factories import JOINED, make_member, new_purchase
from rewards.queries import balance

pytestmark = pytest.mark.django_db
AT = utc(2026, 5, 12, 9)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HELLO = {
    "subject": {"en": "Hello"}, "preheader": {}, "sms": {},
    "blocks": [{"type": "text", "text": {"en": "Hello {{ member.name }}"}}],
}  # fmt: skip


def template(name: str = "Hello") -> Template:
    return save_template(
        template_id=None, name=name, kind="marketing", content=HELLO, actor_id=None, at=JOINED
    ).template


def journey(*steps, trigger=None, at=AT - DAY, holdout=0, **more) -> Journey:
    """A journey that runs since a day before AT, without a hold-out."""
    definition = {"trigger": trigger or {"kind": "joined"}, "steps": list(steps), **more}
    made = save_journey(journey_id=None, name="Test", definition=definition, at=at, holdout_percent=holdout)
    publish_journey(journey_id=made.pk, at=at)
    return Journey.objects.get(pk=made.pk)


def points(name: str = "p", n: int = 10) -> dict:
    return {"id": name, "kind": "points", "points": n}


def wait(name: str = "w", **length) -> dict:
    return {"id": name, "kind": "wait", **(length or {"days": 1})}


def agree(member, at=JOINED) -> None:
    state_consent(member_id=member.pk, channel="email", purpose="offers", granted=True, source="test", at=at)


def join(at=AT, **profile):
    """A member who joins now, and what the programme does about it."""
    number = TimelineEvent.objects.count()
    member = create_member(at=at, profile={"email": f"new{number}@example.com", **profile}, source="test")
    react(at)
    return member


def buy(member, at, amount=1000):
    record_purchases(purchases=[new_purchase(member, purchased_at=at, amount_minor=amount)])
    react(at)


def react(at) -> None:
    execute("UPDATE members_pendingreaction SET due_at = %s WHERE due_at > %s", [at, at])
    run_due(at=at)


def way(member) -> list[tuple[str, str]]:
    return list(JourneyLog.objects.filter(run__member=member).order_by("id").values_list("step", "what"))


def state(member) -> str:
    return JourneyRun.objects.get(member=member).state


def test_who_joins_comes_in_once_and_goes_through():
    journey(points(), wait(), points("q", 5))
    member = join()
    run(at=AT)
    assert balance(member.pk, AT) == 10
    assert way(member) == [("", "entered"), ("p", "did"), ("w", "waits")]
    run(at=AT + DAY - HOUR)
    assert balance(member.pk, AT + DAY) == 10
    run(at=AT + DAY)
    assert balance(member.pk, AT + DAY) == 15
    assert state(member) == "done"
    event = TimelineEvent.objects.get(member=member, kind="member.joined")
    assert JourneyRun.objects.get().key == f"event:{event.pk}"


def test_an_event_told_again_lets_in_once():
    from campaigns.services.journeys.entering import hear

    journey(points(), again={"rule": "always"})
    member = join()
    run(at=AT)
    hear(events=list(TimelineEvent.objects.filter(member=member, kind="member.joined")), at=AT + DAY)
    run(at=AT + DAY)
    assert JourneyRun.objects.count() == 1
    assert balance(member.pk, AT + DAY) == 10


def test_who_joined_before_the_journey_ran_does_not_come_in():
    member = make_member()
    journey(points())
    react(AT)
    assert not JourneyRun.objects.filter(member=member).exists()


def test_a_message_waits_for_delivery_with_its_version_and_the_channel_that_reaches():
    text = template()
    journey({"id": "s", "kind": "send", "template": text.pk})
    agreed, silent = join(), join()
    agree(agreed)
    run(at=AT)
    message = Message.objects.get(member=agreed)
    assert (message.state, message.channel, message.due_at) == ("queued", "email", AT)
    assert message.occurrence == f"{JourneyRun.objects.get(member=agreed).pk}:s"
    assert message.why["version"] == text.versions.get().pk
    refused = Message.objects.get(member=silent)
    assert (refused.state, refused.reason) == ("skipped", "no_consent")


def test_the_way_that_a_member_likes_first_comes_first():
    journey({"id": "s", "kind": "send", "template": template().pk, "channels": ["email", "sms"]})
    either, one = join(phone="+491701234560"), join(phone="+491701234561")
    for member in (either, one):
        agree(member)
        set_first_channel(member_id=member.pk, channel=Medium.SMS, source="portal", at=JOINED)
    state_consent(member_id=either.pk, channel="sms", purpose="offers", granted=True, source="test", at=JOINED)
    run(at=AT)
    assert dict(Message.objects.values_list("member", "channel")) == {either.pk: "sms", one.pk: "email"}


def test_a_message_waits_for_a_yes_that_is_to_be_confirmed():
    OptInRule.objects.create(channel="email", purpose="offers", days=7)
    journey({"id": "s", "kind": "send", "template": template().pk}, points(n=1))
    said, silent, slow = join(), join(), join()
    agree(said, AT), agree(slow, AT)
    run(at=AT)
    react(AT)
    assert list(Message.objects.values_list("member", "reason")) == [(silent.pk, "no_consent")]
    assert [(state(one), way(one)[-1]) for one in (said, slow)] == [("active", ("s", "waits"))] * 2
    later = AT + timedelta(hours=3)
    asked = PendingConsent.objects.get(member=said)
    confirm(token=confirm_url(asked).rstrip("/").rpartition("/")[2], at=later)
    react(later)
    run(at=later)
    message = Message.objects.get(member=said)
    assert (message.state, message.channel, state(said)) == ("queued", "email", "done")
    assert way(said).count(("s", "waits")) == 1
    run(at=AT + 3 * DAY)  # the message would come too late: the way goes on without it
    assert (Message.objects.get(member=slow).reason, state(slow)) == ("no_consent", "done")


LADDER = (
    {
        "id": "f", "kind": "wait_for", "for": {"event": "purchase.paid", "at_least_minor": 2000}, "days": 3,
        "then": [points("big", 100)], "else": [points("none", 1)],
    },
)  # fmt: skip


@pytest.mark.parametrize(("amount", "after", "given"), [(2000, 2, 100), (1999, 2, 1), (2000, 4, 1)])
def test_waiting_for_a_purchase_has_two_ways_out(amount, after, given):
    journey(*LADDER)
    member = join()
    run(at=AT)
    before = AT + min(after, 3) * DAY
    if after < 3:
        buy(member, before, amount)
    run(at=before)
    if after > 3:
        run(at=AT + 3 * DAY)
    run(at=AT + 3 * DAY)
    given_by = JourneyLog.objects.filter(run__member=member, what="did").values_list("why__points", flat=True)
    assert list(given_by) == [given]


def test_a_purchase_that_is_told_late_still_counts_before_the_time_was_up():
    journey(*LADDER)
    member = join()
    run(at=AT)
    record_purchases(purchases=[new_purchase(member, purchased_at=AT + DAY, amount_minor=5000)])
    run(at=AT + 3 * DAY)  # no worker ran the reaction
    assert ("big", "did") in way(member)


def test_the_goal_takes_out_at_once_and_nothing_more_is_given():
    journey(wait(), points(), goal={"event": "purchase.paid"})
    member = join()
    run(at=AT)
    buy(member, AT + HOUR)
    run(at=AT + HOUR)
    assert state(member) == "converted"
    run(at=AT + 2 * DAY)
    assert ("p", "did") not in way(member)


@pytest.mark.parametrize(
    ("again", "times"), [({"rule": "never"}, 1), ({"rule": "after", "days": 3}, 2), ({"rule": "always"}, 4)]
)
def test_coming_again_follows_the_rule(again, times):
    journey(points(), trigger={"kind": "purchase"}, again=again)
    member = make_member()
    for n in range(4):
        buy(member, AT + n * DAY)
        run(at=AT + n * DAY)
    assert JourneyRun.objects.filter(member=member).count() == times


def test_nobody_is_inside_twice():
    journey(wait(days=5), trigger={"kind": "purchase"}, again={"rule": "always"})
    member = make_member()
    for n in range(3):
        buy(member, AT + n * DAY)
        run(at=AT + n * DAY)
    assert JourneyRun.objects.filter(member=member).count() == 1


def test_the_first_purchase_lets_in_and_no_later_one():
    journey(points(), trigger={"kind": "purchase", "first": True}, again={"rule": "always"})
    member = make_member()
    buy(member, AT)
    run(at=AT)
    buy(member, AT + DAY)
    run(at=AT + DAY)
    assert JourneyRun.objects.filter(member=member).count() == 1


def test_conditions_are_asked_of_each_when_they_come_to_them():
    condition = {"trait": "purchase.count", "op": "at_least", "value": 1}
    journey({"id": "i", "kind": "if", "condition": condition, "yes": [points("y", 7)], "no": [points("n", 1)]})
    first, second = join(), join()
    record_purchases(purchases=[new_purchase(first, purchased_at=AT)])
    from members.services.derived import bring_up_to_date

    bring_up_to_date(at=AT)
    run(at=AT)
    assert ("y", "did") in way(first)
    assert ("n", "did") in way(second)


def test_the_audience_decides_who_comes_in():
    journey(points(), audience={"trait": "language", "op": "any_of", "value": ["zh-hans"]})
    chinese, english = join(language="zh-hans"), join()
    assert JourneyRun.objects.filter(member=chinese).exists()
    assert not JourneyRun.objects.filter(member=english).exists()


def test_the_cap_ends_the_giving_and_says_so():
    made = journey(points(n=10), cap_points=25)
    members = [join() for _ in range(3)]
    run(at=AT)
    assert sorted(balance(member.pk, AT) for member in members) == [0, 10, 10]
    assert JourneyLog.objects.get(what="skipped").why == {"reason": "cap", "cap": 25}
    made.refresh_from_db()
    assert made.points_given == 20


def test_the_cap_in_money_counts_points_coupons_and_messages_together():
    from campaigns.models import Sender
    from campaigns.services.senders import default_sender
    from rewards.tests.coupons import make_offer

    execute("UPDATE rewards_rewardsettings SET point_cost = 0.01")
    Sender.objects.filter(pk=default_sender("email").pk).update(message_cost=Decimal("0.025"))
    offer = make_offer(unit_cost_minor=90)  # and ten points cost 10, a mail 2.5
    send = {"id": "s", "kind": "send", "template": template().pk}
    made = journey(points(), {"id": "c", "kind": "coupon", "offer": offer.pk}, send, cap_cost_minor=214)
    for _ in range(3):
        agree(join())
    run(at=AT)
    made.refresh_from_db()
    assert (made.points_given, made.coupons_given, Message.objects.count()) == (30, 2, 1)
    assert made.cost_minor == Decimal("212.5")
    skipped = JourneyLog.objects.filter(what="skipped", why__reason="cost_cap").order_by("step")
    assert list(skipped.values_list("step", flat=True)) == ["c", "s", "s"]


def test_purchases_let_in_by_store_category_and_amount():
    asked = {"kind": "purchase", "at_least_minor": 1000, "stores": ["Mitte"], "categories": ["drinks"]}
    journey(points(), trigger=asked)
    tea, cake = (NewLine(sku=of, category=of, amount_minor=1000) for of in ("drinks", "food"))
    fits, *others = [make_member() for _ in range(4)]
    for member, store, amount, line in (
        (fits, "Mitte", 1000, tea), (others[0], "Ost", 1000, tea), (others[1], "Mitte", 999, tea),
        (others[2], "Mitte", 1000, cake),
    ):  # fmt: skip
        told = new_purchase(member, purchased_at=AT, amount_minor=amount, store=store, lines=(line,))
        record_purchases(purchases=[told])
    react(AT)
    assert list(JourneyRun.objects.values_list("member", flat=True)) == [fits.pk]


def test_the_limit_of_entries_holds():
    journey(points(), entry_limit=2)
    for _ in range(3):
        join()
    assert JourneyRun.objects.count() == 2


def test_the_held_out_are_recorded_and_get_nothing():
    journey(points(), holdout=50)
    members = [join() for _ in range(20)]
    run(at=AT)
    held = JourneyRun.objects.filter(state="held").count()
    assert 3 <= held <= 17
    assert sum(balance(member.pk, AT) > 0 for member in members) == 20 - held


def test_tags_tasks_and_calls_are_made():
    journey(
        {"id": "t", "kind": "tag", "tag": "New"},
        {"id": "a", "kind": "task", "title": "Call them", "due_days": 2},
        {"id": "u", "kind": "untag", "tag": "new"},
        {"id": "c", "kind": "webhook", "event": "welcomed"},
    )
    member = join()
    run(at=AT)
    assert not MemberTag.objects.filter(member=member).exists()
    assert Task.objects.get(member=member).due_on == (AT + 2 * DAY).date()
    assert JourneyCall.objects.get(run__member=member).event == "welcomed"
    assert way(member)[1:5] == [("t", "did"), ("a", "did"), ("u", "did"), ("c", "did")]


def test_those_inside_finish_on_the_version_they_began():
    made = journey(wait(), points(n=10))
    old = join()
    run(at=AT)
    definition = {"trigger": {"kind": "joined"}, "steps": [wait(), points(n=99)]}
    save_journey(journey_id=made.pk, name="Test", definition=definition, at=AT)
    assert publish_journey(journey_id=made.pk, at=AT).number == 2
    new = join()
    run(at=AT)
    run(at=AT + DAY)
    assert (balance(old.pk, AT + DAY), balance(new.pk, AT + DAY)) == (10, 99)


def test_a_paused_journey_stands_still_and_what_is_too_late_is_missed():
    text = template()
    made = journey(wait(days=1), {"id": "s", "kind": "send", "template": text.pk}, catch_up_hours=24)
    member = join()
    agree(member)
    run(at=AT)
    pause_journey(journey_id=made.pk)
    run(at=AT + 2 * DAY)
    assert not Message.objects.exists()
    resume_journey(journey_id=made.pk)
    run(at=AT + 3 * DAY)
    assert Message.objects.get().state == "missed"
    assert ("s", "missed") in way(member)


def test_who_comes_in_too_late_is_missed_and_seen():
    journey(points(), catch_up_hours=24)
    member = create_member(at=AT, profile={"email": "late@example.com"}, source="test")
    react(AT + 2 * DAY)
    run(at=AT + 2 * DAY)
    assert state(member) == "missed"
    assert balance(member.pk, AT + 2 * DAY) == 0


def test_a_host_whose_clock_is_wrong_takes_nobody_for_late():
    joined = now()
    journey(points(), at=joined - DAY, catch_up_hours=24)
    member = create_member(at=joined, profile={"email": "new@example.com"}, source="test")
    with time_machine.travel(joined + 3 * DAY):
        run_reactions()
    assert state(member) == "active"
    assert joined <= JourneyRun.objects.get().due_at <= now()


def test_a_circle_gives_anew_each_time_round():
    journey(points(n=3), wait(), {"id": "g", "kind": "go_to", "step": "p"}, exits=[{"event": "purchase.paid"}])
    member = join()
    for n in range(3):
        run(at=AT + n * DAY)
        run(at=AT + n * DAY)
    assert balance(member.pk, AT + 3 * DAY) == 9


def test_a_step_that_fails_is_tried_again_and_then_stuck():
    empty = Template.objects.create(name="Empty", created_at=AT, changed_at=AT)  # it says nothing yet
    journey({"id": "s", "kind": "send", "template": empty.pk}, points())
    member = join()
    for n in range(5):
        run(at=AT + n * DAY)
    assert state(member) == "stuck"
    assert balance(member.pk, AT + 5 * DAY) == 0


def test_a_journey_whose_offer_is_over_goes_on_without():
    from rewards.tests.coupons import make_offer

    offer = make_offer()
    journey({"id": "c", "kind": "coupon", "offer": offer.pk}, points())
    execute("UPDATE rewards_offer SET state = 'ended'")
    member = join()
    run(at=AT)
    assert balance(member.pk, AT) == 10
    assert JourneyLog.objects.get(what="skipped").why == {"reason": "offer_over"}


def test_who_moves_to_another_zone_waits_by_the_new_clock():
    journey({"id": "u", "kind": "until_hour", "hour": 10}, points())
    member = join(AT, time_zone="Europe/Berlin")  # eleven o'clock there
    run(at=AT)
    Member.objects.filter(pk=member.pk).update(time_zone="Asia/Shanghai")
    JourneyRun.objects.update(due_at=AT + HOUR)  # somebody asks again
    run(at=AT + HOUR)
    assert JourneyRun.objects.get().due_at == utc(2026, 5, 13, 2)  # ten in Shanghai


@pytest.mark.parametrize(
    ("start", "until"),
    [(utc(2026, 3, 28, 20), utc(2026, 3, 29, 1)), (utc(2026, 10, 24, 20), utc(2026, 10, 25, 1))],
)  # 2:00 to 3:00 is left out in spring, and comes twice in autumn: then the second counts, as for broadcasts
def test_an_hour_of_the_night_in_which_the_clocks_change_comes_once(start, until):
    journey({"id": "u", "kind": "until_hour", "hour": 2}, points(), at=start - DAY)
    member = join(start, time_zone="Europe/Berlin")
    for half in range(24):
        run(at=start + half * HOUR / 2)
    done = JourneyLog.objects.get(run__member=member, what="did")
    assert done.at == until
    assert balance(member.pk, done.at) == 10


def test_a_birthday_corrected_on_the_way_is_waited_for_and_comes_once():
    birthday = {"kind": "occasion", "occasion": "birthday", "days": -5, "hour": 10}
    wait_for_it = {"id": "d", "kind": "until_date", "of": "birthday", "hour": 10}
    journey(wait_for_it, points(), trigger=birthday, at=AT - 10 * DAY, again={"rule": "after", "days": 300})
    member = make_member(birthday_month=5, birthday_day=17, time_zone="UTC")
    noon = utc(2026, 5, 12, 10)
    run(at=noon)
    Member.objects.filter(pk=member.pk).update(birthday_day=20)
    for n in range(1, 12):
        run(at=noon + n * DAY)
    assert JourneyRun.objects.filter(member=member).count() == 1
    assert JourneyLog.objects.get(what="did").at == utc(2026, 5, 20, 10)


def test_who_is_merged_is_inside_once_and_who_is_erased_is_not():
    journey(wait(), points())
    survivor, double, gone = join(), join(), join()
    run(at=AT)
    merge_members(survivor_id=survivor.pk, merged_id=double.pk, at=AT)
    erase_member(member_id=gone.pk, at=AT)
    for n in range(1, 4):
        run(at=AT + n * DAY)
    assert balance(survivor.pk, AT + 3 * DAY) == 10
    assert sorted(JourneyRun.objects.values_list("state", flat=True)) == ["done", "gone", "gone"]
    assert JourneyRun.objects.get(member=gone).why == {}


def test_two_rounds_at_once_take_different_members():
    made = journey(points())
    members = [join() for _ in range(4)]
    assert advance_batch(journey_id=made.pk, at=AT, limit=3) == 3
    assert advance_batch(journey_id=made.pk, at=AT, limit=3) == 1
    assert advance(at=AT) == 0
    assert all(balance(member.pk, AT) == 10 for member in members)


def test_a_look_at_the_clock_lets_in_each_once():
    journey(points(), trigger={"kind": "occasion", "occasion": "birthday", "days": -3, "hour": 10}, at=AT - 5 * DAY)
    member = make_member(birthday_month=5, birthday_day=15, time_zone="Asia/Shanghai")
    let_in_by_time(at=utc(2026, 5, 12, 1, 59))
    assert not JourneyRun.objects.exists()
    for minute in (0, 1, 2):
        let_in_by_time(at=utc(2026, 5, 12, 2, minute))
    found = JourneyRun.objects.get()
    assert (found.member_id, found.key, found.entered_at) == (
        member.pk,
        f"birthday:2026:{member.pk}",
        utc(2026, 5, 12, 2),
    )


@pytest.mark.parametrize(
    "changed",  # Berlin, New York; Lord Howe by half an hour, Troll by two
    [utc(2026, 3, 29, 1), utc(2026, 10, 25, 1), utc(2026, 11, 1, 6), utc(2026, 4, 4, 15)],
)
@pytest.mark.parametrize("step", [HOUR / 2, 30 * HOUR])
def test_an_hour_comes_in_each_zone_when_its_own_clock_says_so(changed, step):
    names = ["Europe/Berlin", "America/New_York", "Antarctica/Troll", "Australia/Lord_Howe", "Asia/Kathmandu",
             "Pacific/Apia", "Asia/Shanghai", "UTC"]  # fmt: skip
    since, last = changed - 26 * HOUR, changed + 26 * HOUR
    days = [(since + n * DAY).date() for n in range(-2, 6)]
    came = []
    while since < last:
        for hour in (0, 1, 2, 3, 10):
            expected = {
                (name, day, at.astimezone(UTC))
                for name in names for day in days
                if since < (at := dates.moment(day, hour, ZoneInfo(name))) <= since + step
            }  # fmt: skip
            found = [
                (due.zone, due.day, due.at.astimezone(UTC))
                for due in dues(since, since + step, hour)
                if due.zone in names
            ]
            assert set(found) == expected
            came += [(hour, *due) for due in found]
        since += step
    assert len(set(came)) == len(came) > 60


def test_the_state_of_the_campaign_is_the_state_of_the_journey():
    made = journey(points())
    assert Campaign.objects.get(pk=made.pk).state == CampaignState.RUNNING
